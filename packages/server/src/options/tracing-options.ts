/** Whether calls are traced, and where the traces go. */
import { StartError } from '../start-error.ts';

/** Traces by OpenTelemetry. */
export interface TracingOptions {
  /** Send a span of each sampled call to a collector. etcd --enable-distributed-tracing. @defaultValue false */
  readonly enableDistributedTracing?: boolean;
  /** Host and port of the collector: OTLP over gRPC without TLS. etcd --distributed-tracing-address. @defaultValue 'localhost:4317' */
  readonly distributedTracingAddress?: string;
  /** Name of the service in traces, the same for all members. etcd --distributed-tracing-service-name. @defaultValue 'etcd' */
  readonly distributedTracingServiceName?: string;
  /** Name of this member in traces; empty: none. etcd --distributed-tracing-instance-id. @defaultValue '' */
  readonly distributedTracingInstanceId?: string;
  /**
   * Traces begun here that are sampled, of a million. Whoever calls with a trace of its own has decided already: its
   * spans are sent when it is sampled, whatever the rate. etcd --distributed-tracing-sampling-rate. @defaultValue 0
   */
  readonly distributedTracingSamplingRatePerMillion?: number;
}

/** The rate at which every trace is sampled (etcd embed/config_tracing.go, maxSamplingRatePerMillion). */
export const MAX_SAMPLING_RATE_PER_MILLION = 1_000_000;

/** Completes and checks; as in etcd, the rate counts only where calls are traced. @throws StartError BAD_OPTION in etcd's words. */
export function resolveTracing(given: TracingOptions): Required<TracingOptions> {
  const resolved = {
    enableDistributedTracing: given.enableDistributedTracing ?? false,
    distributedTracingAddress: given.distributedTracingAddress ?? 'localhost:4317',
    distributedTracingServiceName: given.distributedTracingServiceName ?? 'etcd',
    distributedTracingInstanceId: given.distributedTracingInstanceId ?? '',
    distributedTracingSamplingRatePerMillion: given.distributedTracingSamplingRatePerMillion ?? 0,
  };
  if (resolved.enableDistributedTracing) {
    checkRate(resolved.distributedTracingSamplingRatePerMillion);
  }
  return resolved;
}

/** "configurition" is etcd's own word. */
function checkRate(rate: number): void {
  const fail = (why: string): never => {
    throw new StartError('BAD_OPTION', `distributed tracing configurition is not valid: (${why})`);
  };
  if (!(rate >= 0)) fail('tracing sampling rate must be positive');
  if (rate > MAX_SAMPLING_RATE_PER_MILLION) {
    fail(`tracing sampling rate must be less than ${MAX_SAMPLING_RATE_PER_MILLION}`);
  }
}
