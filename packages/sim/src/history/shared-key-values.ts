/**
 * Key-value pairs that many were told of, kept once. A history lives as long as its run, and most of it is the same few
 * pairs: in the answer to whoever wrote one, in every list after that, in the events of each watch.
 *
 * What always holds: what comes out is alike in everything to what went in.
 */
import { equalBytes } from '@etcd-ts/base';
import type {
  DeleteRangeResult,
  Event,
  KeyValue,
  PutResult,
  RangeResult,
  TxnOpResult,
  TxnResult,
} from '@etcd-ts/mvcc';
import type { OperationResponse } from './operation.ts';

/** See the head of this file. */
export class SharedKeyValues {
  /** By the revision of their last change. */
  readonly #known = new Map<number, KeyValue[]>();

  /** A response with shared pairs in place of its own. */
  response(response: OperationResponse): OperationResponse {
    switch (response.kind) {
      case 'range':
        return { kind: 'range', result: this.#range(response.result) };
      case 'put':
        return { kind: 'put', result: this.#put(response.result) };
      case 'deleteRange':
        return { kind: 'deleteRange', result: this.#deleted(response.result) };
      case 'txn':
        return { kind: 'txn', result: this.#txn(response.result) };
      default:
        return response;
    }
  }

  /** Events with shared pairs in place of their own. */
  events(events: readonly Event[]): readonly Event[] {
    if (events.length === 0) return events;
    return events.map(({ type, kv, prevKv }) => ({
      type,
      kv: this.#pair(kv),
      prevKv: prevKv && this.#pair(prevKv),
    }));
  }

  #operation(result: TxnOpResult): TxnOpResult {
    switch (result.$case) {
      case 'responseRange':
        return { $case: 'responseRange', value: this.#range(result.value) };
      case 'responsePut':
        return { $case: 'responsePut', value: this.#put(result.value) };
      case 'responseDeleteRange':
        return { $case: 'responseDeleteRange', value: this.#deleted(result.value) };
      case 'responseTxn':
        return { $case: 'responseTxn', value: this.#txn(result.value) };
    }
  }

  #txn({ revision, succeeded, responses }: TxnResult): TxnResult {
    return { revision, succeeded, responses: responses.map((each) => this.#operation(each)) };
  }

  #deleted(result: DeleteRangeResult): DeleteRangeResult {
    const { revision, deleted, prevKvs } = result;
    return { revision, deleted, prevKvs: prevKvs.map((kv) => this.#pair(kv)) };
  }

  #range(result: RangeResult): RangeResult {
    const { revision, kvs, more, count } = result;
    return { revision, kvs: kvs.map((kv) => this.#pair(kv)), more, count };
  }

  #put(result: PutResult): PutResult {
    const { revision, prevKv } = result;
    return prevKv === undefined ? result : { revision, prevKv: this.#pair(prevKv) };
  }

  #pair(pair: KeyValue): KeyValue {
    const known = this.#known.get(pair.modRevision);
    if (known === undefined) {
      this.#known.set(pair.modRevision, [pair]);
      return pair;
    }
    for (const each of known) if (areAlike(each, pair)) return each;
    known.push(pair);
    return pair;
  }
}

/** Both of one revision. */
function areAlike(a: KeyValue, b: KeyValue): boolean {
  return (
    a.createRevision === b.createRevision &&
    a.version === b.version &&
    a.lease === b.lease &&
    equalBytes(a.key, b.key) &&
    equalBytes(a.value, b.value)
  );
}
