/**
 * HashKV: etcd's checksum of the history through a revision, to the bit, so that members of any make can be compared
 * (etcd server/storage/mvcc/hash.go).
 *
 * CRC-32C over the bucket name `key`, then name and record of every version with main ≤ the revision, in order. Of the
 * versions at or below the compact revision only those count that reads at the hashed revision see; deletes there never
 * do. So the value does not depend on how far a compaction has got.
 */
import { assert, crc32c, utf8 } from '@etcd-ts/base';
import { MvccError } from './errors.ts';
import { recordName } from './revision.ts';
import type { LogEntry } from './revision-log.ts';
import type { PinnedRead, StoreState } from './store-state.ts';

const BUCKET = utf8('key');

/** See the file's head. Reads in bounded steps at a pinned revision. */
export class HashKvScan {
  /** The revision that the hash covers. */
  readonly hashRevision: number;
  /** -1 before the first compaction. */
  readonly compactRevision: number;
  readonly #state: StoreState;
  readonly #pin: PinnedRead;
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
    this.#pin = { revision: this.compactRevision, isCancelled: false };
    state.pins.add(this.#pin);
  }

  /**
   * Hashes up to this many versions.
   *
   * @returns true when it is done.
   * @throws MvccError COMPACTED when the pin was broken.
   */
  step(entriesMax: number): boolean {
    if (this.#pin.isCancelled) {
      const through = this.#state.compactRevision;
      throw new MvccError(
        'COMPACTED',
        `revision ${this.hashRevision}, compacted through ${through}`,
      );
    }
    let left = entriesMax;
    let isDone = true;
    this.#state.log.forEachFrom(this.#main, this.#sub, (entry) => {
      if (entry.main > this.hashRevision) return false;
      if (left-- === 0) {
        this.#main = entry.main;
        this.#sub = entry.sub;
        isDone = false;
        return false;
      }
      this.#add(entry);
      return true;
    });
    this.#isDone = isDone;
    return isDone;
  }

  /** The checksum, unsigned 32 bits. Only after `step` has returned true. */
  get hash(): number {
    assert(this.#isDone, 'the hash is asked for before it is done');
    return this.#crc;
  }

  /** Lets compactions go on. Harmless when called again. */
  close(): void {
    this.#state.pins.delete(this.#pin);
  }

  #add(entry: LogEntry): void {
    const { main, sub, slot, tombstone } = entry;
    const isOld = main <= this.compactRevision;
    if (isOld && !this.#state.index.isSeenAt(slot, entry, this.hashRevision)) return;
    const name = recordName(main, sub, tombstone);
    this.#crc = crc32c(name, this.#crc, 1);
    this.#crc = crc32c(this.#state.readRecord(main, sub, tombstone), this.#crc);
  }
}
