/**
 * What the store asks of whoever keeps the leases.
 *
 * All calls are made inside a write, in operation order, and must not call back into the store. Keys are latin1
 * strings (one character per byte), so that sorting them is byte order.
 */
export interface LeaseAttachments {
  /** True when a put may name this lease. Never asked of 0n. */
  exists(lease: bigint): boolean;
  /** The key now belongs to this lease, and to no other. */
  attach(lease: bigint, key: string): void;
  /** The key no longer belongs to this lease: deleted, or put with another lease. */
  detach(lease: bigint, key: string): void;
}

/** A store without leases: every put that names one is refused with LEASE_NOT_FOUND. */
export const NO_LEASES: LeaseAttachments = {
  exists: () => false,
  attach: () => undefined,
  detach: () => undefined,
};
