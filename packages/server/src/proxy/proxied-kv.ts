/** Keys and values through the proxy: prefixed, and cached for serializable reads. */
import type {
  CallContext,
  HandlerOf,
  Handlers,
  RangeRequest,
  RangeResponse,
  RangeStreamResponse,
  RequestOp,
  TxnRequest,
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

/**
 * The methods of etcdserverpb.KV, but for those that are forwarded as they are. What a write may have changed is not in
 * the cache any more when it is over, however it ended.
 */
export function proxiedKv(parts: KvParts): Handlers {
  const { upstream, calls = upstream, namespace, cache } = parts;
  const put: HandlerOf<'etcdserverpb.KV/Put'> = async (request, context) => {
    const inside = { ...request, key: namespace.key(request.key) };
    try {
      return namespace.put(await calls.unary('etcdserverpb.KV/Put', inside, context));
    } finally {
      cache.invalidate(inside.key, NOTHING);
    }
  };
  const deleteRange: HandlerOf<'etcdserverpb.KV/DeleteRange'> = async (request, context) => {
    const inside = namespace.interval(request);
    try {
      return namespace.deleted(await calls.unary('etcdserverpb.KV/DeleteRange', inside, context));
    } finally {
      cache.invalidate(inside.key, inside.rangeEnd);
    }
  };
  const txn: HandlerOf<'etcdserverpb.KV/Txn'> = async (request, context) => {
    const inside = namespace.txn(request);
    let response: TxnResponse | undefined;
    try {
      response = await calls.unary('etcdserverpb.KV/Txn', inside, context);
      return namespace.txnAnswer(response);
    } finally {
      invalidate(cache, inside, response);
    }
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

/** What a transaction has changed; without a response: what it may have changed, whichever way it went. */
function invalidate(
  cache: RangeCache,
  { success, failure }: TxnRequest,
  response: TxnResponse | undefined,
): void {
  const none: readonly RequestOp[] = [];
  const branches = [
    response?.succeeded === false ? none : success,
    response?.succeeded === true ? none : failure,
  ];
  for (const branch of branches) {
    for (const [i, { request }] of branch.entries()) {
      if (request?.$case === 'requestPut') cache.invalidate(request.value.key, NOTHING);
      if (request?.$case === 'requestDeleteRange') {
        cache.invalidate(request.value.key, request.value.rangeEnd);
      }
      if (request?.$case !== 'requestTxn') continue;
      const answer = response?.responses[i]?.response;
      invalidate(cache, request.value, answer?.$case === 'responseTxn' ? answer.value : undefined);
    }
  }
}
