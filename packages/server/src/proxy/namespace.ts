/** A prefix before every key that passes a proxy: put on in requests, taken off in answers (etcd client/v3/namespace). */
import { concatBytes, prefixEnd } from '@etcd-ts/base';
import type {
  Compare,
  DeleteRangeRequest,
  DeleteRangeResponse,
  Event,
  KeyValue,
  LeaderKey,
  PutRequest,
  PutResponse,
  RangeRequest,
  RangeResponse,
  RequestOp,
  ResponseOp,
  TxnRequest,
  TxnResponse,
} from '@etcd-ts/protocol';

interface KeyInterval {
  readonly key: Uint8Array;
  readonly rangeEnd: Uint8Array;
}

/** Puts a prefix on and takes it off. */
export class Namespace {
  readonly #prefix: Uint8Array;
  readonly #end: Uint8Array;

  constructor(prefix: Uint8Array) {
    this.#prefix = prefix;
    this.#end = prefixEnd(prefix);
  }

  /** A key inside. An empty one stays empty: it is refused by whoever gets it. */
  key(key: Uint8Array): Uint8Array {
    return key.length === 0 ? key : concatBytes([this.#prefix, key]);
  }

  /** The name of a lock or an election, which may be empty. */
  name(name: Uint8Array): Uint8Array {
    return concatBytes([this.#prefix, name]);
  }

  /** A range inside; from a key on means up to the end of the prefix. */
  interval<Request extends KeyInterval>(request: Request): Request {
    const { key, rangeEnd } = request;
    const isOpen = rangeEnd.length === 1 && rangeEnd[0] === 0;
    const end = rangeEnd.length === 0 ? rangeEnd : isOpen ? this.#end : this.name(rangeEnd);
    return { ...request, key: this.key(key), rangeEnd: end };
  }

  /** Whether a stored key is inside. */
  holds(key: Uint8Array): boolean {
    return this.#prefix.every((byte, at) => key[at] === byte);
  }

  /** A stored key as those inside see it. */
  bare(key: Uint8Array): Uint8Array {
    return this.holds(key) ? key.subarray(this.#prefix.length) : key;
  }

  kv(kv: KeyValue): KeyValue {
    return { ...kv, key: this.bare(kv.key) };
  }

  #kvOrNone(kv: KeyValue | undefined): KeyValue | undefined {
    return kv === undefined ? undefined : this.kv(kv);
  }

  range(response: RangeResponse): RangeResponse {
    return { ...response, kvs: response.kvs.map((kv) => this.kv(kv)) };
  }

  put(response: PutResponse): PutResponse {
    return { ...response, prevKv: this.#kvOrNone(response.prevKv) };
  }

  deleted(response: DeleteRangeResponse): DeleteRangeResponse {
    return { ...response, prevKvs: response.prevKvs.map((kv) => this.kv(kv)) };
  }

  event(event: Event): Event {
    return { ...event, kv: this.#kvOrNone(event.kv), prevKv: this.#kvOrNone(event.prevKv) };
  }

  leader(leader: LeaderKey | undefined): LeaderKey | undefined {
    if (leader === undefined) return undefined;
    return { ...leader, name: this.bare(leader.name), key: this.bare(leader.key) };
  }

  /** A leader that somebody inside names. */
  namedLeader(leader: LeaderKey | undefined): LeaderKey | undefined {
    if (leader === undefined) return undefined;
    return { ...leader, name: this.name(leader.name), key: this.key(leader.key) };
  }

  txn({ compare, success, failure }: TxnRequest): TxnRequest {
    return {
      compare: compare.map((each): Compare => this.interval(each)),
      success: success.map((op) => this.#op(op)),
      failure: failure.map((op) => this.#op(op)),
    };
  }

  txnAnswer(response: TxnResponse): TxnResponse {
    return { ...response, responses: response.responses.map((each) => this.#opAnswer(each)) };
  }

  #op({ request }: RequestOp): RequestOp {
    switch (request?.$case) {
      case undefined:
        return {};
      case 'requestRange':
        return { request: { ...request, value: this.interval<RangeRequest>(request.value) } };
      case 'requestPut': {
        const value: PutRequest = { ...request.value, key: this.key(request.value.key) };
        return { request: { ...request, value } };
      }
      case 'requestDeleteRange':
        return { request: { ...request, value: this.interval<DeleteRangeRequest>(request.value) } };
      case 'requestTxn':
        return { request: { ...request, value: this.txn(request.value) } };
    }
  }

  #opAnswer({ response }: ResponseOp): ResponseOp {
    switch (response?.$case) {
      case undefined:
        return {};
      case 'responseRange':
        return { response: { ...response, value: this.range(response.value) } };
      case 'responsePut':
        return { response: { ...response, value: this.put(response.value) } };
      case 'responseDeleteRange':
        return { response: { ...response, value: this.deleted(response.value) } };
      case 'responseTxn':
        return { response: { ...response, value: this.txnAnswer(response.value) } };
    }
  }
}
