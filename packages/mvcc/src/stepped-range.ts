/**
 * A whole range, with every option, in bounded steps at one revision, while writes and compactions go on: read, sorted,
 * cut. The answer is that of the same range in one go.
 */
import type { KeyValue } from './key-value.ts';
import { emptied, needsValues, orderOf } from './range.ts';
import { RangePlan, type Seen } from './range-plan.ts';
import type { RangeRequest, RangeResult } from './request.ts';
import { SteppedSort } from './stepped-sort.ts';
import type { StoreState } from './store-state.ts';
import { assert } from '@etcd-ts/base';

/** A read in steps. */
export interface SteppedRead<T> {
  /**
   * Does a bounded piece of the work.
   *
   * @param entriesMax Handles up to this many key-values.
   * @param bytesMax Ends the step early once so many bytes were read.
   * @returns true when it is done.
   * @throws MvccError COMPACTED, CLOSED when the read was broken off.
   */
  step(entriesMax: number, bytesMax: number): boolean;
  /** What was asked for. Only after `step` has returned true. */
  readonly result: T;
  /** Lets compactions go on. Must be called, once or more often. */
  close(): void;
}

/** See the file's head. */
export class SteppedRange implements SteppedRead<RangeResult> {
  readonly #request: RangeRequest;
  readonly #plan: RangePlan;
  readonly #sort: SteppedSort<KeyValue> | undefined;
  /** True when values are there for the order alone. */
  readonly #emptiesLast: boolean;
  #kvs: KeyValue[] = [];
  #read: 'reading' | 'sorting' | 'emptying' | 'done' = 'reading';
  #emptiedTo = 0;

  /** @param seen See `RangePlan`. @throws MvccError FUTURE_REVISION, COMPACTED. @internal */
  constructor(state: StoreState, request: RangeRequest, seen?: Seen) {
    const order = orderOf(request);
    this.#request = request;
    this.#plan = new RangePlan(state, request, seen);
    // One more than asked for is needed to know `more`, and the sort counts it.
    const keepMax = request.limit > 0 ? request.limit : Infinity;
    this.#sort = order === undefined ? undefined : new SteppedSort(order, keepMax);
    this.#emptiesLast = request.keysOnly && needsValues(request);
  }

  step(entriesMax: number, bytesMax: number): boolean {
    switch (this.#read) {
      case 'reading':
        if (!this.#take(this.#plan.next(entriesMax, bytesMax))) return false;
        this.#plan.close();
        this.#read = 'sorting';
        return this.#sort === undefined && this.step(entriesMax, bytesMax);
      case 'sorting':
        if (this.#sort?.step(entriesMax) === false) return false;
        this.#kvs = this.#sort?.sorted ?? this.#kvs;
        this.#read = this.#emptiesLast ? 'emptying' : 'done';
        return !this.#emptiesLast;
      case 'emptying':
        this.#empty(entriesMax);
        if (this.#emptiedTo < this.#kvs.length) return false;
        this.#read = 'done';
        return true;
      case 'done':
        return true;
    }
  }

  get result(): RangeResult {
    assert(this.#read === 'done', () => `a range is asked for while ${this.#read}`);
    const { limit } = this.#request;
    const { count, headerRevision } = this.#plan;
    const more = limit > 0 && (this.#sort?.size ?? this.#kvs.length) > limit;
    const kvs = limit > 0 && this.#kvs.length > limit ? this.#kvs.slice(0, limit) : this.#kvs;
    return { revision: headerRevision, kvs, more, count };
  }

  close(): void {
    this.#plan.close();
  }

  /** @returns true when there was nothing more to take. */
  #take(slice: readonly KeyValue[] | undefined): boolean {
    if (slice === undefined) return true;
    for (const kv of slice) {
      if (this.#sort === undefined) this.#kvs.push(kv);
      else this.#sort.add(kv);
    }
    return false;
  }

  #empty(entriesMax: number): void {
    const end = Math.min(this.#kvs.length, this.#emptiedTo + entriesMax);
    for (; this.#emptiedTo < end; this.#emptiedTo++) {
      this.#kvs[this.#emptiedTo] = emptied(this.#kvs[this.#emptiedTo] as KeyValue);
    }
  }
}
