import { AuthenticateRequest, type Channel, EtcdError, MAX_TIMER_MS } from '@etcd-ts/protocol';
import { signalError } from './backoff.ts';
import type { Clock } from './clock.ts';

/** Who a client is. */
export interface Credentials {
  readonly name: string;
  readonly password: string;
}

/** How long somebody waits for a token. */
export interface Patience {
  readonly timeoutMs: number;
  readonly signal: AbortSignal | undefined;
}

/**
 * The token of a client with credentials: asked for when first needed, and anew when the server no longer takes it.
 *
 * Invariants
 * - At most one authentication is under way; who comes meanwhile waits for it, each for as long as it will.
 * - Whoever gets an error instead of a token has not been heard by any server: `mayHaveApplied` is false.
 */
export class Tokens {
  readonly #credentials: Credentials;
  readonly #clock: Clock;
  readonly #timeoutMs: number;
  #token: string | undefined;
  #pending: Promise<string | undefined> | undefined;

  /** @param timeoutMs Of an authentication, whoever waits for it. */
  constructor(credentials: Credentials, clock: Clock, timeoutMs: number) {
    this.#credentials = credentials;
    this.#clock = clock;
    this.#timeoutMs = timeoutMs;
  }

  /**
   * A token; undefined while auth is not enabled on the server.
   *
   * @throws EtcdError AUTH_FAILED, or what keeps the server from answering; DEADLINE_EXCEEDED or CANCELED when patience
   *   ends before.
   */
  async get(channel: Channel, patience: Patience): Promise<string | undefined> {
    if (this.#token !== undefined) return this.#token;
    if (this.#pending === undefined) {
      this.#pending = this.#authenticate(channel).finally(() => {
        this.#pending = undefined;
      });
      // All who wait may have lost patience.
      this.#pending.catch(() => undefined);
    }
    return this.#within(this.#pending, patience);
  }

  /** Forgets the token when it is still the one in use. */
  refused(token: string | undefined): void {
    if (token === this.#token) this.#token = undefined;
  }

  async #authenticate(channel: Channel): Promise<string | undefined> {
    const request = AuthenticateRequest.fromPartial(this.#credentials);
    const options = { timeoutMs: this.#timeoutMs };
    try {
      const answer = await channel.unary('etcdserverpb.Auth/Authenticate', request, options);
      this.#token = answer.token;
      return answer.token;
    } catch (thrown) {
      const error = EtcdError.from(thrown);
      if (error.code === 'AUTH_NOT_ENABLED') return undefined;
      const { code, message } = error;
      throw new EtcdError(code, { message, cause: error, mayHaveApplied: false });
    }
  }

  #within<T>(work: Promise<T>, { timeoutMs, signal }: Patience): Promise<T> {
    return new Promise((resolve, reject) => {
      const onAbort = (): void => {
        if (signal !== undefined) fail(signalError(signal, false));
      };
      const late = (): void => fail(new EtcdError('DEADLINE_EXCEEDED', { mayHaveApplied: false }));
      const timer = this.#clock.after(Math.min(Math.max(0, timeoutMs), MAX_TIMER_MS), late);
      const release = (): void => {
        timer.cancel();
        signal?.removeEventListener('abort', onAbort);
      };
      const fail = (error: unknown): void => {
        release();
        reject(error);
      };
      if (signal?.aborted === true) return onAbort();
      signal?.addEventListener('abort', onAbort, { once: true });
      work.then((token) => {
        release();
        resolve(token);
      }, fail);
    });
  }
}

/** True for errors after which a new token may help (etcd client/v3/retry_interceptor.go). */
export function wantsNewToken(error: EtcdError): boolean {
  return error.code === 'INVALID_AUTH_TOKEN' || error.code === 'AUTH_OLD_REVISION';
}
