import type { ServerHttp2Stream } from 'node:http2';
import {
  DecodeError,
  EtcdError,
  type Handlers,
  MessageQueue,
  type MethodName,
  type ResponseSink,
  type Rpc,
  type StreamHandler,
  type UnaryHandler,
} from '@etcd-ts/protocol';
import type { ListenerContext } from '../call-context.ts';
import { encodeStatusText, FrameReader } from '../grpc-wire.ts';

/** Requests that wait on one stream before the client's flow-control window is left to close. */
export const GRPC_STREAM_REQUESTS = 64;

const RESPONSE_HEADERS = { ':status': 200, 'content-type': 'application/grpc' };
const WITH_TRAILERS = { waitForTrailers: true };
const OK_TRAILERS = { 'grpc-status': '0', 'grpc-message': '' };

type AnyUnary = UnaryHandler<unknown, unknown>;
type AnyStream = StreamHandler<unknown, unknown>;

/**
 * One gRPC call on one HTTP/2 stream.
 *
 * Invariant: the call ends once, by {@link GrpcCall.finish}, by an error, or by the client's going; after that nothing
 * is sent and the handler's answer is dropped.
 */
export class GrpcCall {
  readonly context: ListenerContext;
  readonly isStreaming: boolean;
  readonly #stream: ServerHttp2Stream;
  readonly #rpc: Rpc<MethodName>;
  readonly #handler: Handlers[MethodName];
  readonly #frames: FrameReader;
  readonly #requests: MessageQueue<unknown> | undefined;
  #rawRequest: Uint8Array | undefined;
  #hasStarted = false;
  #hasEnded = false;

  constructor(
    stream: ServerHttp2Stream,
    rpc: Rpc<MethodName>,
    handler: Handlers[MethodName],
    options: {
      readonly maxReceiveBytes: number;
      readonly newContext: (raw: () => Uint8Array | undefined) => ListenerContext;
    },
  ) {
    this.#stream = stream;
    this.#rpc = rpc;
    this.#handler = handler;
    this.#frames = new FrameReader(options.maxReceiveBytes);
    this.isStreaming = rpc.kind !== 'unary';
    this.#requests = this.isStreaming ? new MessageQueue(GRPC_STREAM_REQUESTS) : undefined;
    this.context = options.newContext(() => this.#rawRequest);
    stream.on('data', (chunk: Uint8Array) => this.#onData(chunk));
    stream.once('end', () => this.#onEnd());
    stream.once('close', () => this.#onClose());
    if (this.isStreaming) this.#startStream();
  }

  /** Ends the call with an error, as soon as may be; the handler sees its signal aborted. */
  fail(error: EtcdError): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    this.context.cancel(error);
    this.#requests?.abort();
    sendError(this.#stream, error);
  }

  #onData(chunk: Uint8Array): void {
    if (this.#hasEnded) return;
    try {
      for (const bytes of this.#frames.push(chunk)) this.#onMessage(bytes);
    } catch (error) {
      this.fail(wireError(error));
    }
  }

  #onMessage(bytes: Uint8Array): void {
    const request: unknown = this.#rpc.request.decode(bytes);
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
    this.#startUnary(request);
  }

  #onEnd(): void {
    this.#requests?.end();
    if (this.#hasEnded || this.isStreaming || this.#hasStarted) return;
    this.fail(new EtcdError('INTERNAL', { message: 'a unary call has no request' }));
  }

  /** The stream is gone: ended by us, reset by the client, or lost with its connection. */
  #onClose(): void {
    this.#requests?.abort();
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    this.context.cancel(new EtcdError('CANCELED'));
  }

  #startUnary(request: unknown): void {
    const handler = this.#handler as unknown as AnyUnary;
    handler(request, this.context).then(
      (response) => this.#answer(response),
      (error: unknown) => this.fail(EtcdError.from(error)),
    );
  }

  #answer(response: unknown): void {
    if (this.#hasEnded) return;
    let frame: Uint8Array;
    try {
      frame = this.#rpc.response.encodeFrame(response as never);
    } catch (error) {
      this.fail(EtcdError.from(error));
      return;
    }
    this.#hasEnded = true;
    respond(this.#stream);
    this.#stream.end(frame);
  }

  #startStream(): void {
    const handler = this.#handler as unknown as AnyStream;
    const requests = this.#requests as MessageQueue<unknown>;
    respond(this.#stream);
    const stream = this.#stream;
    const sink: ResponseSink<unknown> = {
      send: (response) => {
        if (this.#hasEnded) return false;
        return stream.write(this.#rpc.response.encodeFrame(response as never));
      },
      drained: () => this.#drained(),
    };
    handler(requests, this.context, sink).then(
      () => this.finish(),
      (error: unknown) => this.fail(EtcdError.from(error)),
    );
  }

  /** Ends a stream with status OK. */
  finish(): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    this.#requests?.abort();
    this.#stream.end();
  }

  #drained(): Promise<void> {
    const stream = this.#stream;
    if (this.#hasEnded || stream.destroyed || !stream.writableNeedDrain) return Promise.resolve();
    return new Promise((resolve) => {
      const done = (): void => {
        stream.off('drain', done);
        stream.off('close', done);
        resolve();
      };
      stream.once('drain', done);
      stream.once('close', done);
    });
  }
}

/** Sends the headers, and the status OK as trailers when the stream is ended. */
function respond(stream: ServerHttp2Stream): void {
  if (stream.destroyed || stream.headersSent) return;
  stream.respond(RESPONSE_HEADERS, WITH_TRAILERS);
  stream.once('wantTrailers', () => {
    if (!stream.destroyed) stream.sendTrailers(OK_TRAILERS);
  });
}

/** Ends a stream with an error: alone when no headers are out yet, else as trailers after what was sent. */
export function sendError(stream: ServerHttp2Stream, error: EtcdError): void {
  if (stream.destroyed || stream.closed) return;
  const trailers = {
    'grpc-status': String(error.status),
    'grpc-message': encodeStatusText(error.message),
  };
  if (!stream.headersSent) {
    stream.respond({ ...RESPONSE_HEADERS, ...trailers }, { endStream: true });
    return;
  }
  stream.removeAllListeners('wantTrailers');
  stream.once('wantTrailers', () => {
    if (!stream.destroyed) stream.sendTrailers(trailers);
  });
  stream.end();
}

/** What went wrong with the bytes of a request, as grpc-go says it. */
function wireError(error: unknown): EtcdError {
  if (!(error instanceof DecodeError)) return EtcdError.from(error);
  const message = `grpc: error unmarshalling request: ${error.message}`;
  return new EtcdError('INTERNAL', { message, cause: error, mayHaveApplied: false });
}
