/**
 * A set of keys as merged half-open intervals, built once and asked often: what one user may read, or write.
 *
 * Adjacent and overlapping intervals are one, so [a, c) and [c, e) together cover [a, e) (etcd
 * server/auth/range_perm_cache.go). Bounds are latin1 strings, whose `<` is byte order.
 */
import { toLatin1 } from '@etcd-ts/base';

/** From `begin` up to, not including, `end`; without an end it goes on for ever. */
export interface KeyInterval {
  readonly begin: string;
  readonly end: string | undefined;
}

/**
 * The interval that a key and range end name on the wire: an empty range end is the one key, `\0` is every key from
 * there on. Undefined when the range holds no key.
 */
export function keyInterval(key: Uint8Array, rangeEnd: Uint8Array): KeyInterval | undefined {
  const begin = toLatin1(key);
  if (rangeEnd.length === 0) return { begin, end: `${begin}\0` };
  if (rangeEnd.length === 1 && rangeEnd[0] === 0) return { begin, end: undefined };
  const end = toLatin1(rangeEnd);
  return begin < end ? { begin, end } : undefined;
}

/** Merged intervals in ascending order. Invariant: every one ends before the next begins. */
export class KeyIntervals {
  readonly #merged: readonly KeyInterval[];

  constructor(intervals: readonly KeyInterval[]) {
    const sorted = [...intervals].sort((a, b) =>
      a.begin < b.begin ? -1 : a.begin > b.begin ? 1 : 0,
    );
    const merged: KeyInterval[] = [];
    for (const next of sorted) {
      const last = merged.at(-1);
      if (last === undefined || (last.end !== undefined && last.end < next.begin))
        merged.push(next);
      else merged[merged.length - 1] = { begin: last.begin, end: later(last.end, next.end) };
    }
    this.#merged = merged;
  }

  /** True when every key of the interval is in the set. O(log n). */
  covers(interval: KeyInterval): boolean {
    const candidate = this.#lastFrom(interval.begin);
    if (candidate === undefined) return false;
    if (candidate.end === undefined) return true;
    return interval.end !== undefined && interval.end <= candidate.end;
  }

  /** The interval with the greatest begin that is not after the key. */
  #lastFrom(key: string): KeyInterval | undefined {
    let low = 0;
    let high = this.#merged.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#merged[middle] as KeyInterval).begin <= key) low = middle + 1;
      else high = middle;
    }
    return this.#merged[low - 1];
  }
}

function later(a: string | undefined, b: string | undefined): string | undefined {
  if (a === undefined || b === undefined) return undefined;
  return a > b ? a : b;
}
