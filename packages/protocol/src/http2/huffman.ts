/**
 * Huffman strings of HPACK (RFC 7541 section 5.2 and appendix B).
 *
 * The code is canonical: shorter codes first, codes of one length in the order of their symbols. So the lengths say
 * it all.
 */
import { assert } from '@etcd-ts/base';
import { ErrorCode, Http2Error } from './frame.ts';

/** Length in bits of each byte's code, then of the end-of-string symbol. */
const CODE_LENGTHS: readonly number[] = [
  13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 30, 28,
  28, 28, 28, 28, 28, 28, 28, 28, 6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6, 5, 5, 5,
  6, 6, 6, 6, 6, 6, 6, 7, 8, 15, 6, 12, 10, 13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7,
  7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19, 13, 14, 6, 15, 5, 6, 5, 6, 5, 6, 6, 6, 5, 7, 7, 6, 6, 6, 5, 6,
  7, 6, 5, 5, 6, 7, 7, 7, 7, 7, 15, 11, 14, 13, 28, 20, 22, 20, 20, 22, 22, 22, 23, 22, 23, 23, 23,
  23, 23, 24, 23, 24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24, 22, 21, 20, 22,
  22, 23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23, 21, 21, 22, 21, 23, 22, 23, 23, 20, 22, 22, 22,
  23, 22, 22, 23, 26, 26, 20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25, 19, 21, 26, 27,
  27, 26, 27, 24, 21, 21, 26, 26, 28, 27, 27, 27, 20, 24, 20, 21, 22, 21, 21, 23, 22, 22, 25, 25,
  24, 24, 26, 23, 26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27, 27, 27, 27, 26, 30,
];

const END_OF_STRING = 256;
const MAX_CODE_BITS = 30;

/**
 * The codes as a binary tree: entry `2 * node + bit` is the next node when it is positive, and `-1 - symbol` at a leaf.
 * Node 0 is the root.
 */
const TREE: Int16Array = makeTree();

function makeTree(): Int16Array {
  const tree = new Int16Array(2 * CODE_LENGTHS.length);
  let nodes = 1;
  let code = 0;
  for (let bits = 1; bits <= MAX_CODE_BITS; bits++) {
    code *= 2;
    for (let symbol = 0; symbol <= END_OF_STRING; symbol++) {
      if (CODE_LENGTHS[symbol] !== bits) continue;
      let node = 0;
      for (let bit = bits - 1; bit > 0; bit--) {
        const edge = 2 * node + ((code >>> bit) & 1);
        if (tree[edge] === 0) tree[edge] = nodes++;
        node = tree[edge] as number;
      }
      tree[2 * node + (code & 1)] = -1 - symbol;
      code++;
    }
  }
  assert(code === 2 ** MAX_CODE_BITS, 'the lengths are those of a complete code');
  return tree;
}

/**
 * The text of a Huffman string, one character per byte.
 *
 * @throws Http2Error COMPRESSION_ERROR for a string that does not end in padding as it should.
 */
export function decodeHuffman(bytes: Uint8Array, start: number, end: number): string {
  let text = '';
  let node = 0;
  let depth = 0;
  let isPadding = true;
  for (let at = start; at < end; at++) {
    const byte = bytes[at] as number;
    for (let bit = 7; bit >= 0; bit--) {
      const value = (byte >>> bit) & 1;
      const next = TREE[2 * node + value] as number;
      if (next >= 0) {
        node = next;
        depth++;
        if (value === 0) isPadding = false;
        continue;
      }
      if (next === -1 - END_OF_STRING) throw malformed();
      text += String.fromCharCode(-1 - next);
      node = 0;
      depth = 0;
      isPadding = true;
    }
  }
  // What is left is padding: fewer than 8 bits, all ones.
  if (depth > 7 || !isPadding) throw malformed();
  return text;
}

function malformed(): Http2Error {
  return new Http2Error(ErrorCode.COMPRESSION_ERROR, 'malformed Huffman string');
}
