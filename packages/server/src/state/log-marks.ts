/**
 * Drops the log behind the state: every `snapshotCount` entries the state is made durable in the database, a mark in
 * the log says so, and entries older than the catch-up reserve go.
 *
 * This is etcd's scheme (server/etcdserver/server.go, snapshot): the database itself is the snapshot; a copy of it is
 * made only when a follower needs one.
 */
import type { LogIndex, SnapshotMeta } from '@etcd-ts/raft';
import type { ReplicatedState } from '../apply/replicated-state.ts';
import type { Consensus } from '../consensus/consensus.ts';
import type { Logger } from '../logger.ts';
import type { Databases } from './databases.ts';
import type { Flusher } from './flusher.ts';

/** What the marks are made of. */
export interface LogMarksParts {
  readonly state: ReplicatedState;
  readonly flusher: Flusher;
  readonly databases: Databases;
  readonly consensus: Pick<Consensus, 'compact'>;
  readonly log: Logger;
  readonly snapshotCount: number;
  readonly catchUpEntries: number;
  /** The state was made durable, and index pages were written with it. */
  readonly checkpointed: () => void;
}

/** Sets the marks behind which the log may be dropped. */
export class LogMarks {
  readonly #parts: LogMarksParts;
  /** Index of the newest mark, or of the state as it was opened. */
  #marked: LogIndex;
  #busy = false;

  constructor(parts: LogMarksParts) {
    this.#parts = parts;
    this.#marked = parts.state.appliedIndex;
  }

  /** More is applied. */
  applied(): void {
    const { snapshotCount, state } = this.#parts;
    if (this.#busy || state.appliedIndex - this.#marked < snapshotCount) return;
    this.#busy = true;
    const mark: SnapshotMeta = {
      index: state.appliedIndex,
      term: state.appliedTerm,
      confState: state.confState,
    };
    void this.#mark(mark);
  }

  /** The state was replaced by a snapshot, which is a mark itself. */
  installed(index: LogIndex): void {
    this.#marked = Math.max(this.#marked, index);
  }

  async #mark(mark: SnapshotMeta): Promise<void> {
    const { catchUpEntries, consensus, databases, flusher, log } = this.#parts;
    const database = databases.currentName;
    const isDurable = await flusher.checkpoint();
    this.#busy = false;
    if (!isDurable) return;
    this.#parts.checkpointed();
    // A snapshot that was installed meanwhile is the newer mark.
    if (databases.currentName !== database || mark.index <= this.#marked) return;
    this.#marked = mark.index;
    const compactIndex = consensus.compact(mark, Math.max(0, mark.index - catchUpEntries));
    log.info('saved snapshot', { 'snapshot-index': mark.index });
    if (compactIndex > 0) log.debug('compacted Raft logs', { 'compact-index': compactIndex });
  }
}
