/** What the doors for clients and monitors may be told. */
import { bindAddress } from '../bootstrap/urls.ts';
import { MAX_TIMER_MS } from '@etcd-ts/protocol';
import { type Range, resolveNumbers } from './numbers.ts';

/** HTTP, gRPC's connections, metrics. */
export interface ServingOptions {
  /**
   * Where clients come in with HTTP alone; `listenClientUrls` then takes gRPC alone.
   * etcd --listen-client-http-urls. @defaultValue []
   */
  readonly listenClientHttpUrls?: readonly string[];
  /** Say NOT_SERVING of the gRPC server while it defragments. etcd --feature-gates=StopGRPCServiceOnDefrag. @defaultValue false */
  readonly stopGrpcServiceOnDefrag?: boolean;
  /** Where `/metrics` and the health checks are served besides. etcd --listen-metrics-urls. @defaultValue [] */
  readonly listenMetricsUrls?: readonly string[];
  /** `extensive`: with the durations of calls by method; anything else is basic. etcd --metrics. @defaultValue 'basic' */
  readonly metrics?: string;
  /** Serve profiles below `/debug/pprof/`. etcd --enable-pprof. @defaultValue false */
  readonly enablePprof?: boolean;
  /** Serve JSON below `/v3/`. etcd --enable-grpc-gateway. @defaultValue true */
  readonly enableGrpcGateway?: boolean;
  /** Origins whose pages may ask over HTTP; `*`: all. etcd --cors. @defaultValue ['*'] */
  readonly cors?: readonly string[];
  /** Host names for which HTTP without TLS is answered; `*`: all. etcd --host-whitelist. @defaultValue ['*'] */
  readonly hostWhitelist?: readonly string[];
  /** Streams open on one gRPC connection; one more is refused. etcd --max-concurrent-streams. @defaultValue 1000000 */
  readonly maxConcurrentStreams?: number;
  /** Least time between a client's pings. etcd --grpc-keepalive-min-time. @defaultValue 5000 */
  readonly grpcKeepaliveMinTimeMs?: number;
  /** Silence after which a client is pinged; 0: never. etcd --grpc-keepalive-interval. @defaultValue 7200000 */
  readonly grpcKeepaliveIntervalMs?: number;
  /** Silence after that ping at which it is hung up on; 0: no pings. etcd --grpc-keepalive-timeout. @defaultValue 20000 */
  readonly grpcKeepaliveTimeoutMs?: number;
}

/** Streams that a connection may have; etcd's own default is 2^32 - 1, which bounds nothing. */
export const MAX_STREAMS_PER_CONNECTION = 1_000_000;

const NUMBERS = {
  maxConcurrentStreams: [MAX_STREAMS_PER_CONNECTION, 1, 0xffff_ffff],
  grpcKeepaliveMinTimeMs: [5_000, 0, MAX_TIMER_MS],
  grpcKeepaliveIntervalMs: [7_200_000, 0, MAX_TIMER_MS],
  grpcKeepaliveTimeoutMs: [20_000, 0, MAX_TIMER_MS],
} as const satisfies Record<string, Range>;

/** Completes and checks. @throws StartError BAD_OPTION. */
export function resolveServing(given: ServingOptions): Required<ServingOptions> {
  const listenMetricsUrls = [...(given.listenMetricsUrls ?? [])];
  const listenClientHttpUrls = [...(given.listenClientHttpUrls ?? [])];
  for (const url of [...listenMetricsUrls, ...listenClientHttpUrls]) bindAddress(url);
  const numbers = resolveNumbers(given, NUMBERS);
  return {
    listenMetricsUrls,
    listenClientHttpUrls,
    stopGrpcServiceOnDefrag: given.stopGrpcServiceOnDefrag ?? false,
    metrics: given.metrics ?? 'basic',
    enablePprof: given.enablePprof ?? false,
    enableGrpcGateway: given.enableGrpcGateway ?? true,
    cors: [...(given.cors ?? ['*'])],
    hostWhitelist: [...(given.hostWhitelist ?? ['*'])],
    ...numbers,
    maxConcurrentStreams: Math.min(numbers.maxConcurrentStreams, MAX_STREAMS_PER_CONNECTION),
  };
}
