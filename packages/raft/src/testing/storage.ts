import { assert, must } from '@etcd-ts/base';
import type { Entry, HardState, LogIndex, RaftInitialState, SnapshotMeta } from '../index.ts';

/**
 * A node's disk in a transcript: everything on it is durable.
 *
 * Invariant: entries are contiguous and begin at {@link firstIndex}, right after the base.
 */
export class TranscriptStorage {
  #base: SnapshotMeta;
  #entries: Entry[] = [];
  #hardState: HardState;
  /** One per applied entry, oldest first: what the state machine could offer at each index. */
  readonly #history: SnapshotMeta[] = [];

  constructor(base: SnapshotMeta) {
    this.#base = base;
    this.#hardState = { term: 0, vote: 0n, commit: base.index };
    this.#history.push(base);
  }

  get hardState(): HardState {
    return this.#hardState;
  }

  get entries(): readonly Entry[] {
    return this.#entries;
  }

  get firstIndex(): LogIndex {
    return this.#base.index + 1;
  }

  get lastIndex(): LogIndex {
    return this.#base.index + this.#entries.length;
  }

  /** The state machine's newest state: what etcd's test storage offers as its snapshot. */
  get newestSnapshot(): SnapshotMeta {
    return must(this.#history.at(-1), 'snapshot in the history');
  }

  saveHardState(hardState: HardState): void {
    this.#hardState = hardState;
  }

  /** Appends; the first entry cuts off whatever was there from its index on. */
  append(entries: readonly Entry[]): void {
    const [first] = entries;
    if (first === undefined) return;
    assert(first.index <= this.lastIndex + 1, () => `gap before entry ${first.index}`);
    const keep = Math.max(0, first.index - this.firstIndex);
    this.#entries = [...this.#entries.slice(0, keep), ...entries];
  }

  /** The disk fails its duty: entries from `index` on are gone. */
  lose(index: LogIndex): void {
    this.#entries = this.#entries.slice(0, Math.max(0, index - this.firstIndex));
  }

  /** A received snapshot replaces the log; it does not enter the history (the sender applied it, not we). */
  install(snapshot: SnapshotMeta): void {
    this.#base = snapshot;
    this.#entries = [];
  }

  /** An entry was applied: the state machine can now offer a snapshot there. */
  recordApplied(snapshot: SnapshotMeta): void {
    this.#history.push(snapshot);
  }

  /** Forgets entries through `index`; the base is the state machine's snapshot at that index. */
  compact(index: LogIndex): void {
    assert(
      index <= this.lastIndex,
      () => `compact ${index} is beyond the last index ${this.lastIndex}`,
    );
    if (index < this.firstIndex)
      throw new Error('requested index is unavailable due to compaction');
    const last = must(this.#entries[index - this.firstIndex], `entry ${index}`);
    const confState = (this.#history.findLast((snapshot) => snapshot.index <= index) ?? this.#base)
      .confState;
    this.#entries = this.#entries.slice(index - this.#base.index);
    this.#base = { index, term: last.term, confState };
  }

  /** What a restarted node finds. The state machine is gone: it begins again at the base. */
  recover(): RaftInitialState {
    const floor = {
      ...this.#hardState,
      commit: Math.max(this.#hardState.commit, this.#base.index),
    };
    this.#history.length = 0;
    this.#history.push(this.#base);
    return {
      hardState: floor,
      snapshotIndex: this.#base.index,
      snapshotTerm: this.#base.term,
      confState: this.#base.confState,
      entries: this.#entries,
      applied: this.#base.index,
    };
  }
}
