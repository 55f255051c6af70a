/**
 * What the gRPC proxy serves: every method of a cluster, by the cluster, with what can be shared between callers shared
 * (watches, renewals of leases, serializable reads) and a prefix before every key.
 *
 * What always holds
 * - A caller with a token never gets an answer that was given to somebody else: only calls without one are shared
 *   through the cache, and watches and renewals only among callers with the same metadata.
 */
import {
  EtcdError,
  type HandlerOf,
  type Handlers,
  type MethodName,
  type RequestOf,
  type ResponseOf,
  RPC_TABLE,
  type UnaryHandler,
  type UnaryMethodName,
  untilAborted,
} from '@etcd-ts/protocol';
import { deferred } from '@etcd-ts/base';
import type { Clock } from '../clock.ts';
import { CallerKinds } from './caller-kinds.ts';
import { forward } from './forward.ts';
import { LeaseRenewals } from './lease-renewals.ts';
import type { Namespace } from './namespace.ts';
import { RangeCache } from './range-cache.ts';
import { namespaced } from './recipes.ts';
import { proxiedKv } from './proxied-kv.ts';
import type { OpenStream, UnaryCalls, Upstream } from './upstream.ts';
import { WatchCoalescer } from './watch-coalescer.ts';
import { ProxyWatchStream } from './watch-stream.ts';

const WATCH = 'etcdserverpb.Watch/Watch';
const KEEP_ALIVE = 'etcdserverpb.Lease/LeaseKeepAlive';

/** What the proxy is made of. */
export interface ProxyParts {
  readonly upstream: Upstream;
  readonly namespace: Namespace;
  readonly clock: Clock;
  /** Serializable reads never show an older revision than one that was shown before. */
  readonly ordersReads: boolean;
  /** Leasing of keys, where that is asked for. */
  readonly calls?: UnaryCalls | undefined;
  /** Methods that somebody else serves. */
  readonly more?: Handlers;
}

/** The proxy without its sockets. */
export class ProxyHandlers {
  readonly handlers: Handlers;
  readonly cache: RangeCache = new RangeCache();
  /** Events that were passed on to one more than the first. */
  sharedEvents = 0;
  readonly #parts: ProxyParts;
  readonly #watches: CallerKinds<WatchCoalescer>;
  readonly #renewals: CallerKinds<LeaseRenewals>;

  constructor(parts: ProxyParts) {
    this.#parts = parts;
    const { calls, clock, upstream, namespace, ordersReads, more } = parts;
    const onShared = (events: number): void => void (this.sharedEvents += events);
    this.#watches = new CallerKinds((metadata) => {
      const open = (): OpenStream<typeof WATCH> => upstream.stream(WATCH, { metadata });
      return new WatchCoalescer({ open, clock, onShared });
    });
    this.#renewals = new CallerKinds(
      (metadata) => new LeaseRenewals(() => upstream.stream(KEEP_ALIVE, { metadata })),
    );
    const forwardedMethods = Object.keys(RPC_TABLE).map((name) => [
      name,
      forward(name as MethodName, upstream),
    ]);
    this.handlers = {
      ...(Object.fromEntries(forwardedMethods) as Handlers),
      ...proxiedKv({ upstream, calls, namespace, cache: this.cache, ordersReads }),
      ...namespaced(upstream, namespace),
      // Its keys are gone with it, and nobody here knows which.
      'etcdserverpb.Lease/LeaseRevoke': this.#clearing('etcdserverpb.Lease/LeaseRevoke'),
      // Callers without a token have had answers that are not for everybody any more.
      'etcdserverpb.Auth/AuthEnable': this.#clearing('etcdserverpb.Auth/AuthEnable'),
      'etcdserverpb.Lease/LeaseKeepAlive': (requests, context, responses) =>
        this.#keepAlive(requests, context, responses),
      'etcdserverpb.Watch/Watch': (requests, context, responses) =>
        this.#watch(requests, context, responses),
      ...more,
    };
  }

  /** Watchers that the cluster has for the proxy. */
  get watcherCount(): number {
    return this.#watches.things.reduce((sum, { size }) => sum + size, 0);
  }

  /** Watchers of clients that are served by that of another one. */
  get sharingWatchers(): number {
    return this.#watches.things.reduce((sum, { sharing }) => sum + sharing, 0);
  }

  /** Ends what is open at the cluster. */
  close(): void {
    for (const thing of [...this.#watches.things, ...this.#renewals.things]) thing.close();
  }

  /** Hands a call on behind which nothing in the cache counts any more, however it ended. */
  #clearing<Method extends UnaryMethodName>(
    method: Method,
  ): UnaryHandler<RequestOf<Method>, ResponseOf<Method>> {
    const { upstream, calls = upstream } = this.#parts;
    return async (request, context) => {
      try {
        return await calls.unary(method, request, context);
      } finally {
        this.cache.clear();
      }
    };
  }

  /** Answers in the order of the requests; the stream ends when the client's side does. */
  #keepAlive: HandlerOf<typeof KEEP_ALIVE> = (requests, context, responses) =>
    this.#renewals.lend(context, async (renewals) => {
      for await (const { ID } of requests) {
        const response = await unlessAborted(context.signal, renewals.renew(ID));
        if (response === undefined) return;
        if (!responses.send(response)) await responses.drained();
      }
    });

  /** The end of the requests is not the end of the watch. */
  #watch: HandlerOf<typeof WATCH> = (requests, context, responses) =>
    this.#watches.lend(context, async (coalescer) => {
      const { namespace } = this.#parts;
      const failed = deferred<undefined>();
      const fail = (error: unknown): void => failed.reject(EtcdError.from(error));
      const stream = new ProxyWatchStream({ coalescer, namespace, responses, fail });
      stream.serve(requests).catch(fail);
      try {
        await Promise.race([failed.promise, untilAborted(context.signal)]);
      } finally {
        stream.close();
      }
    });
}

/** What the work gives; undefined when the caller is gone before. Leaves nothing behind at the signal. */
async function unlessAborted<T>(signal: AbortSignal, work: Promise<T>): Promise<T | undefined> {
  const gone = deferred<undefined>();
  const onAbort = (): void => gone.resolve(undefined);
  if (signal.aborted) onAbort();
  else signal.addEventListener('abort', onAbort, { once: true });
  try {
    return await Promise.race([work, gone.promise]);
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}
