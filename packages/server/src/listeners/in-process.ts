/**
 * The door without a wire: a Channel whose calls are the node's handlers themselves.
 *
 * Nothing is encoded. What would otherwise be shared is copied: the request, since handlers may keep its bytes while
 * the caller goes on to use his buffers, and the response, since its bytes may be those of the store.
 */
import {
  CallDeadlines,
  type CallOptions,
  type Channel,
  EtcdError,
  type Handlers,
  type MethodName,
  type PeerInfo,
  type RequestOf,
  type ResponseOf,
  RPC_TABLE,
  type StreamCall,
  type StreamHandler,
  type StreamMethodName,
  type UnaryHandler,
  type UnaryMethodName,
} from '@etcd-ts/protocol';
import { deferred } from '@etcd-ts/base';
import type { Clock } from '../clock.ts';
import { CallMetrics } from '../metrics/call-metrics.ts';
import { abortError } from '../requests/abort.ts';
import { nextTurn } from '../turns.ts';
import { ListenerContext } from './call-context.ts';
import { InProcessStream } from './in-process-stream.ts';
import { copyInPieces, largeAnswer } from './large-answer.ts';

/** Calls that one channel has open at a time; one more fails with RESOURCE_EXHAUSTED. */
export const MAX_IN_PROCESS_CALLS = 1_000_000;

const PEER: PeerInfo = Object.freeze({ via: 'in-process', address: '' });
const NO_METADATA: ReadonlyMap<string, string> = new Map();

/** What ends a call from outside. */
interface OpenCall {
  cancel(reason: EtcdError): void;
}

/** A channel to the handlers of a node in this process. */
export class InProcessChannel implements Channel {
  readonly #handlers: Handlers;
  readonly #metrics: CallMetrics;
  readonly #clock: Clock;
  readonly #deadlines: CallDeadlines;
  readonly #open = new Set<OpenCall>();
  #isClosed = false;

  /** @param metrics Where calls are counted; nowhere when absent. */
  constructor(handlers: Handlers, clock: Clock, metrics: CallMetrics = new CallMetrics()) {
    this.#handlers = handlers;
    this.#metrics = metrics;
    this.#clock = clock;
    this.#deadlines = new CallDeadlines(clock);
  }

  /** See {@link Channel.unary}. */
  async unary<Method extends UnaryMethodName>(
    method: Method,
    request: RequestOf<Method>,
    options: CallOptions = {},
  ): Promise<ResponseOf<Method>> {
    const rpc = RPC_TABLE[method];
    const handler = this.#handlers[method] as
      | UnaryHandler<RequestOf<Method>, ResponseOf<Method>>
      | undefined;
    this.#refuse(method, handler === undefined, options);
    const context = newContext(options);
    const counted = this.#metrics.started(method, context.metadata);
    counted.received();
    const answer = handler?.(rpc.request.copy(request), context);
    const outcome = deferred<ResponseOf<Method>>();
    const cancel = (reason: EtcdError): void => {
      context.cancel(reason);
      outcome.reject(reason);
    };
    const release = this.#track({ cancel }, options);
    answer?.then(outcome.resolve, outcome.reject);
    try {
      const response = await this.#copied(method, await outcome.promise);
      counted.sent();
      counted.ended();
      return response;
    } catch (cause) {
      const error = EtcdError.from(cause);
      counted.ended(error);
      throw error;
    } finally {
      release();
    }
  }

  /** See {@link Channel.stream}. */
  stream<Method extends StreamMethodName>(
    method: Method,
    options: CallOptions = {},
  ): StreamCall<RequestOf<Method>, ResponseOf<Method>> {
    const rpc = RPC_TABLE[method];
    const context = newContext(options);
    const call = new InProcessStream(rpc, context, this.#metrics);
    const handler = this.#handlers[method] as
      | StreamHandler<RequestOf<Method>, ResponseOf<Method>>
      | undefined;
    try {
      this.#refuse(method, handler === undefined, options);
    } catch (error) {
      call.fail(EtcdError.from(error));
      return call;
    }
    const release = this.#track({ cancel: (reason) => call.fail(reason) }, options);
    if (handler !== undefined) void call.run(handler).finally(release);
    return call;
  }

  /** See {@link Channel.close}. */
  close(): Promise<void> {
    this.#isClosed = true;
    for (const call of this.#open) call.cancel(closedError());
    this.#deadlines.close();
    return Promise.resolve();
  }

  /** Large answers take their turns. */
  #copied<Method extends UnaryMethodName>(
    method: Method,
    response: ResponseOf<Method>,
  ): ResponseOf<Method> | Promise<ResponseOf<Method>> {
    const large = largeAnswer(method, response);
    if (large === undefined) return RPC_TABLE[method].response.copy(response);
    // The copy of a message is the same message.
    return copyInPieces(large, () => nextTurn(this.#clock)) as Promise<ResponseOf<Method>>;
  }

  /** Throws for calls that never reach their handler. */
  #refuse(method: MethodName, isMissing: boolean, options: CallOptions): void {
    if (this.#isClosed) throw closedError();
    if (options.signal?.aborted === true) {
      throw abortError(options.signal, false);
    }
    if (options.timeoutMs !== undefined && !(options.timeoutMs > 0)) {
      throw new EtcdError('DEADLINE_EXCEEDED', { mayHaveApplied: false });
    }
    if (isMissing) throw unimplemented(method, this.#handlers);
    if (this.#open.size >= MAX_IN_PROCESS_CALLS) {
      throw new EtcdError('RESOURCE_EXHAUSTED', {
        message: `too many open calls: ${this.#open.size} (limit ${MAX_IN_PROCESS_CALLS})`,
      });
    }
  }

  /** Lets signal, deadline and close end the call; returns how to stop that. */
  #track(call: OpenCall, options: CallOptions): () => void {
    const { signal, timeoutMs } = options;
    this.#open.add(call);
    const onAbort = (): void => {
      if (signal !== undefined) call.cancel(abortError(signal, true));
    };
    signal?.addEventListener('abort', onAbort, { once: true });
    const deadline =
      timeoutMs !== undefined && Number.isFinite(timeoutMs)
        ? this.#deadlines.set(timeoutMs, () => call.cancel(new EtcdError('DEADLINE_EXCEEDED')))
        : undefined;
    return () => {
      this.#open.delete(call);
      signal?.removeEventListener('abort', onAbort);
      if (deadline !== undefined) this.#deadlines.clear(deadline);
    };
  }
}

function newContext(options: CallOptions): ListenerContext {
  const { metadata = NO_METADATA, timeoutMs } = options;
  return new ListenerContext({ metadata, timeoutMs, peer: PEER });
}

/** A method that is not served, in grpc-go's words. */
export function unimplemented(method: string, handlers: Handlers): EtcdError {
  const [service = '', name = ''] = method.split('/');
  const isKnown = Object.keys(handlers).some((key) => key.startsWith(`${service}/`));
  const message = isKnown
    ? `unknown method ${name} for service ${service}`
    : `unknown service ${service}`;
  return new EtcdError('UNIMPLEMENTED', { message });
}

function closedError(): EtcdError {
  return new EtcdError('CANCELED', { message: 'the channel is closed' });
}
