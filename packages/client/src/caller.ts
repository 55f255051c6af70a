/**
 * How a client's calls reach a member: which endpoint, what token, what is tried again.
 *
 * Rules of retrying (etcd client/v3/retry.go, made exact)
 * - A read is tried again on UNAVAILABLE, at the next endpoint.
 * - A write is tried again only when the error says that it certainly had no effect. Otherwise its outcome is unknown:
 *   the error reaches the caller with `mayHaveApplied`, and the caller decides.
 * - A refused token is renewed once per call; the call had no effect then.
 * - All attempts together stay within the call's time.
 */
import {
  type CallOptions,
  EtcdError,
  type RequestOf,
  type ResponseOf,
  Status,
  type StreamCall,
  type StreamMethodName,
  type UnaryMethodName,
} from '@etcd-ts/protocol';
import { backoffMs, sleep } from './backoff.ts';
import type { Clock, Random } from './clock.ts';
import type { Chosen, Endpoints } from './endpoints.ts';
import { type Tokens, wantsNewToken } from './tokens.ts';

/** Attempts of one call; after that its last error is thrown. */
export const MAX_ATTEMPTS = 100;

/** Whether a call changes something. */
export type Effect = 'read' | 'write';

/** What a caller of the client may add to any call. */
export interface ClientCallOptions {
  /** Gives the call up. */
  readonly signal?: AbortSignal | undefined;
  /** The call fails with DEADLINE_EXCEEDED after so many milliseconds. @defaultValue the client's `timeoutMs` */
  readonly timeoutMs?: number | undefined;
}

/** What a {@link Caller} is made of. */
export interface CallerParts {
  readonly endpoints: Endpoints;
  readonly clock: Clock;
  readonly random: Random;
  readonly tokens: Tokens | undefined;
  readonly timeoutMs: number;
}

/** An open stream and the endpoint that it goes to. */
export interface OpenedStream<Request, Response> {
  readonly call: StreamCall<Request, Response>;
  /**
   * Says that the stream broke: the next one goes to the next endpoint. True: it was refused for its token, and the
   * next one goes to the same endpoint with a new one.
   */
  readonly failed: (error: EtcdError) => boolean;
}

/** What a client's parts call through: endpoint, token, retries. */
export class Caller {
  readonly clock: Clock;
  readonly random: Random;
  readonly endpoints: Endpoints;
  readonly #tokens: Tokens | undefined;
  /** Time of a call that brings none of its own, in milliseconds. */
  readonly timeoutMs: number;

  constructor(parts: CallerParts) {
    this.clock = parts.clock;
    this.random = parts.random;
    this.endpoints = parts.endpoints;
    this.#tokens = parts.tokens;
    this.timeoutMs = parts.timeoutMs;
  }

  /**
   * One request, one response, with the retries that are safe.
   *
   * @throws EtcdError the last attempt's; DEADLINE_EXCEEDED when time is up, CANCELED when the signal is aborted.
   */
  async unary<Method extends UnaryMethodName>(
    method: Method,
    request: RequestOf<Method>,
    effect: Effect,
    options: ClientCallOptions = {},
  ): Promise<ResponseOf<Method>> {
    return this.#retried(effect, options, ({ channel }, callOptions) =>
      channel.unary(method, request, callOptions),
    );
  }

  /**
   * One request on a stream of its own, and the first answer; with the retries of a read.
   *
   * @throws EtcdError as {@link Caller.unary}.
   */
  async firstOf<Method extends StreamMethodName>(
    method: Method,
    request: RequestOf<Method>,
    options: ClientCallOptions = {},
  ): Promise<ResponseOf<Method>> {
    return this.#retried('read', options, async ({ channel }, callOptions) => {
      const call = channel.stream(method, callOptions);
      call.send(request);
      call.end();
      for await (const response of call.responses) return response;
      throw new EtcdError('UNAVAILABLE', { message: 'the stream has ended without an answer' });
    });
  }

  /**
   * One request to one endpoint of the list (undefined: the one in use), once; twice where its token was refused.
   *
   * @throws EtcdError what that member answers.
   */
  async unaryTo<Method extends UnaryMethodName>(
    index: number | undefined,
    method: Method,
    request: RequestOf<Method>,
    options: ClientCallOptions = {},
  ): Promise<ResponseOf<Method>> {
    const { channel } = this.#chosen(index);
    const { signal, timeoutMs: givenMs = this.timeoutMs } = options;
    const endMs = this.clock.monotonicMs() + givenMs;
    for (let renewed = false; ; renewed = true) {
      const timeoutMs = endMs - this.clock.monotonicMs();
      const token = await this.#tokens?.get(channel, { timeoutMs, signal });
      const metadata = metadataWith(token);
      try {
        return await channel.unary(method, request, { signal, timeoutMs, metadata });
      } catch (thrown) {
        const error = EtcdError.from(thrown);
        if (renewed || !this.#mayRenew(token, error)) throw error;
      }
    }
  }

  /**
   * Opens a stream to the endpoint in use. It is not tried again: who opened it knows where to go on.
   *
   * @throws EtcdError when no token is to be had; where the endpoint is to blame, the next one is in use then.
   */
  async stream<Method extends StreamMethodName>(
    method: Method,
    options: CallOptions = {},
  ): Promise<OpenedStream<RequestOf<Method>, ResponseOf<Method>>> {
    const chosen = this.endpoints.current();
    let token: string | undefined;
    try {
      token = await this.#tokenFor(chosen, options);
    } catch (thrown) {
      const error = EtcdError.from(thrown);
      if (isUnreachable(error)) this.endpoints.failed(chosen);
      throw error;
    }
    const metadata = metadataWith(token, options.metadata);
    const call = chosen.channel.stream(method, { ...options, metadata });
    const failed = (error: EtcdError): boolean => {
      const isRefused = this.#mayRenew(token, error);
      if (!isRefused) this.endpoints.failed(chosen);
      return isRefused;
    };
    return { call, failed };
  }

  /** Opens a stream to one endpoint of the list (undefined: the one in use), which it stays with. */
  async streamTo<Method extends StreamMethodName>(
    index: number | undefined,
    method: Method,
    options: CallOptions = {},
  ): Promise<OpenedStream<RequestOf<Method>, ResponseOf<Method>>> {
    const chosen = this.#chosen(index);
    const token = await this.#tokenFor(chosen, options);
    const metadata = metadataWith(token, options.metadata);
    const call = chosen.channel.stream(method, { ...options, metadata });
    return { call, failed: (error) => this.#mayRenew(token, error) };
  }

  /** Tries until it is done, until another attempt is not safe or no use, or until time is up. */
  async #retried<Answer>(
    effect: Effect,
    options: ClientCallOptions,
    once: (chosen: Chosen, options: CallOptions) => Promise<Answer>,
  ): Promise<Answer> {
    const { signal, timeoutMs = this.timeoutMs } = options;
    const endMs = this.clock.monotonicMs() + timeoutMs;
    let renewed = false;
    for (let attempt = 1; ; attempt++) {
      const chosen = this.endpoints.current();
      const leftMs = endMs - this.clock.monotonicMs();
      let token: string | undefined;
      try {
        token = await this.#tokens?.get(chosen.channel, { timeoutMs: leftMs, signal });
        const callOptions = { signal, timeoutMs: leftMs, metadata: metadataWith(token) };
        return await once(chosen, callOptions);
      } catch (thrown) {
        const error = EtcdError.from(thrown);
        if (!renewed && this.#mayRenew(token, error)) {
          renewed = true;
          continue;
        }
        if (!mayRetry(error, effect)) throw error;
        this.endpoints.failed(chosen);
        const waitMs = backoffMs(Math.ceil(attempt / this.endpoints.names.length), this.random);
        if (attempt >= MAX_ATTEMPTS || this.clock.monotonicMs() + waitMs >= endMs) throw error;
        await sleep(this.clock, waitMs, signal);
      }
    }
  }

  #tokenFor({ channel }: Chosen, options: CallOptions): Promise<string | undefined> | undefined {
    const { signal, timeoutMs = this.timeoutMs } = options;
    return this.#tokens?.get(channel, { timeoutMs, signal });
  }

  /** Whether another attempt with a new token may help; then the one that was refused is forgotten. */
  #mayRenew(token: string | undefined, error: EtcdError): boolean {
    if (token === undefined || !wantsNewToken(error)) return false;
    this.#tokens?.refused(token);
    return true;
  }

  #chosen(index: number | undefined): Chosen {
    return index === undefined ? this.endpoints.current() : this.endpoints.at(index);
  }
}

/** Whether another endpoint may do what this one did not. */
function isUnreachable(error: EtcdError): boolean {
  return error.status === Status.UNAVAILABLE || error.status === Status.DEADLINE_EXCEEDED;
}

/** Whether another attempt is safe and may help. */
export function mayRetry(error: EtcdError, effect: Effect): boolean {
  return error.status === Status.UNAVAILABLE && (effect === 'read' || !error.mayHaveApplied);
}

function metadataWith(
  token: string | undefined,
  metadata?: ReadonlyMap<string, string>,
): ReadonlyMap<string, string> | undefined {
  if (token === undefined) return metadata;
  return new Map([...(metadata ?? []), ['token', token]]);
}
