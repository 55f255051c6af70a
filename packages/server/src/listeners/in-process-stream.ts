import {
  EtcdError,
  type MessageCodec,
  MessageQueue,
  type StreamCall,
  type StreamHandler,
} from '@etcd-ts/protocol';
import type { CallMetrics, CountedCall } from '../metrics/call-metrics.ts';
import type { ListenerContext } from './call-context.ts';

/** Messages that wait on one stream, in each direction, before its sender is told to wait. */
export const IN_PROCESS_STREAM_MESSAGES = 64;

/** The codecs of a stream's messages; of them only `copy` is used. */
export interface StreamCodecs<Request, Response> {
  readonly name: string;
  readonly kind: string;
  readonly request: Pick<MessageCodec<Request>, 'copy'>;
  readonly response: Pick<MessageCodec<Response>, 'copy'>;
}

/** One stream between a client and a handler of the same process: two queues of copies. */
export class InProcessStream<Request, Response> implements StreamCall<Request, Response> {
  readonly responses: AsyncIterable<Response>;
  readonly #codecs: StreamCodecs<Request, Response>;
  readonly #context: ListenerContext;
  readonly #counted: CountedCall;
  readonly #requests = new MessageQueue<Request>(IN_PROCESS_STREAM_MESSAGES);
  readonly #responses: MessageQueue<Response>;
  #isOver = false;

  constructor(
    codecs: StreamCodecs<Request, Response>,
    context: ListenerContext,
    metrics: CallMetrics,
  ) {
    this.#codecs = codecs;
    this.#context = context;
    this.#counted = metrics.started(codecs.name, context.metadata);
    this.#responses = new MessageQueue(IN_PROCESS_STREAM_MESSAGES, () => this.cancel());
    this.responses = this.#responses;
  }

  /** Lets the handler serve the stream; resolves when both are through with it. */
  async run(handler: StreamHandler<Request, Response>): Promise<void> {
    const { response } = this.#codecs;
    const sink = {
      send: (message: Response): boolean => {
        this.#counted.sent();
        return this.#responses.push(response.copy(message));
      },
      drained: (): Promise<void> => this.#responses.drained(),
    };
    try {
      await handler(this.#requests, this.#context, sink);
      this.#ended();
      this.#responses.end();
    } catch (cause) {
      const error = EtcdError.from(cause);
      this.#ended(error);
      this.#responses.end(error);
    }
    this.#requests.abort();
  }

  send(request: Request): boolean {
    this.#counted.received();
    const hasRoom = this.#requests.push(this.#codecs.request.copy(request));
    // A server stream has one request, and grpc half-closes after it.
    if (this.#codecs.kind === 'server-stream') this.#requests.end();
    return hasRoom;
  }

  drained(): Promise<void> {
    return this.#requests.drained();
  }

  end(): void {
    this.#requests.end();
  }

  cancel(): void {
    this.fail(new EtcdError('CANCELED'));
  }

  /** Ends the stream on both sides: the handler sees the end of its requests, the client the error. */
  fail(reason: EtcdError): void {
    if (this.#isOver) return;
    this.#ended(reason);
    this.#context.cancel(reason);
    this.#requests.abort();
    this.#responses.abort(reason);
  }

  #ended(error?: EtcdError): void {
    if (!this.#isOver) this.#counted.ended(error);
    this.#isOver = true;
  }
}
