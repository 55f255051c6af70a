/**
 * etcd's replicated state as a plain model: one request after another, each answered by the book.
 *
 * What always holds
 * - `revision` grows by one with every request that wrote something, and by nothing else.
 * - The events of a revision are those of its writes, in the order of the operations.
 */
import { fromLatin1, toLatin1 } from '@etcd-ts/base';
import {
  type Compare,
  type DeleteRangeRequest,
  type DeleteRangeResult,
  type Event,
  EVENT_DELETE,
  EVENT_PUT,
  type KeyValue,
  type PutRequest,
  type PutResult,
  type RangeRequest,
  type RangeResult,
  type RequestOp,
  type TxnOpResult,
  type TxnRequest,
  type TxnResult,
} from '@etcd-ts/mvcc';
import { compareHolds } from './model-compare.ts';
import { keyValue, KeySpace, rangeLimits } from './key-space.ts';
import { modelRange } from './model-range.ts';

/** Why the book refuses a request. */
export type ModelRefusal = 'KEY_NOT_FOUND' | 'LEASE_NOT_FOUND' | 'FUTURE_REVISION' | 'COMPACTED';

/** The model refuses a request; nothing was changed. */
export class ModelError extends Error {
  override readonly name = 'ModelError';
  readonly code: ModelRefusal;

  constructor(code: ModelRefusal) {
    super(`refused: ${code}`);
    this.code = code;
  }
}

/** A fresh store is at this revision; the first write makes the next one. */
export const FIRST_REVISION = 1;

/** The model of one cluster's state. */
export class EtcdModel {
  readonly space: KeySpace;
  /** Events by revision; index 0 and 1 are empty. */
  readonly #events: Event[][] = [[], []];
  /** Keys attached to each lease. */
  readonly #attached = new Map<bigint, Set<string>>();
  #revision = FIRST_REVISION;
  /** Events of the write under way; undefined when it has written nothing yet. */
  #writing: Event[] | undefined;

  /** @param space Of keys that nobody has written to yet. */
  constructor(space: KeySpace = new KeySpace()) {
    this.space = space;
  }

  get revision(): number {
    return this.#revision;
  }

  /** Events of a revision, in order; empty when there is no such revision. */
  eventsAt(revision: number): readonly Event[] {
    return this.#events[revision] ?? [];
  }

  /** Keys attached to the lease, ascending. */
  keysOfLease(id: bigint): readonly string[] {
    return [...(this.#attached.get(id) ?? [])].sort();
  }

  /** Answers a range outside a transaction, read at `revision` of the history when it is given. */
  range(request: RangeRequest, revision: number = this.#revision): RangeResult {
    const at = request.revision > 0 ? request.revision : revision;
    if (at > revision) throw new ModelError('FUTURE_REVISION');
    return modelRange(this.space, request, at, revision);
  }

  put(request: PutRequest): PutResult {
    this.#checkPut(request);
    return this.#write(() => this.#put(request));
  }

  deleteRange(request: DeleteRangeRequest): DeleteRangeResult {
    return this.#write(() => this.#deleteRange(request));
  }

  txn(request: TxnRequest): TxnResult {
    const plan = this.#decide(request);
    this.#checkTaken(plan);
    return this.#write(() => this.#runTxn(plan));
  }

  /** The end of a lease, by revocation or expiry: its keys go in one revision, in key order. */
  endLease(id: bigint): void {
    const keys = this.keysOfLease(id);
    this.#attached.delete(id);
    this.#write(() => {
      for (const key of keys) this.#delete(key);
    });
  }

  #write<T>(run: () => T): T {
    this.#writing = undefined;
    const result = run();
    const written = this.#writing as Event[] | undefined;
    if (written !== undefined) {
      this.#revision++;
      this.#events[this.#revision] = written;
    }
    this.#writing = undefined;
    return result;
  }

  /** The revision that the write under way shows in its answers: the old one until it has written. */
  #shownRevision(): number {
    return this.#writing === undefined ? this.#revision : this.#revision + 1;
  }

  #current(key: string): KeyValue | undefined {
    const version = this.space.at(key, this.#revision + 1);
    return version === undefined ? undefined : keyValue(fromLatin1(key), version);
  }

  #put(request: PutRequest): PutResult {
    const key = toLatin1(request.key);
    const before = this.space.at(key, this.#revision + 1);
    const revision = this.#revision + 1;
    const lease = request.ignoreLease ? (before?.lease ?? 0n) : request.lease;
    const version = {
      modRevision: revision,
      createRevision: before?.createRevision ?? revision,
      version: (before?.version ?? 0) + 1,
      value: request.ignoreValue && before !== undefined ? before.value : request.value,
      lease,
      deleted: false,
    };
    const prevKv = before === undefined ? undefined : keyValue(request.key, before);
    this.#record(EVENT_PUT, keyValue(request.key, version), key);
    this.space.add(key, version);
    this.#attach(key, before?.lease ?? 0n, lease);
    return { revision, prevKv: request.prevKv ? prevKv : undefined };
  }

  #deleteRange(request: DeleteRangeRequest): DeleteRangeResult {
    const key = toLatin1(request.key);
    const end = rangeLimits(key, toLatin1(request.rangeEnd));
    const keys = this.space.keysAt(key, end, this.#revision + 1);
    const prevKvs = keys.flatMap((each) => this.#current(each) ?? []);
    for (const each of keys) this.#delete(each);
    return {
      revision: this.#shownRevision(),
      deleted: keys.length,
      prevKvs: request.prevKv ? prevKvs : [],
    };
  }

  #delete(key: string): void {
    const before = this.space.at(key, this.#revision + 1);
    if (before === undefined) return;
    const tombstone = {
      modRevision: this.#revision + 1,
      createRevision: 0,
      version: 0,
      value: new Uint8Array(0),
      lease: 0n,
      deleted: true,
    };
    this.#record(EVENT_DELETE, keyValue(fromLatin1(key), tombstone), key);
    this.space.add(key, tombstone);
    this.#attach(key, before.lease, 0n);
  }

  /** What a watch shows as the previous value is that of the revision before, also within one transaction. */
  #record(type: number, kv: KeyValue, key: string): void {
    const before = this.space.at(key, this.#revision);
    const prevKv = before === undefined ? undefined : keyValue(kv.key, before);
    this.#writing ??= [];
    this.#writing.push({ type, kv, prevKv });
  }

  #attach(key: string, before: bigint, after: bigint): void {
    if (before === after) return;
    this.#attached.get(before)?.delete(key);
    if (after === 0n) return;
    const keys = this.#attached.get(after);
    if (keys === undefined) this.#attached.set(after, new Set([key]));
    else keys.add(key);
  }

  #checkPut(request: PutRequest): void {
    const isMissing = this.#current(toLatin1(request.key)) === undefined;
    if ((request.ignoreValue || request.ignoreLease) && isMissing) {
      throw new ModelError('KEY_NOT_FOUND');
    }
  }

  /** Every compare, nested ones too, looks at the state before the transaction. */
  #decide(request: TxnRequest): TxnPlan {
    const succeeded = request.compare.every((each) => this.#holds(each));
    const steps = (succeeded ? request.success : request.failure).map((op): PlannedOp => {
      const inner = op.request;
      return inner?.$case === 'requestTxn'
        ? { $case: 'requestTxn', plan: this.#decide(inner.value) }
        : inner;
    });
    return { succeeded, steps };
  }

  #holds(compare: Compare): boolean {
    const key = toLatin1(compare.key);
    if (compare.rangeEnd.length === 0) return compareHolds(compare, this.#current(key));
    const end = rangeLimits(key, toLatin1(compare.rangeEnd));
    const keys = this.space.keysAt(key, end, this.#revision);
    if (keys.length === 0) return compareHolds(compare, undefined);
    return keys.every((each) => compareHolds(compare, this.#current(each)));
  }

  #checkTaken(plan: TxnPlan): void {
    for (const step of plan.steps) {
      if (step?.$case === 'requestTxn') this.#checkTaken(step.plan);
      else if (step?.$case === 'requestPut') this.#checkPut(step.value);
      else if (step?.$case === 'requestRange') {
        if (step.value.revision > this.#revision) throw new ModelError('FUTURE_REVISION');
        if (step.value.revision < 0) throw new ModelError('COMPACTED');
      }
    }
  }

  #runTxn(plan: TxnPlan): TxnResult {
    const responses = plan.steps.map((step): TxnOpResult => {
      switch (step?.$case) {
        case 'requestRange': {
          const shown = this.#shownRevision();
          const at = step.value.revision > 0 ? step.value.revision : this.#revision + 1;
          return { $case: 'responseRange', value: modelRange(this.space, step.value, at, shown) };
        }
        case 'requestPut':
          return { $case: 'responsePut', value: this.#put(step.value) };
        case 'requestDeleteRange':
          return { $case: 'responseDeleteRange', value: this.#deleteRange(step.value) };
        case 'requestTxn':
          // The header of a nested answer is there, and empty.
          return { $case: 'responseTxn', value: { ...this.#runTxn(step.plan), revision: 0 } };
        default:
          throw new ModelError('KEY_NOT_FOUND');
      }
    });
    return { revision: this.#shownRevision(), succeeded: plan.succeeded, responses };
  }
}

type PlannedOp =
  | Exclude<RequestOp['request'], { $case: 'requestTxn' }>
  | { readonly $case: 'requestTxn'; readonly plan: TxnPlan };

interface TxnPlan {
  readonly succeeded: boolean;
  readonly steps: readonly PlannedOp[];
}
