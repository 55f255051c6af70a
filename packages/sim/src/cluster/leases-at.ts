/** Which leases there are after an entry, by a walk over the log as the ghost knows it. */
import { DONE, type GhostEntry } from './ghost.ts';

/** What a lease was granted with. */
interface Granted {
  readonly ttlSeconds: number;
  readonly index: number;
}

/** The leases after the entry at `index`, and the time that each was granted, in seconds. */
export function leasesAt(
  entries: readonly (GhostEntry | undefined)[],
  index: number,
): ReadonlyMap<bigint, number> {
  const leases = new Map<bigint, Granted>();
  for (let at = 1; at <= index; at++) {
    const entry = entries[at];
    if (entry?.command === undefined || entry.verdict !== DONE) continue;
    const { command, term } = entry;
    if (command.kind === 'leaseGrant') {
      const { ID, TTL } = command.request;
      leases.set(ID, { ttlSeconds: TTL, index: at });
    } else if (command.kind === 'leaseRevoke') {
      leases.delete(command.request.ID);
    } else if (command.kind === 'leaseRevokeExpired' && command.term === term) {
      // A lease that was granted after its leader looked is another one.
      for (const id of command.ids) {
        if ((leases.get(id)?.index ?? Infinity) <= command.asOfIndex) leases.delete(id);
      }
    }
  }
  return new Map([...leases].map(([id, { ttlSeconds }]) => [id, ttlSeconds]));
}
