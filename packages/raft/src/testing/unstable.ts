import type { Entry, LogIndex, SnapshotMeta, Term } from '../index.ts';

/**
 * etcd's view of what is not yet on disk, kept beside our core so that its log lines can be printed.
 *
 * Our core numbers its writes instead; nothing here decides anything.
 *
 * Invariant: `entries[i]` has index `offset + i`; `offset ≤ offsetInProgress ≤ offset + entries.length`.
 */
export class UnstableView {
  #offset: LogIndex;
  #offsetInProgress: LogIndex;
  #entries: Entry[] = [];
  #snapshot: SnapshotMeta | undefined;
  #snapshotInProgress = false;

  constructor(lastIndex: LogIndex) {
    this.#offset = lastIndex + 1;
    this.#offsetInProgress = this.#offset;
  }

  get offset(): LogIndex {
    return this.#offset;
  }

  get offsetInProgress(): LogIndex {
    return this.#offsetInProgress;
  }

  get length(): number {
    return this.#entries.length;
  }

  /** Entries that no Ready has handed out yet. */
  get nextEntries(): readonly Entry[] {
    return this.#entries.slice(this.#offsetInProgress - this.#offset);
  }

  /** The snapshot that no Ready has handed out yet. */
  get nextSnapshot(): SnapshotMeta | undefined {
    return this.#snapshotInProgress ? undefined : this.#snapshot;
  }

  get hasSnapshot(): boolean {
    return this.#snapshot !== undefined;
  }

  get hasAny(): boolean {
    return this.#entries.length > 0 || this.#snapshot !== undefined;
  }

  /** Takes new entries; returns etcd's log line about what they replaced, if any. */
  append(entries: readonly Entry[]): string | undefined {
    const [first] = entries;
    if (first === undefined) return undefined;
    const from = first.index;
    if (from === this.#offset + this.#entries.length) {
      this.#entries.push(...entries);
      return undefined;
    }
    if (from <= this.#offset) {
      this.#entries = [...entries];
      this.#offset = from;
      this.#offsetInProgress = from;
      return `replace the unstable entries from index ${from}`;
    }
    this.#entries = [...this.#entries.slice(0, from - this.#offset), ...entries];
    this.#offsetInProgress = Math.min(this.#offsetInProgress, from);
    return `truncate the unstable entries before index ${from}`;
  }

  restore(snapshot: SnapshotMeta): void {
    this.#offset = snapshot.index + 1;
    this.#offsetInProgress = this.#offset;
    this.#entries = [];
    this.#snapshot = snapshot;
    this.#snapshotInProgress = false;
  }

  /** A Ready handed out everything there is. */
  acceptInProgress(): void {
    this.#offsetInProgress = this.#offset + this.#entries.length;
    if (this.#snapshot !== undefined) this.#snapshotInProgress = true;
  }

  /** The log through (index, term) is on disk; returns etcd's log line when that is no news. */
  stableTo(index: LogIndex, term: Term): string | undefined {
    const entry = this.#entries[index - this.#offset];
    if (entry === undefined) {
      return this.#snapshot?.index === index
        ? `entry at index ${index} matched unstable snapshot; ignoring`
        : `entry at index ${index} missing from unstable log; ignoring`;
    }
    if (entry.term !== term) {
      return (
        `entry at (index,term)=(${index},${term}) mismatched with entry at ` +
        `(${entry.index},${entry.term}) in unstable log; ignoring`
      );
    }
    this.#entries = this.#entries.slice(index + 1 - this.#offset);
    this.#offset = index + 1;
    this.#offsetInProgress = Math.max(this.#offsetInProgress, this.#offset);
    return undefined;
  }

  stableSnapshotTo(index: LogIndex): void {
    if (this.#snapshot?.index !== index) return;
    this.#snapshot = undefined;
    this.#snapshotInProgress = false;
  }
}
