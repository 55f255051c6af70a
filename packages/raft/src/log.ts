/**
 * The log after its compaction point, in memory, with the marks that move along it (thesis §3.5, §5).
 *
 * Invariants
 * - `entries[i].index = offset + 1 + i`; terms never decrease.
 * - `offset ≤ applied ≤ applying ≤ commit`, but while a snapshot is being installed `applied` may trail `offset`.
 * - `durable ≤ handed ≤ lastIndex`; `applying ≤ durable`.
 * - `configIndexes` are exactly the indexes of the membership changes in `entries`.
 * - `uncommittedBytes` is the size of the entries after `commit`.
 */
import { assert } from '@etcd-ts/base';
import type { Entry, LogIndex, Payload, SnapshotMeta, Term } from './entry.ts';

/** What an entry counts for in every byte limit besides its data: its index, term and kind. */
export const ENTRY_OVERHEAD_BYTES = 24;

/** What an entry counts for in every byte limit. */
export function payloadBytes(payload: Payload): number {
  switch (payload.kind) {
    case 'empty':
      return ENTRY_OVERHEAD_BYTES;
    case 'command':
      return ENTRY_OVERHEAD_BYTES + payload.data.length;
    case 'config':
      return (
        ENTRY_OVERHEAD_BYTES * (1 + payload.change.steps.length) + payload.change.context.length
      );
  }
}

/** The log of one node. Entries are shared and never mutated; the list of them belongs to the log. */
export class RaftLog {
  #entries: Entry[];
  #offset: LogIndex;
  #offsetTerm: Term;
  #configIndexes: LogIndex[] = [];
  #uncommittedBytes = 0;
  #commit: LogIndex;
  /** Entries through here are on this node's disk. */
  durable: LogIndex;
  /** Entries through here were given to a persist effect. */
  handed: LogIndex;
  /** Entries through here were given to an apply effect. */
  applying: LogIndex;
  /** The state machine holds everything through here. */
  applied: LogIndex;

  constructor(offset: LogIndex, offsetTerm: Term) {
    this.#entries = [];
    this.#offset = offset;
    this.#offsetTerm = offsetTerm;
    this.#commit = offset;
    this.durable = offset;
    this.handed = offset;
    this.applying = offset;
    this.applied = offset;
  }

  /** The last index that is no longer in the log; its term is still known. */
  get offset(): LogIndex {
    return this.#offset;
  }

  get firstIndex(): LogIndex {
    return this.#offset + 1;
  }

  get lastIndex(): LogIndex {
    return this.#offset + this.#entries.length;
  }

  get lastTerm(): Term {
    return this.#entries.at(-1)?.term ?? this.#offsetTerm;
  }

  /** The largest index known to be committed. Never decreases. */
  get commit(): LogIndex {
    return this.#commit;
  }

  get uncommittedBytes(): number {
    return this.#uncommittedBytes;
  }

  /** Indexes of the membership changes in the log, ascending. */
  get configIndexes(): readonly LogIndex[] {
    return this.#configIndexes;
  }

  /** The term of the entry at `index`; undefined when the log does not know it. */
  termAt(index: LogIndex): Term | undefined {
    if (index === this.#offset) return this.#offsetTerm;
    return this.#entries[index - this.#offset - 1]?.term;
  }

  entryAt(index: LogIndex): Entry | undefined {
    return this.#entries[index - this.#offset - 1];
  }

  /** True when the log holds (index, term). */
  matches(index: LogIndex, term: Term): boolean {
    return this.termAt(index) === term;
  }

  /** True when a log that ends in (index, term) is at least as complete as this one (thesis §3.6.1). */
  isUpToDate(index: LogIndex, term: Term): boolean {
    const { lastTerm } = this;
    return term > lastTerm || (term === lastTerm && index >= this.lastIndex);
  }

  /** Entries from `from` through `to`, as a new list. */
  slice(from: LogIndex, to: LogIndex): Entry[] {
    return this.#entries.slice(from - this.#offset - 1, to - this.#offset);
  }

  /** Entries from `from` through `to` of at most `maxBytes`, but at least one when there is one. */
  page(from: LogIndex, to: LogIndex, maxBytes: number): Entry[] {
    let bytes = 0;
    let end = from;
    for (; end <= to; end++) {
      const entry = this.entryAt(end);
      if (entry === undefined) break;
      bytes += payloadBytes(entry.payload);
      if (bytes > maxBytes && end > from) break;
    }
    return this.slice(from, end - 1);
  }

  /** The largest index ≤ `index` whose term is at most `term`, with its term (0: unknown). */
  findByTerm(index: LogIndex, term: Term): { readonly index: LogIndex; readonly term: Term } {
    let low = this.#offset - 1;
    let high = Math.min(index, this.lastIndex);
    // Terms never decrease: invariant of the search: term(low) ≤ term, or low is before the log.
    while (low < high) {
      const middle = low + Math.ceil((high - low) / 2);
      if ((this.termAt(middle) ?? 0) <= term) low = middle;
      else high = middle - 1;
    }
    return low < 0 ? { index: 0, term: 0 } : { index: low, term: this.termAt(low) ?? 0 };
  }

  /** Appends one entry right behind the last. */
  append(entry: Entry): void {
    const { lastIndex, lastTerm } = this;
    const follows = entry.index === lastIndex + 1 && entry.term >= lastTerm;
    // Said only when it is needed: this is the hottest line of the core.
    if (!follows) {
      assert(
        false,
        `entry (${entry.index}, ${entry.term}) does not follow (${lastIndex}, ${lastTerm})`,
      );
    }
    this.#entries.push(entry);
    this.#uncommittedBytes += payloadBytes(entry.payload);
    if (entry.payload.kind === 'config') this.#configIndexes.push(entry.index);
  }

  /** Cuts off everything after `index`. Only entries that are not committed. */
  truncateAfter(index: LogIndex): void {
    assert(
      index >= this.#commit,
      () =>
        `truncating the log after ${index} would lose entries committed through ${this.#commit}`,
    );
    for (let last = this.lastIndex; last > index; last--) {
      const entry = this.#entries.pop();
      if (entry !== undefined) this.#uncommittedBytes -= payloadBytes(entry.payload);
    }
    while ((this.#configIndexes.at(-1) ?? 0) > index) this.#configIndexes.pop();
    this.handed = Math.min(this.handed, index);
    this.durable = Math.min(this.durable, index);
  }

  /** Commits everything through `index`; false when that is no news. */
  commitTo(index: LogIndex): boolean {
    if (index <= this.#commit) return false;
    assert(
      index <= this.lastIndex,
      () => `commit index ${index} is beyond the last index ${this.lastIndex}`,
    );
    for (let at = this.#commit + 1; at <= index; at++) {
      const entry = this.entryAt(at);
      if (entry !== undefined) this.#uncommittedBytes -= payloadBytes(entry.payload);
    }
    this.#commit = index;
    return true;
  }

  /** Forgets entries through `index`, which are applied and covered by a snapshot. */
  compactTo(index: LogIndex): void {
    if (index <= this.#offset) return;
    const term = this.termAt(index);
    assert(
      term !== undefined && index <= this.applied,
      () => `compaction to ${index} is beyond what is applied (${this.applied})`,
    );
    this.#entries.splice(0, index - this.#offset);
    this.#offset = index;
    this.#offsetTerm = term;
    while ((this.#configIndexes[0] ?? index + 1) <= index) this.#configIndexes.shift();
  }

  /** Drops the whole log: it begins anew behind a snapshot that is still to be written and installed. */
  restore(snapshot: SnapshotMeta): void {
    const { index } = snapshot;
    assert(index > this.#commit, () => `snapshot ${index} is not ahead of commit ${this.#commit}`);
    this.#entries = [];
    this.#offset = index;
    this.#offsetTerm = snapshot.term;
    this.#configIndexes = [];
    this.#uncommittedBytes = 0;
    this.#commit = index;
    this.handed = index;
    this.durable = Math.min(this.durable, index);
  }

  /** The first membership change after `index`; undefined when there is none. */
  firstConfigAfter(index: LogIndex): LogIndex | undefined {
    for (const each of this.#configIndexes) if (each > index) return each;
    return undefined;
  }

  /** The number of membership changes after `from` through `to`. */
  configsBetween(from: LogIndex, to: LogIndex): number {
    return this.#configIndexes.filter((index) => index > from && index <= to).length;
  }

  clone(): RaftLog {
    const copy = new RaftLog(this.#offset, this.#offsetTerm);
    copy.#entries = [...this.#entries];
    copy.#configIndexes = [...this.#configIndexes];
    copy.#uncommittedBytes = this.#uncommittedBytes;
    copy.#commit = this.#commit;
    copy.durable = this.durable;
    copy.handed = this.handed;
    copy.applying = this.applying;
    copy.applied = this.applied;
    return copy;
  }
}
