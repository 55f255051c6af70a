/**
 * Reading a range at one revision, with every option of etcd's RangeRequest
 * (etcd server/etcdserver/txn/range.go and server/storage/mvcc/kvstore_txn.go).
 *
 * Three facts that surprise: `count` is the number of keys in the range whatever limit and filters say; a sort target
 * without an order sorts what the limit left in key order; with an order or a filter everything is read before the
 * limit cuts.
 */
import { compareBytes, EMPTY_BYTES, fromLatin1 } from '@etcd-ts/base';
import { MvccError } from './errors.ts';
import { isSingleKey, type KeyRange, keyRange } from './key-range.ts';
import type { KeyValue } from './key-value.ts';
import type { RangeRequest, RangeResult } from './request.ts';
import type { StoreState } from './store-state.ts';

const ORDER_NONE = 0;
const ORDER_ASCEND = 1;
const ORDER_DESCEND = 2;
const TARGET_KEY = 0;
const TARGET_VALUE = 4;

/**
 * The revision that a range reads at.
 *
 * @param current The newest revision that the reader may see: inside a transaction that has written, its own.
 * @throws MvccError FUTURE_REVISION, COMPACTED.
 */
export function readRevision(
  state: Pick<StoreState, 'compactRevision'>,
  requested: number,
  current: number,
): number {
  if (requested > current) {
    throw new MvccError('FUTURE_REVISION', `revision ${requested}, the current one is ${current}`);
  }
  const revision = requested <= 0 ? current : requested;
  if (revision < state.compactRevision) {
    throw new MvccError(
      'COMPACTED',
      `revision ${revision}, compacted through ${state.compactRevision}`,
    );
  }
  return revision;
}

/** Reads a whole range at once. @throws MvccError FUTURE_REVISION, COMPACTED. */
export function readRange(state: StoreState, request: RangeRequest, current: number): RangeResult {
  const revision = readRevision(state, request.revision, current);
  const read: Read = { state, request, revision, needsValues: needsValues(request) };
  if (isSingleKey(request.rangeEnd)) return readKey(read, current);
  const range = keyRange(request.key, request.rangeEnd);
  if (request.countOnly) {
    return { revision: current, kvs: [], more: false, count: countRange(state, range, revision) };
  }
  const fetchMax = fetchLimit(request);
  const kvs: KeyValue[] = [];
  let count = 0;
  const countsByScan = revision < state.index.newestRevision;
  state.index.scan(range, (slot) => {
    if (!state.index.isLiveAt(slot, revision)) return true;
    count++;
    if (count <= fetchMax) take(read, slot, kvs);
    return countsByScan || count < fetchMax;
  });
  if (!countsByScan) count = state.index.countLive(range);
  return { revision: current, ...finishRange(request, kvs), count };
}

/** How many keys of the range are live at the revision. */
export function countRange(state: StoreState, range: KeyRange, revision: number): number {
  if (revision >= state.index.newestRevision) return state.index.countLive(range);
  let count = 0;
  state.index.scan(range, (slot) => {
    if (state.index.isLiveAt(slot, revision)) count++;
    return true;
  });
  return count;
}

/** One read: what the steps of it share. */
export interface Read {
  readonly state: StoreState;
  readonly request: RangeRequest;
  readonly revision: number;
  /** False when what the index knows is enough. */
  readonly needsValues: boolean;
  /** True when what is read is not to be kept: it would push out what is read again. */
  readonly isScan?: boolean;
}

/** False when the answer can be made from the index alone. */
export function needsValues(request: RangeRequest): boolean {
  return !request.keysOnly || (isSorted(request) && request.sortTarget === TARGET_VALUE);
}

/** How many keys are read in key order before sorting, filtering and cutting: one more than asked, to know `more`. */
export function fetchLimit(request: RangeRequest): number {
  const readsAll = request.sortOrder !== ORDER_NONE || isFiltered(request);
  return readsAll || request.limit <= 0 ? Infinity : request.limit + 1;
}

/** Adds the slot's version at the read's revision, when it passes the filters. */
export function take(read: Read, slot: number, into: KeyValue[]): void {
  const { state, request, revision } = read;
  const isNewest = state.index.mainOf(slot) <= revision;
  const kv = !isNewest
    ? readOld(read, slot)
    : read.needsValues
      ? state.readNewest(slot, read.isScan !== true)
      : withoutValue(state, slot);
  // What is read of the past has its value; a plan's slices may go out as they are.
  if (kv !== undefined && passes(request, kv)) into.push(read.needsValues ? kv : emptied(kv));
}

/** Sorts and cuts what was read, as the request wants it. */
function finishRange(
  request: RangeRequest,
  read: readonly KeyValue[],
): { kvs: KeyValue[]; more: boolean } {
  let kvs = sorted(request, read);
  const more = request.limit > 0 && kvs.length > request.limit;
  if (more) kvs = kvs.slice(0, request.limit);
  if (request.keysOnly) kvs = kvs.map(emptied);
  return { kvs, more };
}

function readKey(read: Read, current: number): RangeResult {
  const { state, request, revision } = read;
  const slot = state.index.find(request.key);
  if (slot < 0 || !state.index.isLiveAt(slot, revision)) {
    return { revision: current, kvs: [], more: false, count: 0 };
  }
  const kvs: KeyValue[] = [];
  if (!request.countOnly) take(read, slot, kvs);
  if (request.keysOnly) return { revision: current, kvs: kvs.map(emptied), more: false, count: 1 };
  return { revision: current, kvs, more: false, count: 1 };
}

function readOld(read: Read, slot: number): KeyValue | undefined {
  const ref = read.state.index.at(slot, read.revision);
  return ref === undefined ? undefined : read.state.readVersion(slot, ref);
}

function withoutValue(state: StoreState, slot: number): KeyValue {
  const { index } = state;
  return {
    key: fromLatin1(index.keyOf(slot)),
    createRevision: index.createOf(slot),
    modRevision: index.mainOf(slot),
    version: index.versionOf(slot),
    value: EMPTY_BYTES,
    lease: index.leaseOf(slot),
  };
}

/** The same without its value. */
export function emptied(kv: KeyValue): KeyValue {
  return kv.value.length === 0 ? kv : { ...kv, value: EMPTY_BYTES };
}

function isFiltered(request: RangeRequest): boolean {
  return (
    request.minModRevision !== 0 ||
    request.maxModRevision !== 0 ||
    request.minCreateRevision !== 0 ||
    request.maxCreateRevision !== 0
  );
}

/** Bounds are inclusive; 0 means none. */
function passes(request: RangeRequest, kv: KeyValue): boolean {
  const { minModRevision, maxModRevision, minCreateRevision, maxCreateRevision } = request;
  if (maxModRevision !== 0 && kv.modRevision > maxModRevision) return false;
  if (minModRevision !== 0 && kv.modRevision < minModRevision) return false;
  if (maxCreateRevision !== 0 && kv.createRevision > maxCreateRevision) return false;
  return minCreateRevision === 0 || kv.createRevision >= minCreateRevision;
}

function isSorted(request: RangeRequest): boolean {
  return request.sortOrder !== ORDER_NONE || request.sortTarget !== TARGET_KEY;
}

/** Ties stay in key order; etcd leaves their order open (Go's sort.Sort). */
function sorted(request: RangeRequest, kvs: readonly KeyValue[]): KeyValue[] {
  const order = orderOf(request);
  return order === undefined ? [...kvs] : kvs.toSorted(order);
}

/** The order that the request wants; undefined: that of the keys, in which they are read. */
export function orderOf(request: RangeRequest): ((a: KeyValue, b: KeyValue) => number) | undefined {
  const compare = isSorted(request) ? COMPARE[request.sortTarget] : undefined;
  if (compare === undefined) return undefined;
  if (request.sortOrder === ORDER_DESCEND) return (a, b) => compare(b, a);
  const isInOrder = request.sortTarget === TARGET_KEY && request.sortOrder === ORDER_ASCEND;
  return isInOrder ? undefined : compare;
}

/** By sort target: key, version, create revision, mod revision, value. */
const COMPARE: readonly ((a: KeyValue, b: KeyValue) => number)[] = [
  (a, b) => compareBytes(a.key, b.key),
  (a, b) => a.version - b.version,
  (a, b) => a.createRevision - b.createRevision,
  (a, b) => a.modRevision - b.modRevision,
  (a, b) => compareBytes(a.value, b.value),
];
