import { type Deferred, deferred } from '@etcd-ts/base';
import { EtcdError, MessageQueue, type StreamCall } from '@etcd-ts/protocol';
import type { HeaderSet, Http2ClientConnection, Http2Stream } from '@etcd-ts/protocol/http2';
import { ClientCall } from './client-call.ts';
import { type MessageLimits, sendRefusal } from './message-limits.ts';
import type { CallCodecs, ChannelCall } from './unary-call.ts';

/** Responses that wait for the reader before the server's flow-control window is left to close. */
export const STREAM_RESPONSES = 64;

/** Requests that wait for a connection before the sender is told to wait. */
export const STREAM_REQUESTS = 64;

const NOTHING: Uint8Array = new Uint8Array(0);

/** A stream of messages each way. */
export class ChannelStream<Request, Response>
  implements ChannelCall, StreamCall<Request, Response>
{
  readonly responses: AsyncIterable<Response>;
  readonly #codecs: CallCodecs<Request, Response>;
  readonly #limits: MessageLimits;
  readonly #queue: MessageQueue<Response>;
  /** Requests from before there was a stream. */
  #early: Uint8Array[] = [];
  #hasHalfClosed = false;
  #headers: HeaderSet | undefined;
  #extra: Uint8Array = new Uint8Array(0);
  #onOver: (() => void) | undefined;
  #connection: Http2ClientConnection | undefined;
  #stream: Http2Stream | undefined;
  #drain: Deferred<void> | undefined;
  #isOver = false;

  constructor(codecs: CallCodecs<Request, Response>, limits: MessageLimits) {
    this.#codecs = codecs;
    this.#limits = limits;
    this.#queue = new MessageQueue(STREAM_RESPONSES, () => this.cancel());
    this.responses = this.#queue;
  }

  get isSent(): boolean {
    return this.#stream !== undefined;
  }

  prepare(headers: HeaderSet, extra: Uint8Array, onOver: () => void): void {
    this.#headers = headers;
    this.#extra = extra;
    this.#onOver = onOver;
  }

  openOn(connection: Http2ClientConnection): void {
    if (this.#isOver || this.#headers === undefined) return;
    this.#connection = connection;
    const call = new ClientCall(
      {
        onMessage: (bytes) => this.#onMessage(bytes),
        onDrain: () => this.#wakeSender(),
        onOutcome: (error) => this.#onOutcome(error),
      },
      this.#limits.maxReceiveBytes,
    );
    const stream = connection.open(this.#headers, this.#extra, call);
    this.#stream = stream;
    for (const frame of this.#early) stream.write(frame);
    this.#early = [];
    if (this.#hasHalfClosed) stream.writeLast(NOTHING);
    if (!stream.needsDrain) this.#wakeSender();
  }

  send(request: Request): boolean {
    if (this.#isOver || this.#hasHalfClosed) return false;
    const frame = this.#codecs.request.encodeFrame(request);
    const refusal = sendRefusal(frame, this.#limits);
    if (refusal !== undefined) {
      this.fail(refusal);
      return false;
    }
    if (this.#stream !== undefined) return this.#stream.write(frame);
    this.#early.push(frame);
    return this.#early.length < STREAM_REQUESTS;
  }

  drained(): Promise<void> {
    const isFull =
      this.#stream === undefined ? this.#early.length >= STREAM_REQUESTS : this.#stream.needsDrain;
    if (this.#isOver || !isFull) return Promise.resolve();
    this.#drain ??= deferred();
    return this.#drain.promise;
  }

  end(): void {
    if (this.#isOver || this.#hasHalfClosed) return;
    this.#hasHalfClosed = true;
    this.#stream?.writeLast(NOTHING);
  }

  cancel(): void {
    this.fail(new EtcdError('CANCELED'));
  }

  fail(error: EtcdError): void {
    if (this.#isOver) return;
    this.#queue.abort(error);
    this.#finish(error);
    if (this.#stream !== undefined) this.#connection?.cancel(this.#stream);
  }

  #onMessage(bytes: Uint8Array): void {
    if (this.#queue.push(this.#codecs.response.decode(bytes)) || this.#queue.isClosed) return;
    const stream = this.#stream;
    stream?.pause();
    void this.#queue.drained().then(() => stream?.resume());
  }

  #onOutcome(error: EtcdError | undefined): void {
    this.#finish(error);
    // Of an answer that is malformed there may be more to come.
    if (error !== undefined && this.#stream !== undefined) this.#connection?.cancel(this.#stream);
  }

  /** The call is over; what has come already is still read. */
  #finish(error: EtcdError | undefined): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#early = [];
    this.#queue.end(error);
    this.#wakeSender();
    this.#onOver?.();
  }

  #wakeSender(): void {
    this.#drain?.resolve();
    this.#drain = undefined;
  }
}
