/**
 * The queue under locks and elections: keys `name/lease` under one prefix, whose turn it is by their create revision
 * (etcd client/v3/concurrency/key.go, mutex.go, election.go).
 *
 * Everything is asked of the KV and Lease services in the caller's own name, so that their checks hold here as well.
 */
import { concatBytes, must, prefixEnd, utf8 } from '@etcd-ts/base';
import {
  type CallContext,
  Compare,
  DeleteRangeRequest,
  EtcdError,
  type Handlers,
  type KeyValue,
  LeaseGrantRequest,
  PutRequest,
  RangeRequest,
  type RangeResponse,
  type RequestOf,
  type RequestOp,
  type ResponseOf,
  TxnRequest,
  type TxnResponse,
  type UnaryHandler,
  type UnaryMethodName,
} from '@etcd-ts/protocol';
import type { NodePort } from '../../node-port.ts';
import type { CatchUp } from '../watch/catch-up.ts';
import { keyEvents } from './key-events.ts';

/** TTL of the lease that is made for a caller who brings none; nobody renews it. */
const SESSION_TTL_SECONDS = 60;

const EQUAL = 0;
const CREATE = 1;
const ASCEND = 1;
const DESCEND = 2;
const SORT_BY_CREATE = 2;
const EVENT_DELETE = 1;

/** What the recipes stand on. */
export interface RecipeParts {
  readonly node: NodePort;
  readonly catchUp: CatchUp;
  /** The KV and Lease services. */
  readonly handlers: Handlers;
}

/** The services as one caller sees them. */
export class Caller {
  readonly context: CallContext;
  readonly #parts: RecipeParts;

  constructor(parts: RecipeParts, context: CallContext) {
    this.#parts = parts;
    this.context = context;
  }

  /** The lease to work under: the one given, or a new one. */
  async leaseOf(lease: bigint): Promise<bigint> {
    if (lease !== 0n) return lease;
    const request = LeaseGrantRequest.fromPartial({ TTL: SESSION_TTL_SECONDS });
    return (await this.#call('etcdserverpb.Lease/LeaseGrant', request)).ID;
  }

  txn(request: Parameters<typeof TxnRequest.fromPartial>[0]): Promise<TxnResponse> {
    return this.#call('etcdserverpb.KV/Txn', TxnRequest.fromPartial(request));
  }

  range(request: RangeRequest): Promise<RangeResponse> {
    return this.#call('etcdserverpb.KV/Range', request);
  }

  async delete(key: Uint8Array): Promise<ResponseOf<'etcdserverpb.KV/DeleteRange'>> {
    return this.#call('etcdserverpb.KV/DeleteRange', DeleteRangeRequest.fromPartial({ key }));
  }

  /** Waits until every key under the prefix that was created through this revision is gone. */
  async waitDeletes(prefix: Uint8Array, maxCreateRevision: number): Promise<void> {
    const { signal } = this.context;
    for (;;) {
      const { kvs, header } = await this.range(last(prefix, maxCreateRevision));
      const [before] = kvs;
      if (before === undefined) return;
      const startRevision = must(header, 'header of a range').revision + 1;
      const range = { key: before.key, rangeEnd: new Uint8Array(0), startRevision };
      for await (const event of keyEvents(this.#parts, range, signal)) {
        if (event.type === EVENT_DELETE) break;
      }
      if (signal.aborted) throw EtcdError.from(signal.reason);
    }
  }

  #call<Method extends UnaryMethodName>(
    method: Method,
    request: RequestOf<Method>,
  ): Promise<ResponseOf<Method>> {
    // The map's type says which handler belongs to which method; the compiler cannot follow it through the parameter.
    const handler = this.#parts.handlers[method] as
      | UnaryHandler<RequestOf<Method>, ResponseOf<Method>>
      | undefined;
    const { signal, metadata, timeoutMs, peer } = this.context;
    // Not the raw request: that is the recipe's, not this one's.
    return must(handler, method)(request, { signal, metadata, timeoutMs, peer });
  }
}

/** `name/`. */
export function prefixOf(name: Uint8Array): Uint8Array {
  return concatBytes([name, utf8('/')]);
}

/** `name/` and the lease in lower-case hexadecimal, without padding, signed (etcd: `%s%x`). */
export function keyOf(name: Uint8Array, lease: bigint): Uint8Array {
  return concatBytes([prefixOf(name), utf8(lease.toString(16))]);
}

/** The key that was created first under a prefix: whose turn it is. */
export function first(prefix: Uint8Array): RangeRequest {
  return RangeRequest.fromPartial({
    key: prefix,
    rangeEnd: prefixEnd(prefix),
    sortOrder: ASCEND,
    sortTarget: SORT_BY_CREATE,
    limit: 1,
  });
}

function last(prefix: Uint8Array, maxCreateRevision: number): RangeRequest {
  return { ...first(prefix), sortOrder: DESCEND, maxCreateRevision };
}

/** A compare of a key's create revision; 0: the key is absent. */
export function createdAt(key: Uint8Array, revision: number): Compare {
  return Compare.fromPartial({
    key,
    result: EQUAL,
    target: CREATE,
    targetUnion: { $case: 'createRevision', value: revision },
  });
}

/** A put as an operation of a transaction. */
export function putOp(key: Uint8Array, value: Uint8Array, lease: bigint): RequestOp {
  const request = PutRequest.fromPartial({ key, value, lease });
  return { request: { $case: 'requestPut', value: request } };
}

/** A range as an operation of a transaction. */
export function rangeOp(request: RangeRequest): RequestOp {
  return { request: { $case: 'requestRange', value: request } };
}

/** The read of one key as an operation of a transaction. */
export function getOp(key: Uint8Array): RequestOp {
  return rangeOp(RangeRequest.fromPartial({ key }));
}

/** The deletion of one key as an operation of a transaction. */
export function deleteOp(key: Uint8Array): RequestOp {
  return {
    request: { $case: 'requestDeleteRange', value: DeleteRangeRequest.fromPartial({ key }) },
  };
}

/** The first key-value of the operation at this place of a transaction's answer. */
export function firstKv({ responses }: TxnResponse, place: number): KeyValue | undefined {
  const response = responses[place]?.response;
  return response?.$case === 'responseRange' ? response.value.kvs[0] : undefined;
}

/**
 * What these two services make of every failure but a cancellation: code UNKNOWN, the text as it was
 * (etcd server/etcdserver/api/v3lock: the inner client's error has lost its status).
 */
export async function withUnknownErrors<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    const failed = EtcdError.from(error);
    if (failed.code === 'CANCELED' || failed.code === 'DEADLINE_EXCEEDED') throw failed;
    throw new EtcdError('UNKNOWN', {
      message: failed.message,
      cause: failed,
      mayHaveApplied: failed.mayHaveApplied,
    });
  }
}
