/**
 * HashKV: etcd's checksum of the history through a revision, to the bit, so that members of any make can be compared
 * (etcd server/storage/mvcc/hash.go).
 *
 * CRC-32C over the bucket name `key`, then name and record of every version with main ≤ the revision, in order. Of the
 * versions at or below the compact revision only those count that reads at the hashed revision see; deletes there never
 * do. So the value does not depend on how far a compaction has got.
 */
import { assert, crc32c, utf8 } from '@etcd-ts/base';
import type { BackendEntry } from './backend.ts';
import { MvccError } from './errors.ts';
import { ReadAhead } from './read-ahead.ts';
import { recordName } from './revision.ts';
import type { LogEntry } from './revision-log.ts';
import type { ReadPin } from './read-pins.ts';
import type { StoreState } from './store-state.ts';

const BUCKET = utf8('key');
/** A step ends once the records that it hashed have this many bytes: 64 KiB, some tenths of a millisecond. */
export const HASH_STEP_BYTES_MAX: number = 64 << 10;

/** What {@link HashKvScan} found. */
export interface StoreHash {
  /** Unsigned 32 bits. */
  readonly hash: number;
  /** The revision that the hash covers. */
  readonly hashRevision: number;
  /** -1 before the first compaction. */
  readonly compactRevision: number;
}

/** See the file's head. Reads in bounded steps at a pinned revision. */
export class HashKvScan {
  /** The revision that the hash covers. */
  readonly hashRevision: number;
  /** -1 before the first compaction. */
  readonly compactRevision: number;
  readonly #state: StoreState;
  readonly #pin: ReadPin;
  readonly #ahead = new ReadAhead();
  #crc: number = crc32c(BUCKET);
  #main = 0;
  #sub = 0;
  #isDone = false;

  /** @throws MvccError COMPACTED, FUTURE_REVISION. @internal */
  constructor(state: StoreState, revision: number) {
    if (revision > 0 && revision < state.compactRevision) {
      const through = state.compactRevision;
      throw new MvccError('COMPACTED', `revision ${revision}, compacted through ${through}`);
    }
    if (revision > state.revision) {
      const current = state.revision;
      throw new MvccError('FUTURE_REVISION', `revision ${revision}, the current one is ${current}`);
    }
    this.#state = state;
    this.hashRevision = revision === 0 ? state.revision : revision;
    this.compactRevision = state.compactRevision;
    this.#pin = state.pins.add(this.compactRevision);
  }

  /** True when the records read ahead are used up, and more may be given. */
  get wantsReadAhead(): boolean {
    return !this.#isDone && this.#ahead.isWanted;
  }

  /** Takes the backend's next records, in order from the first on; none means that there are no more. */
  readAhead(entries: readonly BackendEntry[]): void {
    this.#ahead.give(entries);
  }

  /**
   * Hashes up to this many versions: fewer once they have {@link HASH_STEP_BYTES_MAX}, or the records read ahead are
   * used up.
   *
   * @returns true when it is done.
   * @throws MvccError COMPACTED, CLOSED when the hash was broken off.
   */
  step(entriesMax: number): boolean {
    this.check();
    let left = entriesMax;
    let bytes = 0;
    let isDone = true;
    this.#state.log.forEachFrom(this.#main, this.#sub, (entry) => {
      if (entry.main > this.hashRevision) return false;
      if (left-- === 0 || bytes >= HASH_STEP_BYTES_MAX || this.#ahead.isUsedUp) {
        this.#main = entry.main;
        this.#sub = entry.sub;
        isDone = false;
        return false;
      }
      bytes += entry.bytes;
      this.#add(entry);
      return true;
    });
    this.#isDone = isDone;
    return isDone;
  }

  /** @throws MvccError COMPACTED, CLOSED when the hash was broken off. */
  check(): void {
    const { hashRevision } = this;
    this.#pin.check(() => `hash through revision ${hashRevision}`);
  }

  /** The checksum, unsigned 32 bits. Only after `step` has returned true. */
  get hash(): number {
    assert(this.#isDone, 'the hash is asked for before it is done');
    return this.#crc;
  }

  /** Lets compactions go on. Harmless when called again. */
  close(): void {
    this.#pin.release();
  }

  #add(entry: LogEntry): void {
    const { main, sub, slot, tombstone } = entry;
    const isOld = main <= this.compactRevision;
    if (isOld && !this.#state.index.isSeenAt(slot, entry, this.hashRevision)) return;
    const name = recordName(main, sub, tombstone);
    this.#crc = crc32c(name, this.#crc, 1);
    const record = this.#ahead.take(main, sub) ?? this.#state.readRecord(main, sub, tombstone);
    this.#crc = crc32c(record, this.#crc);
  }
}
