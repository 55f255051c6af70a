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

/** A string that is spelt out: its length, then its bytes. */
function text(value: string): Uint8Array {
  const bytes = encoder.encode(value);
  return concatBytes([length(bytes.length), bytes]);
}

function length(value: number): Uint8Array {
  if (value < 0x7f) return new Uint8Array([value]);
  const bytes = [0x7f];
  let rest = value - 0x7f;
  for (; rest >= 0x80; rest >>>= 7) bytes.push((rest & 0x7f) | 0x80);
  bytes.push(rest);
  return new Uint8Array(bytes);
}
