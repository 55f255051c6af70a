import { deferred } from '@etcd-ts/base';
import { EtcdError, MAX_TIMER_MS } from '@etcd-ts/protocol';
import type { Clock, Timer } from '../clock.ts';

/** Shares of its time to live after which a lease is refreshed: three chances before it ends. */
const REFRESHES_PER_TTL = 3;
/** Longest time between two refreshes of the longest lease, in milliseconds. */
const MAX_REFRESH_INTERVAL_MS = 60_000;

/**
 * Keeps one lease alive in the background, and says at once when it is lost.
 *
 * Invariant: the lease is taken for lost at the latest when its time to live has passed since the request was sent
 * that the server answered last. The server counts from a later moment, so it never deletes the keys of a lease that
 * this keeper still takes for alive, however slow network or process are, unless somebody revoked it.
 */
export class LeaseKeeper {
  readonly id: bigint;
  readonly #clock: Clock;
  readonly #send: () => void;
  readonly #onEnd: () => void;
  readonly #lost = deferred<EtcdError>();
  readonly #controller = new AbortController();
  #ttlSeconds: number;
  /** When the lease ends if nothing more is heard. */
  #expiresMs: number;
  /** When the refreshes that are not answered yet were sent, oldest first. */
  #sentMs: number[] = [];
  #timer: Timer | undefined;
  #state: 'alive' | 'stopped' | 'lost' = 'alive';

  /** @internal Use `client.lease.keepAlive`. */
  constructor(parts: {
    readonly id: bigint;
    readonly ttlSeconds: number;
    /** When the request was sent that gave the lease its current time. */
    readonly refreshedMs: number;
    readonly clock: Clock;
    /** Sends a refresh. */
    readonly send: () => void;
    readonly onEnd: () => void;
  }) {
    this.id = parts.id;
    this.#ttlSeconds = parts.ttlSeconds;
    this.#clock = parts.clock;
    this.#send = parts.send;
    this.#onEnd = parts.onEnd;
    this.#expiresMs = parts.refreshedMs + parts.ttlSeconds * 1000;
  }

  /** Time to live in seconds, as the server has chosen it. */
  get ttlSeconds(): number {
    return this.#ttlSeconds;
  }

  /** The lease is not known to be lost, and its time has not passed. */
  get isAlive(): boolean {
    return this.#state === 'alive' && this.#clock.monotonicMs() < this.#expiresMs;
  }

  /** Aborted when the lease is lost: hand it to whatever may only be done while the lease lives. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** Resolves to the reason when the lease is lost; never when the keeper is stopped before. */
  get lost(): Promise<EtcdError> {
    return this.#lost.promise;
  }

  /** Refreshes no more. The lease lives on until its time has passed. */
  stop(): void {
    this.#end('stopped');
  }

  /** @internal Refreshes that were sent and not answered yet. */
  get unanswered(): number {
    return this.#sentMs.length;
  }

  /** @internal The first refresh, and the timers. */
  start(): void {
    this.#tick();
  }

  /** @internal The server has answered the oldest refresh. */
  onAnswer(ttlSeconds: number): void {
    if (this.#state !== 'alive') return;
    const sentMs = this.#sentMs.shift();
    if (ttlSeconds <= 0) return this.lose(new EtcdError('LEASE_NOT_FOUND'));
    if (sentMs === undefined) return;
    this.#ttlSeconds = ttlSeconds;
    this.#expiresMs = Math.max(this.#expiresMs, sentMs + ttlSeconds * 1000);
    this.#schedule();
  }

  /** @internal The stream broke: what was not answered never will be. */
  onBroken(): void {
    this.#sentMs = [];
  }

  /** @internal There is a new stream. */
  onConnected(): void {
    if (this.#state === 'alive') this.#refresh();
  }

  /** @internal */
  lose(reason: EtcdError): void {
    if (this.#state !== 'alive') return;
    this.#end('lost');
    this.#controller.abort(reason);
    this.#lost.resolve(reason);
  }

  #tick(): void {
    if (this.#state !== 'alive') return;
    if (this.#clock.monotonicMs() >= this.#expiresMs) {
      const detail = `no refresh was answered within ${this.#ttlSeconds} seconds`;
      return this.lose(new EtcdError('LEASE_NOT_FOUND', { detail }));
    }
    this.#refresh();
    this.#schedule();
  }

  #refresh(): void {
    this.#sentMs.push(this.#clock.monotonicMs());
    this.#send();
  }

  /** The next look at the lease: when a refresh is due, or when it ends. */
  #schedule(): void {
    this.#timer?.cancel();
    const leftMs = Math.max(0, this.#expiresMs - this.#clock.monotonicMs());
    const intervalMs = Math.min(
      (this.#ttlSeconds * 1000) / REFRESHES_PER_TTL,
      MAX_REFRESH_INTERVAL_MS,
    );
    const delayMs = Math.min(leftMs, intervalMs, MAX_TIMER_MS);
    this.#timer = this.#clock.after(delayMs, () => this.#tick());
  }

  #end(state: 'stopped' | 'lost'): void {
    if (this.#state !== 'alive') return;
    this.#state = state;
    this.#timer?.cancel();
    this.#onEnd();
  }
}
