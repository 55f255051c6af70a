/**
 * Spans of calls by OpenTelemetry, sent to a collector by OTLP over gRPC: names, attributes and sampling are those of
 * etcd (embed/config_tracing.go, and the gRPC instrumentation that it uses).
 *
 * Only a node that traces loads this file: it brings a gRPC client with it.
 */
import {
  ROOT_CONTEXT,
  type Span,
  SpanKind,
  SpanStatusCode,
  type TextMapGetter,
  type Tracer,
} from '@opentelemetry/api';
import { W3CTraceContextPropagator } from '@opentelemetry/core';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-grpc';
import { resourceFromAttributes } from '@opentelemetry/resources';
import {
  AlwaysOffSampler,
  BatchSpanProcessor,
  ParentBasedSampler,
  type Sampler,
  TraceIdRatioBasedSampler,
  TracerProvider,
} from '@opentelemetry/sdk-trace';
import type { EtcdError, MethodName, Rpc } from '@etcd-ts/protocol';
import type { Logger } from '../../logger.ts';
import {
  MAX_SAMPLING_RATE_PER_MILLION,
  type TracingOptions,
} from '../../options/tracing-options.ts';
import type { CallSpan, CallTracer } from '../call-tracer.ts';
import { OutspokenExporter } from './outspoken-exporter.ts';

/** Spans that wait for the collector; one more is dropped. */
export const MAX_WAITING_SPANS = 2_048;
/** Spans that are sent together. */
export const MAX_BATCH_SPANS = 512;
/** How long spans wait for others to go with. */
export const BATCH_DELAY_MS = 5_000;
/** How long a collector may take for a batch before that is given up. */
export const EXPORT_TIMEOUT_MS = 10_000;
/** How long the end of the node waits for the last batch. */
export const FLUSH_TIMEOUT_MS = 1_000;

const PROPAGATOR = new W3CTraceContextPropagator();
const METADATA: TextMapGetter<ReadonlyMap<string, string>> = {
  get: (metadata, name) => metadata.get(name),
  keys: (metadata) => [...metadata.keys()],
};

/** gRPC's statuses that are the server's fault: UNKNOWN, DEADLINE_EXCEEDED, UNIMPLEMENTED, INTERNAL, UNAVAILABLE, DATA_LOSS. */
const FAULTS: ReadonlySet<number> = new Set([2, 4, 12, 13, 14, 15]);

/** Sends spans to the collector of the options. */
export class OtlpTracer implements CallTracer {
  readonly #provider: TracerProvider;
  readonly #tracer: Tracer;

  constructor(options: Required<TracingOptions>, log: Logger) {
    const address = options.distributedTracingAddress;
    const exporter = new OTLPTraceExporter({
      url: `http://${address}`,
      timeoutMillis: EXPORT_TIMEOUT_MS,
    });
    this.#provider = new TracerProvider({
      sampler: samplerOf(options.distributedTracingSamplingRatePerMillion),
      resource: resourceFromAttributes(resourceOf(options)),
      spanProcessors: [
        new BatchSpanProcessor({
          exporter: new OutspokenExporter(exporter, address, log),
          maxQueueSize: MAX_WAITING_SPANS,
          maxExportBatchSize: MAX_BATCH_SPANS,
          scheduledDelayMillis: BATCH_DELAY_MS,
          exportTimeoutMillis: EXPORT_TIMEOUT_MS,
        }),
      ],
    });
    this.#tracer = this.#provider.getTracer('@etcd-ts/server');
  }

  started(rpc: Rpc<MethodName>, metadata: ReadonlyMap<string, string>): CallSpan | undefined {
    const parent = PROPAGATOR.extract(ROOT_CONTEXT, metadata, METADATA);
    const [service = '', method = ''] = rpc.name.split('/');
    const attributes = { 'rpc.system': 'grpc', 'rpc.service': service, 'rpc.method': method };
    const span = this.#tracer.startSpan(rpc.name, { kind: SpanKind.SERVER, attributes }, parent);
    return span.isRecording() ? new OtlpSpan(span) : undefined;
  }

  /** A collector that does not answer is waited for no longer than {@link FLUSH_TIMEOUT_MS}. */
  async close(): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, FLUSH_TIMEOUT_MS);
    });
    // What cannot be sent any more is lost, and was spoken of.
    const flushed = this.#provider.shutdown().catch(() => undefined);
    await Promise.race([flushed, late]);
    clearTimeout(timer);
  }
}

class OtlpSpan implements CallSpan {
  readonly #span: Span;

  constructor(span: Span) {
    this.#span = span;
  }

  ended(error?: EtcdError): void {
    const status = error?.status ?? 0;
    this.#span.setAttribute('rpc.grpc.status_code', status);
    if (error !== undefined && FAULTS.has(status)) {
      this.#span.setStatus({ code: SpanStatusCode.ERROR, message: error.message });
    }
    this.#span.end();
  }
}

/** A caller's decision stands; of what begins here the rate decides. */
function samplerOf(ratePerMillion: number): Sampler {
  const root =
    ratePerMillion === 0
      ? new AlwaysOffSampler()
      : new TraceIdRatioBasedSampler(ratePerMillion / MAX_SAMPLING_RATE_PER_MILLION);
  return new ParentBasedSampler({ root });
}

function resourceOf(options: Required<TracingOptions>): Record<string, string> {
  const { distributedTracingServiceName: name, distributedTracingInstanceId: instance } = options;
  return {
    'service.name': name,
    ...(instance === '' ? {} : { 'service.instance.id': instance }),
  };
}
