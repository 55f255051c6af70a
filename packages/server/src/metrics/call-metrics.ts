/**
 * Calls by method, whatever door they came through (etcd's gRPC interceptor and its gateway count alike, since the
 * gateway calls through gRPC).
 *
 * Invariant: every call that was started is handled once, with one status.
 */
import { must } from '@etcd-ts/base';
import { type EtcdError, type MethodName, type Rpc, RPCS } from '@etcd-ts/protocol';
import type { CallSpan, CallTracer } from '../tracing/call-tracer.ts';
import { BOUNDS, Histogram } from './histogram.ts';

/** Values of the metadata `client-api-version` that are told apart; later ones count as {@link OTHER_VERSION}. */
export const MAX_CLIENT_VERSIONS = 64;
/** Stands for client versions beyond {@link MAX_CLIENT_VERSIONS}. */
export const OTHER_VERSION = 'other';
const NO_VERSION = 'unknown';

/** gRPC's status codes, 0 to 16. */
const STATUS_COUNT = 17;
const NOTHING_HANDLED: readonly number[] = Array.from({ length: STATUS_COUNT }, () => 0);

/** What is counted of one method. */
export interface MethodCounts {
  readonly rpc: Rpc<MethodName>;
  started: number;
  received: number;
  sent: number;
  /** By gRPC status. */
  readonly handled: number[];
  /** Seconds from start to end; only filled after {@link CallMetrics.timeCalls}. */
  readonly seconds: Histogram;
}

/** One call on its way to its end. */
export class CountedCall {
  readonly #metrics: CallMetrics;
  readonly #counts: MethodCounts;
  readonly #monotonicMs: (() => number) | undefined;
  readonly #startedMs: number;
  readonly #span: CallSpan | undefined;

  /** @internal */
  constructor(
    metrics: CallMetrics,
    counts: MethodCounts,
    monotonicMs: (() => number) | undefined,
    span: CallSpan | undefined,
  ) {
    this.#metrics = metrics;
    this.#counts = counts;
    this.#monotonicMs = monotonicMs;
    this.#startedMs = monotonicMs?.() ?? 0;
    this.#span = span;
  }

  received(): void {
    this.#counts.received += 1;
  }

  sent(): void {
    this.#counts.sent += 1;
  }

  /** The call is over: well, or with this error. Once. */
  ended(error?: EtcdError): void {
    const { handled, seconds } = this.#counts;
    const status = error?.status ?? 0;
    handled[status] = (handled[status] ?? 0) + 1;
    if (this.#monotonicMs !== undefined) {
      seconds.observe((this.#monotonicMs() - this.#startedMs) / 1000);
    }
    this.#span?.ended(error);
  }

  /** The stream broke for another reason than its client's going. */
  broke(type: 'receive' | 'send'): void {
    this.#metrics.streamFailed(type, this.#counts.rpc.name);
  }
}

/** All calls of one node. */
export class CallMetrics {
  readonly methods: ReadonlyMap<string, MethodCounts>;
  /** Bytes of messages from and to gRPC clients. */
  grpcReceivedBytes = 0;
  grpcSentBytes = 0;
  /** Broken streams of clients, by direction and API. */
  readonly streamFailures: Map<string, { type: string; api: string; count: number }> = new Map();
  /** Calls by the clients' API version. */
  readonly clientVersions: Map<string, { unary: number; stream: number }> = new Map();
  #monotonicMs: (() => number) | undefined;
  #tracer: CallTracer | undefined;

  constructor() {
    const counts = RPCS.map((rpc): [string, MethodCounts] => [
      rpc.name,
      {
        rpc: rpc as Rpc<MethodName>,
        started: 0,
        received: 0,
        sent: 0,
        handled: NOTHING_HANDLED.slice(),
        seconds: new Histogram(BOUNDS.call),
      },
    ]);
    this.methods = new Map(counts);
  }

  /** Takes durations from now on. etcd --metrics=extensive. */
  timeCalls(monotonicMs: () => number): void {
    this.#monotonicMs = monotonicMs;
  }

  /** Traces calls from now on. etcd --enable-distributed-tracing. */
  traceCalls(tracer: CallTracer): void {
    this.#tracer = tracer;
  }

  /** Whether durations are taken. */
  get isExtensive(): boolean {
    return this.#monotonicMs !== undefined;
  }

  /** A call begins. */
  started(method: string, metadata: ReadonlyMap<string, string>): CountedCall {
    const counts = must(this.methods.get(method), 'method counts');
    counts.started += 1;
    const version = this.#versionCounts(metadata.get('client-api-version') ?? NO_VERSION);
    if (counts.rpc.kind === 'unary') version.unary += 1;
    else version.stream += 1;
    const span = this.#tracer?.started(counts.rpc, metadata);
    return new CountedCall(this, counts, this.#monotonicMs, span);
  }

  /** @internal */
  streamFailed(type: 'receive' | 'send', method: string): void {
    const api = STREAM_APIS[method];
    if (api === undefined) return;
    const key = `${type} ${api}`;
    const failures = this.streamFailures.get(key) ?? { type, api, count: 0 };
    failures.count += 1;
    this.streamFailures.set(key, failures);
  }

  #versionCounts(version: string): { unary: number; stream: number } {
    const known = this.clientVersions.get(version);
    if (known !== undefined) return known;
    if (this.clientVersions.size >= MAX_CLIENT_VERSIONS && version !== OTHER_VERSION) {
      return this.#versionCounts(OTHER_VERSION);
    }
    const counts = { unary: 0, stream: 0 };
    this.clientVersions.set(version, counts);
    return counts;
  }
}

/** Streams whose failures etcd counts, as its label `API` names them. */
const STREAM_APIS: Readonly<Record<string, string>> = {
  'etcdserverpb.Watch/Watch': 'watch',
  'etcdserverpb.Lease/LeaseKeepAlive': 'lease-keepalive',
};
