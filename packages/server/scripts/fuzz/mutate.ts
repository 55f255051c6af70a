/** Changes bytes at random, a little or a lot. */

/** Numbers below a bound, seeded. */
export type Below = (bound: number) => number;

/** Bytes at which decoders have their edges. */
const EDGES = [0x00, 0x01, 0x0a, 0x1f, 0x20, 0x22, 0x5b, 0x5c, 0x7b, 0x7d, 0x7f, 0x80, 0xc0, 0xff];

const MAX_BYTES = 4_096;
const MAX_CHANGES = 6;
const MAX_PIECE_BYTES = 64;

/** A generator of numbers from a seed (xorshift). */
export function seeded(seed: number): Below {
  let state = seed * 2_654_435_761 || 1;
  return (bound) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % bound;
  };
}

/** One input out of another, with pieces of a third in it at times. */
export function mutate(input: Uint8Array, other: Uint8Array, below: Below): Uint8Array {
  let bytes: Uint8Array = input;
  for (let changes = 1 + below(MAX_CHANGES); changes > 0; changes--) {
    bytes = change(bytes, other, below);
  }
  return bytes.subarray(0, MAX_BYTES);
}

function change(bytes: Uint8Array, other: Uint8Array, below: Below): Uint8Array {
  const at = below(bytes.length + 1);
  const length = Math.min(below(MAX_PIECE_BYTES), bytes.length - at);
  switch (below(6)) {
    case 0:
      return replaced(bytes, at, 1, [(bytes[at] ?? 0) ^ (1 << below(8))]);
    case 1:
      return replaced(bytes, at, 1, [EDGES[below(EDGES.length)] ?? 0]);
    case 2:
      return replaced(bytes, at, 0, [below(256)]);
    case 3:
      return replaced(bytes, at, length, []);
    case 4:
      return replaced(bytes, below(bytes.length + 1), 0, bytes.subarray(at, at + length));
    default: {
      const from = below(other.length + 1);
      return replaced(bytes, at, length, other.subarray(from, from + below(MAX_PIECE_BYTES)));
    }
  }
}

function replaced(
  bytes: Uint8Array,
  at: number,
  length: number,
  by: ArrayLike<number>,
): Uint8Array {
  const rest = bytes.subarray(Math.min(bytes.length, at + length));
  const result = new Uint8Array(Math.min(at, bytes.length) + by.length + rest.length);
  result.set(bytes.subarray(0, at));
  result.set(by, at);
  result.set(rest, at + by.length);
  return result;
}
