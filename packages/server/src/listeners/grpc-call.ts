import {
  DecodeError,
  EtcdError,
  type Handlers,
  MessageQueue,
  type MethodName,
  type RangeParts,
  type RangeResponse,
  type ResponseSink,
  type Rpc,
  type StreamHandler,
  type UnaryHandler,
} from '@etcd-ts/protocol';
import {
  type Decompress,
  encodeStatusText,
  FRAME_PREFIX_BYTES,
  FrameReader,
  headerBlock,
  type Http2Stream,
  type StreamUser,
} from '@etcd-ts/protocol/http2';
import { type Deferred, deferred } from '@etcd-ts/base';
import type { CallMetrics, CountedCall } from '../metrics/call-metrics.ts';
import type { AnswerBudget, AnswerHolder } from './answer-budget.ts';
import type { CallSource, ListenerContext } from './call-context.ts';
import { framePieces, largeAnswer } from './large-answer.ts';
import { FramedRange } from './range-parts.ts';

/** Requests that wait on one stream before the client's flow-control window is left to close. */
export const GRPC_STREAM_REQUESTS = 64;

const RESPONSE_HEADERS = [
  [':status', '200'],
  ['content-type', 'application/grpc'],
] as const;
const RESPONSE_BLOCK = headerBlock(RESPONSE_HEADERS);
const OK_BLOCK = headerBlock([
  ['grpc-status', '0'],
  ['grpc-message', ''],
]);

type AnyUnary = UnaryHandler<unknown, unknown>;
type AnyStream = StreamHandler<unknown, unknown>;

/** Bytes of unfinished requests that all calls of one connection hold together. */
export interface PartialBytes {
  bytes: number;
  readonly limit: number;
}

/** What a call is made of. */
export interface GrpcCallParts {
  readonly stream: Http2Stream;
  readonly rpc: Rpc<MethodName>;
  readonly handler: Handlers[MethodName];
  readonly maxReceiveBytes: number;
  /** Absent: requests are not compressed. */
  readonly decompress: Decompress | undefined;
  readonly metrics: CallMetrics;
  readonly answers: AnswerBudget;
  readonly holder: AnswerHolder;
  /** Resolves in a later turn of the event loop. */
  readonly turn: () => Promise<void>;
  readonly partialBytes: PartialBytes;
  readonly newContext: (source: CallSource) => ListenerContext;
  /** The call is over, and its stream gone. */
  readonly onClose: () => void;
}

/**
 * One gRPC call on one HTTP/2 stream.
 *
 * Invariant: the call ends once, by its handler, by an error, or by the client's going; after that nothing is sent and
 * the handler's answer is dropped.
 */
export class GrpcCall implements StreamUser, CallSource {
  readonly context: ListenerContext;
  readonly isStreaming: boolean;
  readonly #parts: GrpcCallParts;
  readonly #stream: Http2Stream;
  readonly #frames: FrameReader;
  readonly #requests: MessageQueue<unknown> | undefined;
  readonly #counted: CountedCall;
  #rawRequest: Uint8Array | undefined;
  #range: FramedRange | undefined;
  #drain: Deferred<void> | undefined;
  /** Bytes of an unfinished request that are counted in the connection's. */
  #partialBytes = 0;
  #hasStarted = false;
  #hasEnded = false;

  constructor(parts: GrpcCallParts) {
    this.#parts = parts;
    this.#stream = parts.stream;
    this.#frames = new FrameReader(parts.maxReceiveBytes, parts.decompress);
    this.isStreaming = parts.rpc.kind !== 'unary';
    this.#requests = this.isStreaming ? new MessageQueue(GRPC_STREAM_REQUESTS) : undefined;
    this.context = parts.newContext(this);
    this.#counted = parts.metrics.started(parts.rpc.name, this.context.metadata);
  }

  get rawRequest(): Uint8Array | undefined {
    return this.#rawRequest;
  }

  get rangeParts(): RangeParts | undefined {
    if (this.#parts.rpc.name !== 'etcdserverpb.KV/Range') return undefined;
    return (this.#range ??= new FramedRange());
  }

  /** Starts the handler of a stream; that of a unary call starts with its request. */
  start(): void {
    if (this.#requests !== undefined) this.#startStream(this.#requests);
  }

  /** Ends the call with an error, as soon as may be; the handler sees its signal aborted. */
  fail(error: EtcdError): void {
    if (this.#hasEnded) return;
    this.#ended(error);
    this.context.cancel(error);
    this.#requests?.abort();
    sendError(this.#stream, error);
  }

  onData(chunk: Uint8Array): void {
    if (this.#hasEnded) return;
    try {
      for (const bytes of this.#frames.push(chunk)) this.#onMessage(bytes);
      this.#countPartial();
    } catch (error) {
      this.#counted.broke('receive');
      this.fail(wireError(error));
    }
  }

  onEnd(): void {
    this.#requests?.end();
    if (this.#hasEnded || this.isStreaming || this.#hasStarted) return;
    this.fail(new EtcdError('INTERNAL', { message: 'a unary call has no request' }));
  }

  onDrain(): void {
    this.#drain?.resolve();
    this.#drain = undefined;
  }

  /** The stream is gone: ended by us, reset by the client, or lost with its connection. */
  onClose(): void {
    this.onDrain();
    this.#requests?.abort();
    this.#parts.partialBytes.bytes -= this.#partialBytes;
    this.#partialBytes = 0;
    this.#parts.onClose();
    if (this.#hasEnded) return;
    const cancelled = new EtcdError('CANCELED');
    this.#ended(cancelled);
    this.context.cancel(cancelled);
  }

  #onMessage(bytes: Uint8Array): void {
    const request: unknown = this.#parts.rpc.request.decode(bytes);
    this.#counted.received();
    this.#parts.metrics.grpcReceivedBytes += bytes.length;
    if (this.#requests !== undefined) {
      if (this.#requests.push(request)) return;
      this.#stream.pause();
      void this.#requests.drained().then(() => this.#stream.resume());
      return;
    }
    if (this.#hasStarted) {
      throw new EtcdError('INTERNAL', { message: 'a unary call has more than one request' });
    }
    this.#hasStarted = true;
    this.#rawRequest = bytes;
    const handler = this.#parts.handler as unknown as AnyUnary;
    handler(request, this.context).then(
      (response) => this.#answer(response),
      (error: unknown) => this.fail(EtcdError.from(error)),
    );
  }

  /** @throws EtcdError RESOURCE_EXHAUSTED when the connection's calls hold too much that is unfinished. */
  #countPartial(): void {
    const { partialBytes } = this.#parts;
    const change = this.#frames.waitingBytes - this.#partialBytes;
    this.#partialBytes += change;
    partialBytes.bytes += change;
    if (change > 0 && partialBytes.bytes > partialBytes.limit) {
      throw new EtcdError('RESOURCE_EXHAUSTED', {
        message: `unfinished requests of ${partialBytes.bytes} bytes on one connection (limit ${partialBytes.limit})`,
      });
    }
  }

  #answer(response: unknown): void {
    if (this.#hasEnded) return;
    const { rpc, turn } = this.#parts;
    if (this.#range?.hasBegun === true) {
      // The method says which message it is.
      this.#deliver(this.#range.frame(response as RangeResponse));
      return;
    }
    const large = largeAnswer(rpc.name, response);
    if (large !== undefined) {
      framePieces(large, turn).then(
        (pieces) => this.#deliver(pieces),
        (error: unknown) => this.fail(EtcdError.from(error)),
      );
      return;
    }
    try {
      this.#deliver([rpc.response.encodeFrame(response as never)]);
    } catch (error) {
      this.fail(EtcdError.from(error));
    }
  }

  #deliver(frame: readonly Uint8Array[]): void {
    if (this.#hasEnded) return;
    const { answers, holder } = this.#parts;
    let bytes = 0;
    for (const piece of frame) bytes += piece.length;
    try {
      answers.admit(bytes, holder);
    } catch (error) {
      this.fail(EtcdError.from(error));
      return;
    }
    this.#sent(bytes);
    this.#ended();
    this.#stream.respond(RESPONSE_BLOCK);
    for (const piece of frame) this.#stream.write(piece);
    this.#stream.end(OK_BLOCK);
  }

  #startStream(requests: MessageQueue<unknown>): void {
    const handler = this.#parts.handler as unknown as AnyStream;
    const { response: codec } = this.#parts.rpc;
    this.#stream.respond(RESPONSE_BLOCK);
    const sink: ResponseSink<unknown> = {
      send: (response) => this.#send(codec.encodeFrame(response as never)),
      drained: () => this.#drained(),
    };
    handler(requests, this.context, sink).then(
      () => this.#finish(),
      (error: unknown) => this.fail(EtcdError.from(error)),
    );
  }

  /** Sends a message of a stream. Whoever sends is never thrown at: a refusal ends the call. */
  #send(frame: Uint8Array): boolean {
    if (this.#hasEnded) return false;
    const { answers, holder } = this.#parts;
    try {
      answers.admit(frame.length, holder);
    } catch (error) {
      this.fail(EtcdError.from(error));
      return false;
    }
    this.#sent(frame.length);
    return this.#stream.write(frame);
  }

  #finish(): void {
    if (this.#hasEnded) return;
    this.#ended();
    this.#requests?.abort();
    this.#stream.end(OK_BLOCK);
  }

  #sent(frameBytes: number): void {
    this.#counted.sent();
    this.#parts.metrics.grpcSentBytes += frameBytes - FRAME_PREFIX_BYTES;
  }

  #ended(error?: EtcdError): void {
    this.#hasEnded = true;
    this.#counted.ended(error);
  }

  #drained(): Promise<void> {
    if (this.#hasEnded || !this.#stream.needsDrain) return Promise.resolve();
    this.#drain ??= deferred();
    return this.#drain.promise;
  }
}

/** Ends a stream with an error: as the whole response when no headers are out yet, else after what was sent. */
export function sendError(stream: Http2Stream, error: EtcdError): void {
  const trailers = [
    ['grpc-status', String(error.status)],
    ['grpc-message', encodeStatusText(error.message)],
  ] as const;
  const isWhole = !stream.hasSentHeaders;
  stream.end(headerBlock(isWhole ? [...RESPONSE_HEADERS, ...trailers] : trailers));
}

/** What went wrong with the bytes of a request, as grpc-go says it. */
function wireError(error: unknown): EtcdError {
  if (!(error instanceof DecodeError)) return EtcdError.from(error);
  const message = `grpc: error unmarshalling request: ${error.message}`;
  return new EtcdError('INTERNAL', { message, cause: error, mayHaveApplied: false });
}
