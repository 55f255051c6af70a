/** What a log says as of the last group that it took: enough to refuse one that does not continue it. */
import { assert } from '@etcd-ts/base';
import type { HardState, LogIndex, SnapshotMeta } from '@etcd-ts/raft';
import type { WalGroup } from './contents.ts';
import type { LogTerms } from './log-terms.ts';
import type { SegmentHeader } from './payload.ts';

/** Where a log stands. */
export interface LogPositionStart {
  readonly terms: LogTerms;
  readonly hardState: HardState;
  readonly newestMark: SnapshotMeta | undefined;
}

/** Follows a log group by group. */
export class LogPosition {
  readonly #terms: LogTerms;
  #hardState: HardState;
  #newestMark: SnapshotMeta | undefined;

  constructor({ terms, hardState, newestMark }: LogPositionStart) {
    this.#terms = terms;
    this.#hardState = hardState;
    this.#newestMark = newestMark;
  }

  get lastIndex(): LogIndex {
    return this.#terms.lastIndex;
  }

  /** Index of the newest snapshot that the log marks; 0 when it marks none. */
  get markedIndex(): LogIndex {
    return this.#newestMark?.index ?? 0;
  }

  /** What the header of a segment says that begins here. */
  header(): Pick<SegmentHeader, 'firstIndex' | 'hardState' | 'snapshot'> {
    const firstIndex = this.#terms.lastIndex + 1;
    return { firstIndex, hardState: this.#hardState, snapshot: this.#newestMark };
  }

  /** @throws InvariantError when the group does not continue the log. */
  take({ snapshot, entries, hardState }: WalGroup): void {
    if (snapshot !== undefined) {
      this.#terms.mark(snapshot.index, snapshot.term);
      if (snapshot.index >= this.markedIndex) this.#newestMark = snapshot;
    }
    let expected = entries[0]?.index ?? 0;
    for (const { index, term } of entries) {
      if (index !== expected) {
        assert(false, `wal: entry ${index} in a group where ${expected} comes next`);
      }
      const refusal = this.#terms.refuses(index, term);
      if (refusal !== undefined) assert(false, `wal: ${refusal}`);
      this.#terms.push(index, term);
      expected += 1;
    }
    if (hardState === undefined) return;
    const { term, commit } = hardState;
    const before = this.#hardState.term;
    assert(term >= before, () => `wal: term ${term} after term ${before}`);
    const last = this.#terms.lastIndex;
    assert(commit <= last, () => `wal: commit ${commit} beyond the last entry, ${last}`);
    this.#hardState = hardState;
  }
}
