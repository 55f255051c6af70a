/**
 * A copy of the whole state at one applied index, taken in slices while writes go on.
 *
 * Nothing is frozen: records never change, later ones have higher revisions, and the next compaction waits for it. The
 * named blobs are those of the start: one that is set anew is another array.
 */
import { EMPTY_BYTES } from '@etcd-ts/base';
import type { BackendEntry } from './backend.ts';
import {
  META_APPLIED,
  META_COMPACT,
  META_COMPACTED,
  metaName,
  numberBytes,
  positionBytes,
} from './meta-table.ts';
import { ReadAhead } from './read-ahead.ts';
import type { LogEntry } from './revision-log.ts';
import { SNAPSHOT_ENDS_BYTES, snapshotFrameBytes, SnapshotWriter } from './snapshot-format.ts';
import type { ReadPin } from './read-pins.ts';
import type { StoreState } from './store-state.ts';
import type { AppliedPosition } from './write-behind.ts';

/** Where a walk over the revisions goes on. */
interface Place {
  main: number;
  sub: number;
}

/** See the file's head. */
export class SnapshotScan {
  /** The copy is the state after this entry. */
  readonly applied: AppliedPosition;
  readonly revision: number;
  readonly #state: StoreState;
  readonly #pin: ReadPin;
  readonly #compactRevision: number;
  readonly #writer = new SnapshotWriter();
  /** The named blobs as they were at the start, given out before the records. */
  readonly #blobs: readonly BackendEntry[];
  #blobsAt = 0;
  readonly #ahead = new ReadAhead();
  readonly #place: Place = { main: 0, sub: 0 };
  #isEnded = false;
  readonly #measured: Place = { main: 0, sub: 0 };
  #sizeBytes: number;

  /** @internal */
  constructor(state: StoreState) {
    this.#state = state;
    this.applied = state.applied;
    this.revision = state.revision;
    this.#compactRevision = state.compactRevision;
    this.#pin = state.pins.add(state.compactRevision, 'snapshot');
    this.#blobs = blobsOf(state);
    this.#sizeBytes = SNAPSHOT_ENDS_BYTES;
    for (const [name, value] of this.#blobs) {
      this.#sizeBytes += snapshotFrameBytes(name.length + value.length);
    }
    this.#writer.header();
  }

  /**
   * Counts the bytes of the whole copy without reading a record: the index knows them all.
   *
   * @param entriesMax Looks at about this many revisions.
   * @returns true when all are counted, and {@link sizeBytes} says how many there are.
   * @throws MvccError COMPACTED as {@link next}.
   */
  measure(entriesMax: number): boolean {
    this.#checkPin();
    let left = entriesMax;
    return this.#walk(this.#measured, (entry) => {
      if (left-- <= 0) return false;
      if (this.#isIn(entry)) this.#sizeBytes += snapshotFrameBytes(entry.bytes);
      return true;
    });
  }

  /** Bytes of all pieces together, once {@link measure} has said that all are counted. */
  get sizeBytes(): number {
    return this.#sizeBytes;
  }

  /**
   * The next piece.
   *
   * @param entriesMax Looks at about this many revisions.
   * @param bytesMax Ends the piece once it has this many bytes.
   * @returns undefined after the end; before it nothing while there are fewer bytes: they come with a later piece.
   * @throws MvccError COMPACTED when a compaction would not wait (`MvccStore.cancelReads`); CLOSED.
   */
  next(entriesMax: number, bytesMax: number): Uint8Array | undefined {
    this.#checkPin();
    if (this.#isEnded) return undefined;
    const writer = this.#writer;
    for (; this.#blobsAt < this.#blobs.length && writer.length < bytesMax; this.#blobsAt++) {
      const [name, value] = this.#blobs[this.#blobsAt] as BackendEntry;
      writer.meta(name, value);
    }
    const hasBlobs = this.#blobsAt === this.#blobs.length;
    if (hasBlobs && this.#addRecords(entriesMax, bytesMax)) {
      writer.end();
      this.#isEnded = true;
    }
    return this.#isEnded || writer.length >= bytesMax ? writer.take() : EMPTY_BYTES;
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
    this.#pin.release();
  }

  /** @returns true when the last record is in. */
  #addRecords(entriesMax: number, bytesMax: number): boolean {
    const writer = this.#writer;
    let left = entriesMax;
    return this.#walk(this.#place, (entry) => {
      if (left-- <= 0 || writer.length >= bytesMax || this.#ahead.isUsedUp) return false;
      if (!this.#isIn(entry)) return true;
      const { main, sub, tombstone } = entry;
      const record = this.#ahead.take(main, sub) ?? this.#state.readRecord(main, sub, tombstone);
      writer.record(main, sub, tombstone, record);
      return true;
    });
  }

  /** Visits the copy's revisions from a place on, until one is put off: the walk goes on there. @returns true at the end. */
  #walk(place: Place, visit: (entry: LogEntry) => boolean): boolean {
    let isDone = true;
    this.#state.log.forEachFrom(place.main, place.sub, (entry) => {
      if (entry.main > this.revision) return false;
      if (visit(entry)) return true;
      place.main = entry.main;
      place.sub = entry.sub;
      isDone = false;
      return false;
    });
    return isDone;
  }

  /** Of a pending compaction nothing shows: what it has still to drop is left out. */
  #isIn(entry: LogEntry): boolean {
    return this.#state.index.survives(entry.slot, entry, this.#compactRevision);
  }

  #checkPin(): void {
    this.#pin.check(() => `snapshot at revision ${this.revision}`);
  }
}

/** What the state has besides its records, as a backend holds it, in byte order. */
function blobsOf({ meta, applied, compactRevision }: StoreState): BackendEntry[] {
  const blobs = new Map<string, Uint8Array>();
  for (const name of meta.names('')) blobs.set(name, meta.get(name) ?? EMPTY_BYTES);
  blobs.set(META_APPLIED, positionBytes(applied));
  if (compactRevision >= 0) {
    blobs.set(META_COMPACT, numberBytes(compactRevision));
    blobs.set(META_COMPACTED, numberBytes(compactRevision));
  }
  return [...blobs]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, value]) => [metaName(name), value]);
}
