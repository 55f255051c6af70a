/**
 * The store's edge towards an asynchronous backend: loading, writing behind, dumping and restoring.
 *
 * Nothing here decides anything: promises wait for the backend, the synchronous parts do the work.
 */
import { equalBytes } from '@etcd-ts/base';
import type { Backend, BackendEntry, BackendOperation } from './backend.ts';
import type { StoreHash } from './hash-kv.ts';
import {
  type CheckpointOptions,
  type IndexHead,
  readIndex,
  readIndexHead,
} from './index-checkpoint.ts';
import { IndexPageError } from './index-page.ts';
import { bytesPosition, META_APPLIED, META_END, META_START, metaName } from './meta-table.ts';
import { pageAhead } from './read-ahead.ts';
import { recordName, RECORDS_END, RECORDS_START } from './revision.ts';
import type { SnapshotScan } from './snapshot.ts';
import { SnapshotError, SnapshotReader } from './snapshot-format.ts';
import { emptyState, MvccStore, type MvccStoreOptions } from './store.ts';
import { StoreLoader } from './store-loader.ts';
import type { StoreState } from './store-state.ts';
import type { WatchHub } from './watch-hub.ts';
import type { AppliedPosition, FlushBatch } from './write-behind.ts';

/** Records asked of the backend at once while loading. */
const LOAD_PAGE_ENTRIES = 1024;
/** A batch ends while restoring when it has this many operations, or bytes: 4 MiB. */
const RESTORE_BATCH_OPERATIONS = 4096;
const RESTORE_BATCH_BYTES: number = 4 << 20;

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
  const head = readIndexHead(backend);
  const state =
    (head === undefined ? undefined : await loadIndexed(backend, options, head)) ??
    (await loadRecords(backend, options, head));
  return new MvccStore(state, options.hub);
}

/** Loads what index pages tell of, and the records after them; undefined when the pages cannot be used. */
async function loadIndexed(
  backend: Backend,
  options: OpenStoreOptions,
  head: IndexHead,
): Promise<StoreState | undefined> {
  const state = emptyState(backend, options);
  const loader = await loaderOf(backend, state);
  try {
    await readIndex(backend, head, (entry, page) => loader.indexed(entry, page));
  } catch (error) {
    if (error instanceof IndexPageError) return undefined;
    throw error;
  }
  const start = recordName(head.through + 1, 0, false);
  await forEachEntry(backend, start, RECORDS_END, (entry) => loader.record(entry));
  loader.end();
  state.indexHead = head;
  return state;
}

/** Loads records alone, of which there may be pages that cannot be used. */
async function loadRecords(
  backend: Backend,
  options: OpenStoreOptions,
  head: IndexHead | undefined,
): Promise<StoreState> {
  const state = emptyState(backend, options);
  state.lostGeneration = head?.generation ?? 0;
  const loader = await loaderOf(backend, state);
  await forEachEntry(backend, RECORDS_START, RECORDS_END, (entry) => loader.record(entry));
  loader.end();
  return state;
}

async function loaderOf(backend: Backend, state: StoreState): Promise<StoreLoader> {
  const loader = new StoreLoader(state);
  await forEachEntry(backend, META_START, META_END, (entry) => loader.meta(entry));
  loader.endMeta();
  return loader;
}

/**
 * Writes everything that is dirty, makes it durable, and then the key index of it, which the next load reads in a fraction
 * of the time that the records would take.
 *
 * One at a time, and no other batch of this store meanwhile. A store that was written in this way once drops nothing of a
 * compaction before it is again: see `MvccStore.wantsCheckpoint`.
 */
export async function checkpointStore(
  store: MvccStore,
  options: CheckpointOptions = {},
): Promise<void> {
  const checkpoint = store.checkpoint();
  try {
    await flushStore(store);
    await store.backend.sync();
    await checkpoint.write(options);
  } finally {
    checkpoint.close();
  }
}

/** Where the state in a backend stands in the log, without loading it; undefined when it holds none. */
export function readApplied(backend: Pick<Backend, 'get'>): AppliedPosition | undefined {
  const bytes = backend.get(metaName(META_APPLIED));
  return bytes === undefined ? undefined : bytesPosition(bytes);
}

/** Batches on their way, by store. */
const flushing = new WeakMap<MvccStore, Promise<void>>();

/**
 * Writes a store's changes to its backend, one batch at a time. Resolves when everything that was dirty at the call is
 * there.
 *
 * Failure: the first failed write is final. Every call rejects with it from then on, and the node stops; what the
 * backend holds is the state after some earlier batch, and the log has the rest.
 */
export async function flushStore(store: MvccStore): Promise<void> {
  // The batch on its way was taken before this call; what this call is about is in the next one. When it has ended, the
  // first of those who waited takes the next batch for all of them.
  const running = flushing.get(store);
  if (running !== undefined) {
    await running;
    const next = flushing.get(store);
    if (next !== undefined) return next;
  }
  const batch = store.takeFlush();
  if (batch === undefined) return undefined;
  const written = writeBatch(store, batch);
  flushing.set(store, written);
  return written;
}

async function writeBatch(store: MvccStore, batch: FlushBatch): Promise<void> {
  await store.backend.write(batch.operations);
  store.flushed(batch);
  flushing.delete(store);
}

/** A snapshot on its way out. */
export interface StoreSnapshot {
  /** The copy is the state after this entry. */
  readonly applied: AppliedPosition;
  /** Its bytes, once. */
  readonly chunks: AsyncIterable<Uint8Array>;
  /** Lets compactions go on; nothing is read afterwards. Must be called once it is no longer wanted, read or not. */
  close(): void;
}

/** Bytes after which a chunk of a snapshot ends: 128 KiB. A record is never cut, so one may be larger. */
export const SNAPSHOT_CHUNK_BYTES: number = 128 << 10;
/** Revisions looked at, and records read, in one turn: some tenths of a millisecond. A chunk is made over several. */
const SNAPSHOT_STEP_ENTRIES = 64;

/**
 * A copy of the whole state as it is at the call, deterministic to the byte, while writes go on.
 *
 * Holds up further compactions until the loop over its chunks has ended, or it is closed.
 *
 * @param aTurn Gives others their turn. Left out: waiting for the backend is all the turn they get.
 */
export function snapshotStore(store: MvccStore, aTurn?: () => Promise<void>): StoreSnapshot {
  const scan = store.snapshot();
  return {
    applied: scan.applied,
    chunks: snapshotChunks(store.backend, scan, aTurn),
    close: () => scan.close(),
  };
}

async function* snapshotChunks(
  backend: Backend,
  scan: SnapshotScan,
  aTurn: (() => Promise<void>) | undefined,
): AsyncGenerator<Uint8Array> {
  // No page is read before it is wanted: that takes the loop's time too, when others may need it.
  const pages = backend.iterate(RECORDS_START, RECORDS_END);
  try {
    for (;;) {
      await aTurn?.();
      if (scan.wantsReadAhead) scan.readAhead(await pages.nextPage(SNAPSHOT_STEP_ENTRIES));
      const chunk = scan.next(SNAPSHOT_STEP_ENTRIES, SNAPSHOT_CHUNK_BYTES);
      if (chunk === undefined) return;
      if (chunk.length > 0) yield chunk;
    }
  } finally {
    scan.close();
    await pages.close();
  }
}

/** Records asked of the backend at once for a hash. */
const HASH_PAGE_ENTRIES = 256;
/** Versions hashed in one step: some tenths of a millisecond. */
const HASH_STEP_ENTRIES = 64;

/**
 * HashKV of the history through a revision (0: the current one), while writes go on.
 *
 * Holds up further compactions until it has ended.
 *
 * @param afterStep Called after each step, of some tenths of a millisecond; gives what to wait for when it is others' turn.
 * Left out: waiting for the backend is all the turn they get.
 * @throws MvccError FUTURE_REVISION; COMPACTED also when a compaction would not wait (`MvccStore.cancelReads`); CLOSED
 * when the backend had to be closed (`MvccStore.endReads`).
 */
export async function hashStore(
  store: MvccStore,
  revision: number,
  afterStep?: () => Promise<void> | undefined,
): Promise<StoreHash> {
  const scan = store.hashKv(revision);
  const pages = pagesOf(store.backend, [RECORDS_START, RECORDS_END], HASH_PAGE_ENTRIES);
  try {
    for (let isDone = false; !isDone;) {
      if (scan.wantsReadAhead) scan.readAhead((await pages.next()).value ?? []);
      isDone = scan.step(HASH_STEP_ENTRIES);
      const turn = afterStep?.();
      if (turn !== undefined) await turn;
    }
    const { hash, hashRevision, compactRevision } = scan;
    return { hash, hashRevision, compactRevision };
  } catch (error) {
    // A backend that was closed meanwhile says so in words of its own.
    scan.check();
    throw error;
  } finally {
    // In this order: once nobody reads any more the backend may be closed.
    await pages.return(undefined);
    scan.close();
  }
}

/**
 * Fills an empty backend from a snapshot's bytes, in pieces of any size. Open a store on it afterwards.
 *
 * The applied position is written last: a backend that was filled in part says that nothing was applied.
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
  const positionName = metaName(META_APPLIED);
  const last: BackendOperation[] = [];
  let operations: BackendOperation[] = [];
  let bytes = 0;
  for await (const piece of pieces) {
    for (const { name: key, value } of reader.push(piece)) {
      (equalBytes(key, positionName) ? last : operations).push({ key, value });
      bytes += key.length + value.length;
    }
    if (operations.length < RESTORE_BATCH_OPERATIONS && bytes < RESTORE_BATCH_BYTES) continue;
    await backend.write(operations);
    operations = [];
    bytes = 0;
  }
  reader.finish();
  await backend.write(operations);
  await backend.write(last);
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
  for await (const page of pagesOf(backend, [start, end], LOAD_PAGE_ENTRIES)) {
    for (const entry of page) visit(entry);
  }
}

/** Everything in [start, end), page by page; the backend reads the next page while one is worked through. */
async function* pagesOf(
  backend: Backend,
  [start, end]: readonly [Uint8Array, Uint8Array],
  entriesMax: number,
): AsyncGenerator<readonly BackendEntry[], undefined, undefined> {
  const iterator = backend.iterate(start, end);
  let reading = pageAhead(iterator, entriesMax);
  try {
    for (;;) {
      const page = await reading;
      if (page.length === 0) return;
      reading = pageAhead(iterator, entriesMax);
      yield page;
    }
  } finally {
    // A page may be on its way when the reader leaves; that it fails then is of no interest.
    await reading.catch(() => undefined);
    await iterator.close();
  }
}
