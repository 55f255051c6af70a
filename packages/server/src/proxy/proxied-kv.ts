/** Keys and values through the proxy: prefixed, and cached for serializable reads. */
import type {
  CallContext,
  HandlerOf,
  Handlers,
  RangeRequest,
  RangeResponse,
  RangeStreamResponse,
  RequestOp,
  TxnResponse,
} from '@etcd-ts/protocol';
import { forwardStream } from './forward.ts';
import type { Namespace } from './namespace.ts';
import type { RangeCache } from './range-cache.ts';
import { hasToken, type UnaryCalls, type Upstream } from './upstream.ts';

/** What the methods need. */
export interface KvParts {
  readonly upstream: Upstream;
  /** Makes the calls that are not streams. @defaultValue upstream */
  readonly calls?: UnaryCalls | undefined;
  readonly namespace: Namespace;
  readonly cache: RangeCache;
  readonly ordersReads: boolean;
}

const NOTHING = new Uint8Array(0);

/** The methods of etcdserverpb.KV, but for those that are forwarded as they are. */
export function proxiedKv(parts: KvParts): Handlers {
  const { upstream, calls = upstream, namespace, cache } = parts;
  const put: HandlerOf<'etcdserverpb.KV/Put'> = async (request, context) => {
    const inside = { ...request, key: namespace.key(request.key) };
    const response = await calls.unary('etcdserverpb.KV/Put', inside, context);
    cache.invalidate(inside.key, NOTHING);
    return namespace.put(response);
  };
  const deleteRange: HandlerOf<'etcdserverpb.KV/DeleteRange'> = async (request, context) => {
    const inside = namespace.interval(request);
    const response = await calls.unary('etcdserverpb.KV/DeleteRange', inside, context);
    cache.invalidate(inside.key, inside.rangeEnd);
    return namespace.deleted(response);
  };
  const txn: HandlerOf<'etcdserverpb.KV/Txn'> = async (request, context) => {
    const inside = namespace.txn(request);
    const response = await calls.unary('etcdserverpb.KV/Txn', inside, context);
    invalidate(cache, response.succeeded ? inside.success : inside.failure, response);
    return namespace.txnAnswer(response);
  };
  const compact: HandlerOf<'etcdserverpb.KV/Compact'> = async (request, context) => {
    const response = await upstream.unary('etcdserverpb.KV/Compact', request, context);
    cache.compact(request.revision);
    return response;
  };
  const reader = new Reader(parts);
  return {
    'etcdserverpb.KV/Range': async (request, context) =>
      namespace.range(await reader.range(namespace.interval(request), context)),
    'etcdserverpb.KV/Put': put,
    'etcdserverpb.KV/DeleteRange': deleteRange,
    'etcdserverpb.KV/Txn': txn,
    'etcdserverpb.KV/Compact': compact,
    'etcdserverpb.KV/RangeStream': forwardStream(
      'etcdserverpb.KV/RangeStream',
      upstream,
      (request) => namespace.interval(request as RangeRequest),
      (response) => {
        const { rangeResponse } = response as RangeStreamResponse;
        return { rangeResponse: rangeResponse && namespace.range(rangeResponse) };
      },
    ) as never,
  };
}

/** Reads, from the cache where that is allowed. */
class Reader {
  readonly #parts: KvParts;
  /** Greatest revision that was shown. */
  #shownRevision = 0;

  constructor(parts: KvParts) {
    this.#parts = parts;
  }

  async range(request: RangeRequest, context: CallContext): Promise<RangeResponse> {
    const { upstream, calls = upstream, cache, ordersReads } = this.#parts;
    const isShared = !hasToken(context);
    if (request.serializable && isShared) {
      const cached = cache.get(request);
      if (cached !== undefined && !(ordersReads && this.#isOlder(cached))) return cached;
    }
    const { changes } = cache;
    let response = await calls.unary('etcdserverpb.KV/Range', request, context);
    if (request.serializable && ordersReads && this.#isOlder(response)) {
      const ordered = { ...request, serializable: false };
      response = await calls.unary('etcdserverpb.KV/Range', ordered, context);
    }
    this.#shownRevision = Math.max(this.#shownRevision, response.header?.revision ?? 0);
    if (isShared) cache.add(request, response, changes);
    return response;
  }

  #isOlder({ header }: RangeResponse): boolean {
    return (header?.revision ?? 0) < this.#shownRevision;
  }
}

/** What a transaction has changed. */
function invalidate(cache: RangeCache, ops: readonly RequestOp[], response: TxnResponse): void {
  ops.forEach(({ request }, i) => {
    if (request?.$case === 'requestPut') cache.invalidate(request.value.key, NOTHING);
    if (request?.$case === 'requestDeleteRange') {
      cache.invalidate(request.value.key, request.value.rangeEnd);
    }
    const answer = response.responses[i]?.response;
    if (request?.$case !== 'requestTxn' || answer?.$case !== 'responseTxn') return;
    const { success, failure } = request.value;
    invalidate(cache, answer.value.succeeded ? success : failure, answer.value);
  });
}
