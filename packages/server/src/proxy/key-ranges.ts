/** Ranges of keys as text, for a proxy that looks into them. */
import { toLatin1 } from '@etcd-ts/base';

/** A range of keys as latin1 text, so that `<` is the order of bytes. */
export interface TextRange {
  readonly key: string;
  /** Exclusive; undefined: the one key; infinite: null. */
  readonly end: string | null | undefined;
}

/** Reads etcd's pair of key and end. */
export function textRange(key: Uint8Array, rangeEnd: Uint8Array): TextRange {
  if (rangeEnd.length === 0) return { key: toLatin1(key), end: undefined };
  const isOpen = rangeEnd.length === 1 && rangeEnd[0] === 0;
  return { key: toLatin1(key), end: isOpen ? null : toLatin1(rangeEnd) };
}

/** Whether two ranges have a key in common. */
export function overlap(a: TextRange, b: TextRange): boolean {
  return isBelow(a.key, b) && isBelow(b.key, a);
}

/** Whether a key lies before a range's end. */
function isBelow(key: string, { key: only, end }: TextRange): boolean {
  if (end === undefined) return key <= only;
  return end === null || key < end;
}
