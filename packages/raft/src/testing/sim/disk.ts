import { assert } from '@etcd-ts/base';
import type {
  Entry,
  HardState,
  LogIndex,
  PersistEffect,
  RaftInitialState,
  SnapshotMeta,
} from '../../index.ts';
import type { SimRandom } from './random.ts';

/** What a state machine is in the simulator: a digest of everything applied through `meta.index`. */
export interface SimSnapshot {
  readonly meta: SnapshotMeta;
  readonly digest: number;
}

/**
 * A disk that loses what was not synced.
 *
 * Invariant: the log has no gap; it begins at most one after the snapshot's index.
 */
export class SimDisk {
  snapshot: SimSnapshot;
  /** The state machine as the last restart would find it; never behind the snapshot. */
  machine: SimSnapshot;
  /** Entries from {@link logStart} on. */
  #entries: Entry[] = [];
  #logStart: LogIndex;
  #hardState: HardState;
  /** A commit index in the page cache: gone after a crash, unless a later sync took it along. */
  #cachedHardState: HardState | undefined;

  constructor(snapshot: SimSnapshot) {
    this.snapshot = snapshot;
    this.machine = snapshot;
    this.#logStart = snapshot.meta.index + 1;
    this.#hardState = { term: 0, vote: 0n, commit: snapshot.meta.index };
  }

  /** Durable term, vote and commit. */
  get hardState(): HardState {
    return this.#hardState;
  }

  get lastIndex(): LogIndex {
    return this.#logStart + this.#entries.length - 1;
  }

  entryAt(index: LogIndex): Entry | undefined {
    return this.#entries[index - this.#logStart];
  }

  /** True when (index, term) is durable here, in the log or under the snapshot. */
  holds(index: LogIndex, term: number): boolean {
    return index <= this.snapshot.meta.index || this.entryAt(index)?.term === term;
  }

  /** Writes a whole group and syncs it. `content` is the snapshot's, when the group has one. */
  write(group: PersistEffect, content: SimSnapshot | undefined): void {
    if (content !== undefined) this.#install(content);
    this.#append(group.entries);
    if (group.hardState !== undefined) this.#hardState = group.hardState;
    else if (this.#cachedHardState !== undefined) this.#hardState = this.#cachedHardState;
    this.#cachedHardState = undefined;
  }

  /** Writes a group that needs no sync: only its commit index is new. */
  cache(group: PersistEffect): void {
    assert(group.entries.length === 0, () => `group ${group.group} has entries but needs no sync`);
    this.#cachedHardState = group.hardState ?? this.#cachedHardState;
  }

  /** A crash tore the group: of its entries only the first `count` arrived, and no hard state. */
  tear(group: PersistEffect, count: number): void {
    if (group.snapshot === undefined) this.#append(group.entries.slice(0, count));
  }

  #install(content: SimSnapshot): void {
    assert(
      content.meta.index >= this.snapshot.meta.index,
      () => `R12: snapshot ${content.meta.index} installed over ${this.snapshot.meta.index}`,
    );
    this.snapshot = content;
    this.machine = content;
    this.#entries = [];
    this.#logStart = content.meta.index + 1;
  }

  #append(entries: readonly Entry[]): void {
    const [first] = entries;
    if (first === undefined) return;
    assert(
      first.index >= this.#logStart && first.index <= this.lastIndex + 1,
      () => `gap: entry ${first.index} written to a log ${this.#logStart}..${this.lastIndex}`,
    );
    this.#entries.length = first.index - this.#logStart;
    for (const entry of entries) this.#entries.push(entry);
  }

  /** A snapshot of the state machine is durable; entries through `compactIndex` are dropped. */
  compact(snapshot: SimSnapshot, compactIndex: LogIndex): void {
    this.snapshot = snapshot;
    if (this.machine.meta.index < snapshot.meta.index) this.machine = snapshot;
    if (compactIndex < this.#logStart) return;
    this.#entries = this.#entries.slice(compactIndex + 1 - this.#logStart);
    this.#logStart = compactIndex + 1;
  }

  /** What the node finds after a crash. The page cache may or may not have reached the platter. */
  recover(random: SimRandom): RaftInitialState {
    if (this.#cachedHardState !== undefined && random.perMille(500)) {
      this.#hardState = this.#cachedHardState;
    }
    this.#cachedHardState = undefined;
    return {
      hardState: this.#hardState,
      snapshotIndex: this.snapshot.meta.index,
      snapshotTerm: this.snapshot.meta.term,
      confState: this.snapshot.meta.confState,
      entries: this.#entries.slice(),
      applied: this.machine.meta.index,
    };
  }
}
