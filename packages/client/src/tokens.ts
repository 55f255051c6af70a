import { AuthenticateRequest, type Channel, EtcdError } from '@etcd-ts/protocol';

/** Who a client is. */
export interface Credentials {
  readonly name: string;
  readonly password: string;
}

/**
 * The token of a client with credentials: asked for when first needed, and anew when the server no longer takes it.
 *
 * Invariant: at most one authentication is under way; who comes meanwhile waits for it.
 */
export class Tokens {
  readonly #credentials: Credentials;
  #token: string | undefined;
  #pending: Promise<string | undefined> | undefined;

  constructor(credentials: Credentials) {
    this.#credentials = credentials;
  }

  /**
   * A token; undefined while auth is not enabled on the server.
   *
   * @throws EtcdError AUTH_FAILED, or what keeps the server from answering.
   */
  async get(channel: Channel, timeoutMs: number): Promise<string | undefined> {
    if (this.#token !== undefined) return this.#token;
    this.#pending ??= this.#authenticate(channel, timeoutMs).finally(() => {
      this.#pending = undefined;
    });
    return this.#pending;
  }

  /** Forgets the token when it is still the one in use. */
  refused(token: string | undefined): void {
    if (token === this.#token) this.#token = undefined;
  }

  async #authenticate(channel: Channel, timeoutMs: number): Promise<string | undefined> {
    const request = AuthenticateRequest.fromPartial(this.#credentials);
    try {
      const answer = await channel.unary('etcdserverpb.Auth/Authenticate', request, { timeoutMs });
      this.#token = answer.token;
      return answer.token;
    } catch (error) {
      if (EtcdError.is(error) && error.code === 'AUTH_NOT_ENABLED') return undefined;
      throw error;
    }
  }
}

/** True for errors after which a new token may help (etcd client/v3/retry_interceptor.go). */
export function wantsNewToken(error: EtcdError): boolean {
  return error.code === 'INVALID_AUTH_TOKEN' || error.code === 'AUTH_OLD_REVISION';
}
