/**
 * Writes the applied state behind: in batches, without holding up the apply turn.
 *
 * What always holds
 * - One thing at a time is done to the store's database: a batch, a sync, or a change of the database itself. The
 *   store's data and its applied position are in the same batch.
 * - State that was applied longer ago than the batch interval is on its way.
 * - A failed batch is the last thing that happens: what the database holds is unknown then.
 */
import { checkpointStore, flushStore, type MvccStore } from '@etcd-ts/mvcc';
import type { Clock, Timer } from '../clock.ts';
import { nextTurn } from '../turns.ts';

/** What the flusher is made of. */
export interface FlusherParts {
  readonly clock: Clock;
  /** Longest time that applied state waits, in milliseconds. */
  readonly intervalMs: number;
  /** Entries that make a batch at once. */
  readonly maxEntries: number;
  /** The store to write; another one after a snapshot was installed. */
  readonly store: () => MvccStore;
  /** The database failed. Called once. */
  readonly failed: (error: Error) => void;
}

/** Decides when the store's changes go to its database. */
export class Flusher {
  readonly #parts: FlusherParts;
  #timer: Timer | undefined;
  #entries = 0;
  /** Something has changed since the batch that is on its way was taken. */
  #hasMore = false;
  #running: Promise<boolean> | undefined;
  #ended = false;

  constructor(parts: FlusherParts) {
    this.#parts = parts;
  }

  /** Entries were applied; none: the store was changed outside of any entry. */
  applied(count: number): void {
    if (this.#ended) return;
    this.#entries += count;
    this.#hasMore = true;
    if (this.#running !== undefined) return;
    if (this.#entries >= this.#parts.maxEntries || this.#parts.store().writeBehind.isFull) {
      void this.flush();
      return;
    }
    this.#timer ??= this.#parts.clock.after(this.#parts.intervalMs, () => {
      this.#timer = undefined;
      void this.flush();
    });
  }

  /**
   * Resolves to true when everything applied before the call is in the database; to false when it will not be, since
   * the flusher has ended or the database failed (which `failed` tells). Never rejects.
   */
  flush(): Promise<boolean> {
    return this.#alone(() => flushStore(this.#parts.store()));
  }

  /** As {@link flush}, and durable against a power cut. */
  checkpoint(): Promise<boolean> {
    const { clock, store } = this.#parts;
    return this.#alone(() => checkpointStore(store(), { aTurn: () => nextTurn(clock) }));
  }

  /** Does something to the store and its database while no batch is on its way to them. */
  exclusively(work: () => Promise<void>): Promise<boolean> {
    return this.#alone(work);
  }

  /** Stops the timer; nothing new begins. Resolves when the batch that is on its way has ended. */
  async end(): Promise<void> {
    this.#ended = true;
    this.#timer?.cancel();
    await this.#running;
  }

  async #alone(work: () => Promise<void>): Promise<boolean> {
    while (this.#running !== undefined) await this.#running;
    if (this.#ended) return false;
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#entries = 0;
    this.#hasMore = false;
    this.#running = this.#run(work);
    return this.#running;
  }

  async #run(work: () => Promise<void>): Promise<boolean> {
    try {
      await work();
    } catch (cause) {
      const first = !this.#ended;
      this.#ended = true;
      if (first) this.#parts.failed(new Error('the database failed', { cause }));
      return false;
    } finally {
      this.#running = undefined;
    }
    if (this.#hasMore) this.applied(0);
    return true;
  }
}
