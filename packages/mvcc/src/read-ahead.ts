/**
 * Records of the backend read before they are needed, in order, for whoever walks the whole history: one page at a time
 * costs a fraction of reading record by record, and waiting for it gives everybody else a turn.
 *
 * What is not among them (records not yet written, or written after the reading began) is read one by one by the walker.
 */
import type { BackendEntry, BackendIterator } from './backend.ts';
import { recordMain, recordSub } from './revision.ts';

/** See the file's head. */
export class ReadAhead {
  #entries: readonly BackendEntry[] = [];
  #at = 0;
  #isAllRead = false;

  /** True when the records read are used up, and more may be given. */
  get isWanted(): boolean {
    return !this.#isAllRead && this.#at >= this.#entries.length;
  }

  /** True when there were records, and all are used up: a walker ends its step here, to be given more. */
  get isUsedUp(): boolean {
    return this.#entries.length > 0 && this.#at >= this.#entries.length;
  }

  /** Takes the backend's next records, in order from the first on; none means that there are no more. */
  give(entries: readonly BackendEntry[]): void {
    this.#entries = entries;
    this.#at = 0;
    this.#isAllRead = entries.length === 0;
  }

  /** The record of this revision, or undefined when it is not here. Revisions must ascend from call to call. */
  take(main: number, sub: number): Uint8Array | undefined {
    for (; this.#at < this.#entries.length; this.#at++) {
      const [name, record] = this.#entries[this.#at] as BackendEntry;
      const difference = recordMain(name) - main || recordSub(name) - sub;
      if (difference > 0) return undefined;
      if (difference < 0) continue;
      this.#at++;
      return record;
    }
    return undefined;
  }
}

/**
 * Begins to read the next page while the one before is worked through. What goes wrong meanwhile (the backend may be closed)
 * is told to whoever awaits the page, and until then to nobody: it is not a rejection that nobody handles.
 */
export function pageAhead(
  iterator: Pick<BackendIterator, 'nextPage'>,
  entriesMax: number,
): Promise<readonly BackendEntry[]> {
  const page = iterator.nextPage(entriesMax);
  page.catch(() => undefined);
  return page;
}
