import { concatBytes } from '@etcd-ts/base';

const encoder = new TextEncoder();

/** `:status: 200`, index 8 of the static table. */
const STATUS_200 = new Uint8Array([0x88]);

/**
 * A header block that needs no table: every header spelt out, without Huffman code and never kept.
 *
 * Ours are few, short and nearly always the same, so they are made once and sent as they are.
 */
export function headerBlock(headers: readonly (readonly [string, string])[]): Uint8Array {
  const parts = headers.map(([name, value]) =>
    name === ':status' && value === '200'
      ? STATUS_200
      : concatBytes([new Uint8Array([0]), text(name), text(value)]),
  );
  return concatBytes(parts);
}

/** A header that the peer is to keep in its table, spelt out for the last time. */
export function keptHeader([name, value]: readonly [string, string]): Uint8Array {
  return concatBytes([new Uint8Array([0x40]), text(name), text(value)]);
}

/** A string that is spelt out: its length, then its bytes. */
function text(value: string): Uint8Array {
  const bytes = encoder.encode(value);
  return concatBytes([length(bytes.length), bytes]);
}

function length(value: number): Uint8Array {
  return prefixed(0, 7, value);
}

/** An integer that shares its first byte with the bits given (RFC 7541 section 5.1). */
export function prefixed(bits: number, prefixBits: number, value: number): Uint8Array {
  const limit = (1 << prefixBits) - 1;
  if (value < limit) return new Uint8Array([bits | value]);
  const bytes = [bits | limit];
  let rest = value - limit;
  for (; rest >= 0x80; rest >>>= 7) bytes.push((rest & 0x7f) | 0x80);
  bytes.push(rest);
  return new Uint8Array(bytes);
}
