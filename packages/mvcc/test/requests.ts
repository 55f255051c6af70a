/** Requests for tests: what is not said is what an empty message says. */
import { fromLatin1 } from '@etcd-ts/base';
import type {
  Compare,
  DeleteRangeRequest,
  PutRequest,
  RangeRequest,
  RequestOp,
  TxnRequest,
  WatchRequest,
} from '@etcd-ts/mvcc';

/** Bytes of a latin1 string. */
export const b = fromLatin1;

/** From the first key to the last. */
export const EVERYTHING = { key: b('\0'), rangeEnd: b('\0') };

export function put(key: string, value = 'v', more: Partial<PutRequest> = {}): PutRequest {
  const flags = { prevKv: false, ignoreValue: false, ignoreLease: false };
  return { key: b(key), value: b(value), lease: 0n, ...flags, ...more };
}

export function del(key: string, rangeEnd = '', prevKv = false): DeleteRangeRequest {
  return { key: b(key), rangeEnd: b(rangeEnd), prevKv };
}

export function range(key: string, rangeEnd = '', more: Partial<RangeRequest> = {}): RangeRequest {
  return {
    key: b(key),
    rangeEnd: b(rangeEnd),
    limit: 0,
    revision: 0,
    sortOrder: 0,
    sortTarget: 0,
    serializable: false,
    keysOnly: false,
    countOnly: false,
    minModRevision: 0,
    maxModRevision: 0,
    minCreateRevision: 0,
    maxCreateRevision: 0,
    ...more,
  };
}

export function all(more: Partial<RangeRequest> = {}): RangeRequest {
  return range('\0', '\0', more);
}

export const opPut = (...args: Parameters<typeof put>): RequestOp => ({
  request: { $case: 'requestPut', value: put(...args) },
});

export const opDelete = (...args: Parameters<typeof del>): RequestOp => ({
  request: { $case: 'requestDeleteRange', value: del(...args) },
});

export const opRange = (...args: Parameters<typeof range>): RequestOp => ({
  request: { $case: 'requestRange', value: range(...args) },
});

export const opTxn = (request: TxnRequest): RequestOp => ({
  request: { $case: 'requestTxn', value: request },
});

export function txn(
  compare: Compare[],
  success: RequestOp[],
  failure: RequestOp[] = [],
): TxnRequest {
  return { compare, success, failure };
}

/** 0 equal, 1 greater, 2 less, 3 not equal. */
export function compareMod(key: string, result: number, revision: number, rangeEnd = ''): Compare {
  const targetUnion = { $case: 'modRevision', value: revision } as const;
  return { result, target: 2, key: b(key), rangeEnd: b(rangeEnd), targetUnion };
}

export function compareValue(key: string, result: number, value: string, rangeEnd = ''): Compare {
  const targetUnion = { $case: 'value', value: b(value) } as const;
  return { result, target: 3, key: b(key), rangeEnd: b(rangeEnd), targetUnion };
}

export function watch(
  key: string,
  rangeEnd = '',
  startRevision = 0,
  more: Partial<WatchRequest> = {},
): WatchRequest {
  const flags = { prevKv: false, noPut: false, noDelete: false };
  return { key: b(key), rangeEnd: b(rangeEnd), startRevision, ...flags, ...more };
}
