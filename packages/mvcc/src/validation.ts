/**
 * Whether a request contradicts itself: etcd's checks at the door, before anything is proposed
 * (etcd server/etcdserver/api/v3rpc/key.go and watch.go). They need no store.
 */
import { toLatin1 } from '@etcd-ts/base';
import { MvccError } from './errors.ts';
import { IntervalTree } from './interval-tree.ts';
import { isSingleKey, type KeyRange } from './key-range.ts';
import type {
  DeleteRangeRequest,
  PutRequest,
  RangeRequest,
  RequestOp,
  TxnRequest,
} from './request.ts';
import type { WatchRequest } from './watch.ts';

/** etcd's `--max-txn-ops`. */
export const TXN_OPS_MAX_DEFAULT = 128;

const SORT_ORDER_MAX = 2;
const SORT_TARGET_MAX = 4;

/** EMPTY_KEY, INVALID_SORT_OPTION. @returns the first problem, or undefined. */
export function checkRange(request: RangeRequest): MvccError | undefined {
  if (request.key.length === 0) return emptyKey();
  const { sortOrder, sortTarget } = request;
  if (!(sortOrder >= 0 && sortOrder <= SORT_ORDER_MAX)) {
    return new MvccError('INVALID_SORT_OPTION', `sort order ${sortOrder}`);
  }
  if (!(sortTarget >= 0 && sortTarget <= SORT_TARGET_MAX)) {
    return new MvccError('INVALID_SORT_OPTION', `sort target ${sortTarget}`);
  }
  return undefined;
}

/** EMPTY_KEY, VALUE_PROVIDED, LEASE_PROVIDED. @returns the first problem, or undefined. */
export function checkPut(request: PutRequest): MvccError | undefined {
  if (request.key.length === 0) return emptyKey();
  if (request.ignoreValue && request.value.length !== 0) {
    return new MvccError('VALUE_PROVIDED', `value of ${request.value.length} bytes`);
  }
  if (request.ignoreLease && request.lease !== 0n) {
    return new MvccError('LEASE_PROVIDED', `lease ${request.lease}`);
  }
  return undefined;
}

/** EMPTY_KEY. @returns the first problem, or undefined. */
export function checkDeleteRange(request: DeleteRangeRequest): MvccError | undefined {
  return request.key.length === 0 ? emptyKey() : undefined;
}

/**
 * TOO_MANY_OPS, then EMPTY_KEY of compares, then the operations, then DUPLICATE_KEY of each branch.
 *
 * @param opsMax Limit of the longest of the three lists; a nested transaction has what its parent's leaves over.
 * @returns the first problem, or undefined.
 */
export function checkTxn(request: TxnRequest, opsMax: number): MvccError | undefined {
  return (
    checkShape(request, opsMax) ??
    checkOverlaps(request.success).problem ??
    checkOverlaps(request.failure).problem
  );
}

/** COMPACTED for a negative start, WATCH_EMPTY_RANGE. @returns the first problem, or undefined. */
export function checkWatch(request: WatchRequest): MvccError | undefined {
  if (request.startRevision < 0) {
    return new MvccError('COMPACTED', `start revision ${request.startRevision}`);
  }
  const end = toLatin1(request.rangeEnd);
  const start = request.key.length === 0 ? '\0' : toLatin1(request.key);
  if (end !== '' && end !== '\0' && start >= end) {
    return new MvccError('WATCH_EMPTY_RANGE', 'the key is not below the range end');
  }
  return undefined;
}

function emptyKey(): MvccError {
  return new MvccError('EMPTY_KEY', 'key of 0 bytes, at least 1');
}

function checkShape(request: TxnRequest, opsMax: number): MvccError | undefined {
  const { compare, success, failure } = request;
  const ops = Math.max(compare.length, success.length, failure.length);
  if (ops > opsMax) return new MvccError('TOO_MANY_OPS', `${ops} operations, at most ${opsMax}`);
  for (const each of compare) if (each.key.length === 0) return emptyKey();
  for (const op of [...success, ...failure]) {
    const problem = checkOp(op, opsMax - ops);
    if (problem !== undefined) return problem;
  }
  return undefined;
}

function checkOp(op: RequestOp, opsMax: number): MvccError | undefined {
  switch (op.request?.$case) {
    case 'requestRange':
      return checkRange(op.request.value);
    case 'requestPut':
      return checkPut(op.request.value);
    case 'requestDeleteRange':
      return checkDeleteRange(op.request.value);
    case 'requestTxn':
      return checkShape(op.request.value, opsMax);
    default:
      return new MvccError('KEY_NOT_FOUND', 'an operation has no content');
  }
}

/** What a branch writes, nested transactions included. */
interface Writes {
  readonly puts: Set<string>;
  readonly deletes: KeyRange[];
  readonly problem: MvccError | undefined;
}

/**
 * No key may be put twice, nor be put inside a range that is deleted, by one branch.
 *
 * The branches of one nested transaction exclude each other and may put the same key. Nested puts are held against the
 * deletes of their parent and of nested transactions before them, not after. All of this as etcd has it.
 */
function checkOverlaps(ops: readonly RequestOp[]): Writes {
  const puts = new Set<string>();
  const deletes: KeyRange[] = [];
  const deleted = new IntervalTree<true>();
  const addDelete = (range: KeyRange): void => {
    deletes.push(range);
    deleted.add(range, true);
  };
  const conflict = (key: string): Writes => {
    const detail = `a key of ${key.length} bytes is written twice`;
    return { puts, deletes, problem: new MvccError('DUPLICATE_KEY', detail) };
  };
  for (const op of ops) {
    if (op.request?.$case !== 'requestDeleteRange') continue;
    const range = deletedRange(op.request.value);
    if (range !== undefined) addDelete(range);
  }
  for (const op of ops) {
    if (op.request?.$case !== 'requestTxn') continue;
    const success = checkOverlaps(op.request.value.success);
    if (success.problem !== undefined) return success;
    const failure = checkOverlaps(op.request.value.failure);
    if (failure.problem !== undefined) return failure;
    for (const key of success.puts) if (puts.has(key) || deleted.has(key)) return conflict(key);
    for (const key of failure.puts) if (puts.has(key) || deleted.has(key)) return conflict(key);
    for (const key of [...success.puts, ...failure.puts]) puts.add(key);
    for (const range of [...success.deletes, ...failure.deletes]) addDelete(range);
  }
  for (const op of ops) {
    if (op.request?.$case !== 'requestPut') continue;
    const key = toLatin1(op.request.value.key);
    if (puts.has(key) || deleted.has(key)) return conflict(key);
    puts.add(key);
  }
  return { puts, deletes, problem: undefined };
}

/**
 * The range of a delete as etcd's overlap check sees it: none when it ends before it begins, and so none for "from the
 * key on", whose end is `\0`. A put may therefore follow such a delete in one transaction.
 */
function deletedRange(request: DeleteRangeRequest): KeyRange | undefined {
  const start = toLatin1(request.key);
  if (isSingleKey(request.rangeEnd)) return { start, end: `${start}\0` };
  const end = toLatin1(request.rangeEnd);
  return end > start ? { start, end } : undefined;
}
