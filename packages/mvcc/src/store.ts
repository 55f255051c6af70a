import type { Backend, BackendOperation } from './backend.ts';
import type { LeaseAttachments } from './lease-attachments.ts';
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
import type { Watcher, WatchRequest, WatchSink } from './watch.ts';
import type { KeyValue } from './key-value.ts';

/** Settings of a store. */
export interface MvccStoreOptions {
  /** Who keeps the leases. @defaultValue NO_LEASES */
  readonly leases?: LeaseAttachments;
  /** Bytes of values (overhead included) kept in memory for reads. @defaultValue 64 MiB */
  readonly valueCacheBytesMax?: number;
  /** Unwritten bytes above which `writeBehind.isFull`. @defaultValue 64 MiB */
  readonly dirtyBytesMax?: number;
  /** Seeds the hash of keys in memory, against crafted collisions; never reaches replicated state. @defaultValue 0 */
  readonly hashSeed?: number;
}

/** Where applied state stands in the log. */
export interface AppliedPosition {
  readonly index: number;
  readonly term: number;
}

/** Named blobs beside the keys, written in the same batch. All in memory. */
export declare class MetaTable {
  get(name: string): Uint8Array | undefined;
  set(name: string, value: Uint8Array): void;
  delete(name: string): void;
  /** Names with this prefix, sorted. */
  names(prefix: string): string[];
}

/** Changes not yet in the backend. */
export declare class WriteBehind {
  readonly dirtyBytes: number;
  /** True: flush before applying more. */
  readonly isFull: boolean;
  readonly isEmpty: boolean;
}

/** One batch on its way to the backend. */
export interface FlushBatch {
  readonly operations: readonly BackendOperation[];
  readonly applied: AppliedPosition;
}

/** A write transaction: one main revision for everything put and deleted through it. */
export declare class WriteTxn {
  /** Inside: sees its own writes. */
  range(request: RangeRequest): RangeResult;
  put(request: PutRequest): PutResult;
  deleteRange(request: DeleteRangeRequest): DeleteRangeResult;
  /** Publishes to watchers and makes the next revision current. @returns the store's revision. */
  end(): number;
}

/** A range read in slices at one revision. */
export declare class RangePlan {
  readonly revision: number;
  /** Keys in the range at that revision (limit and filters ignored): known at once. */
  readonly count: number;
  /** Next slice; empty: done. Throws COMPACTED when the plan was cancelled. */
  next(entriesMax: number, bytesMax: number): KeyValue[];
  /** True when the limit cut the result. Known after the end. */
  readonly more: boolean;
  close(): void;
}

/** Reads history for HashKV, in steps. */
export declare class HashKvScan {
  step(entriesMax: number): boolean;
  /** etcd's HashKV value, unsigned 32 bits. */
  readonly hash: number;
  readonly hashRevision: number;
  readonly compactRevision: number;
  close(): void;
}

/** All watchers of a store. */
export declare class WatchHub {
  watch(request: WatchRequest, sink: WatchSink): Watcher;
  /** Catches up watchers that are behind. @returns true when more is to do now. */
  step(entriesMax: number): boolean;
  /** The revision for a progress notice to these watchers, or undefined while any of them is not synced or not started. */
  progress(watchers: Iterable<Watcher>): number | undefined;
  readonly counts: { synced: number; behind: number; parked: number };
}

/** The multi-version store. */
export declare class MvccStore {
  /** 1 when empty. */
  readonly revision: number;
  /** -1 before the first compaction. */
  readonly compactRevision: number;
  readonly hub: WatchHub;
  readonly meta: MetaTable;
  readonly writeBehind: WriteBehind;
  readonly applied: AppliedPosition;
  /** Bytes of all records, also those that a running compaction has yet to drop; what the quota counts. */
  readonly sizeBytes: number;
  /** Bytes of records that reads can still reach. */
  readonly sizeInUseBytes: number;
  setApplied(index: number, term: number): void;
  range(request: RangeRequest): RangeResult;
  rangePlan(request: RangeRequest): RangePlan;
  put(request: PutRequest): PutResult;
  deleteRange(request: DeleteRangeRequest): DeleteRangeResult;
  txn(request: TxnRequest): TxnResult;
  beginWrite(): WriteTxn;
  /** Throws COMPACTED or FUTURE_REVISION. */
  compact(revision: number): void;
  /** A bounded piece of the running compaction. @returns true when more is to do. */
  compactStep(entriesMax: number): boolean;
  /** Every revision at or below this one that can go is gone from the store (and leaves the backend with the next flush). */
  readonly compactedRevision: number;
  hashKv(revision: number): HashKvScan;
  /** 64 bits over all live keys; equal on all members after the same index. */
  stateHash(): bigint;
  /** Live keys that have a lease: what a lessor needs after a load. */
  leasedKeys(): Iterable<{ key: string; lease: bigint }>;
  takeFlush(): FlushBatch | undefined;
  flushed(batch: FlushBatch): void;
}

/** Loads a store from its backend. */
export declare function openStore(backend: Backend, options?: MvccStoreOptions): Promise<MvccStore>;
/** Writes everything that is dirty now. Calls are queued, one batch at a time. */
export declare function flushStore(store: MvccStore): Promise<void>;
/** A deterministic copy of keys, meta and applied position, in chunks; writes go on meanwhile. */
export declare function snapshotStore(store: MvccStore): {
  readonly applied: AppliedPosition;
  readonly chunks: AsyncIterable<Uint8Array>;
};
/** Fills an empty backend from such a copy. Rejects when it is damaged or incomplete. */
export declare function restoreSnapshot(
  backend: Backend,
  chunks: AsyncIterable<Uint8Array>,
): Promise<void>;
