/** What a range request answers, by etcd's rules (server/etcdserver/txn/range.go), on the model's key space. */
import { EMPTY_BYTES, fromLatin1, toLatin1 } from '@etcd-ts/base';
import type { KeyValue, RangeRequest, RangeResult } from '@etcd-ts/mvcc';
import { keyValue, type KeySpace, rangeLimits } from './key-space.ts';

const SORT_NONE = 0;
const SORT_DESCEND = 2;
const TARGET_KEY = 0;

/**
 * Answers a range.
 *
 * @param revision The revision to read at.
 * @param headerRevision The current revision, which the answer carries.
 */
export function modelRange(
  space: KeySpace,
  request: RangeRequest,
  revision: number,
  headerRevision: number,
): RangeResult {
  const key = toLatin1(request.key);
  const end = rangeLimits(key, toLatin1(request.rangeEnd));
  if (request.rangeEnd.length === 0 && request.limit <= 0) {
    return modelGet(space, request, key, revision, headerRevision);
  }
  const keys = space.keysAt(key, end, revision);
  if (request.countOnly) {
    return { revision: headerRevision, kvs: [], more: false, count: keys.length };
  }
  const isSorted = request.sortOrder !== SORT_NONE;
  // Without order or filter, etcd takes limit + 1 keys in key order before it sorts by another target.
  const fetchAll = isSorted || hasRevisionFilter(request) || request.limit <= 0;
  const fetched = fetchAll ? keys : keys.slice(0, request.limit + 1);
  let kvs = fetched.map((each) => read(space, each, revision)).filter((kv) => passes(kv, request));
  if (isSorted || request.sortTarget !== TARGET_KEY) kvs = sorted(kvs, request);
  const more = request.limit > 0 && kvs.length > request.limit;
  if (more) kvs = kvs.slice(0, request.limit);
  if (request.keysOnly) kvs = kvs.map((kv) => ({ ...kv, value: EMPTY_BYTES }));
  return { revision: headerRevision, kvs, more, count: keys.length };
}

/** The common case: one key. */
function modelGet(
  space: KeySpace,
  request: RangeRequest,
  key: string,
  revision: number,
  headerRevision: number,
): RangeResult {
  const version = space.at(key, revision);
  if (version === undefined) return { revision: headerRevision, kvs: [], more: false, count: 0 };
  const kv = keyValue(request.key, version);
  const isShown = !request.countOnly && passes(kv, request);
  if (request.keysOnly) kv.value = EMPTY_BYTES;
  return { revision: headerRevision, kvs: isShown ? [kv] : [], more: false, count: 1 };
}

function read(space: KeySpace, key: string, revision: number): KeyValue {
  const version = space.at(key, revision);
  if (version === undefined) throw new Error(`${key} was listed and is not there`);
  return keyValue(fromLatin1(key), version);
}

function hasRevisionFilter(request: RangeRequest): boolean {
  return (
    request.minModRevision !== 0 ||
    request.maxModRevision !== 0 ||
    request.minCreateRevision !== 0 ||
    request.maxCreateRevision !== 0
  );
}

function passes(kv: KeyValue, request: RangeRequest): boolean {
  const { minModRevision, maxModRevision, minCreateRevision, maxCreateRevision } = request;
  return (
    (minModRevision === 0 || kv.modRevision >= minModRevision) &&
    (maxModRevision === 0 || kv.modRevision <= maxModRevision) &&
    (minCreateRevision === 0 || kv.createRevision >= minCreateRevision) &&
    (maxCreateRevision === 0 || kv.createRevision <= maxCreateRevision)
  );
}

function sorted(kvs: readonly KeyValue[], request: RangeRequest): KeyValue[] {
  const direction = request.sortOrder === SORT_DESCEND ? -1 : 1;
  return [...kvs].sort((a, b) => direction * compareBy(request.sortTarget, a, b));
}

function compareBy(target: number, a: KeyValue, b: KeyValue): number {
  switch (target) {
    case 1:
      return a.version - b.version;
    case 2:
      return a.createRevision - b.createRevision;
    case 3:
      return a.modRevision - b.modRevision;
    case 4:
      return order(toLatin1(a.value), toLatin1(b.value));
    default:
      return order(toLatin1(a.key), toLatin1(b.key));
  }
}

function order(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
