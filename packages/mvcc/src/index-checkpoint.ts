/**
 * The key index in the backend, as pages beside the records: written when the records are durable, read by the next load in
 * place of them.
 *
 * What always holds
 * - Pages tell of nothing that is not durable: they are written after the sync. So a crash may lose pages, but never
 *   leave one that knows too much.
 * - Nothing is dropped by a compaction while pages are written, and nothing that the durable pages do not tell of: with all
 *   versions through the compact revision in them, what a compaction left is found again by compacting them.
 * - A head names the pages that count, all of one generation, and the revision through which they go. Pages that are
 *   missing or damaged, or a head that is, mean that the records are read instead: pages hold nothing of their own.
 *
 * Bound: when most of what pages tell of has been compacted, all of them are written anew.
 */
import { concatBytes, crc32c, equalBytes } from '@etcd-ts/base';
import type { Backend, BackendOperation } from './backend.ts';
import {
  IndexPageError,
  makePage,
  PAGE_ENTRIES_MAX,
  type PageEntry,
  readPage,
} from './index-page.ts';
import type { VersionRef } from './key-index.ts';
import { pageAhead } from './read-ahead.ts';
import { readUint64, writeUint64 } from './revision.ts';
import type { ReadPin } from './read-pins.ts';
import type { StoreState } from './store-state.ts';

/** First byte of the names of pages and of their head: `i`. */
const INDEX_PREFIX = 0x69;
const INDEX_END = new Uint8Array([INDEX_PREFIX + 1]);
const HEAD_NAME = new Uint8Array([INDEX_PREFIX]);
const HEAD_NUMBERS_BYTES = 32;
const HEAD_BYTES: number = HEAD_NUMBERS_BYTES + 4;

/** Fewer revisions than this since the last pages are left to their records. */
export const INDEX_STEP_REVISIONS = 1024;

/** Entries beyond twice the revisions that are left, at which all pages are written anew. */
const GARBAGE_ENTRIES_MAX = 65_536;

/** Pages written in one batch. */
const BATCH_PAGES = 32;

/** Which pages count. */
export interface IndexHead {
  readonly generation: number;
  readonly pages: number;
  readonly entries: number;
  /** Every revision through this one is told of. */
  readonly through: number;
}

/** How pages are written. */
export interface CheckpointOptions {
  /** Lets others go on between two pages, each some tenths of a millisecond of work. @defaultValue no turns */
  readonly aTurn?: () => Promise<void>;
  /** @defaultValue {@link INDEX_STEP_REVISIONS} */
  readonly stepRevisions?: number;
  /** Entries of a page. @defaultValue {@link PAGE_ENTRIES_MAX} */
  readonly pageEntriesMax?: number;
}

/** Pages that are about to be written: begun before the records are made durable, ended afterwards. */
export class IndexCheckpoint {
  readonly #state: StoreState;
  readonly #through: number;
  readonly #pin: ReadPin;

  /** What is applied now is what the pages will tell of. @internal */
  constructor(state: StoreState) {
    this.#state = state;
    this.#through = state.revision;
    this.#pin = state.pins.add(-1);
  }

  /**
   * Writes the pages. Everything that was applied when this was made must be durable in the backend by now, and so are
   * the pages that were there before.
   */
  async write(options: CheckpointOptions): Promise<void> {
    const { stepRevisions = INDEX_STEP_REVISIONS } = options;
    const state = this.#state;
    const before = state.indexHead;
    state.durableIndexThrough = before?.through ?? -1;
    const isStale =
      before === undefined || before.entries > 2 * state.log.size + GARBAGE_ENTRIES_MAX;
    const since = isStale ? 0 : before.through;
    const through = this.#through;
    const isWanted = state.compactRevision > since && through > since;
    if (through - since < stepRevisions && !isWanted) return;
    // Pages that could not be used are not written over either: their head counts until there is a new one.
    const generation = (before?.generation ?? state.lostGeneration) + (isStale ? 1 : 0);
    const first = isStale ? 0 : before.pages;
    const from = { main: since + 1, sub: 0 };
    const written = await this.#writePages(from, generation, first, options);
    if (written === undefined) return;
    const entries = written.entries + (isStale ? 0 : before.entries);
    const head = { generation, pages: written.pages, entries, through };
    await state.backend.write([{ key: HEAD_NAME, value: headBytes(head) }]);
    state.indexHead = head;
    if (isStale) await removeOthers(state.backend, head);
    if (state.compactRevision <= state.durableIndexThrough) return;
    await state.backend.sync();
    state.durableIndexThrough = through;
  }

  /** Compactions may go on. Harmless when called again. */
  close(): void {
    this.#pin.release();
  }

  /** @returns undefined when a compaction would not wait. */
  async #writePages(
    from: VersionRef,
    generation: number,
    first: number,
    { aTurn, pageEntriesMax = PAGE_ENTRIES_MAX }: CheckpointOptions,
  ): Promise<{ readonly pages: number; readonly entries: number } | undefined> {
    let pages = first;
    let entries = 0;
    let batch: BackendOperation[] = [];
    for (let next: VersionRef | undefined = from; next !== undefined;) {
      if (this.#pin.isBroken) return undefined;
      const page = makePage(this.#state, next, this.#through, pageEntriesMax);
      next = page.next;
      batch.push({ key: pageName(generation, pages), value: page.bytes });
      pages += 1;
      entries += page.entries;
      if (batch.length === BATCH_PAGES || next === undefined) {
        await this.#state.backend.write(batch);
        batch = [];
      }
      await aTurn?.();
    }
    return { pages, entries };
  }
}

/** What the backend's head says; undefined when there is none, or a damaged one. */
export function readIndexHead(backend: Backend): IndexHead | undefined {
  const bytes = backend.get(HEAD_NAME);
  if (bytes === undefined || bytes.length !== HEAD_BYTES) return undefined;
  const checksum = new DataView(bytes.buffer, bytes.byteOffset).getUint32(HEAD_NUMBERS_BYTES);
  if (checksum !== crc32c(bytes, 0, 0, HEAD_NUMBERS_BYTES)) return undefined;
  const [generation, pages, entries, through] = [0, 8, 16, 24].map((at) => readUint64(bytes, at));
  return { generation, pages, entries, through } as IndexHead;
}

/**
 * Reads the pages that a head names.
 *
 * @param visit Is shown every entry with its page, in order of revision.
 * @throws IndexPageError when one is missing or damaged.
 */
export async function readIndex(
  backend: Backend,
  head: IndexHead,
  visit: (entry: PageEntry, page: Uint8Array) => void,
): Promise<void> {
  const { generation, pages, entries } = head;
  const iterator = backend.iterate(pageName(generation, 0), pageName(generation, pages));
  let reading = pageAhead(iterator, BATCH_PAGES);
  let [pagesRead, entriesRead] = [0, 0];
  try {
    for (;;) {
      const read = await reading;
      if (read.length === 0) break;
      reading = pageAhead(iterator, BATCH_PAGES);
      for (const [name, page] of read) {
        // Entries follow one another over pages: none is looked at behind one that is missing.
        if (!equalBytes(name, pageName(generation, pagesRead))) break;
        entriesRead += readPage(page, (entry) => visit(entry, page));
        pagesRead += 1;
      }
    }
  } finally {
    await reading.catch(() => undefined);
    await iterator.close();
  }
  if (pagesRead === pages && entriesRead === entries) return;
  throw new IndexPageError(
    `${pagesRead} index pages with ${entriesRead} entries, there should be ${pages} with ${entries}`,
  );
}

/** Removes the pages of other generations. */
async function removeOthers(backend: Backend, { generation }: IndexHead): Promise<void> {
  const name = pageName(generation, 0);
  const iterator = backend.iterate(pageName(0, 0), INDEX_END);
  try {
    for (;;) {
      const read = await iterator.nextPage(BATCH_PAGES);
      if (read.length === 0) return;
      const others = read.filter(([key]) => !isOfGeneration(key, name));
      await backend.write(others.map(([key]) => ({ key, value: undefined })));
    }
  } finally {
    await iterator.close();
  }
}

function isOfGeneration(key: Uint8Array, name: Uint8Array): boolean {
  for (let i = 0; i < 9; i++) if (key[i] !== name[i]) return false;
  return true;
}

function pageName(generation: number, number: number): Uint8Array {
  return concatBytes([HEAD_NAME, uint64(generation), uint64(number)]);
}

/** Four numbers of 8 bytes, and their CRC-32C. */
function headBytes({ generation, pages, entries, through }: IndexHead): Uint8Array {
  const bytes = new Uint8Array(HEAD_BYTES);
  for (const [i, value] of [generation, pages, entries, through].entries()) {
    writeUint64(bytes, i * 8, value);
  }
  new DataView(bytes.buffer).setUint32(HEAD_NUMBERS_BYTES, crc32c(bytes, 0, 0, HEAD_NUMBERS_BYTES));
  return bytes;
}

function uint64(value: number): Uint8Array {
  const bytes = new Uint8Array(8);
  writeUint64(bytes, 0, value);
  return bytes;
}
