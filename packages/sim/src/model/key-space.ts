/**
 * The key space of the model: every version that every key ever had, so that any revision can be asked at any time.
 * Written from etcd's rules alone, not from the store that it judges; nothing is ever compacted here.
 *
 * What always holds: a key's versions ascend by modRevision; the last one at or below a revision is what a read at
 * that revision sees.
 */
import { type KeyValue } from '@etcd-ts/mvcc';

/** A version of a key; `deleted` for a tombstone. */
export interface Version {
  readonly modRevision: number;
  readonly createRevision: number;
  readonly version: number;
  readonly value: Uint8Array;
  readonly lease: bigint;
  readonly deleted: boolean;
}

/** All keys that ever were. */
export class KeySpace {
  readonly #histories = new Map<string, Version[]>();
  /** Every key that ever was, ascending. */
  readonly #sorted: string[] = [];

  /** What a read of the key at the revision sees; undefined when it is not there. */
  at(key: string, revision: number): Version | undefined {
    const history = this.#histories.get(key);
    if (history === undefined) return undefined;
    const found = history[lastAtOrBelow(history, revision)];
    return found === undefined || found.deleted ? undefined : found;
  }

  /** Adds a version, which is the newest of its key. */
  add(key: string, version: Version): void {
    const history = this.#histories.get(key);
    if (history === undefined) {
      this.#histories.set(key, [version]);
      this.#sorted.splice(this.#firstFrom(key), 0, key);
    } else history.push(version);
  }

  /** Keys in [key, end) that are there at the revision, ascending. See {@link rangeLimits} for `end`. */
  keysAt(key: string, end: string | undefined, revision: number): string[] {
    const keys: string[] = [];
    for (let i = this.#firstFrom(key); i < this.#sorted.length; i++) {
      const candidate = this.#sorted[i] as string;
      if (end !== undefined && candidate >= end) break;
      if (this.at(candidate, revision) !== undefined) keys.push(candidate);
    }
    return keys;
  }

  #firstFrom(key: string): number {
    let low = 0;
    let high = this.#sorted.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#sorted[middle] as string) < key) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

/** The exclusive end of a range as etcd writes it: undefined for "from the key on", the key's successor for one key. */
export function rangeLimits(key: string, rangeEnd: string): string | undefined {
  if (rangeEnd === '') return `${key}\0`;
  return rangeEnd === '\0' ? undefined : rangeEnd;
}

/** The wire's form of a version. */
export function keyValue(key: Uint8Array, version: Version): KeyValue {
  return {
    key,
    createRevision: version.createRevision,
    modRevision: version.modRevision,
    version: version.version,
    value: version.value,
    lease: version.lease,
  };
}

function lastAtOrBelow(history: readonly Version[], revision: number): number {
  const last = history.length - 1;
  if ((history[last] as Version).modRevision <= revision) return last;
  let low = 0;
  let high = last;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((history[middle] as Version).modRevision <= revision) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}
