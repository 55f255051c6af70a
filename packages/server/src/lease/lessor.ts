/**
 * The replicated table of leases: which exist, for how long they were granted, what was left at the last checkpoint,
 * and which keys hang on each (etcd server/lease/lessor.go, the part that every member holds alike).
 *
 * What always holds
 * - No clock is read here: when a lease ends is the leader's affair (`lease-clock.ts`), and reaches this table through
 *   the log as a revoke.
 * - A key is attached to at most one lease, the one that its current version names. The store says so at every put and
 *   delete.
 * - Whatever changes is also put into the record table, so that it reaches the disk in the batch of the entry that
 *   changed it. Attachments are not written: they are in the key-values.
 */
import { assert, crc32c, must } from '@etcd-ts/base';
import type { RecordTable } from '../apply/record-table.ts';
import type { LeaseAttachments } from '@etcd-ts/mvcc';
import {
  decodeLeaseRecord,
  encodeLeaseRecord,
  LEASE_RECORD_PREFIX,
  leaseRecordName,
} from './lease-record.ts';

/** No TTL beyond this many seconds (etcd lease.MaxLeaseTTL). */
export const MAX_LEASE_TTL_SECONDS = 9_000_000_000;

/** One granted lease. */
export interface Lease {
  /** Signed 64 bits, never 0n. */
  readonly id: bigint;
  readonly grantedTtlSeconds: number;
  /** The log entry that granted it, which tells it from an earlier lease of the same id. */
  readonly grantedIndex: number;
  /** What was left at the last checkpoint; 0: none was taken since the grant or the last renewal. */
  readonly checkpointedTtlSeconds: number;
}

/** Hears of leases that come and go, in the turn of the entry that did it. */
export interface LeaseObserver {
  granted?(lease: Lease): void;
  revoked?(id: bigint): void;
  /** The whole table was replaced (a snapshot was installed). */
  replaced?(): void;
}

interface Held extends Lease {
  checkpointedTtlSeconds: number;
  /** Keys as latin1 strings; made at the first attachment, since many leases hold no key for long. */
  keys: Set<string> | undefined;
}

/** Seconds that a lease has when its time begins anew: at a promotion. */
export function remainingAtPromotionSeconds(lease: Lease): number {
  return lease.checkpointedTtlSeconds > 0 ? lease.checkpointedTtlSeconds : lease.grantedTtlSeconds;
}

/** The table. */
export class Lessor implements LeaseAttachments {
  readonly #leases = new Map<bigint, Held>();
  #records: RecordTable | undefined;
  readonly #observers = new Set<LeaseObserver>();
  /** Sum of the records' checksums, so that it does not depend on the order of the table. */
  #checksum = 0;

  get size(): number {
    return this.#leases.size;
  }

  /** A digest of all leases; equal on members that hold the same table. Unsigned 32 bits. */
  get checksum(): number {
    return this.#checksum;
  }

  /** Listens to grants and revokes. Returns how to stop. */
  observe(observer: LeaseObserver): () => void {
    this.#observers.add(observer);
    return () => {
      this.#observers.delete(observer);
    };
  }

  get(id: bigint): Lease | undefined {
    return this.#leases.get(id);
  }

  /** Whether a put may name this lease. */
  exists(id: bigint): boolean {
    return this.#leases.has(id);
  }

  /** All leases, in the order of their grants. */
  leases(): IterableIterator<Lease> {
    return this.#leases.values();
  }

  /** The keys attached to a lease, in byte order; latin1 strings. */
  keysOf(id: bigint): readonly string[] {
    return [...(this.#leases.get(id)?.keys ?? [])].sort();
  }

  /** The keys attached to a lease, in no order, one by one: also over changes, of which it may tell or not. */
  eachKeyOf(id: bigint): Iterable<string> {
    return this.#leases.get(id)?.keys ?? [];
  }

  /** How many keys are attached to a lease. O(1). */
  keyCountOf(id: bigint): number {
    return this.#leases.get(id)?.keys?.size ?? 0;
  }

  /** Adds a lease. The caller has checked that the id is free and the TTL within bounds. */
  grant(id: bigint, ttlSeconds: number, grantedIndex: number): Lease {
    assert(id !== 0n, 'lease id 0 stands for no lease');
    assert(!this.#leases.has(id), () => `lease ${id} exists already`);
    assert(ttlSeconds <= MAX_LEASE_TTL_SECONDS, () => `lease TTL too large: ${ttlSeconds}`);
    const lease = this.#add({
      id,
      grantedTtlSeconds: ttlSeconds,
      grantedIndex,
      checkpointedTtlSeconds: 0,
    });
    this.#write(lease);
    for (const observer of this.#observers) observer.granted?.(lease);
    return lease;
  }

  /** Removes a lease whose keys have been deleted from the store. Returns false when there is none. */
  revoke(id: bigint): boolean {
    const lease = this.#leases.get(id);
    if (lease === undefined) return false;
    assert(
      lease.keys === undefined || lease.keys.size === 0,
      () => `lease ${id} is revoked with ${lease.keys?.size} keys attached`,
    );
    this.#count(lease, -1);
    this.#leases.delete(id);
    this.#records?.delete(leaseRecordName(id));
    for (const observer of this.#observers) observer.revoked?.(id);
    return true;
  }

  /** Notes what is left of a lease. Unknown leases are passed over: they ended meanwhile. */
  checkpoint(id: bigint, remainingTtlSeconds: number): void {
    const lease = this.#leases.get(id);
    if (lease === undefined || lease.checkpointedTtlSeconds === remainingTtlSeconds) return;
    this.#count(lease, -1);
    lease.checkpointedTtlSeconds = remainingTtlSeconds;
    this.#count(lease, 1);
    this.#write(lease);
  }

  /** The store put a key with this lease. */
  attach(id: bigint, key: string): void {
    const lease = this.#leases.get(id);
    assert(lease !== undefined, () => `a key is attached to lease ${id}, which does not exist`);
    (lease.keys ??= new Set()).add(key);
  }

  /** The key's current version does not name this lease any more. */
  detach(id: bigint, key: string): void {
    this.#leases.get(id)?.keys?.delete(key);
  }

  /**
   * Replaces the table by what the records say, and the attachments by the store's, and writes to these records from
   * now on. To be called once the store is open; a table that was never loaded keeps no records.
   */
  load(records: RecordTable, leasedKeys: Iterable<{ key: string; lease: bigint }>): void {
    this.#leases.clear();
    this.#checksum = 0;
    this.#records = records;
    for (const name of records.names(LEASE_RECORD_PREFIX)) {
      this.#add(decodeLeaseRecord(name, must(records.get(name), `record ${name}`)));
    }
    for (const { key, lease } of leasedKeys) this.attach(lease, key);
    for (const observer of this.#observers) observer.replaced?.();
  }

  #add(lease: Lease): Held {
    const held: Held = { ...lease, keys: undefined };
    this.#leases.set(lease.id, held);
    this.#count(held, 1);
    return held;
  }

  #write(lease: Lease): void {
    this.#records?.set(leaseRecordName(lease.id), encodeLeaseRecord(lease));
  }

  #count(lease: Lease, sign: 1 | -1): void {
    this.#checksum = (this.#checksum + sign * crc32c(encodeLeaseRecord(lease))) >>> 0;
  }
}
