/**
 * The requests of the store: the shapes and names of etcd's messages, so that what the wire's codec decodes is
 * passed in as it is (structural typing), and nothing is converted on the hot path.
 */
import type { KeyValue } from './key-value.ts';

/** etcd RangeRequest. Numbers and rules: etcd's `server/etcdserver/txn/range.go`. */
export interface RangeRequest {
  key: Uint8Array;
  /** Empty: the one key. `\0`: every key from `key` on. */
  rangeEnd: Uint8Array;
  /** ≤ 0: no limit. */
  limit: number;
  /** ≤ 0: the current revision. */
  revision: number;
  /** 0 none, 1 ascend, 2 descend. */
  sortOrder: number;
  /** 0 key, 1 version, 2 create revision, 3 mod revision, 4 value. */
  sortTarget: number;
  serializable: boolean;
  keysOnly: boolean;
  countOnly: boolean;
  minModRevision: number;
  maxModRevision: number;
  minCreateRevision: number;
  maxCreateRevision: number;
}

/** `header` holds the only field that etcd fills inside a transaction. */
export interface RangeResult {
  /** Current revision of the store, never the requested one. */
  revision: number;
  kvs: KeyValue[];
  more: boolean;
  count: number;
}

/** etcd PutRequest. */
export interface PutRequest {
  key: Uint8Array;
  value: Uint8Array;
  lease: bigint;
  prevKv: boolean;
  ignoreValue: boolean;
  ignoreLease: boolean;
}

/** etcd PutResponse without its header. */
export interface PutResult {
  revision: number;
  prevKv?: KeyValue | undefined;
}

/** etcd DeleteRangeRequest; `rangeEnd` as in a range. */
export interface DeleteRangeRequest {
  key: Uint8Array;
  rangeEnd: Uint8Array;
  prevKv: boolean;
}

/** etcd DeleteRangeResponse without its header. */
export interface DeleteRangeResult {
  revision: number;
  deleted: number;
  prevKvs: KeyValue[];
}

/** etcd Compare. */
export interface Compare {
  /** 0 equal, 1 greater, 2 less, 3 not equal; any other result is true. */
  result: number;
  /** 0 version, 1 create, 2 mod, 3 value, 4 lease. */
  target: number;
  key: Uint8Array;
  targetUnion?:
    | { $case: 'version'; value: number }
    | { $case: 'createRevision'; value: number }
    | { $case: 'modRevision'; value: number }
    | { $case: 'value'; value: Uint8Array }
    | { $case: 'lease'; value: bigint }
    | undefined;
  rangeEnd: Uint8Array;
}

/** One operation of a transaction; exactly one variant is set, or none in a malformed request. */
export interface RequestOp {
  request?:
    | { $case: 'requestRange'; value: RangeRequest }
    | { $case: 'requestPut'; value: PutRequest }
    | { $case: 'requestDeleteRange'; value: DeleteRangeRequest }
    | { $case: 'requestTxn'; value: TxnRequest }
    | undefined;
}

/** etcd TxnRequest: all compares hold → `success`, else `failure`. */
export interface TxnRequest {
  compare: Compare[];
  success: RequestOp[];
  failure: RequestOp[];
}

/** etcd TxnResponse without its header. */
export interface TxnResult {
  /** Revision after the transaction; unchanged when it wrote nothing. */
  revision: number;
  succeeded: boolean;
  responses: TxnOpResult[];
}

/** What one operation of a transaction answered, in the order of the operations. */
export type TxnOpResult =
  | { $case: 'responseRange'; value: RangeResult }
  | { $case: 'responsePut'; value: PutResult }
  | { $case: 'responseDeleteRange'; value: DeleteRangeResult }
  | { $case: 'responseTxn'; value: TxnResult };
