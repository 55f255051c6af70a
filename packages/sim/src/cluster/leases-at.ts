/** Which leases there are after an entry, by a walk over the log as the ghost knows it. */
import { DONE } from '../history/verdict.ts';
import type { GhostEntry } from './ghost.ts';

/** What the log says of a lease. */
export interface LeaseAt {
  readonly ttlSeconds: number;
  /** The entry that granted it. */
  readonly index: number;
  /** What was left at its last checkpoint; 0: none counts. */
  readonly checkpointedSeconds: number;
}

/** The leases after the entry at `index`. */
export function leasesAt(
  entries: readonly (GhostEntry | undefined)[],
  index: number,
): ReadonlyMap<bigint, LeaseAt> {
  const leases = new Map<bigint, LeaseAt>();
  for (let at = 1; at <= index; at++) {
    const entry = entries[at];
    if (entry?.command === undefined || entry.verdict !== DONE) continue;
    const { command, term } = entry;
    if (command.kind === 'leaseGrant') {
      const { ID, TTL } = command.request;
      leases.set(ID, { ttlSeconds: TTL, index: at, checkpointedSeconds: 0 });
    } else if (command.kind === 'leaseRevoke') {
      leases.delete(command.request.ID);
    } else if (command.kind === 'leaseRevokeExpired' && command.term === term) {
      // A lease that was granted after its leader looked is another one.
      for (const id of command.ids) {
        if ((leases.get(id)?.index ?? Infinity) <= command.asOfIndex) leases.delete(id);
      }
    } else if (command.kind === 'leaseCheckpoint' && command.term === term) {
      for (const { id, remainingTtlSeconds } of command.checkpoints) {
        const lease = leases.get(id);
        if (lease === undefined || lease.index > command.asOfIndex) continue;
        leases.set(id, { ...lease, checkpointedSeconds: remainingTtlSeconds });
      }
    }
  }
  return leases;
}
