/**
 * Who calls: the token or the client certificate of a call, as a user and the revision of the users and roles as of
 * which that was true (etcd server/auth/store.go, AuthInfoFromCtx; simple_token.go; jwt.go).
 *
 * What always holds
 * - While auth is off nobody is asked.
 * - A token beats a certificate; a bad token is refused even where a certificate would do.
 * - A certificate counts for the calls of its owner alone: not for what a gateway passes on.
 * - A simple token follows the rights of its user at once; a signed one is void after any change of users and roles.
 */
import { type CallContext, EtcdError } from '@etcd-ts/protocol';
import type { AuthProblem } from '../../auth/auth-state.ts';
import { SimpleTokens } from '../../auth/simple-tokens.ts';
import type { SignedTokens } from '../../auth/token-provider.ts';
import type { Caller } from '../../apply/command.ts';
import { Authoriser } from '../../apply/authorise.ts';
import type { NodePort } from '../../node-port.ts';

const BEARER = 'Bearer ';
/** What a gateway adds to the calls that it passes on; their certificate is the gateway's own. */
const GATEWAY_MARK = 'grpcgateway-accept';

/** How tokens are made and judged. */
export interface TokenParts {
  /** Tokens that carry their claims; without them tokens are simple ones. */
  readonly signedTokens?: SignedTokens | undefined;
  /** How long an unused simple token is good, in milliseconds. etcd --auth-token-ttl. */
  readonly simpleTokenTtlMs?: number | undefined;
}

/** Tells callers apart. */
export class Identity {
  readonly simpleTokens: SimpleTokens;
  readonly signedTokens: SignedTokens | undefined;
  readonly #node: NodePort;
  readonly #stopObserving: () => void;

  constructor(node: NodePort, tokens: TokenParts = {}) {
    this.#node = node;
    this.signedTokens = tokens.signedTokens;
    this.simpleTokens = new SimpleTokens(node.clock, { ttlMs: tokens.simpleTokenTtlMs });
    this.#stopObserving = node.state.observe({
      authenticated: (user, token) => this.simpleTokens.assign(token, user),
      tokensRevoked: (users) => this.#revoke(users),
      // Which logins and changes the snapshot jumped over is not known: everyone logs in again.
      replaced: () => this.simpleTokens.clear(),
    });
  }

  /** Ends: no token is learnt any more. */
  stop(): void {
    this.#stopObserving();
    this.simpleTokens.clear();
  }

  /** Whether calls are judged at all. */
  get isRequired(): boolean {
    return this.#node.state.auth.enabled;
  }

  /**
   * The caller; undefined while auth is off, and for a call without token and certificate.
   *
   * @throws EtcdError INVALID_AUTH_TOKEN; AUTH_OLD_REVISION for a signed token from before the last change.
   */
  async callerOf({ metadata, peer }: CallContext): Promise<Caller | undefined> {
    const { auth } = this.#node.state;
    if (!auth.enabled) return undefined;
    const given = metadata.get('token') ?? metadata.get('authorization');
    if (given === undefined) {
      const username = metadata.has(GATEWAY_MARK) ? undefined : peer.certificateCommonName;
      return username === undefined ? undefined : { username, authRevision: auth.revision };
    }
    const token = given.startsWith(BEARER) ? given.slice(BEARER.length) : given;
    if (this.signedTokens !== undefined) {
      const claims = await this.signedTokens.verify(token);
      if (claims === undefined) throw new EtcdError('INVALID_AUTH_TOKEN');
      if (claims.authRevision < auth.revision) throw new EtcdError('AUTH_OLD_REVISION');
      return claims;
    }
    const username = await this.#userOf(token);
    if (username === undefined) throw new EtcdError('INVALID_AUTH_TOKEN');
    return { username, authRevision: auth.revision };
  }

  /** The caller before the users and roles; to be asked at once, as those may change. */
  authoriser(caller: Caller | undefined): Authoriser {
    const { auth, lessor } = this.#node.state;
    return new Authoriser(auth, lessor, caller);
  }

  /**
   * Judges the caller by the users and roles as they are now; whoever waits for others first, asks afterwards. Passes
   * over everybody while auth is off.
   *
   * @throws EtcdError as {@link callerOf}; the problem.
   */
  async demandOf(context: CallContext, judge: Judgement): Promise<void> {
    if (!this.isRequired) return;
    const caller = await this.callerOf(context);
    if (this.isRequired) demand(judge(this.authoriser(caller)));
  }

  /** A token that another member gave may be ahead of what is applied here. */
  async #userOf(token: string): Promise<string | undefined> {
    const known = this.simpleTokens.userOf(token);
    if (known !== undefined) return known;
    const index = Number(token.slice(token.indexOf('.') + 1));
    if (!Number.isSafeInteger(index) || index <= this.#node.state.appliedIndex) return undefined;
    await this.#node.readBarrier();
    return this.simpleTokens.userOf(token);
  }

  #revoke(users: readonly string[] | 'all'): void {
    if (users === 'all') this.simpleTokens.clear();
    else for (const user of users) this.simpleTokens.revokeUser(user);
  }
}

/** What is asked of a caller. Undefined: it may. */
export type Judgement = (caller: Authoriser) => AuthProblem | undefined;

/** Lets a call go on, or throws what is wrong with it. */
export function demand(problem: AuthProblem | undefined): void {
  if (problem !== undefined) throw new EtcdError(problem);
}
