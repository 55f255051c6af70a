/**
 * Drops what compactions freed, in bounded steps between which everybody else has a turn
 * (etcd server/storage/mvcc/kvstore_compaction.go: batches with pauses).
 *
 * What always holds
 * - A step is so short that it hides between requests; where the loop is busy it is longer in proportion, so that a
 *   compaction keeps its pace however much is written meanwhile.
 * - What is dropped is a delete that the database has yet to do: when many of those wait, the compaction waits too.
 */
import { EtcdError } from '@etcd-ts/protocol';
import type { NodePort } from '../node-port.ts';

/** Revisions looked at in one step, at most: about a millisecond. */
const STEP_ENTRIES_MAX = 2_000;
/** Of what may wait for the database, how much a compaction may fill up. */
const DIRTY_SHARE = 0.5;
/** A read below the compact revision that goes on for longer is broken off (COMPACTED), so that space comes free. */
const MAX_HELD_MS = 10_000;
/**
 * So is a snapshot, after so long: a backup goes as fast as whoever takes it reads. One that nobody reads any more ends
 * by itself long before (snapshot.ts; peers/).
 */
const MAX_HELD_BY_SNAPSHOTS_MS = 3_600_000;
/** How often a compaction that is held up, or waits for the database, looks again. */
const HELD_PAUSE_MS = 20;
/** Between two steps, at least. */
const STEP_PAUSE_MIN_MS = 1;

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
  #lastStepMs = 0;
  #startedMs: number | undefined;
  /** Revisions looked at for each millisecond since the last step. Dropping one costs about 2 µs. */
  readonly #entriesPerMs: number;

  constructor(node: NodePort) {
    this.#node = node;
    const { compactionBatchLimit, compactionSleepIntervalMs } = node.limits;
    this.#entriesPerMs = compactionBatchLimit / compactionSleepIntervalMs;
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
    this.#lastStepMs = this.#node.clock.monotonicMs();
    this.#startedMs ??= this.#lastStepMs;
    this.#node.clock.soon(() => this.#step());
  }

  #step(): void {
    this.#isRunning = false;
    if (this.#isStopped) return;
    const { clock, log, state } = this.#node;
    const { store } = state;
    const { dirtyBytes, dirtyBytesMax } = store.writeBehind;
    const waitsForDatabase = dirtyBytes > dirtyBytesMax * DIRTY_SHARE;
    const hasMore = waitsForDatabase || this.#compact();
    for (const waiter of this.#waiters) {
      if (store.compactedRevision >= waiter.revision) waiter.done();
    }
    const isHeld = store.isCompactionHeld;
    if (!hasMore && !isHeld) return this.#ended();
    // Index pages are written by a read as well, which must not be broken off by whoever waits for them.
    const isHeldByReads = isHeld && !store.wantsCheckpoint;
    this.#heldMs = isHeldByReads ? this.#heldMs + HELD_PAUSE_MS : 0;
    if (this.#heldMs > MAX_HELD_MS) {
      const isHopeless = this.#heldMs > MAX_HELD_BY_SNAPSHOTS_MS;
      const reads = store.cancelReads(isHopeless ? 'all' : 'reads');
      if (reads > 0) log.warn('broke off reads that held up a compaction', { reads });
    }
    this.#isRunning = true;
    const pauseMs = isHeld || waitsForDatabase ? HELD_PAUSE_MS : this.#stepPauseMs();
    clock.after(pauseMs, () => this.#step());
  }

  /** The time in which one revision is due, or the shortest pause when that is longer. */
  #stepPauseMs(): number {
    return Math.max(STEP_PAUSE_MIN_MS, Math.ceil(1 / this.#entriesPerMs));
  }

  /** One step. @returns true when there is more to do. */
  #compact(): boolean {
    const { clock, metrics, state } = this.#node;
    const beganMs = clock.monotonicMs();
    // At least a millisecond's, which also keeps a pace without end from being multiplied by nothing.
    const elapsedMs = Math.max(1, beganMs - this.#lastStepMs);
    this.#lastStepMs = beganMs;
    const due = Math.ceil(elapsedMs * this.#entriesPerMs);
    const hasMore = state.compactStep(Math.min(STEP_ENTRIES_MAX, due));
    const pauseMs = clock.monotonicMs() - beganMs;
    metrics.compactionPauseMs.observe(pauseMs);
    metrics.indexCompactionPauseMs.observe(pauseMs);
    return hasMore;
  }

  #ended(): void {
    const { clock, metrics } = this.#node;
    if (this.#startedMs === undefined) return;
    metrics.compactionTotalMs.observe(clock.monotonicMs() - this.#startedMs);
    metrics.lastCompactionSeconds = Math.floor(clock.wallMs() / 1000);
    this.#startedMs = undefined;
  }
}
