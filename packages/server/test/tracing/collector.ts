/** A collector of spans for tests: a gRPC server on a free port that takes OTLP's one call and keeps what it was sent. */
import { createServer, type Http2Server, type ServerHttp2Stream } from 'node:http2';
import type { AddressInfo } from 'node:net';
import protobuf from 'protobufjs';

/** The part of OTLP's messages that is looked at (opentelemetry-proto, trace/v1 and collector/trace/v1). */
const OTLP = `
  syntax = "proto3";
  message AnyValue {
    oneof value { string string_value = 1; bool bool_value = 2; int64 int_value = 3; }
  }
  message KeyValue { string key = 1; AnyValue value = 2; }
  message Status { string message = 2; int32 code = 3; }
  message Span {
    bytes trace_id = 1;
    bytes span_id = 2;
    string trace_state = 3;
    bytes parent_span_id = 4;
    string name = 5;
    int32 kind = 6;
    fixed64 start_time_unix_nano = 7;
    fixed64 end_time_unix_nano = 8;
    repeated KeyValue attributes = 9;
    Status status = 15;
  }
  message Scope { string name = 1; }
  message ScopeSpans { Scope scope = 1; repeated Span spans = 2; }
  message Resource { repeated KeyValue attributes = 1; }
  message ResourceSpans { Resource resource = 1; repeated ScopeSpans scope_spans = 2; }
  message ExportTraceServiceRequest { repeated ResourceSpans resource_spans = 1; }
`;
const REQUEST = protobuf.parse(OTLP).root.lookupType('ExportTraceServiceRequest');
const PATH = '/opentelemetry.proto.collector.trace.v1.TraceService/Export';
const PREFIX_BYTES = 5;

/** A span as it came; ids in hexadecimal. */
export interface CollectedSpan {
  readonly name: string;
  readonly kind: number;
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId: string;
  readonly traceState: string;
  readonly attributes: Readonly<Record<string, string>>;
  readonly resource: Readonly<Record<string, string>>;
  readonly status: { readonly code: number; readonly message: string };
  readonly tookNs: bigint;
}

interface Pair {
  readonly key: string;
  readonly value: Readonly<Record<string, string>>;
}

interface WireSpan {
  readonly name: string;
  readonly kind: number;
  readonly traceId: Buffer;
  readonly spanId: Buffer;
  readonly parentSpanId: Buffer;
  readonly traceState: string;
  readonly startTimeUnixNano: string;
  readonly endTimeUnixNano: string;
  readonly attributes: readonly Pair[];
  readonly status: { readonly code: number; readonly message: string } | null;
}

interface WireRequest {
  readonly resourceSpans?: readonly {
    readonly resource: { readonly attributes: readonly Pair[] };
    readonly scopeSpans: readonly { readonly spans: readonly WireSpan[] }[];
  }[];
}

/** Spans of a node. */
export class Collector {
  readonly spans: CollectedSpan[] = [];
  readonly #server: Http2Server;

  private constructor(server: Http2Server) {
    this.#server = server;
  }

  /** @param answers Whether calls are answered; a collector that hangs does not. */
  static async listen(answers = true): Promise<Collector> {
    const server = createServer();
    const collector = new Collector(server);
    server.on('stream', (stream, headers) => {
      stream.on('error', () => undefined);
      const chunks: Buffer[] = [];
      stream.on('data', (chunk: Buffer) => chunks.push(chunk));
      stream.on('end', () => {
        if (headers[':path'] === PATH) collector.#take(Buffer.concat(chunks));
        if (answers) answer(stream);
      });
    });
    await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
    return collector;
  }

  /** As `--distributed-tracing-address` wants it. */
  get address(): string {
    return `127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  close(): void {
    this.#server.close();
  }

  #take(frame: Buffer): void {
    const bytes = frame.subarray(PREFIX_BYTES, PREFIX_BYTES + frame.readUInt32BE(1));
    const { resourceSpans = [] } = REQUEST.toObject(REQUEST.decode(bytes), {
      longs: String,
      bytes: Buffer,
      defaults: true,
    }) as WireRequest;
    for (const { resource, scopeSpans } of resourceSpans) {
      for (const { spans } of scopeSpans) {
        for (const span of spans) this.spans.push(collected(span, textOf(resource.attributes)));
      }
    }
  }
}

function collected(span: WireSpan, resource: CollectedSpan['resource']): CollectedSpan {
  return {
    name: span.name,
    kind: span.kind,
    traceId: span.traceId.toString('hex'),
    spanId: span.spanId.toString('hex'),
    parentSpanId: span.parentSpanId.toString('hex'),
    traceState: span.traceState,
    attributes: textOf(span.attributes),
    resource,
    status: { code: span.status?.code ?? 0, message: span.status?.message ?? '' },
    tookNs: BigInt(span.endTimeUnixNano) - BigInt(span.startTimeUnixNano),
  };
}

function textOf(pairs: readonly Pair[]): Record<string, string> {
  return Object.fromEntries(pairs.map(({ key, value }) => [key, String(Object.values(value)[0])]));
}

function answer(stream: ServerHttp2Stream): void {
  stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
  stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }));
  stream.end(Buffer.alloc(PREFIX_BYTES));
}
