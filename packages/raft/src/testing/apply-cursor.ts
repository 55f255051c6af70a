import type { Entry, LogIndex } from '../index.ts';
import { entryBytes } from './entry-size.ts';

/**
 * Which committed entries etcd would hand out next, and which it has.
 *
 * Pages are bounded in bytes; a page that was cut, or that fills the bound, holds the next one back until
 * something is acknowledged.
 *
 * Invariant: `applied ≤ applying`.
 */
export class ApplyCursor {
  readonly #bytesMax: number;
  #applying: LogIndex;
  #applied: LogIndex;
  #bytes = 0;
  #isPaused = false;

  constructor(applied: LogIndex, bytesMax: number) {
    this.#applying = applied;
    this.#applied = applied;
    this.#bytesMax = bytesMax;
  }

  /** The last entry that was handed out. */
  get applying(): LogIndex {
    return this.#applying;
  }

  /** The last entry that was acknowledged. */
  get applied(): LogIndex {
    return this.#applied;
  }

  /** The page of entries through `last` that is due; at least one entry fits. */
  next(
    last: LogIndex,
    entries: (from: LogIndex, to: LogIndex) => readonly Entry[],
  ): readonly Entry[] {
    if (this.#isPaused || last <= this.#applying) return [];
    const page: Entry[] = [];
    let bytes = 0;
    for (const entry of entries(this.#applying + 1, last)) {
      bytes += entryBytes(entry);
      if (page.length > 0 && bytes > this.#bytesMax - this.#bytes) break;
      page.push(entry);
    }
    return page;
  }

  /** A page was handed out, of entries through `last`. */
  handOut(page: readonly Entry[], last: LogIndex): void {
    const end = page.at(-1);
    if (end === undefined) return;
    this.#applying = end.index;
    for (const entry of page) this.#bytes += entryBytes(entry);
    this.#isPaused = this.#bytes >= this.#bytesMax || end.index < last;
  }

  /** A page was applied. */
  acknowledge(page: readonly Entry[]): void {
    const end = page.at(-1);
    if (end === undefined) return;
    this.#applied = Math.max(this.#applied, end.index);
    for (const entry of page) this.#bytes -= entryBytes(entry);
    this.#isPaused = this.#bytes >= this.#bytesMax;
  }

  /** A snapshot took the place of everything through `index`. */
  jump(index: LogIndex): void {
    this.#applied = Math.max(this.#applied, index);
    this.#applying = Math.max(this.#applying, index);
  }
}
