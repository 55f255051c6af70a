import { EtcdError, MessageQueue, type ResponseSink, type StreamHandler } from '@etcd-ts/protocol';
import { httpStatus } from '../gateway/http-status.ts';
import { JsonPieces } from '../gateway/json-pieces.ts';
import { JsonError } from '../gateway/json-value.ts';
import { messageToJson } from '../gateway/to-json.ts';
import {
  ANSWER_HEADERS,
  decodeRequest,
  errorJson,
  type GatewayCall,
  gatewayError,
  tooLarge,
} from './gateway-unary.ts';

/** Requests that wait for the handler before the client is made to wait. */
export const GATEWAY_STREAM_REQUESTS = 64;

/**
 * One streaming call through the gateway.
 *
 * Invariant: the answer ends once: by the handler, by an error, or by the client's going.
 */
export class GatewayStream {
  readonly #call: GatewayCall;
  readonly #requests = new MessageQueue<unknown>(GATEWAY_STREAM_REQUESTS);
  /** What came and is no whole JSON value yet. */
  readonly #pending = new JsonPieces();
  #hasEnded = false;
  /** No more requests are wanted: the call takes one, and has it. */
  #isServed = false;

  constructor(call: GatewayCall) {
    this.#call = call;
  }

  /** Starts the handler and feeds it what the client sends. */
  run(handler: StreamHandler<unknown, unknown>): void {
    const { wire, context } = this.#call;
    wire.read({
      text: (text) => this.#onText(text),
      end: () => this.#onRequestsEnd(),
      broken: () => this.#requests.abort(),
    });
    wire.onGone(() => {
      this.#ended(new EtcdError('CANCELED'));
      this.#requests.abort();
    });
    context.signal.addEventListener('abort', () => this.#fail(context.signal.reason), {
      once: true,
    });
    handler(this.#requests, context, this.#sink()).then(
      () => this.#finish(),
      (error: unknown) => this.#fail(error),
    );
  }

  #sink(): ResponseSink<unknown> {
    const { wire, rpc } = this.#call;
    return {
      send: (message) => {
        if (this.#hasEnded) return false;
        wire.begin(200, ANSWER_HEADERS);
        this.#call.counted.sent();
        return wire.line(`{"result":${messageToJson(rpc.response as never, message as never)}}`);
      },
      drained: () => (this.#hasEnded ? Promise.resolve() : wire.drained()),
    };
  }

  #onText(text: string): void {
    if (this.#hasEnded || this.#isServed) return;
    this.#pending.add(text);
    try {
      this.#takeRequests();
      const { maxJsonBytes } = this.#call.limits;
      const { length } = this.#pending.text;
      if (length > maxJsonBytes) throw tooLarge(length, maxJsonBytes);
    } catch (error) {
      this.#fail(error);
    }
  }

  #takeRequests(): void {
    const { wire, rpc } = this.#call;
    while (!this.#isServed) {
      const read = this.#pending.next();
      if (read === undefined) return;
      const message = decodeRequest(this.#call, read.value, read.text);
      this.#call.counted.received();
      const hasRoom = this.#requests.push(message);
      if (rpc.kind === 'server-stream') {
        // Over a WebSocket nothing else says that there are no more.
        this.#isServed = true;
        this.#requests.end();
        return;
      }
      if (hasRoom) continue;
      wire.pause();
      void this.#requests.drained().then(() => wire.resume());
    }
  }

  /** The end of what the client sends is the end of the requests; the answers go on. */
  #onRequestsEnd(): void {
    if (this.#hasEnded || this.#isServed) return;
    if (this.#pending.text.trim() !== '') this.#fail(new JsonError('unexpected EOF'));
    else this.#requests.end();
  }

  #finish(): void {
    if (this.#hasEnded) return;
    this.#ended();
    this.#requests.abort();
    this.#call.wire.end();
  }

  #fail(reason: unknown): void {
    if (this.#hasEnded) return;
    const error = gatewayError(reason);
    this.#ended(error);
    const { context, wire } = this.#call;
    context.cancel(EtcdError.is(reason) ? reason : new EtcdError('CANCELED'));
    this.#requests.abort();
    wire.begin(httpStatus(error.status), ANSWER_HEADERS);
    wire.line(`{"error":${errorJson(error)}}`);
    wire.end();
  }

  #ended(error?: EtcdError): void {
    if (!this.#hasEnded) this.#call.counted.ended(error);
    this.#hasEnded = true;
  }
}
