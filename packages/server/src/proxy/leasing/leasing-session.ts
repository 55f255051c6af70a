/**
 * The proxy's own lease, under which it owns keys, and what it hears of all that are owned: who wants one back, and
 * which has been given up.
 *
 * What always holds: as long as {@link LeasingSession.lease} is there, no key of ownership under it has run out.
 */
import { equalBytes, toLatin1 } from '@etcd-ts/base';
import type { EtcdClient, LeaseKeeper } from '@etcd-ts/client';
import { EtcdError } from '@etcd-ts/protocol';
import type { Clock } from '../../clock.ts';
import type { Logger } from '../../logger.ts';
import { REVOKE } from './lease-keys.ts';

/** Life of the lease, in seconds, as etcd's sessions have it: how long writers wait for a proxy that is gone. */
export const SESSION_TTL_SECONDS = 60;

/** Pause before a session that was lost is made again, in milliseconds. */
export const SESSION_RETRY_MS = 500;

/** What a session is made of. */
export interface SessionParts {
  readonly client: EtcdClient;
  readonly clock: Clock;
  readonly log: Logger;
  /** Before all keys of ownership. */
  readonly prefix: Uint8Array;
  /** Somebody wants the key of this name of ownership back. */
  readonly wanted: (
    leaseKey: Uint8Array,
    event: { readonly revision: number; readonly lease: bigint },
  ) => void;
  /** That one is gone. */
  readonly gone: (leaseKey: Uint8Array, revision: number) => void;
  /** Nothing is owned any more: what was read under the lease may be old. */
  readonly lost: () => void;
}

/** The session of one proxy. */
export class LeasingSession {
  readonly #parts: SessionParts;
  readonly #waiting = new Map<string, Set<() => void>>();
  #keeper: LeaseKeeper | undefined;
  #isClosed = false;
  #watcher: ReturnType<EtcdClient['watch']> | undefined;
  #wake: (() => void) | undefined;
  #end: (() => void) | undefined;
  readonly #run: Promise<void>;

  constructor(parts: SessionParts) {
    this.#parts = parts;
    this.#run = this.#keep();
  }

  /** The lease to own keys under; undefined while there is none that surely lives. */
  get lease(): bigint | undefined {
    return this.#keeper?.isAlive === true ? this.#keeper.id : undefined;
  }

  /** The id of the lease, whether it surely lives or not. */
  get id(): bigint | undefined {
    return this.#keeper?.id;
  }

  /** Resolves when a key of ownership is gone, or when it is time to look again. */
  async gone(leaseKey: Uint8Array, patienceMs: number, signal: AbortSignal): Promise<void> {
    const name = toLatin1(leaseKey);
    const waiting = this.#waiting.get(name) ?? new Set();
    this.#waiting.set(name, waiting);
    let done = (): void => undefined;
    const over = new Promise<void>((resolve) => (done = resolve));
    waiting.add(done);
    signal.addEventListener('abort', done, { once: true });
    const timer = this.#parts.clock.after(patienceMs, done);
    if (signal.aborted) done();
    await over;
    timer.cancel();
    signal.removeEventListener('abort', done);
    waiting.delete(done);
    if (waiting.size === 0) this.#waiting.delete(name);
  }

  /** The cluster knows nothing of this lease any more: another one is made. */
  unknown(lease: bigint): void {
    if (lease === this.#keeper?.id) this.#end?.();
  }

  /** Gives the lease up, and with it all that is owned. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#watcher?.cancel();
    this.#wake?.();
    await this.#run;
  }

  /** A watch first, then a lease: nothing is owned that would not be heard of. Never rejects. */
  async #keep(): Promise<void> {
    const { client, clock, log, prefix, lost } = this.#parts;
    while (!this.#isClosed) {
      const watcher = client.watch({ prefix });
      this.#watcher = watcher;
      const heard = this.#hear(watcher);
      try {
        await Promise.race([watcher.created, heard]);
        const keeper = await client.lease.create(SESSION_TTL_SECONDS);
        this.#keeper = keeper;
        const end = new Promise<void>((resolve) => (this.#end = resolve));
        await Promise.race([keeper.lost, heard, end]);
        if (!this.#isClosed) log.warn('the lease for owning keys was lost; it is made again');
      } catch (error) {
        if (!this.#isClosed) {
          log.warn('cannot own keys', { error: EtcdError.from(error).message });
        }
      }
      await this.#giveUp();
      watcher.cancel();
      await heard.catch(() => undefined);
      lost();
      if (this.#isClosed) return;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
        clock.after(SESSION_RETRY_MS, resolve);
      });
    }
  }

  async #giveUp(): Promise<void> {
    const keeper = this.#keeper;
    this.#keeper = undefined;
    keeper?.stop();
    if (keeper === undefined) return;
    // Where it cannot be revoked, its time runs out.
    await this.#parts.client.lease.revoke(keeper.id, { timeoutMs: 2_000 }).catch(() => undefined);
  }

  /** Resolves when the watch was cancelled. @throws EtcdError when it cannot go on. */
  async #hear(watcher: ReturnType<EtcdClient['watch']>): Promise<void> {
    const { gone, wanted } = this.#parts;
    for await (const { type, entry } of watcher) {
      if (type === 'delete') {
        gone(entry.key, entry.modRevision);
        for (const done of this.#waiting.get(toLatin1(entry.key)) ?? []) done();
      } else if (equalBytes(entry.value, REVOKE)) {
        wanted(entry.key, { revision: entry.modRevision, lease: entry.lease });
      }
    }
  }
}
