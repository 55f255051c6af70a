/**
 * A walk over the whole state at one applied index, in slices while writes go on: what snapshots and backups are made of.
 *
 * Nothing is frozen: records never change, later ones have higher revisions, and the next compaction waits for it. The
 * named blobs are those of the start: one that is set anew is another array.
 */
import { EMPTY_BYTES } from '@etcd-ts/base';
import type { BackendEntry } from './backend.ts';
import {
  bytesNumber,
  META_APPLIED,
  META_COMPACT,
  META_COMPACTED,
  META_SKIPPED,
  numberBytes,
  positionBytes,
} from './meta-table.ts';
import { ReadAhead } from './read-ahead.ts';
import type { ReadPin } from './read-pins.ts';
import type { LogEntry } from './revision-log.ts';
import type { StoreState } from './store-state.ts';
import type { AppliedPosition } from './write-behind.ts';

/** Where a walk over the revisions goes on. */
interface Place {
  main: number;
  sub: number;
}

/** See the file's head. */
export class CopyScan {
  /** The copy is the state after this entry. */
  readonly applied: AppliedPosition;
  readonly revision: number;
  /** -1 before the first compaction. Of a pending one nothing shows. */
  readonly compactRevision: number;
  /** True when the store jumped to this revision: no record is of it. */
  readonly hasJumped: boolean;
  /** The named blobs as they were at the start, as a backend holds them, in byte order. */
  readonly blobs: readonly (readonly [name: string, value: Uint8Array])[];
  readonly #state: StoreState;
  readonly #pin: ReadPin;
  readonly #ahead = new ReadAhead();
  readonly #read: Place = { main: 0, sub: 0 };
  readonly #measured: Place = { main: 0, sub: 0 };
  #isEnded = false;

  /** @internal */
  constructor(state: StoreState) {
    this.#state = state;
    this.applied = state.applied;
    this.revision = state.revision;
    this.compactRevision = state.compactRevision;
    this.hasJumped = bytesNumber(state.meta.get(META_SKIPPED)) === state.revision;
    this.#pin = state.pins.add(state.compactRevision, 'snapshot');
    this.blobs = blobsOf(state);
  }

  /**
   * Visits the records without reading one: the index knows how large they are.
   *
   * @param entriesMax Looks at about this many revisions.
   * @param visit Is given the bytes of name and record together, and whether it is a delete's.
   * @returns true when all have been visited.
   * @throws MvccError COMPACTED when a compaction would not wait (`MvccStore.cancelReads`); CLOSED.
   */
  measure(entriesMax: number, visit: (bytes: number, tombstone: boolean) => void): boolean {
    this.check();
    let left = entriesMax;
    return this.#walk(this.#measured, (entry) => {
      if (left-- <= 0) return false;
      if (this.#isIn(entry)) visit(entry.bytes, entry.tombstone);
      return true;
    });
  }

  /**
   * Visits the records in order, to be called until it returns true.
   *
   * @param entriesMax Looks at about this many revisions.
   * @param visit Gives false when it wants no more in this step.
   * @returns true when all have been visited.
   * @throws MvccError as {@link measure}.
   */
  read(
    entriesMax: number,
    visit: (main: number, sub: number, tombstone: boolean, record: Uint8Array) => boolean,
  ): boolean {
    this.check();
    let left = entriesMax;
    let isWanted = true;
    return this.#walk(this.#read, (entry) => {
      if (left-- <= 0 || !isWanted || this.#ahead.isUsedUp) return false;
      if (!this.#isIn(entry)) return true;
      const { main, sub, tombstone } = entry;
      const record = this.#ahead.take(main, sub) ?? this.#state.readRecord(main, sub, tombstone);
      isWanted = visit(main, sub, tombstone, record);
      return true;
    });
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

  /** @throws MvccError COMPACTED, CLOSED when the copy was broken off. */
  check(): void {
    this.#pin.check(() => `snapshot at revision ${this.revision}`);
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

  /** What a pending compaction has still to drop is left out. */
  #isIn(entry: LogEntry): boolean {
    return this.#state.index.survives(entry.slot, entry, this.compactRevision);
  }
}

function blobsOf({ meta, applied, compactRevision }: StoreState): [string, Uint8Array][] {
  const blobs = new Map<string, Uint8Array>();
  for (const name of meta.names('')) blobs.set(name, meta.get(name) ?? EMPTY_BYTES);
  blobs.set(META_APPLIED, positionBytes(applied));
  if (compactRevision >= 0) {
    blobs.set(META_COMPACT, numberBytes(compactRevision));
    blobs.set(META_COMPACTED, numberBytes(compactRevision));
  }
  return [...blobs].sort(([a], [b]) => (a < b ? -1 : 1));
}
