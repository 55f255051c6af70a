/** A 53-bit hash as two 32-bit lanes; small enough for a Set of numbers, wide enough for millions of states. */
export interface Hash {
  readonly high: number;
  readonly low: number;
}

/** Hashes a text with two independent multipliers. */
export function hashText(text: string): Hash {
  let high = 0x811c9dc5;
  let low = 0x9747b28c;
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    high = Math.imul(high ^ code, 0x01000193);
    low = Math.imul(low + code, 0x5bd1e995) ^ (low >>> 15);
  }
  return { high: mix(high), low: mix(low) };
}

function mix(value: number): number {
  let mixed = value ^ (value >>> 16);
  mixed = Math.imul(mixed, 0x7feb352d);
  mixed ^= mixed >>> 15;
  mixed = Math.imul(mixed, 0x846ca68b);
  return mixed ^ (mixed >>> 16);
}

/** Order matters: this lane then that. */
export function combine(a: Hash, b: Hash): Hash {
  return {
    high: mix(Math.imul(a.high, 0x01000193) + b.high),
    low: mix(Math.imul(a.low, 0x5bd1e995) + b.low),
  };
}

/** Order does not matter: for a bag of messages. */
export function add(a: Hash, b: Hash): Hash {
  return { high: (a.high + b.high) | 0, low: (a.low + b.low) | 0 };
}

/** One safe integer of a hash. */
export function toNumber(hash: Hash): number {
  return (hash.high & 0x1fffff) * 2 ** 32 + (hash.low >>> 0);
}
