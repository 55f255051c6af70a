/**
 * The store's edge towards an asynchronous backend: loading, writing behind, dumping and restoring.
 *
 * Nothing here decides anything: promises wait for the backend, the synchronous parts do the work.
 */
import type { Backend, BackendEntry, BackendOperation } from './backend.ts';
import { META_END, META_START } from './meta-table.ts';
import { RECORDS_END, RECORDS_START } from './revision.ts';
import { SnapshotError, SnapshotReader } from './snapshot-format.ts';
import { emptyState, MvccStore, type MvccStoreOptions } from './store.ts';
import { StoreLoader } from './store-loader.ts';
import type { WatchHub } from './watch-hub.ts';
import type { FlushBatch } from './write-behind.ts';

/** Records asked of the backend at once while loading. */
const LOAD_PAGE_ENTRIES = 4096;
/** Operations of one batch while restoring. */
const RESTORE_BATCH_OPERATIONS = 4096;

/** What a load may be given beside the store's settings. */
export interface OpenStoreOptions extends MvccStoreOptions {
  /** The hub of the store that this one replaces: its watchers read on here, from where they stand. */
  readonly hub?: WatchHub;
}

/**
 * Loads a store from its backend; an empty backend is an empty store.
 *
 * Leases are not attached by this: see `MvccStore.leasedKeys`.
 *
 * @throws InvariantError when the backend holds what no store has written.
 */
export async function openStore(
  backend: Backend,
  options: OpenStoreOptions = {},
): Promise<MvccStore> {
  const state = emptyState(backend, options);
  const loader = new StoreLoader(state);
  await forEachEntry(backend, META_START, META_END, (entry) => loader.meta(entry));
  loader.endMeta();
  await forEachEntry(backend, RECORDS_START, RECORDS_END, (entry) => loader.record(entry));
  loader.end();
  return new MvccStore(state, options.hub);
}

/**
 * Writes a store's changes behind it, one batch at a time.
 *
 * Failure: the first failed write is final. Every call rejects with it from then on, and the node stops; what the
 * backend holds is the state after some earlier batch, and the log has the rest.
 */
export class StoreFlusher {
  readonly #store: MvccStore;
  readonly #backend: Backend;
  #running: Promise<void> | undefined;

  constructor(store: MvccStore, backend: Backend) {
    this.#store = store;
    this.#backend = backend;
  }

  /** Resolves when everything that was dirty at the call is in the backend. */
  async flush(): Promise<void> {
    // The batch on its way was taken before this call; what this call is about is in the next one.
    if (this.#running !== undefined) await this.#running;
    // Several callers may have waited for the same batch; the first of them has taken the next one meanwhile.
    if (this.#running !== undefined) return this.#running;
    const batch = this.#store.takeFlush();
    if (batch === undefined) return undefined;
    this.#running = this.#write(batch);
    return this.#running;
  }

  async #write(batch: FlushBatch): Promise<void> {
    await this.#backend.write(batch.operations);
    this.#store.flushed(batch);
    this.#running = undefined;
  }
}

/**
 * Fills an empty backend from a snapshot's bytes, in pieces of any size. Open a store on it afterwards.
 *
 * @throws SnapshotError when the bytes are damaged or incomplete, or the backend is not empty; throw the backend away
 * then.
 */
export async function restoreSnapshot(
  backend: Backend,
  pieces: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
): Promise<void> {
  await forEachEntry(backend, RECORDS_START, RECORDS_END, refuseEntry);
  await forEachEntry(backend, META_START, META_END, refuseEntry);
  const reader = new SnapshotReader();
  let operations: BackendOperation[] = [];
  for await (const piece of pieces) {
    for (const { name, value } of reader.push(piece)) operations.push({ key: name, value });
    if (operations.length < RESTORE_BATCH_OPERATIONS) continue;
    await backend.write(operations);
    operations = [];
  }
  reader.finish();
  await backend.write(operations);
}

function refuseEntry(): void {
  throw new SnapshotError('the backend to restore into is not empty');
}

async function forEachEntry(
  backend: Backend,
  start: Uint8Array,
  end: Uint8Array,
  visit: (entry: BackendEntry) => void,
): Promise<void> {
  const iterator = backend.iterate(start, end);
  try {
    for (;;) {
      const page = await iterator.nextPage(LOAD_PAGE_ENTRIES);
      if (page.length === 0) return;
      for (const entry of page) visit(entry);
    }
  } finally {
    await iterator.close();
  }
}
