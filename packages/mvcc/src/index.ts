export type { CheckpointOptions } from './index-checkpoint.ts';
export {
  type Backend,
  type BackendEntry,
  type BackendIterator,
  type BackendOperation,
  PAGE_BYTES_MAX,
} from './backend.ts';
export { MvccError, type MvccErrorCode } from './errors.ts';
export { type Event, EVENT_DELETE, EVENT_PUT, type KeyValue } from './key-value.ts';
export { type LeaseAttachments, NO_LEASES } from './lease-attachments.ts';
export type {
  Compare,
  DeleteRangeRequest,
  DeleteRangeResult,
  PutRequest,
  PutResult,
  RangeRequest,
  RangeResult,
  RequestOp,
  TxnOpResult,
  TxnRequest,
  TxnResult,
} from './request.ts';
export {
  type LevelBackendOptions,
  levelBackend,
  type LevelBatch,
  type LevelDatabase,
  type LevelIterator,
  type LevelIteratorOptions,
  type LoopTurns,
} from './level-backend.ts';
export { memoryBackend } from './memory-backend.ts';
export type { MetaTable } from './meta-table.ts';
export type { HashKvScan, StoreHash } from './hash-kv.ts';
export {
  checkpointStore,
  flushStore,
  hashStore,
  type OpenStoreOptions,
  openStore,
  readApplied,
  restoreSnapshot,
  SNAPSHOT_CHUNK_BYTES,
  snapshotStore,
  type StoreSnapshot,
} from './open-store.ts';
export type { RangePlan } from './range-plan.ts';
export type { CopyScan } from './copy-scan.ts';
export type { SnapshotScan } from './snapshot.ts';
export type { SteppedRange, SteppedRead } from './stepped-range.ts';
export type { SteppedTxn } from './stepped-txn.ts';
export { SnapshotError } from './snapshot-format.ts';
export { copyStore, fillBackend, type StoreContent, type StoreCopy } from './store-copy.ts';
export { MvccStore, type MvccStoreOptions } from './store.ts';
export {
  checkDeleteRange,
  checkPut,
  checkRange,
  checkTxn,
  checkWatch,
  TXN_OPS_MAX_DEFAULT,
} from './validation.ts';
export type { Watcher, WatcherState, WatchBatch, WatchRequest, WatchSink } from './watch.ts';
export type { WatcherCounts, WatchHub } from './watch-hub.ts';
export type { AppliedPosition, FlushBatch, WriteBehind } from './write-behind.ts';
export type { WriteTxn } from './write-txn.ts';
