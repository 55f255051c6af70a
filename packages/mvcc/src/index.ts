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
  type AppliedPosition,
  type FlushBatch,
  flushStore,
  HashKvScan,
  MetaTable,
  MvccStore,
  type MvccStoreOptions,
  openStore,
  RangePlan,
  restoreSnapshot,
  snapshotStore,
  WatchHub,
  WriteBehind,
  WriteTxn,
} from './store.ts';
export { checkDeleteRange, checkPut, checkRange, checkTxn, checkWatch } from './validation.ts';
export type { Watcher, WatcherState, WatchBatch, WatchRequest, WatchSink } from './watch.ts';
