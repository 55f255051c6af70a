/**
 * Which indexes a log holds, and of which terms: as little as it takes to tell whether a group continues it. Writing and
 * reading keep one each, so what is accepted is what can be read again.
 *
 * Invariants: offset ≤ lastIndex. Runs ascend by first index and by term, and cover exactly (offset, lastIndex].
 *
 * A log that is read from the middle on begins at an offset whose term is not known. That offset is no snapshot: what is
 * read may replace entries before it, and the log then begins there.
 */
import { assert } from '@etcd-ts/base';
import type { LogIndex, Term } from '@etcd-ts/raft';

interface Run {
  readonly firstIndex: LogIndex;
  readonly term: Term;
}

/** The indexes and terms of one log. */
export class LogTerms {
  #offset: LogIndex;
  /** Undefined when the log was read from its middle on. */
  #offsetTerm: Term | undefined;
  #lastIndex: LogIndex;
  /** The newest mark below the offset. Invariant: floor ≤ offset. */
  #floor: LogIndex = 0;
  #runs: Run[] = [];

  constructor(offset: LogIndex, offsetTerm: Term | undefined) {
    this.#offset = offset;
    this.#offsetTerm = offsetTerm;
    this.#lastIndex = offset;
  }

  /** The index before the first entry. */
  get offset(): LogIndex {
    return this.#offset;
  }

  /** The last entry's index; the offset when there is none. */
  get lastIndex(): LogIndex {
    return this.#lastIndex;
  }

  /** The last entry's term, or the offset's; undefined when that is not known. */
  get lastTerm(): Term | undefined {
    return this.#runs.at(-1)?.term ?? this.#offsetTerm;
  }

  /** Why an entry cannot come next; undefined when it can. It may replace the log from its index on. */
  refuses(index: LogIndex, term: Term): string | undefined {
    if (index > this.#lastIndex + 1) {
      return `entry ${index} does not follow entry ${this.#lastIndex}`;
    }
    const snapshot = this.#offsetTerm === undefined ? this.#floor : this.#offset;
    if (index <= snapshot) return `entry ${index} is behind the snapshot at ${snapshot}`;
    const before = this.termAt(index - 1);
    if (before !== undefined && term < before) {
      return `entry ${index} of term ${term} follows one of term ${before}`;
    }
    return undefined;
  }

  /** Takes an entry that {@link refuses} has nothing against. */
  push(index: LogIndex, term: Term): void {
    if (index <= this.#offset) this.#offset = index - 1;
    if (index <= this.#lastIndex) this.#truncate(index);
    const last = this.#runs.at(-1);
    if (last === undefined || last.term !== term) this.#runs.push({ firstIndex: index, term });
    this.#lastIndex = index;
  }

  /** The term of an index; undefined when the log does not hold it. */
  termAt(index: LogIndex): Term | undefined {
    if (index === this.#offset) return this.#offsetTerm;
    if (index < this.#offset || index > this.#lastIndex) return undefined;
    // Asked for every entry that is written, and nearly always of the last run.
    const last = this.#runs.at(-1);
    if (last !== undefined && index >= last.firstIndex) return last.term;
    return this.#runs.findLast((run) => run.firstIndex <= index)?.term;
  }

  /**
   * Takes a snapshot's mark: what it covers is gone. Entries behind it stay when the log holds (index, term); otherwise the
   * log begins anew (thesis §5.3).
   *
   * @returns `behind` when the log already begins at or after it, `kept` or `reset`.
   */
  mark(index: LogIndex, term: Term): 'behind' | 'kept' | 'reset' {
    if (index < this.#offset) {
      this.#floor = Math.max(this.#floor, index);
      return 'behind';
    }
    if (index === this.#offset) {
      this.#offsetTerm ??= term;
      return 'behind';
    }
    const isHeld = this.termAt(index) === term;
    if (isHeld) {
      const next = this.termAt(index + 1);
      this.#runs = this.#runs.filter((run) => run.firstIndex > index + 1);
      if (next !== undefined) this.#runs.unshift({ firstIndex: index + 1, term: next });
    } else {
      this.#runs = [];
      this.#lastIndex = index;
    }
    this.#offset = index;
    this.#offsetTerm = term;
    assert(this.#offset <= this.#lastIndex, 'a mark ends within the log');
    return isHeld ? 'kept' : 'reset';
  }

  #truncate(fromIndex: LogIndex): void {
    while ((this.#runs.at(-1)?.firstIndex ?? 0) >= fromIndex) this.#runs.pop();
    this.#lastIndex = fromIndex - 1;
  }
}
