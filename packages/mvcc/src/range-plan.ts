/**
 * A range read in slices, in key order, at one revision, while writes and compactions go on: for ranges too large for one
 * turn.
 *
 * The plan pins its revision: a compaction above it waits until the plan is closed, or breaks it
 * (`MvccStore.cancelReads`).
 */
import { type KeyRange, keyRange } from './key-range.ts';
import type { KeyValue } from './key-value.ts';
import { fetchLimit, needsValues, type Read, readRevision, take } from './range.ts';
import type { ReadPin } from './read-pins.ts';
import type { RangeRequest } from './request.ts';
import type { StoreState } from './store-state.ts';

/** Index entries looked at in one slice, for each key-value asked for: bounds slices that find little. */
const SCANNED_PER_ENTRY = 16;

/** Keys of one range whose values are cached; what a longer one reads would only push out what is read again. */
const CACHED_KEYS = 4_096;

/** The store as a reader found it when it began. */
export interface Seen {
  readonly revision: number;
  readonly compactRevision: number;
}

/**
 * See the file's head. Use, for a request without sort and limit:
 *
 *     const plan = store.rangePlan(request);
 *     try {
 *       for (let slice; (slice = plan.next(256, 1 << 20)) !== undefined; ) { send(slice); await aTurn(); }
 *     } finally { plan.close(); }
 */
export class RangePlan {
  /** For the response's header: the store's revision when the plan was made. */
  readonly headerRevision: number;
  readonly #read: Read;
  readonly #range: KeyRange;
  readonly #fetchMax: number;
  readonly #pin: ReadPin;
  /** The count, when the index could tell at the start: the plan then stops at its limit. */
  readonly #countAtStart: number | undefined;
  #resumeAt: string | undefined;
  #count = 0;

  /**
   * @param seen The store as it is read; what that reaches must be pinned if it is not that of now.
   * @throws MvccError FUTURE_REVISION, COMPACTED.
   * @internal
   */
  constructor(state: StoreState, request: RangeRequest, seen: Seen = state) {
    const revision = readRevision(seen, request.revision, seen.revision);
    this.headerRevision = seen.revision;
    this.#read = { state, request, revision, needsValues: needsValues(request) };
    this.#range = keyRange(request.key, request.rangeEnd);
    this.#resumeAt = this.#range.start;
    this.#fetchMax = request.countOnly ? 0 : fetchLimit(request);
    const isNewest = revision >= state.index.newestRevision;
    this.#countAtStart = isNewest ? state.index.countLive(this.#range) : undefined;
    this.#pin = state.pins.add(revision);
  }

  /** The revision that is read. */
  get revision(): number {
    return this.#read.revision;
  }

  /** Keys in the range at that revision, limit and filters ignored. Complete when `next` has returned undefined. */
  get count(): number {
    return this.#countAtStart ?? this.#count;
  }

  /**
   * The next key-values in key order, filtered but neither sorted nor cut; may be empty before the end.
   *
   * @param entriesMax At most this many.
   * @param bytesMax Ends the slice early once its keys and values have this many bytes.
   * @returns undefined at the end.
   * @throws MvccError COMPACTED, CLOSED when the pin was broken.
   */
  next(entriesMax: number, bytesMax: number): KeyValue[] | undefined {
    this.#pin.check(() => `range at revision ${this.revision}`);
    if (this.#resumeAt === undefined || this.#isFetched) return undefined;
    const kvs: KeyValue[] = [];
    let bytes = 0;
    let scanned = 0;
    const read = this.#count < CACHED_KEYS ? this.#read : { ...this.#read, isScan: true };
    const from: KeyRange = { start: this.#resumeAt, end: this.#range.end };
    this.#resumeAt = undefined;
    this.#read.state.index.scan(from, (slot) => {
      if (
        kvs.length >= entriesMax ||
        bytes >= bytesMax ||
        scanned >= entriesMax * SCANNED_PER_ENTRY
      ) {
        this.#resumeAt = this.#read.state.index.keyOf(slot);
        return false;
      }
      scanned++;
      if (!this.#read.state.index.isLiveAt(slot, this.revision)) return true;
      if (this.#count++ >= this.#fetchMax) return true;
      const before = kvs.length;
      take(read, slot, kvs);
      const kv = kvs[before];
      if (kv !== undefined) bytes += kv.key.length + kv.value.length;
      return true;
    });
    return kvs;
  }

  /** True when nothing is left to read, and nothing to count. */
  get #isFetched(): boolean {
    return this.#countAtStart !== undefined && this.#count >= this.#fetchMax;
  }

  /** Lets compactions go on. Harmless when called again. */
  close(): void {
    this.#pin.release();
  }
}
