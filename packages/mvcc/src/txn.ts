/**
 * Transactions: compare, then one of two branches, nested to any depth, as one revision or not at all
 * (etcd server/etcdserver/txn/txn.go).
 *
 * In three passes. First every compare on the way is evaluated, all on the state before the transaction, which gives
 * the path: the branch taken here and in each nested transaction of that branch. Then the operations on the path are
 * checked. Only then are they executed, in order, each seeing what came before; by then none can fail.
 */
import { assert, toLatin1 } from '@etcd-ts/base';
import { BTree } from './btree.ts';
import { type Comparable, holdsOf, holdsOfAbsent } from './compare.ts';
import { MvccError } from './errors.ts';
import { isSingleKey, keyRange } from './key-range.ts';
import type { Seen } from './range-plan.ts';
import type {
  Compare,
  DeleteRangeRequest,
  PutRequest,
  RequestOp,
  TxnOpResult,
  TxnRequest,
  TxnResult,
} from './request.ts';
import type { StoreState } from './store-state.ts';
import { checkIgnored, checkLease, type WriteTxn } from './write-txn.ts';

/** The branch taken by a transaction, and by each nested one in it, by the operation's place. */
export interface TxnPath {
  readonly succeeded: boolean;
  readonly ops: readonly RequestOp[];
  readonly nested: ReadonlyMap<number, TxnPath>;
}

/** Evaluates the compares. Reads the newest state, changes nothing. */
export function choosePath(state: StoreState, request: TxnRequest): TxnPath {
  const succeeded = request.compare.every((compare) => holds(state, compare));
  const ops = succeeded ? request.success : request.failure;
  const nested = new Map<number, TxnPath>();
  ops.forEach((op, i) => {
    if (op.request?.$case === 'requestTxn') nested.set(i, choosePath(state, op.request.value));
  });
  return { succeeded, ops, nested };
}

/**
 * Whether everything on the path can be done. Puts are asked before ranges, as etcd does.
 *
 * @throws MvccError KEY_NOT_FOUND, LEASE_NOT_FOUND, FUTURE_REVISION, COMPACTED.
 */
export function checkPath(state: StoreState, path: TxnPath): void {
  checkPuts(state, path);
  checkRanges(state, path);
  checkTaken(path);
}

/** Does what is on a checked path. */
export function executePath(txn: WriteTxn, path: TxnPath): TxnOpResult[] {
  return path.ops.map((op, i): TxnOpResult => {
    const request = op.request;
    switch (request?.$case) {
      case 'requestRange':
        return { $case: 'responseRange', value: txn.range(request.value) };
      case 'requestPut':
        return { $case: 'responsePut', value: txn.put(request.value) };
      case 'requestDeleteRange':
        return { $case: 'responseDeleteRange', value: txn.deleteRange(request.value) };
      default:
        return { $case: 'responseTxn', value: executeNested(txn, nestedPath(path, i)) };
    }
  });
}

/** etcd leaves the header of a nested answer empty: revision 0. */
function executeNested(txn: WriteTxn, path: TxnPath): TxnResult {
  return { revision: 0, succeeded: path.succeeded, responses: executePath(txn, path) };
}

function checkPuts(state: StoreState, path: TxnPath): void {
  path.ops.forEach((op, i) => {
    const request = op.request;
    if (request === undefined) {
      throw new MvccError('KEY_NOT_FOUND', `operation ${i} of the transaction has no content`);
    }
    if (request.$case === 'requestTxn') checkPuts(state, nestedPath(path, i));
    if (request.$case !== 'requestPut') return;
    checkIgnored(state, request.value);
    checkLease(state, request.value);
  });
}

/**
 * A put that ignores value or lease needs its key also when its turn comes. Where an earlier delete of the same
 * transaction has taken the key, real etcd stops; here the transaction is refused.
 *
 * Only the keys of such puts are followed, in an ordered set, so that the cost stays O(n log n) in the operations.
 */
function checkTaken(path: TxnPath): void {
  const followed = new BTree(() => 0);
  forEachWrite(path, (put) => {
    if (put === undefined || !(put.ignoreValue || put.ignoreLease)) return;
    const key = toLatin1(put.key);
    if (followed.get(key) === undefined) followed.insert(key, THERE);
  });
  if (followed.size === 0) return;
  const isFollowed = new Set<string>();
  followed.scan('', undefined, (key) => isFollowed.add(key).size > 0);
  forEachWrite(path, (put, deleted) => {
    if (put !== undefined) {
      const key = toLatin1(put.key);
      if (!isFollowed.has(key) || followed.get(key) === THERE) return;
      if (put.ignoreValue || put.ignoreLease) {
        throw new MvccError('KEY_NOT_FOUND', 'the key is deleted earlier in the transaction');
      }
      followed.insert(key, THERE);
    } else if (deleted !== undefined) {
      const range = keyRange(deleted.key, deleted.rangeEnd);
      const taken: string[] = [];
      followed.scan(range.start, range.end, (key) => taken.push(key) > 0);
      for (const key of taken) followed.delete(key);
    }
  });
}

const THERE = 1;

/** Visits the puts and deletes of a path in order. */
function forEachWrite(
  path: TxnPath,
  visit: (put: PutRequest | undefined, deleted: DeleteRangeRequest | undefined) => void,
): void {
  path.ops.forEach((op, i) => {
    if (op.request?.$case === 'requestPut') visit(op.request.value, undefined);
    if (op.request?.$case === 'requestDeleteRange') visit(undefined, op.request.value);
    if (op.request?.$case === 'requestTxn') forEachWrite(nestedPath(path, i), visit);
  });
}

function nestedPath(path: TxnPath, i: number): TxnPath {
  const nested = path.nested.get(i);
  assert(nested !== undefined, () => `operation ${i} is a transaction without a path`);
  return nested;
}

function checkRanges(state: StoreState, path: TxnPath): void {
  path.ops.forEach((op, i) => {
    if (op.request?.$case === 'requestTxn') checkRanges(state, nestedPath(path, i));
    if (op.request?.$case === 'requestRange') checkRangeRevision(state, op.request.value.revision);
  });
}

/**
 * Unlike a range outside, 0 alone means current: a negative revision is compacted, and the revision that this
 * transaction will make is a future one.
 *
 * @throws MvccError FUTURE_REVISION, COMPACTED.
 */
export function checkRangeRevision(seen: Seen, revision: number): void {
  if (revision === 0) return;
  if (revision > seen.revision) {
    throw new MvccError(
      'FUTURE_REVISION',
      `revision ${revision}, the current one is ${seen.revision}`,
    );
  }
  if (revision < seen.compactRevision) {
    const through = seen.compactRevision;
    throw new MvccError('COMPACTED', `revision ${revision}, compacted through ${through}`);
  }
}

/** Every key of the compare's range must satisfy it; an empty range is as one absent key. */
function holds(state: StoreState, compare: Compare): boolean {
  const { index } = state;
  if (isSingleKey(compare.rangeEnd)) {
    const slot = index.find(compare.key);
    return slot >= 0 && index.isLive(slot)
      ? holdsOf(compare, new Newest(state, slot))
      : holdsOfAbsent(compare);
  }
  let found = false;
  let all = true;
  index.scan(keyRange(compare.key, compare.rangeEnd), (slot) => {
    if (!index.isLive(slot)) return true;
    found = true;
    all = holdsOf(compare, new Newest(state, slot));
    return all;
  });
  return found ? all : holdsOfAbsent(compare);
}

/** The newest version of a live key, each part looked up when it is asked for. */
class Newest implements Comparable {
  readonly #state: StoreState;
  readonly #slot: number;

  constructor(state: StoreState, slot: number) {
    this.#state = state;
    this.#slot = slot;
  }

  get createRevision(): number {
    return this.#state.index.createOf(this.#slot);
  }

  get modRevision(): number {
    return this.#state.index.mainOf(this.#slot);
  }

  get version(): number {
    return this.#state.index.versionOf(this.#slot);
  }

  get value(): Uint8Array {
    return this.#state.readNewest(this.#slot).value;
  }

  get lease(): bigint {
    return this.#state.index.leaseOf(this.#slot);
  }
}
