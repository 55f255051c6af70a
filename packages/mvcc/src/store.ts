/**
 * The multi-version store: every put and delete makes a revision, reads see the store at any revision that is not
 * compacted, watchers are told every change.
 *
 * Synchronous throughout. It is a state machine: the same calls in the same order give the same store, whichever
 * backend lies below. What it changes is held in `writeBehind` until somebody writes it down (`flushStore`); what it
 * reads comes from there, from the value cache, or from the backend's synchronous get.
 *
 * Errors are `MvccError` with a code, thrown before anything is changed. An `InvariantError` (a damaged backend, say)
 * stops the node.
 */
import type { Backend } from './backend.ts';
import { Compaction } from './compaction.ts';
import { CopyScan } from './copy-scan.ts';
import { HashKvScan } from './hash-kv.ts';
import { IndexCheckpoint } from './index-checkpoint.ts';
import { type LeaseAttachments, NO_LEASES } from './lease-attachments.ts';
import { META_SKIPPED, type MetaTable, numberBytes } from './meta-table.ts';
import { readRange } from './range.ts';
import { RangePlan } from './range-plan.ts';
import type {
  DeleteRangeRequest,
  DeleteRangeResult,
  PutRequest,
  PutResult,
  RangeRequest,
  RangeResult,
  TxnRequest,
  TxnResult,
} from './request.ts';
import { SnapshotScan } from './snapshot.ts';
import { SteppedRange } from './stepped-range.ts';
import { SteppedTxn } from './stepped-txn.ts';
import { type StoreConfig, StoreState } from './store-state.ts';
import { checkPath, choosePath, executePath } from './txn.ts';
import { WatchHub } from './watch-hub.ts';
import type { AppliedPosition, FlushBatch, WriteBehind } from './write-behind.ts';
import { type Change, checkPutNow, WriteTxn } from './write-txn.ts';
import { assert } from '@etcd-ts/base';

/** Settings of a store. */
export interface MvccStoreOptions {
  /** Who keeps the leases. @defaultValue NO_LEASES */
  readonly leases?: LeaseAttachments;
  /**
   * Bytes of newest versions kept in memory for reads, overhead included: a third for what was written lately, the
   * rest for what was read lately. What does not fit is read from the backend.
   *
   * @defaultValue 96 MiB
   */
  readonly valueCacheBytesMax?: number;
  /** Bytes not yet in the backend above which `writeBehind.isFull`. @defaultValue 32 MiB */
  readonly dirtyBytesMax?: number;
  /**
   * Seeds the hash of keys in memory, against crafted collisions. Never reaches replicated state: members may differ.
   *
   * @defaultValue 0
   */
  readonly hashSeed?: number;
}

const VALUE_CACHE_BYTES_DEFAULT = 96 << 20;
const DIRTY_BYTES_DEFAULT = 32 << 20;

/** See the file's head. Made by `openStore`. */
export class MvccStore {
  /** All watchers. */
  readonly hub: WatchHub;
  readonly #state: StoreState;
  readonly #compaction: Compaction;
  #isWriting = false;
  readonly #onWritten = (changes: readonly Change[]): void => {
    this.hub.publish(changes);
    this.#isWriting = false;
  };

  /** @internal */
  constructor(state: StoreState, hub?: WatchHub) {
    this.#state = state;
    this.#compaction = new Compaction(state);
    this.hub = hub ?? new WatchHub(state);
    hub?.moveTo(state);
  }

  /** The newest main revision; 1 when nothing was ever written. */
  get revision(): number {
    return this.#state.revision;
  }

  /** The lowest revision that can be read; -1 before the first compaction. */
  get compactRevision(): number {
    return this.#state.compactRevision;
  }

  /** Everything that a compaction through this revision drops is gone from the store (and with the next flush from the backend). */
  get compactedRevision(): number {
    return this.#state.compactedRevision;
  }

  /** Named blobs that belong to the same state. */
  get meta(): MetaTable {
    return this.#state.meta;
  }

  /** What is not yet in the backend. */
  get writeBehind(): WriteBehind {
    return this.#state.dirty;
  }

  /** Where the store's bytes lie. */
  get backend(): Backend {
    return this.#state.backend;
  }

  /** Where the store stands in the log. */
  get applied(): AppliedPosition {
    return this.#state.applied;
  }

  /** Bytes of all records and blobs, those included that a pending compaction has yet to drop. Before compression. */
  get sizeBytes(): number {
    return this.#state.recordBytes + this.#state.meta.bytes;
  }

  /** True while a compaction waits for {@link checkpointStore}, which was called before and has to be again. */
  get wantsCheckpoint(): boolean {
    return this.#compaction.wantsCheckpoint;
  }

  /** The key index as it is now is about to be written to the backend; to be closed. @internal */
  checkpoint(): IndexCheckpoint {
    return new IndexCheckpoint(this.#state);
  }

  /** Live keys. */
  get keyCount(): number {
    return this.#state.index.countLive({ start: '', end: undefined });
  }

  /** The entry at this index is applied, whatever it did. Indexes only rise. */
  setApplied(index: number, term: number): void {
    const { applied } = this.#state;
    assert(index >= applied.index, () => `applied ${index} after ${applied.index}`);
    this.#state.applied = { index, term };
    this.#state.dirty.touchPosition();
  }

  /** Reads a range at once. @throws MvccError COMPACTED, FUTURE_REVISION. */
  range(request: RangeRequest): RangeResult {
    return readRange(this.#state, request, this.#state.revision);
  }

  /** Reads a large range in key order, to be passed on slice by slice. Close it. @throws MvccError COMPACTED, FUTURE_REVISION. */
  rangePlan(request: RangeRequest): RangePlan {
    return new RangePlan(this.#state, request);
  }

  /** Reads a large range in steps. Close it. @throws MvccError COMPACTED, FUTURE_REVISION. */
  steppedRange(request: RangeRequest): SteppedRange {
    return new SteppedRange(this.#state, request);
  }

  /** Does a transaction that has nothing but ranges in steps. Close it. */
  steppedTxn(request: TxnRequest): SteppedTxn {
    return new SteppedTxn(this.#state, request);
  }

  /** Puts one key. @throws MvccError LEASE_NOT_FOUND, KEY_NOT_FOUND. */
  put(request: PutRequest): PutResult {
    checkPutNow(this.#state, request);
    const txn = this.beginWrite();
    const result = txn.put(request);
    txn.end();
    return result;
  }

  /** Deletes the keys of a range; no new revision when there is none. */
  deleteRange(request: DeleteRangeRequest): DeleteRangeResult {
    const txn = this.beginWrite();
    const result = txn.deleteRange(request);
    txn.end();
    return result;
  }

  /**
   * Compares, then does one branch, as one revision or not at all.
   *
   * The request has passed `checkTxn`.
   *
   * @throws MvccError KEY_NOT_FOUND, LEASE_NOT_FOUND, FUTURE_REVISION, COMPACTED; nothing is written then.
   */
  txn(request: TxnRequest): TxnResult {
    const path = choosePath(this.#state, request);
    checkPath(this.#state, path);
    const txn = this.beginWrite();
    const responses = executePath(txn, path);
    return { revision: txn.end(), succeeded: path.succeeded, responses };
  }

  /** Opens a write transaction, which must be ended in the same turn. One at a time. */
  beginWrite(): WriteTxn {
    assert(!this.#isWriting, 'a write transaction is open already');
    this.#isWriting = true;
    return new WriteTxn(this.#state, this.#onWritten);
  }

  /**
   * Jumps to a later revision without writing anything; all through it counts as compacted. For a restored copy, whose
   * readers must not meet a revision again that the original went on to give to something else.
   */
  skipTo(revision: number): void {
    const state = this.#state;
    assert(
      Number.isSafeInteger(revision) && revision > state.revision,
      () => `revision ${revision} does not come after ${state.revision}`,
    );
    state.revision = revision;
    state.meta.set(META_SKIPPED, numberBytes(revision));
    this.compact(revision);
  }

  /** Makes a revision the lowest that can be read. @throws MvccError COMPACTED, FUTURE_REVISION. */
  compact(revision: number): void {
    this.#compaction.schedule(revision);
  }

  /**
   * A bounded piece of the pending compaction.
   *
   * @param entriesMax How many revisions to look at.
   * @returns true when there is more to do now; false when it is done, or waits for a pinned read
   * (`isCompactionHeld`).
   */
  compactStep(entriesMax: number): boolean {
    return this.#compaction.step(entriesMax);
  }

  /** True while versions are still to be dropped. */
  get isCompacting(): boolean {
    return this.#compaction.isPending;
  }

  /** Versions that compactions have dropped since the store was opened. */
  get droppedCount(): number {
    return this.#compaction.dropped;
  }

  /** What reads over several turns now, at a revision of its own: ranges, transactions, hashes, snapshots. */
  get openReadCount(): number {
    return this.#state.pins.size;
  }

  /** True while such a read below the compact revision holds the dropping up. */
  get isCompactionHeld(): boolean {
    return this.#compaction.isPending && this.#compaction.isHeld;
  }

  /**
   * Breaks the reads that hold a compaction up: their next step throws COMPACTED. For a caller who has waited for them
   * long enough.
   *
   * @param which `reads` spares the snapshots.
   * @returns how many there were.
   */
  cancelReads(which: 'reads' | 'all' = 'all'): number {
    const { compactRevision, pins } = this.#state;
    return pins.break(
      'COMPACTED',
      ({ revision, isSnapshot }) => revision < compactRevision && (which === 'all' || !isSnapshot),
    );
  }

  /**
   * Breaks what reads over several turns: its next step throws CLOSED. For whoever is about to close the backend.
   *
   * @param which `reads` spares the snapshots.
   * @returns how many there were.
   */
  endReads(which: 'reads' | 'all' = 'all'): number {
    return this.#state.pins.break('CLOSED', ({ isSnapshot }) => which === 'all' || !isSnapshot);
  }

  /** Calls back once nothing reads over several turns any more: now, or in the turn in which the last of it ends. */
  whenUnread(callback: () => void): void {
    this.#state.pins.whenNone(callback);
  }

  /** etcd's checksum of the history through a revision (0: the current one). Close it. @throws MvccError COMPACTED, FUTURE_REVISION. */
  hashKv(revision: number): HashKvScan {
    return new HashKvScan(this.#state, revision);
  }

  /** A copy of the whole state as it is now, in slices, while writes go on. Close it. */
  snapshot(): SnapshotScan {
    return new SnapshotScan(this.#state);
  }

  /** The same copy as blobs and records, for another format. Close it. */
  copy(): CopyScan {
    return new CopyScan(this.#state);
  }

  /** 64 bits over all live keys, revision and compact revision: equal on all members after the same entry. O(1). */
  stateHash(): bigint {
    return this.#state.hash.digest(this.#state.revision, this.#state.compactRevision);
  }

  /** The state hash in 53 bits, for whoever compares after every entry: nothing is made for it. O(1). */
  stateFingerprint(): number {
    return this.#state.hash.fingerprint(this.#state.revision, this.#state.compactRevision);
  }

  /** Live keys that have a lease, in key order: what a lessor needs after a load. */
  leasedKeys(): { readonly key: string; readonly lease: bigint }[] {
    const { index } = this.#state;
    const found: { key: string; lease: bigint }[] = [];
    if (!index.hadLeases) return found;
    index.scan({ start: '', end: undefined }, (slot) => {
      if (index.hasLease(slot)) found.push({ key: index.keyOf(slot), lease: index.leaseOf(slot) });
      return true;
    });
    return found;
  }

  /** Everything that is dirty, as one batch; undefined when nothing is, or while a batch is on its way. */
  takeFlush(): FlushBatch | undefined {
    assert(!this.#isWriting, 'a batch is taken inside a write transaction');
    return this.#state.dirty.take(this.#state.applied);
  }

  /** The batch is in the backend. */
  flushed(batch: FlushBatch): void {
    this.#state.cacheWritten(batch);
  }

  /** @throws InvariantError when an invariant of the store does not hold. For tests and simulations: walks everything. */
  check(): void {
    this.#state.index.check();
    this.#state.log.check();
    assert(this.compactedRevision <= this.compactRevision, 'compacted above the compact revision');
    assert(this.compactRevision <= this.revision, 'the compact revision is in the future');
  }
}

/** The settings with nothing left out. @internal */
export function storeConfig(options: MvccStoreOptions): StoreConfig {
  return {
    leases: options.leases ?? NO_LEASES,
    valueCacheBytesMax: options.valueCacheBytesMax ?? VALUE_CACHE_BYTES_DEFAULT,
    dirtyBytesMax: options.dirtyBytesMax ?? DIRTY_BYTES_DEFAULT,
    hashSeed: options.hashSeed ?? 0,
  };
}

/** A store over an empty backend. @internal */
export function emptyState(backend: Backend, options: MvccStoreOptions): StoreState {
  return new StoreState(backend, storeConfig(options));
}
