import { StringDecoder } from 'node:string_decoder';
import { EtcdError, MessageQueue, type ResponseSink, type StreamHandler } from '@etcd-ts/protocol';
import { messageFromJson } from '../gateway/from-json.ts';
import { httpStatus } from '../gateway/http-status.ts';
import { JsonError, readJson } from '../gateway/json-value.ts';
import { messageToJson } from '../gateway/to-json.ts';
import { errorJson, type GatewayCall, gatewayError, tooLarge } from './gateway-unary.ts';

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
  readonly #decoder = new StringDecoder('utf8');
  /** What came and is no whole JSON value yet. */
  #pending = '';
  #hasEnded = false;

  constructor(call: GatewayCall) {
    this.#call = call;
  }

  /** Starts the handler and feeds it what the body brings. */
  run(handler: StreamHandler<unknown, unknown>): void {
    const { request, response, context } = this.#call;
    request.on('data', (chunk: Buffer) => this.#onText(this.#decoder.write(chunk)));
    request.once('end', () => this.#onBodyEnd());
    request.once('error', () => this.#requests.abort());
    response.once('close', () => {
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
    const { response, rpc } = this.#call;
    return {
      send: (message) => {
        if (this.#hasEnded) return false;
        this.#begin(200);
        this.#call.counted.sent();
        return response.write(
          `{"result":${messageToJson(rpc.response as never, message as never)}}\n`,
        );
      },
      drained: () => this.#drained(),
    };
  }

  #onText(text: string): void {
    if (this.#hasEnded) return;
    this.#pending += text;
    try {
      this.#takeRequests();
      const { maxBodyBytes } = this.#call;
      if (this.#pending.length > maxBodyBytes) throw tooLarge(this.#pending.length, maxBodyBytes);
    } catch (error) {
      this.#fail(error);
    }
  }

  #takeRequests(): void {
    const { request, rpc } = this.#call;
    for (;;) {
      const read = this.#readOne();
      if (read === undefined) return;
      const message = messageFromJson(rpc.request as never, read.value, this.#pending);
      this.#pending = this.#pending.slice(read.end);
      this.#call.counted.received();
      if (this.#requests.push(message)) continue;
      request.pause();
      void this.#requests.drained().then(() => request.resume());
    }
  }

  #readOne(): ReturnType<typeof readJson> {
    try {
      return readJson(this.#pending);
    } catch (error) {
      if (error instanceof JsonError && error.isIncomplete) return undefined;
      throw error;
    }
  }

  /** The end of the body is the end of the requests; the answers go on. */
  #onBodyEnd(): void {
    if (this.#hasEnded) return;
    if (this.#pending.trim() !== '') this.#fail(new JsonError('unexpected EOF'));
    else this.#requests.end();
  }

  #begin(status: number): void {
    const { response } = this.#call;
    if (response.headersSent) return;
    response.writeHead(status, {
      'Content-Type': 'application/json',
      'Grpc-Metadata-Content-Type': 'application/grpc',
    });
  }

  #finish(): void {
    if (this.#hasEnded) return;
    this.#ended();
    this.#requests.abort();
    this.#begin(200);
    this.#call.response.end();
  }

  #fail(reason: unknown): void {
    if (this.#hasEnded) return;
    const error = gatewayError(reason);
    this.#ended(error);
    this.#call.context.cancel(EtcdError.is(reason) ? reason : new EtcdError('CANCELED'));
    this.#requests.abort();
    this.#begin(httpStatus(error.status));
    this.#call.response.end(`{"error":${errorJson(error)}}\n`);
  }

  #ended(error?: EtcdError): void {
    if (!this.#hasEnded) this.#call.counted.ended(error);
    this.#hasEnded = true;
  }

  #drained(): Promise<void> {
    const { response } = this.#call;
    if (this.#hasEnded || response.destroyed || !response.writableNeedDrain)
      return Promise.resolve();
    return new Promise((resolve) => {
      const done = (): void => {
        response.off('drain', done);
        response.off('close', done);
        resolve();
      };
      response.once('drain', done);
      response.once('close', done);
    });
  }
}
