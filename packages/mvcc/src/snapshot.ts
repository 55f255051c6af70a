/**
 * A copy of the whole state at one applied index, taken in slices while writes go on.
 *
 * Nothing is frozen: records never change, later ones have higher revisions, and the next compaction waits for it. Only
 * the named blobs are copied at the start.
 */
import { assert, concatBytes } from '@etcd-ts/base';
import type { BackendEntry } from './backend.ts';
import { MvccError } from './errors.ts';
import {
  META_APPLIED,
  META_COMPACT,
  META_COMPACTED,
  metaName,
  numberBytes,
  positionBytes,
} from './meta-table.ts';
import { ReadAhead } from './read-ahead.ts';
import { recordName } from './revision.ts';
import { SnapshotWriter } from './snapshot-format.ts';
import type { PinnedRead, StoreState } from './store-state.ts';
import type { AppliedPosition } from './write-behind.ts';

/** See the file's head. */
export class SnapshotScan {
  /** The copy is the state after this entry. */
  readonly applied: AppliedPosition;
  readonly revision: number;
  readonly #state: StoreState;
  readonly #pin: PinnedRead;
  readonly #compactRevision: number;
  readonly #writer = new SnapshotWriter();
  /** Header and blobs: copied at the start, given out in pieces before the records. */
  readonly #head: readonly Uint8Array[];
  #headAt = 0;
  readonly #ahead = new ReadAhead();
  #main = 0;
  #sub = 0;
  #isEnded = false;

  /** @internal */
  constructor(state: StoreState) {
    this.#state = state;
    this.applied = state.applied;
    this.revision = state.revision;
    this.#compactRevision = state.compactRevision;
    this.#pin = { revision: state.compactRevision, isCancelled: false, isSnapshot: true };
    state.pins.add(this.#pin);
    this.#head = this.#headFrames();
  }

  /**
   * The next piece.
   *
   * @param entriesMax Looks at about this many revisions.
   * @param bytesMax Ends the piece early once it has this many bytes.
   * @returns undefined after the end; may be empty before it.
   * @throws MvccError COMPACTED when a compaction would not wait (`MvccStore.cancelReads`).
   */
  next(entriesMax: number, bytesMax: number): Uint8Array | undefined {
    if (this.#pin.isCancelled) {
      const through = this.#state.compactRevision;
      throw new MvccError(
        'COMPACTED',
        `snapshot at ${this.revision}, compacted through ${through}`,
      );
    }
    if (this.#isEnded) return undefined;
    const frames: Uint8Array[] = [];
    let bytes = 0;
    for (; this.#headAt < this.#head.length && bytes < bytesMax; this.#headAt++) {
      const frame = this.#head[this.#headAt] as Uint8Array;
      frames.push(frame);
      bytes += frame.length;
    }
    const isHeadDone = this.#headAt === this.#head.length;
    if (isHeadDone && this.#addRecords(frames, entriesMax, bytesMax - bytes)) {
      frames.push(this.#writer.end());
      this.#isEnded = true;
    }
    return concatBytes(frames);
  }

  /** True when the records read ahead are used up, and more may be given. */
  get wantsReadAhead(): boolean {
    return !this.#isEnded && this.#ahead.isWanted;
  }

  /** Takes the backend's next records, in order from the first on; none means that there are no more. */
  readAhead(entries: readonly BackendEntry[]): void {
    this.#ahead.give(entries);
  }

  /** Lets compactions go on; nothing comes after it. Harmless when called again. */
  close(): void {
    this.#isEnded = true;
    this.#state.pins.delete(this.#pin);
  }

  #headFrames(): Uint8Array[] {
    const { meta, applied, compactRevision } = this.#state;
    const blobs = new Map<string, Uint8Array>();
    for (const name of meta.names('')) blobs.set(name, meta.get(name) ?? new Uint8Array(0));
    blobs.set(META_APPLIED, positionBytes(applied));
    if (compactRevision >= 0) {
      blobs.set(META_COMPACT, numberBytes(compactRevision));
      blobs.set(META_COMPACTED, numberBytes(compactRevision));
    }
    const frames = [this.#writer.header()];
    for (const name of [...blobs.keys()].sort()) {
      const value = blobs.get(name);
      assert(value !== undefined, 'a blob has vanished');
      frames.push(this.#writer.meta(metaName(name), value));
    }
    return frames;
  }

  /** @returns true when the last record is in. */
  #addRecords(frames: Uint8Array[], entriesMax: number, bytesMax: number): boolean {
    const { log, index } = this.#state;
    let left = entriesMax;
    let bytes = 0;
    let isDone = true;
    log.forEachFrom(this.#main, this.#sub, (entry) => {
      const { main, sub, slot, tombstone } = entry;
      if (main > this.revision) return false;
      if (left-- <= 0 || bytes >= bytesMax || this.#ahead.isUsedUp) {
        this.#main = main;
        this.#sub = sub;
        isDone = false;
        return false;
      }
      if (!index.survives(slot, entry, this.#compactRevision)) return true;
      const name = recordName(main, sub, tombstone);
      const record = this.#ahead.take(name) ?? this.#state.readRecord(main, sub, tombstone);
      const frame = this.#writer.record(name, record);
      bytes += frame.length;
      frames.push(frame);
      return true;
    });
    return isDone;
  }
}
