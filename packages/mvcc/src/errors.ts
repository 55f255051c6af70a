/**
 * Why the store refuses a request. Stable; the server gives each its gRPC status and etcd's text.
 *
 * - `COMPACTED`: the revision is below the compact revision (for a compaction: not above it).
 * - `FUTURE_REVISION`: the revision is above the current one.
 * - `KEY_NOT_FOUND`: ignore_value or ignore_lease of a key that does not exist; a transaction's operation that is empty.
 * - `LEASE_NOT_FOUND`: a put names a lease that does not exist.
 * - `EMPTY_KEY`, `VALUE_PROVIDED`, `LEASE_PROVIDED`, `TOO_MANY_OPS`, `DUPLICATE_KEY`, `INVALID_SORT_OPTION`: the
 *   request contradicts itself (see `validation.ts`).
 * - `WATCH_EMPTY_RANGE`: a watch on a range that holds no key.
 * - `CLOSED`: the backend was closed, or another took its place, before a read over several turns had ended.
 */
export type MvccErrorCode =
  | 'COMPACTED'
  | 'FUTURE_REVISION'
  | 'KEY_NOT_FOUND'
  | 'LEASE_NOT_FOUND'
  | 'EMPTY_KEY'
  | 'VALUE_PROVIDED'
  | 'LEASE_PROVIDED'
  | 'TOO_MANY_OPS'
  | 'DUPLICATE_KEY'
  | 'INVALID_SORT_OPTION'
  | 'WATCH_EMPTY_RANGE'
  | 'CLOSED';

/** etcd's text of each code, to the letter, without the `etcdserver: ` that its gRPC layer puts before most. */
const MESSAGES: Readonly<Record<MvccErrorCode, string>> = {
  COMPACTED: 'mvcc: required revision has been compacted',
  FUTURE_REVISION: 'mvcc: required revision is a future revision',
  KEY_NOT_FOUND: 'key not found',
  LEASE_NOT_FOUND: 'requested lease not found',
  EMPTY_KEY: 'key is not provided',
  VALUE_PROVIDED: 'value is provided',
  LEASE_PROVIDED: 'lease is provided',
  TOO_MANY_OPS: 'too many operations in txn request',
  DUPLICATE_KEY: 'duplicate key given in txn request',
  INVALID_SORT_OPTION: 'invalid sort option',
  WATCH_EMPTY_RANGE: 'mvcc: watcher range is empty',
  CLOSED: 'the store was closed while it was read',
};

/** A request that the store refuses, having changed nothing. `message` is etcd's, `detail` has the numbers. */
export class MvccError extends Error {
  override readonly name = 'MvccError';
  readonly code: MvccErrorCode;
  /** The actual value and the limit, for logs. Not stable. */
  readonly detail: string;

  constructor(code: MvccErrorCode, detail: string) {
    super(MESSAGES[code]);
    this.code = code;
    this.detail = detail;
  }
}
