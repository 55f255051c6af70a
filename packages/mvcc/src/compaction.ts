/**
 * Compaction: forgetting versions that no read at or above the compact revision reaches.
 *
 * Reads below the revision are refused at once; the versions are dropped afterwards in bounded steps, oldest first, by
 * walking the revision log. After a crash the walk begins again and drops what is left: which versions go depends on
 * the history and the compact revision alone, so the outcome is the same.
 *
 * One walk runs at a time, to a fixed target; compactions that come meanwhile share the next one.
 */
import { assert } from '@etcd-ts/base';
import { MvccError } from './errors.ts';
import { META_COMPACT, META_COMPACTED, numberBytes } from './meta-table.ts';
import type { LogEntry } from './revision-log.ts';
import type { StoreState } from './store-state.ts';

/** See the file's head. */
export class Compaction {
  readonly #state: StoreState;
  /** Versions dropped since the store was opened. */
  dropped = 0;
  #walk: { readonly target: number; main: number; sub: number } | undefined;

  constructor(state: StoreState) {
    this.#state = state;
  }

  /** True while versions are still to be dropped. */
  get isPending(): boolean {
    return this.#state.compactedRevision < this.#state.compactRevision;
  }

  /** True while a reader that has pinned a lower revision holds the walk up, or the index pages do not reach it. */
  get isHeld(): boolean {
    if (this.wantsCheckpoint) return true;
    const target = this.#walk?.target ?? this.#state.compactRevision;
    return this.#state.pins.hasBelow(target);
  }

  /**
   * True while index pages in the backend tell of less than is to be dropped: a delete that is dropped and that they do not
   * know would come undone when they are loaded. A checkpoint helps.
   */
  get wantsCheckpoint(): boolean {
    const { compactRevision, durableIndexThrough, indexHead } = this.#state;
    return this.isPending && indexHead !== undefined && durableIndexThrough < compactRevision;
  }

  /** Makes a revision the lowest that can be read. @throws MvccError COMPACTED, FUTURE_REVISION. */
  schedule(revision: number): void {
    const state = this.#state;
    if (revision <= state.compactRevision) {
      const through = state.compactRevision;
      throw new MvccError('COMPACTED', `revision ${revision}, compacted through ${through}`);
    }
    if (revision > state.revision) {
      const current = state.revision;
      throw new MvccError('FUTURE_REVISION', `revision ${revision}, the current one is ${current}`);
    }
    state.compactRevision = revision;
    state.meta.set(META_COMPACT, numberBytes(revision));
  }

  /**
   * Looks at up to this many revisions and drops those that can go.
   *
   * @returns true when there is more to do now: false when nothing is pending, or while it is held.
   */
  step(entriesMax: number): boolean {
    if (!this.isPending || this.isHeld) return false;
    this.#walk ??= { target: this.#state.compactRevision, main: 0, sub: 0 };
    const { target } = this.#walk;
    const next = this.#state.log.filter(this.#walk, target, entriesMax, (entry) =>
      this.#keep(entry, target),
    );
    if (next !== undefined) {
      this.#walk.main = next.main;
      this.#walk.sub = next.sub;
      return true;
    }
    this.#walk = undefined;
    this.#state.compactedRevision = target;
    this.#state.meta.set(META_COMPACTED, numberBytes(target));
    assert(target <= this.#state.compactRevision, 'a compaction ran ahead of its revision');
    return this.isPending;
  }

  #keep(entry: LogEntry, target: number): boolean {
    const state = this.#state;
    // A slot that was freed earlier in the walk may hold another key by now; that one does not know the version.
    if (state.index.has(entry.slot, entry)) {
      const freed = state.index.compact(entry.slot, target);
      if (freed) state.forget(entry.slot);
      else if (state.index.has(entry.slot, entry)) return true;
    }
    state.dirty.dropRecord(entry.main, entry.sub, entry.tombstone);
    state.recordBytes -= entry.bytes;
    this.dropped += 1;
    return false;
  }
}
