/**
 * A lease on disk: the record `lease/` + id as 16 hexadecimal digits, with four 8-byte big-endian numbers: id, granted
 * seconds, seconds left at the last checkpoint (0: none), log index of the grant.
 */
import { assert } from '@etcd-ts/base';
import type { Lease } from './lessor.ts';

/** What the names of all lease records begin with. */
export const LEASE_RECORD_PREFIX = 'lease/';

const RECORD_BYTES = 32;

/** The name of a lease's record. */
export function leaseRecordName(id: bigint): string {
  return LEASE_RECORD_PREFIX + BigInt.asUintN(64, id).toString(16).padStart(16, '0');
}

/** The record's bytes. */
export function encodeLeaseRecord(lease: Lease): Uint8Array {
  const bytes = new Uint8Array(RECORD_BYTES);
  const view = new DataView(bytes.buffer);
  view.setBigInt64(0, lease.id);
  view.setBigInt64(8, BigInt(lease.grantedTtlSeconds));
  view.setBigInt64(16, BigInt(lease.checkpointedTtlSeconds));
  view.setBigInt64(24, BigInt(lease.grantedIndex));
  return bytes;
}

/** Reads a record back. A record that is not as it was written is a broken invariant: the backend checks its bytes. */
export function decodeLeaseRecord(name: string, bytes: Uint8Array): Lease {
  assert(
    bytes.length === RECORD_BYTES,
    () => `record ${name} has ${bytes.length} bytes, not ${RECORD_BYTES}`,
  );
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const id = view.getBigInt64(0);
  assert(leaseRecordName(id) === name, () => `record ${name} holds lease ${id}`);
  return {
    id,
    grantedTtlSeconds: Number(view.getBigInt64(8)),
    checkpointedTtlSeconds: Number(view.getBigInt64(16)),
    grantedIndex: Number(view.getBigInt64(24)),
  };
}
