/** The leases that a command is about to end, as they are before it is applied. */
import type { GhostCommand, State } from './ghost.ts';

/** What is looked at again once the command is applied. */
export interface LeasesBefore {
  readonly revision: number;
  readonly leases: readonly { readonly id: bigint; readonly keys: readonly string[] }[];
  /** Those that are gone afterwards, unless the command is refused: it knew of them. */
  readonly ended: readonly bigint[];
  /** Leases that the command names and may not end. */
  readonly spared: readonly bigint[];
}

const NOTHING: readonly never[] = [];

/** Looks at the leases that a command of this term names; nearly all name none. */
export function leasesBefore(state: State, command: GhostCommand, term: number): LeasesBefore {
  const { revision } = state.store;
  if (command.kind !== 'leaseRevoke' && command.kind !== 'leaseRevokeExpired') {
    return { revision, leases: NOTHING, ended: NOTHING, spared: NOTHING };
  }
  const spared = sparedBy(command, term).filter((id) => state.lessor.exists(id));
  const leases = endedBy(command, term)
    .filter((id) => state.lessor.exists(id))
    .map((id) => ({ id, keys: [...state.lessor.keysOf(id)].sort() }));
  const ended = leases.flatMap(({ id }) => (knowsOf(command, state, id) ? [id] : []));
  return { revision, leases, ended, spared };
}

/** What the leader of an earlier term took for expired: its successor began the time of each lease anew. */
function sparedBy(command: GhostCommand, term: number): readonly bigint[] {
  return command.kind === 'leaseRevokeExpired' && command.term !== term ? command.ids : [];
}

/** Whether it means this very lease: one that was granted after its leader looked is another one. */
function knowsOf(command: GhostCommand, { lessor }: State, id: bigint): boolean {
  if (command.kind !== 'leaseRevokeExpired') return true;
  return (lessor.get(id)?.grantedIndex ?? Infinity) <= command.asOfIndex;
}

/** The leases that a command may end. */
function endedBy(command: GhostCommand, term: number): readonly bigint[] {
  if (command.kind === 'leaseRevoke') return [command.request.ID];
  if (command.kind === 'leaseRevokeExpired' && command.term === term) return command.ids;
  return [];
}
