/** What the log does to leases: the table and the keys that hang on it, together. */
import { EMPTY_BYTES, fromLatin1 } from '@etcd-ts/base';
import type { MvccStore } from '@etcd-ts/mvcc';
import { EtcdError, type LeaseGrantRequest } from '@etcd-ts/protocol';
import { type Lease, type Lessor, MAX_LEASE_TTL_SECONDS } from '../lease/lessor.ts';
import type { Command } from './command.ts';

/** The two halves that every change of leases touches. */
export interface LeasedStore {
  readonly store: MvccStore;
  readonly lessor: Lessor;
}

type LeaseCheckpoints = Extract<Command, { kind: 'leaseCheckpoint' }>;
type ExpiredLeases = Extract<Command, { kind: 'leaseRevokeExpired' }>;

/** The proposer has chosen the id and raised the TTL to its floor; what contradicts that is refused here. */
export function grantLease(
  lessor: Lessor,
  { ID, TTL }: LeaseGrantRequest,
  index: number,
): Lease | EtcdError {
  if (ID === 0n) return new EtcdError('LEASE_NOT_FOUND');
  if (TTL > MAX_LEASE_TTL_SECONDS) {
    const detail = `${TTL} seconds, at most ${MAX_LEASE_TTL_SECONDS}`;
    return new EtcdError('LEASE_TTL_TOO_LARGE', { detail });
  }
  if (lessor.exists(ID)) return new EtcdError('LEASE_EXIST');
  return lessor.grant(ID, Math.max(1, TTL), index);
}

/** Deletes the keys in one revision, in byte order, then the lease. False when there is no such lease. */
export function revokeLease({ store, lessor }: LeasedStore, id: bigint): boolean {
  if (!lessor.exists(id)) return false;
  const keys = lessor.keysOf(id);
  if (keys.length > 0) {
    const write = store.beginWrite();
    for (const key of keys) {
      write.deleteRange({ key: fromLatin1(key), rangeEnd: EMPTY_BYTES, prevKv: false });
    }
    write.end();
  }
  return lessor.revoke(id);
}

/** Revokes what the leader of this very term found past its time; anything else is out of date and does nothing. */
export function revokeExpired(leased: LeasedStore, command: ExpiredLeases, term: number): void {
  if (command.term !== term) return;
  for (const id of command.ids) {
    if (isKnownAt(leased.lessor.get(id), command.asOfIndex)) revokeLease(leased, id);
  }
}

/** Notes what the leader of this very term says is left; anything else is out of date and does nothing. */
export function noteCheckpoints(lessor: Lessor, command: LeaseCheckpoints, term: number): void {
  if (command.term !== term) return;
  for (const { id, remainingTtlSeconds } of command.checkpoints) {
    if (isKnownAt(lessor.get(id), command.asOfIndex)) lessor.checkpoint(id, remainingTtlSeconds);
  }
}

/** A lease that exists and was not granted anew after the proposer looked. */
function isKnownAt(lease: Lease | undefined, asOfIndex: number): boolean {
  return lease !== undefined && lease.grantedIndex <= asOfIndex;
}
