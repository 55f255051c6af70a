/**
 * What the gRPC proxy serves: every method of a cluster, by the cluster, with what can be shared between callers shared
 * (watches, renewals of leases, serializable reads) and a prefix before every key.
 *
 * What always holds
 * - A caller with a token never gets an answer that was given to somebody else: only calls without one are shared
 *   through the cache, and watches and renewals only among callers with the same metadata.
 */
import {
  type CallContext,
  EtcdError,
  type HandlerOf,
  type Handlers,
  type MethodName,
  RPC_TABLE,
} from '@etcd-ts/protocol';
import type { Clock } from '../clock.ts';
import { forward } from './forward.ts';
import { LeaseRenewals } from './lease-renewals.ts';
import type { Namespace } from './namespace.ts';
import { RangeCache } from './range-cache.ts';
import { namespaced } from './recipes.ts';
import { proxiedKv } from './proxied-kv.ts';
import { forwarded, type Upstream } from './upstream.ts';
import { WatchCoalescer, type WatchCounts } from './watch-coalescer.ts';
import { ProxyWatchStream } from './watch-stream.ts';

/** Kinds of callers that are told apart for sharing; beyond, the one that came first is forgotten. */
const MAX_CALLER_KINDS = 10_000;

/** What the proxy is made of. */
export interface ProxyParts {
  readonly upstream: Upstream;
  readonly namespace: Namespace;
  readonly clock: Clock;
  /** Serializable reads never show an older revision than one that was shown before. */
  readonly ordersReads: boolean;
  /** Methods that somebody else serves. */
  readonly more?: Handlers;
}

/** The proxy without its sockets. */
export class ProxyHandlers {
  readonly handlers: Handlers;
  readonly cache: RangeCache = new RangeCache();
  readonly counts: WatchCounts = { watchers: 0, events: 0 };
  readonly #parts: ProxyParts;
  readonly #watches = new Map<string, WatchCoalescer>();
  readonly #renewals = new Map<string, LeaseRenewals>();

  constructor(parts: ProxyParts) {
    this.#parts = parts;
    const { upstream, namespace, ordersReads, more } = parts;
    const forwardedMethods = Object.keys(RPC_TABLE).map((name) => [
      name,
      forward(name as MethodName, upstream),
    ]);
    this.handlers = {
      ...(Object.fromEntries(forwardedMethods) as Handlers),
      ...proxiedKv({ upstream, namespace, cache: this.cache, ordersReads }),
      ...namespaced(upstream, namespace),
      'etcdserverpb.Lease/LeaseRevoke': async (request, context) => {
        const response = await upstream.unary('etcdserverpb.Lease/LeaseRevoke', request, context);
        // Its keys are gone with it, and nobody here knows which.
        this.cache.clear();
        return response;
      },
      'etcdserverpb.Lease/LeaseKeepAlive': (requests, context, responses) =>
        this.#keepAlive(requests, context, responses),
      'etcdserverpb.Watch/Watch': (requests, context, responses) =>
        this.#watch(requests, context, responses),
      ...more,
    };
  }

  /** Watchers that the cluster has for the proxy. */
  get watcherCount(): number {
    return [...this.#watches.values()].reduce((sum, { size }) => sum + size, 0);
  }

  /** Ends what is open at the cluster. */
  close(): void {
    for (const coalescer of this.#watches.values()) coalescer.close();
    for (const renewals of this.#renewals.values()) renewals.close();
  }

  /** Answers in the order of the requests; the stream ends when the client's side does. */
  #keepAlive: HandlerOf<'etcdserverpb.Lease/LeaseKeepAlive'> = async (
    requests,
    context,
    responses,
  ) => {
    const { upstream } = this.#parts;
    const renewals = shared(
      this.#renewals,
      context,
      (metadata) =>
        new LeaseRenewals(() => upstream.stream('etcdserverpb.Lease/LeaseKeepAlive', { metadata })),
    );
    for await (const { ID } of requests) {
      const response = await renewals.renew(ID);
      if (!responses.send(response)) await responses.drained();
    }
  };

  #watch: HandlerOf<'etcdserverpb.Watch/Watch'> = async (requests, context, responses) => {
    const { upstream, namespace, clock } = this.#parts;
    const coalescer = shared(this.#watches, context, (metadata) => {
      const open = (): ReturnType<WatchCoalescerOpen> => {
        const channel = upstream.channel();
        const call = channel.stream('etcdserverpb.Watch/Watch', { metadata });
        return { call, failed: () => upstream.failed(channel) };
      };
      return new WatchCoalescer({ open, clock, counts: this.counts });
    });
    await new Promise<void>((resolve, reject) => {
      const fail = (error: EtcdError): void => reject(error);
      const stream = new ProxyWatchStream({ coalescer, namespace, responses, context, fail });
      const end = (): void => {
        stream.close();
        resolve();
      };
      // The end of the requests is not the end of the watch.
      context.signal.addEventListener('abort', end, { once: true });
      stream.serve(requests).catch((error: unknown) => reject(EtcdError.from(error)));
    });
  };
}

type WatchCoalescerOpen = ConstructorParameters<typeof WatchCoalescer>[0]['open'];

/** The one thing for all callers with this metadata. */
function shared<Thing>(
  all: Map<string, Thing>,
  context: CallContext,
  make: (metadata: ReadonlyMap<string, string>) => Thing,
): Thing {
  const metadata = forwarded(context.metadata);
  const name = JSON.stringify([...metadata].sort(([a], [b]) => (a < b ? -1 : 1)));
  let thing = all.get(name);
  if (thing === undefined) {
    thing = make(metadata);
    const [oldest] = all.keys();
    if (all.size >= MAX_CALLER_KINDS && oldest !== undefined) all.delete(oldest);
    all.set(name, thing);
  }
  return thing;
}
