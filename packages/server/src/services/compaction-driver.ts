/**
 * Drops what compactions freed, in bounded steps between which everybody else has a turn
 * (etcd server/storage/mvcc/kvstore_compaction.go: batches with pauses).
 */
import { EtcdError } from '@etcd-ts/protocol';
import type { NodePort } from '../node-port.ts';

/** Index entries looked at in one turn. */
const STEP_ENTRIES = 500;
/** A read below the compact revision that goes on for longer is broken off (COMPACTED), so that space comes free. */
const MAX_HELD_MS = 10_000;
/** How often a compaction that is held up looks again. */
const HELD_PAUSE_MS = 20;
/** Between two steps; what leaves the rest of the member its share of time. */
const STEP_PAUSE_MS = 1;

interface Waiter {
  readonly revision: number;
  readonly done: (error?: EtcdError) => void;
}

/** Runs a member's compactions, one step at a time. */
export class CompactionDriver {
  readonly #node: NodePort;
  readonly #stopObserving: () => void;
  readonly #waiters = new Set<Waiter>();
  #isRunning = false;
  #isStopped = false;
  #heldMs = 0;
  #startedMs: number | undefined;

  constructor(node: NodePort) {
    this.#node = node;
    this.#stopObserving = node.state.observe({
      compacted: () => this.#run(),
      replaced: () => this.#run(),
    });
    // A compaction that the last stop interrupted goes on.
    this.#run();
  }

  /**
   * Resolves when every record that a compaction at this revision frees is gone.
   *
   * @throws EtcdError the signal's reason, or STOPPED.
   */
  finished(revision: number, signal: AbortSignal): Promise<void> {
    if (this.#node.state.store.compactedRevision >= revision) return Promise.resolve();
    if (this.#isStopped) return Promise.reject(new EtcdError('STOPPED'));
    return new Promise((resolve, reject) => {
      const onAbort = (): void => waiter.done(EtcdError.from(signal.reason));
      const waiter: Waiter = {
        revision,
        done: (error) => {
          this.#waiters.delete(waiter);
          signal.removeEventListener('abort', onAbort);
          if (error === undefined) resolve();
          else reject(error);
        },
      };
      this.#waiters.add(waiter);
      if (signal.aborted) onAbort();
      else signal.addEventListener('abort', onAbort, { once: true });
    });
  }

  /** Ends: no step is made any more, whoever waits hears STOPPED. */
  stop(): void {
    this.#isStopped = true;
    this.#stopObserving();
    for (const waiter of this.#waiters) waiter.done(new EtcdError('STOPPED'));
  }

  #run(): void {
    if (this.#isRunning || this.#isStopped) return;
    this.#isRunning = true;
    this.#startedMs ??= this.#node.clock.monotonicMs();
    this.#node.clock.soon(() => this.#step());
  }

  #step(): void {
    this.#isRunning = false;
    if (this.#isStopped) return;
    const { clock, metrics, state } = this.#node;
    const { store } = state;
    const beganMs = clock.monotonicMs();
    const hasMore = store.compactStep(STEP_ENTRIES);
    const pauseMs = clock.monotonicMs() - beganMs;
    metrics.compactionPauseMs.observe(pauseMs);
    metrics.indexCompactionPauseMs.observe(pauseMs);
    for (const waiter of this.#waiters) {
      if (store.compactedRevision >= waiter.revision) waiter.done();
    }
    const isHeld = store.isCompactionHeld;
    if (!hasMore && !isHeld) return this.#ended();
    this.#heldMs = isHeld ? this.#heldMs + HELD_PAUSE_MS : 0;
    if (this.#heldMs > MAX_HELD_MS) {
      const reads = store.cancelReads();
      this.#node.log.warn('broke off reads that held up a compaction', { reads });
    }
    this.#isRunning = true;
    clock.after(isHeld ? HELD_PAUSE_MS : STEP_PAUSE_MS, () => this.#step());
  }

  #ended(): void {
    const { clock, metrics } = this.#node;
    if (this.#startedMs === undefined) return;
    metrics.compactionTotalMs.observe(clock.monotonicMs() - this.#startedMs);
    metrics.lastCompactionSeconds = Math.floor(clock.wallMs() / 1000);
    this.#startedMs = undefined;
  }
}
