/**
 * A transaction that has nothing but ranges, in bounded steps: it is no entry of the log, and may take its turns as any
 * read. All of it sees the store as it was at the beginning.
 *
 * The order is that of a transaction in one go: compares until one does not hold, then whether the ranges of the branch
 * can be read, then the ranges one after the other.
 */
import { assert } from '@etcd-ts/base';
import { comparesValue, holdsOf, holdsOfAbsent } from './compare.ts';
import { RangePlan, type Seen } from './range-plan.ts';
import type { ReadPin } from './read-pins.ts';
import type { Compare, RangeRequest, TxnRequest, TxnResult } from './request.ts';
import { type SteppedRead, SteppedRange } from './stepped-range.ts';
import type { StoreState } from './store-state.ts';
import { checkRangeRevision } from './txn.ts';

/** See the file's head. */
export class SteppedTxn implements SteppedRead<TxnResult> {
  readonly #state: StoreState;
  readonly #request: TxnRequest;
  readonly #seen: Seen;
  readonly #pin: ReadPin;
  readonly #responses: TxnResult['responses'] = [];
  #compared = 0;
  #compare: SteppedCompare | undefined;
  #branch: { readonly succeeded: boolean; readonly ranges: readonly RangeRequest[] } | undefined;
  #range: SteppedRange | undefined;

  /** @param request Nothing but ranges in both branches. @internal */
  constructor(state: StoreState, request: TxnRequest) {
    this.#state = state;
    this.#request = request;
    this.#seen = { revision: state.revision, compactRevision: state.compactRevision };
    const ranges = [...rangesOf(request.success), ...rangesOf(request.failure)];
    this.#pin = state.pins.add(lowestOf(ranges, this.#seen));
  }

  /** @throws MvccError FUTURE_REVISION, COMPACTED as the transaction in one go; COMPACTED, CLOSED when it was broken off. */
  step(entriesMax: number, bytesMax: number): boolean {
    this.#pin.check(() => `transaction at revision ${this.#seen.revision}`);
    if (this.#branch === undefined) {
      this.#stepCompare(entriesMax, bytesMax);
      return false;
    }
    const { ranges } = this.#branch;
    const request = ranges[this.#responses.length];
    if (request === undefined) return true;
    this.#range ??= new SteppedRange(this.#state, request, this.#seen);
    if (!this.#range.step(entriesMax, bytesMax)) return false;
    this.#responses.push({ $case: 'responseRange', value: this.#range.result });
    this.#range = undefined;
    return this.#responses.length === ranges.length;
  }

  get result(): TxnResult {
    const branch = this.#branch;
    const done = this.#responses.length;
    assert(branch?.ranges.length === done, 'a transaction is asked for before it is done');
    const { revision } = this.#seen;
    return { revision, succeeded: branch.succeeded, responses: this.#responses };
  }

  close(): void {
    this.#compare?.close();
    this.#range?.close();
    this.#pin.release();
  }

  #stepCompare(entriesMax: number, bytesMax: number): void {
    const compare = this.#request.compare[this.#compared];
    if (compare === undefined) return this.#choose(true);
    this.#compare ??= new SteppedCompare(this.#state, compare, this.#seen);
    if (!this.#compare.step(entriesMax, bytesMax)) return;
    const holds = this.#compare.result;
    this.#compare.close();
    this.#compare = undefined;
    this.#compared++;
    if (!holds) this.#choose(false);
  }

  #choose(succeeded: boolean): void {
    const ranges = rangesOf(succeeded ? this.#request.success : this.#request.failure);
    for (const { revision } of ranges) checkRangeRevision(this.#seen, revision);
    this.#branch = { succeeded, ranges };
  }
}

/** Whether every key of a compare's range satisfies it; an empty range is as one absent key. */
class SteppedCompare implements SteppedRead<boolean> {
  readonly #compare: Compare;
  readonly #plan: RangePlan;
  #found = false;
  #all = true;

  constructor(state: StoreState, compare: Compare, seen: Seen) {
    this.#compare = compare;
    this.#plan = new RangePlan(state, rangeOf(compare), seen);
  }

  step(entriesMax: number, bytesMax: number): boolean {
    const slice = this.#plan.next(entriesMax, bytesMax);
    if (slice === undefined) return true;
    if (slice.length > 0) this.#found = true;
    this.#all = slice.every((kv) => holdsOf(this.#compare, kv));
    return !this.#all;
  }

  get result(): boolean {
    return this.#found ? this.#all : holdsOfAbsent(this.#compare);
  }

  close(): void {
    this.#plan.close();
  }
}

/** Reads what the compare looks at. */
function rangeOf(compare: Compare): RangeRequest {
  return {
    key: compare.key,
    rangeEnd: compare.rangeEnd,
    limit: 0,
    revision: 0,
    sortOrder: 0,
    sortTarget: 0,
    serializable: true,
    keysOnly: !comparesValue(compare),
    countOnly: false,
    minModRevision: 0,
    maxModRevision: 0,
    minCreateRevision: 0,
    maxCreateRevision: 0,
  };
}

function rangesOf(ops: TxnRequest['success']): readonly RangeRequest[] {
  return ops.map(({ request }) => {
    assert(request?.$case === 'requestRange', () => `a ${request?.$case} among the ranges`);
    return request.value;
  });
}

/** The lowest revision that any of the ranges can read. */
function lowestOf(ranges: readonly RangeRequest[], { revision, compactRevision }: Seen): number {
  let lowest = revision;
  for (const range of ranges) {
    const isReadable = range.revision > 0 && range.revision >= compactRevision;
    if (isReadable && range.revision < lowest) lowest = range.revision;
  }
  return lowest;
}
