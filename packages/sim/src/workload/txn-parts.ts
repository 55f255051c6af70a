/** Parts of the transactions that workloads send. */
import { EMPTY_BYTES } from '@etcd-ts/base';
import type { Compare, RangeRequest, RequestOp } from '@etcd-ts/mvcc';
import { keyBytes, rangeRequest } from './wire.ts';

/** The key was last modified at this revision; 0: it is not there. */
export function compareMod(key: string, value: number): Compare {
  const targetUnion = { $case: 'modRevision', value } as const;
  return { result: 0, target: 2, key: keyBytes(key), targetUnion, rangeEnd: EMPTY_BYTES };
}

/** The key was made at this revision; 0: it is not there. */
export function compareCreate(key: string, value: number): Compare {
  const targetUnion = { $case: 'createRevision', value } as const;
  return { result: 0, target: 1, key: keyBytes(key), targetUnion, rangeEnd: EMPTY_BYTES };
}

/** Writes a key. */
export function putOp(key: string, value: Uint8Array, lease = 0n): RequestOp {
  const flags = { prevKv: false, ignoreValue: false, ignoreLease: false };
  return {
    request: { $case: 'requestPut', value: { key: keyBytes(key), value, lease, ...flags } },
  };
}

/** Reads a key or range. */
export function rangeOp(key: string, more: Partial<RangeRequest> = {}): RequestOp {
  return { request: { $case: 'requestRange', value: rangeRequest(key, more) } };
}
