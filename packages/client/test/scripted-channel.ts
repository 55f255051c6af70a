import {
  type CallContext,
  type CallOptions,
  type Channel,
  EtcdError,
  type Handlers,
  MessageQueue,
  type RequestOf,
  type ResponseOf,
  type StreamCall,
  type StreamHandler,
  type StreamMethodName,
  type UnaryHandler,
  type UnaryMethodName,
} from '@etcd-ts/protocol';

/** A channel to handlers that a test writes. Streams can be broken from outside. */
export class ScriptedChannel implements Channel {
  /** Every call, in order. */
  readonly calls: {
    readonly method: string;
    readonly request: unknown;
    readonly token: string | undefined;
  }[] = [];
  readonly #handlers: Handlers;
  readonly #breakers = new Set<(error: EtcdError) => void>();
  #isClosed = false;

  constructor(handlers: Handlers) {
    this.#handlers = handlers;
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** Streams that are open. */
  get openStreams(): number {
    return this.#breakers.size;
  }

  unary<Method extends UnaryMethodName>(
    method: Method,
    request: RequestOf<Method>,
    options: CallOptions = {},
  ): Promise<ResponseOf<Method>> {
    if (this.#isClosed) return Promise.reject(new EtcdError('CANCELED'));
    if (options.signal?.aborted === true) return Promise.reject(new EtcdError('CANCELED'));
    if ((options.timeoutMs ?? 1) <= 0) return Promise.reject(new EtcdError('DEADLINE_EXCEEDED'));
    this.calls.push({ method, request, token: options.metadata?.get('token') });
    const handler = this.#handlers[method] as
      | UnaryHandler<RequestOf<Method>, ResponseOf<Method>>
      | undefined;
    if (handler === undefined) return Promise.reject(new EtcdError('UNIMPLEMENTED'));
    return handler(request, contextOf(options, new AbortController()));
  }

  stream<Method extends StreamMethodName>(
    method: Method,
    options: CallOptions = {},
  ): StreamCall<RequestOf<Method>, ResponseOf<Method>> {
    const handler = this.#handlers[method] as
      | StreamHandler<RequestOf<Method>, ResponseOf<Method>>
      | undefined;
    const controller = new AbortController();
    const requests = new MessageQueue<RequestOf<Method>>(64);
    const fail = (error: EtcdError): void => {
      this.#breakers.delete(fail);
      controller.abort(error);
      requests.abort();
      responses.abort(error);
    };
    const responses = new MessageQueue<ResponseOf<Method>>(64, () =>
      fail(new EtcdError('CANCELED')),
    );
    this.#breakers.add(fail);
    if (this.#isClosed || handler === undefined) {
      fail(new EtcdError(this.#isClosed ? 'CANCELED' : 'UNIMPLEMENTED'));
    } else {
      const sink = {
        send: (response: ResponseOf<Method>) => responses.push(response),
        drained: () => responses.drained(),
      };
      const done = (error?: unknown): void => {
        this.#breakers.delete(fail);
        responses.end(error);
      };
      handler(requests, contextOf(options, controller), sink).then(() => done(), done);
    }
    return {
      send: (request) => {
        this.calls.push({ method, request, token: options.metadata?.get('token') });
        return requests.push(request);
      },
      drained: () => requests.drained(),
      end: () => requests.end(),
      responses,
      cancel: () => fail(new EtcdError('CANCELED')),
    };
  }

  close(): Promise<void> {
    this.#isClosed = true;
    this.breakStreams(new EtcdError('CANCELED'));
    return Promise.resolve();
  }

  /** Breaks all open streams. */
  breakStreams(error: EtcdError = new EtcdError('UNAVAILABLE')): void {
    for (const fail of this.#breakers) fail(error);
  }
}

function contextOf(options: CallOptions, controller: AbortController): CallContext {
  return {
    signal: controller.signal,
    metadata: options.metadata ?? new Map(),
    timeoutMs: options.timeoutMs,
    peer: { via: 'in-process', address: '' },
  };
}
