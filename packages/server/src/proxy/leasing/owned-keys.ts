/**
 * The keys that this proxy owns, with their content: nobody writes one without asking for it first, so what is here is
 * what the cluster has.
 *
 * What always holds
 * - A key is here only between the answer with which it was acquired and the first sign that somebody wants it.
 * - While a write to it is under way nobody reads it, and nobody else writes it.
 */
import { assert, type Deferred, deferred, toLatin1 } from '@etcd-ts/base';
import type { RangeResponse } from '@etcd-ts/protocol';

/** Keys that are owned at most; more are read from the cluster. */
export const MAX_OWNED_KEYS = 10_000;

/** After somebody wanted a key, or it could not be acquired, it is left alone for so long, in milliseconds (etcd client/v3/leasing). */
export const REVOKE_BACKOFF_MS = 2_000;

/** A key that is owned. */
export interface Owned {
  readonly key: Uint8Array;
  /** Revision at which its key of ownership was created. */
  readonly revision: number;
  response: RangeResponse;
  /** Set while a write is under way. */
  writing: Deferred<void> | undefined;
}

/** All of them. */
export class OwnedKeys {
  readonly #nowMs: () => number;
  readonly #owned = new Map<string, Owned>();
  /** Keys that are being acquired, with the last revision at which somebody wanted them or they were given up. */
  readonly #acquiring = new Map<string, number>();
  /** Until when keys are left alone. */
  readonly #wanted = new Map<string, number>();

  constructor(nowMs: () => number) {
    this.#nowMs = nowMs;
  }

  get size(): number {
    return this.#owned.size;
  }

  get(key: Uint8Array): Owned | undefined {
    return this.#owned.get(toLatin1(key));
  }

  /** What of a range is owned, as latin1 text between these. */
  within(isWithin: (key: string) => boolean): readonly Owned[] {
    return [...this.#owned].flatMap(([name, owned]) => (isWithin(name) ? [owned] : []));
  }

  /** Whether it may be tried to acquire a key now; then {@link acquired} or {@link notAcquired} must follow. */
  acquire(key: Uint8Array): boolean {
    const name = toLatin1(key);
    const isBusy = this.#acquiring.has(name) || this.#owned.size >= MAX_OWNED_KEYS;
    if (isBusy || (this.#wanted.get(name) ?? 0) > this.#nowMs()) return false;
    this.#acquiring.set(name, 0);
    return true;
  }

  /** @returns False when somebody wanted it meanwhile, or it is gone: it is to be given up at once. */
  acquired(key: Uint8Array, revision: number, response: RangeResponse): boolean {
    const name = toLatin1(key);
    const wantedAt = this.#acquiring.get(name) ?? 0;
    this.#acquiring.delete(name);
    if (wantedAt > revision) return false;
    this.#owned.set(name, { key, revision, response, writing: undefined });
    return true;
  }

  /** It is another's, or cannot be owned now: each attempt is an entry in the log, and not made again at once. */
  notAcquired(key: Uint8Array): void {
    const name = toLatin1(key);
    this.#acquiring.delete(name);
    this.#remember(name);
  }

  /** Begins a write to a key that is owned, when no other is under way. */
  lock(owned: Owned): () => void {
    assert(owned.writing === undefined, 'a key that is owned has one write at a time');
    const writing = deferred<void>();
    owned.writing = writing;
    return () => {
      owned.writing = undefined;
      writing.resolve();
    };
  }

  /** Somebody wants the key, at this revision. @returns What is to be given up. */
  want(key: Uint8Array, revision: number): Owned | undefined {
    this.#remember(toLatin1(key));
    return this.gone(key, revision);
  }

  /** Its ownership has ended at this revision, also when it is not known yet that it had been acquired. */
  gone(key: Uint8Array, revision: number): Owned | undefined {
    const name = toLatin1(key);
    const acquiring = this.#acquiring.get(name);
    if (acquiring !== undefined) this.#acquiring.set(name, Math.max(acquiring, revision));
    return this.evict(key, revision);
  }

  /** Its content does not count any more, if it was acquired before this revision. */
  evict(key: Uint8Array, revision: number = Number.MAX_SAFE_INTEGER): Owned | undefined {
    const name = toLatin1(key);
    const owned = this.#owned.get(name);
    if (owned === undefined || owned.revision >= revision) return undefined;
    this.#owned.delete(name);
    return owned;
  }

  /** Nothing is owned any more, nor what is being acquired. */
  clear(): void {
    this.#owned.clear();
    for (const name of this.#acquiring.keys()) {
      this.#acquiring.set(name, Number.MAX_SAFE_INTEGER);
    }
  }

  #remember(name: string): void {
    const nowMs = this.#nowMs();
    this.#wanted.delete(name);
    this.#wanted.set(name, nowMs + REVOKE_BACKOFF_MS);
    for (const [other, untilMs] of this.#wanted) {
      if (untilMs > nowMs && this.#wanted.size <= MAX_OWNED_KEYS) return;
      this.#wanted.delete(other);
    }
  }
}
