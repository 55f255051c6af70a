import { EtcdError, type MessageCodec } from '@etcd-ts/protocol';
import type { HeaderSet, Http2ClientConnection, Http2Stream } from '@etcd-ts/protocol/http2';
import { ClientCall } from './client-call.ts';
import { type MessageLimits, sendRefusal } from './message-limits.ts';

/** A call as its channel sees it. */
export interface ChannelCall {
  /** The request has left, or part of it: what fails from now on may have had an effect. */
  readonly isSent: boolean;
  /** What to open the stream with, and what to do when the call is over. */
  prepare(headers: HeaderSet, extra: Uint8Array, onOver: () => void): void;
  /** Opens the call's stream. Does nothing when the call is over already. */
  openOn(connection: Http2ClientConnection): void;
  /** Ends the call with this error. Harmless when it is over. */
  fail(error: EtcdError): void;
}

/** What is settled when a unary call is over. */
export interface Outcome<Response> {
  resolve(response: Response): void;
  reject(error: EtcdError): void;
}

/** The codecs of a method's messages. */
export interface CallCodecs<Request, Response> {
  readonly request: MessageCodec<Request>;
  readonly response: MessageCodec<Response>;
}

/** One request, one response. */
export class UnaryCall<Request, Response> implements ChannelCall {
  readonly #codecs: CallCodecs<Request, Response>;
  readonly #outcome: Outcome<Response>;
  readonly #limits: MessageLimits;
  /** Encoded when the call is made, so that later writes to the request's bytes change nothing. */
  readonly #frame: Uint8Array;
  #headers: HeaderSet | undefined;
  #extra: Uint8Array = new Uint8Array(0);
  #onOver: (() => void) | undefined;
  #connection: Http2ClientConnection | undefined;
  #stream: Http2Stream | undefined;
  #response: Response | undefined;
  #isOver = false;

  constructor(
    codecs: CallCodecs<Request, Response>,
    request: Request,
    outcome: Outcome<Response>,
    limits: MessageLimits,
  ) {
    this.#codecs = codecs;
    this.#outcome = outcome;
    this.#limits = limits;
    this.#frame = codecs.request.encodeFrame(request);
  }

  /** Why the request is not sent at all, if it is not. */
  get refusal(): EtcdError | undefined {
    return sendRefusal(this.#frame, this.#limits);
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
        onMessage: (bytes) => {
          this.#response = this.#codecs.response.decode(bytes);
        },
        onDrain: () => undefined,
        onOutcome: (error) => (error === undefined ? this.#settle(undefined) : this.fail(error)),
      },
      this.#limits.maxReceiveBytes,
    );
    this.#stream = connection.open(this.#headers, this.#extra, call);
    this.#stream.writeLast(this.#frame);
  }

  fail(error: EtcdError): void {
    this.#settle(error);
    if (this.#stream !== undefined) this.#connection?.cancel(this.#stream);
  }

  #settle(error: EtcdError | undefined): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#onOver?.();
    if (error !== undefined) return this.#outcome.reject(error);
    if (this.#response !== undefined) return this.#outcome.resolve(this.#response);
    this.#outcome.reject(
      new EtcdError('INTERNAL', { message: 'the answer has status OK but no message' }),
    );
  }
}
