/**
 * What a request costs of the backend's quota, in bytes (etcd server/storage/quota.go).
 *
 * A transaction costs what its dearer branch puts, taken or not, nested transactions included. What only reads or
 * deletes costs nothing.
 */
import type { PutRequest, RequestOp, TxnRequest } from '@etcd-ts/protocol';

/** What etcd reckons for the metadata of one key (kvOverhead). */
const KEY_OVERHEAD_BYTES = 256;

/** What a lease costs (leaseOverhead). */
export const LEASE_COST_BYTES = 64;

/** The quota when none is given: 2 GiB. */
export const DEFAULT_QUOTA_BYTES: number = 2 * 1024 * 1024 * 1024;

/** Bytes that a put needs. */
export function putCostBytes(request: PutRequest): number {
  return KEY_OVERHEAD_BYTES + request.key.length + request.value.length;
}

/** Bytes that a transaction needs at most; 0: it puts nothing. */
export function txnCostBytes(request: TxnRequest): number {
  return Math.max(branchCostBytes(request.success), branchCostBytes(request.failure));
}

function branchCostBytes(operations: readonly RequestOp[]): number {
  let bytes = 0;
  for (const { request } of operations) {
    if (request?.$case === 'requestPut') bytes += putCostBytes(request.value);
    else if (request?.$case === 'requestTxn') bytes += txnCostBytes(request.value);
  }
  return bytes;
}

/** The quota in bytes that an option means; Infinity for none. */
export function quotaBytes(option: number): number {
  if (option < 0) return Infinity;
  return option === 0 ? DEFAULT_QUOTA_BYTES : option;
}
