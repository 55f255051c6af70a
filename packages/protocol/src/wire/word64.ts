/**
 * One 64-bit word that can be seen as two 32-bit halves and as a bigint: the cheapest way between varints and bigints.
 *
 * Shared by readers and writers; its contents mean nothing between two statements of one function.
 */
import { assert } from '@etcd-ts/base';

const word = new ArrayBuffer(8);

/** The word as a signed 64-bit number. */
export const signed: BigInt64Array = new BigInt64Array(word);
/** The word as an unsigned 64-bit number. */
export const unsigned: BigUint64Array = new BigUint64Array(word);
/** The word as its low and its high half. */
export const halves: Uint32Array = new Uint32Array(word);

unsigned[0] = 1n;
assert(halves[0] === 1, 'the codecs need a little-endian machine, as all that Node runs on are');
