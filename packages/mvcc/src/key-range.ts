/**
 * Which keys a request means: one key, [start, end), or everything from a key on
 * (etcd server/etcdserver/txn/range.go, mkGteRange).
 *
 * Keys are latin1 strings here, so that `<` is byte order.
 */
import { toLatin1 } from '@etcd-ts/base';

/** Keys from `start` to before `end`; `end` undefined: to the last key. Empty when end ≤ start. */
export interface KeyRange {
  readonly start: string;
  readonly end: string | undefined;
}

/** True when the request means the one key `key`. */
export function isSingleKey(rangeEnd: Uint8Array): boolean {
  return rangeEnd.length === 0;
}

/** True when the request means every key from `key` on. */
export function isFromKey(rangeEnd: Uint8Array): boolean {
  return rangeEnd.length === 1 && rangeEnd[0] === 0;
}

/** The range of a request. A single key's is [key, key + `\0`). */
export function keyRange(key: Uint8Array, rangeEnd: Uint8Array): KeyRange {
  const start = toLatin1(key);
  if (isSingleKey(rangeEnd)) return { start, end: `${start}\0` };
  return { start, end: isFromKey(rangeEnd) ? undefined : toLatin1(rangeEnd) };
}

/** True when the key lies in the range. */
export function rangeHas(range: KeyRange, key: string): boolean {
  return key >= range.start && (range.end === undefined || key < range.end);
}
