/**
 * What stands between the engine and the replicated state: it applies pages, answers those who wait, and sees that the
 * state reaches the database and that the log is dropped behind it.
 *
 * What always holds
 * - Every entry is applied once, in order; answers, reads and watchers learn of it in the same turn.
 * - Applying waits while more than the dirty limit is unwritten, and while a snapshot is being installed.
 * - The log is dropped only behind a state that is durable in the database.
 */
import { assert } from '@etcd-ts/base';
import {
  changeConf,
  type ConfigChange,
  type Entry,
  type LogIndex,
  type Outcome,
  type SnapshotMeta,
  type Term,
} from '@etcd-ts/raft';
import type { EtcdError } from '@etcd-ts/protocol';
import type { CommandCodec } from '../apply/command-codec.ts';
import type { CommandResult } from '../apply/command.ts';
import type { ReplicatedState } from '../apply/replicated-state.ts';
import type { Clock } from '../clock.ts';
import type { Consensus, ConsensusHost, ConsensusStatus } from '../consensus/consensus.ts';
import { formatDuration } from '../go-values.ts';
import type { Logger } from '../logger.ts';
import { countApplied, leasedKeysOf } from '../metrics/count-applied.ts';
import type { NodeMetrics } from '../metrics/node-metrics.ts';
import type { ResolvedOptions } from '../options.ts';
import type { ConfigChanges } from '../requests/config-changes.ts';
import type { Proposals } from '../requests/proposals.ts';
import type { ReadBarrier } from '../requests/read-barrier.ts';
import type { SnapshotSource } from '../snapshot/snapshot-source.ts';
import type { Databases } from './databases.ts';
import { Flusher } from './flusher.ts';
import { LogMarks } from './log-marks.ts';

/** What the host is made of. */
export interface StateHostParts {
  readonly state: ReplicatedState;
  readonly databases: Databases;
  readonly consensus: Consensus;
  readonly codec: CommandCodec;
  readonly proposals: Proposals;
  readonly reads: ReadBarrier;
  readonly changes: ConfigChanges;
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: NodeMetrics;
  readonly options: ResolvedOptions;
  /** Role, term or known leader changed. */
  readonly statusChanged: (status: ConsensusStatus) => void;
  /** The membership changed. */
  readonly membersChanged: () => void;
  /** Disk, database or an invariant failed: the node ends. Called once. */
  readonly stopped: (reason: Error) => void;
}

/** Applies what the engine orders. */
export class StateHost implements ConsensusHost {
  readonly flusher: Flusher;
  readonly #parts: StateHostParts;
  readonly #marks: LogMarks;
  #installing = false;
  /** When the entry before the one that is being applied was done. */
  #lastMs = 0;
  #ended = false;

  constructor(parts: StateHostParts) {
    const { state, clock, options } = parts;
    this.#parts = parts;
    this.flusher = new Flusher({
      clock,
      intervalMs: options.backendBatchIntervalMs,
      maxEntries: options.backendBatchEntries,
      store: () => state.store,
      failed: (error) => this.stopped(error),
    });
    state.observe({ dropped: () => this.flusher.applied(0) });
    this.#marks = new LogMarks({
      state,
      flusher: this.flusher,
      databases: parts.databases,
      consensus: parts.consensus,
      log: parts.log,
      snapshotCount: options.snapshotCount,
      catchUpEntries: options.snapshotCatchUpEntries,
      checkpointed: () => this.#letCompact(),
    });
    state.observe({ compacted: () => this.#letCompact() });
    // A compaction that the last stop interrupted goes on.
    this.#letCompact();
  }

  stepping(): void {
    this.#parts.reads.stepping();
    this.#parts.proposals.stepping();
  }

  apply(entries: readonly Entry[]): void {
    assert(!this.#installing, 'a page was handed out while a snapshot was being installed');
    const { clock, log, metrics, options, proposals, reads, state } = this.#parts;
    const began = clock.monotonicMs();
    this.#lastMs = began;
    for (const entry of entries) this.#applyEntry(entry);
    const tookMs = clock.monotonicMs() - began;
    if (tookMs > options.warningApplyDurationMs) {
      metrics.slowApplies += 1;
      log.warn('apply request took too long', {
        took: formatDuration(tookMs),
        'expected-duration': formatDuration(options.warningApplyDurationMs),
        entries: entries.length,
      });
    }
    reads.applied(state.appliedIndex);
    proposals.termApplied(state.appliedTerm);
    this.flusher.applied(entries.length);
    this.#marks.applied();
    this.#acknowledge(state.appliedIndex);
  }

  outcome(token: number, outcome: Outcome): void {
    const { changes, proposals, reads } = this.#parts;
    if (outcome.kind === 'readable') return reads.outcome(token, outcome);
    proposals.outcome(token, outcome);
    changes.outcome(token, outcome);
    if (outcome.kind === 'refused') reads.outcome(token, outcome);
  }

  statusChanged(status: ConsensusStatus): void {
    const { proposals, reads } = this.#parts;
    reads.leaderChanged(status.leader);
    if (status.leader !== 0n) proposals.leaderKnown();
    this.#parts.statusChanged(status);
  }

  takeSnapshot(): Promise<SnapshotSource> {
    return this.#parts.databases.snapshot(this.#parts.state);
  }

  receiveSnapshot(meta: SnapshotMeta, chunks: AsyncIterable<Uint8Array>): Promise<void> {
    return this.#receive(meta, chunks);
  }

  async installSnapshot(meta: SnapshotMeta): Promise<void> {
    const { databases, log, proposals, reads, state } = this.#parts;
    this.#installing = true;
    this.#parts.metrics.isApplyingSnapshot = true;
    const installed = await this.flusher.exclusively(() => databases.install(meta, state));
    if (!installed) throw new Error('the database failed');
    this.#installing = false;
    this.#parts.metrics.isApplyingSnapshot = false;
    log.info('applied snapshot', { index: meta.index, term: meta.term });
    this.#marks.installed(meta.index);
    proposals.snapshotInstalled();
    reads.applied(state.appliedIndex);
    this.#parts.membersChanged();
  }

  discardSnapshot(meta: SnapshotMeta): void {
    this.#parts.databases.discard(meta).catch((error: unknown) => {
      this.#parts.log.warn('failed to remove an unused snapshot', { index: meta.index, error });
    });
  }

  stopped(reason: Error): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#parts.stopped(reason);
  }

  /**
   * A compaction may have to wait until what it drops is in the database's index. One that came while the first pages of
   * it were written finds out when they are there.
   */
  #letCompact(): void {
    if (this.#parts.state.store.wantsCheckpoint) void this.flusher.checkpoint();
  }

  #applyEntry(entry: Entry): void {
    const { index, term, payload } = entry;
    const { clock, codec, metrics, proposals, state } = this.#parts;
    switch (payload.kind) {
      case 'empty':
        return state.applyEmpty(index, term);
      case 'config':
        return this.#applyConfig(index, term, payload.change);
      case 'command': {
        const ownSequence = codec.ownSequence(payload.data);
        const own = ownSequence === 0 ? undefined : proposals.commandOf(ownSequence);
        // Who proposed it has it still: it need not be decoded.
        const command = own ?? codec.decode(payload.data);
        const leasedKeys = leasedKeysOf(command, state.lessor);
        const result: CommandResult | EtcdError = state.apply({ index, term, command });
        const endedMs = clock.monotonicMs();
        countApplied(metrics, { command, result, tookMs: endedMs - this.#lastMs, leasedKeys });
        this.#lastMs = endedMs;
        if (own !== undefined) proposals.applied(ownSequence, result);
      }
    }
  }

  async #receive(meta: SnapshotMeta, chunks: AsyncIterable<Uint8Array>): Promise<void> {
    const { clock, databases, metrics } = this.#parts;
    const startedMs = clock.monotonicMs();
    await databases.receive(meta, chunks);
    metrics.databaseSaveSeconds.observe((clock.monotonicMs() - startedMs) / 1000);
  }

  /** The engine reckons in the same way: the configuration follows from the one before and the change alone. */
  #applyConfig(index: LogIndex, term: Term, change: ConfigChange): void {
    const { changes, state } = this.#parts;
    const next = changeConf(state.confState, change);
    const confState = next.ok ? next.conf : state.confState;
    state.applyConfig({ index, term, change, confState });
    changes.applied(index);
    this.#parts.membersChanged();
  }

  /** The next page comes only after this: at once, or when the database has caught up. */
  #acknowledge(index: LogIndex): void {
    const { consensus, state } = this.#parts;
    if (!state.store.writeBehind.isFull) return consensus.applied(index);
    void this.flusher.flush().then((written) => {
      if (written && !this.#ended) consensus.applied(index);
    });
  }
}
