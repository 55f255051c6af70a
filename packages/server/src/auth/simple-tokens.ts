/**
 * The simple tokens that this member knows: which user each stands for, and until when.
 *
 * A token is made by applying an authentication, so every member learns it; the time to live is counted here, by this
 * member's monotonic clock, and starts anew with every use (etcd server/auth/simple_token.go). Nothing is persisted: a
 * restart forgets all tokens, and clients authenticate again.
 *
 * Invariant: the table is ordered by deadline, because a use moves a token to the end with the latest one.
 */
import type { Clock, Random } from '../clock.ts';

/** etcd --auth-token-ttl. */
export const DEFAULT_SIMPLE_TOKEN_TTL_MS = 300_000;

/** Tokens kept; beyond it the one unused for longest is forgotten, and its client authenticates again. */
export const SIMPLE_TOKENS_MAX = 1_000_000;

/** Letters of a token before its dot. */
export const SIMPLE_TOKEN_LETTERS = 16;

const LETTERS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';

interface Issued {
  readonly username: string;
  readonly deadlineMs: number;
}

/** The random part of a new token: letters only, as etcd's. */
export function simpleTokenPrefix(random: Random): string {
  let prefix = '';
  while (prefix.length < SIMPLE_TOKEN_LETTERS) {
    for (const byte of random.bytes(SIMPLE_TOKEN_LETTERS)) {
      // 208 = 4 × 52: bytes beyond it would make some letters likelier.
      if (byte < 208 && prefix.length < SIMPLE_TOKEN_LETTERS) prefix += LETTERS[byte % 52];
    }
  }
  return prefix;
}

/** This member's table of simple tokens. */
export class SimpleTokens {
  readonly #clock: Clock;
  readonly #ttlMs: number;
  readonly #limit: number;
  readonly #issued = new Map<string, Issued>();

  constructor(
    clock: Clock,
    options: { readonly ttlMs?: number | undefined; readonly limit?: number } = {},
  ) {
    this.#clock = clock;
    this.#ttlMs = options.ttlMs ?? DEFAULT_SIMPLE_TOKEN_TTL_MS;
    this.#limit = options.limit ?? SIMPLE_TOKENS_MAX;
  }

  /** Tokens that are known now, expired ones that nobody asked for included. */
  get size(): number {
    return this.#issued.size;
  }

  /** A token stands for a user from now on. */
  assign(token: string, username: string): void {
    this.#touch(token, username);
    this.#forgetExpired();
    for (const oldest of this.#issued.keys()) {
      if (this.#issued.size <= this.#limit) break;
      this.#issued.delete(oldest);
    }
  }

  /** The user whom a token stands for, and its time to live starts anew; undefined when unknown or expired. */
  userOf(token: string): string | undefined {
    this.#forgetExpired();
    const issued = this.#issued.get(token);
    if (issued === undefined) return undefined;
    this.#touch(token, issued.username);
    return issued.username;
  }

  /** A user's tokens are void. */
  revokeUser(username: string): void {
    for (const [token, issued] of this.#issued) {
      if (issued.username === username) this.#issued.delete(token);
    }
  }

  /** All tokens are void. */
  clear(): void {
    this.#issued.clear();
  }

  #touch(token: string, username: string): void {
    this.#issued.delete(token);
    this.#issued.set(token, { username, deadlineMs: this.#clock.monotonicMs() + this.#ttlMs });
  }

  #forgetExpired(): void {
    const nowMs = this.#clock.monotonicMs();
    for (const [token, { deadlineMs }] of this.#issued) {
      if (deadlineMs > nowMs) return;
      this.#issued.delete(token);
    }
  }
}
