import type { LogIndex } from './entry.ts';
import { majorityReached } from './quorum.ts';
import type { Progress } from './progress.ts';
import type { RaftState } from './state.ts';

/** Commits through `index` and settles the proposals on the way; false when that is no news. */
export function advanceCommit(raft: RaftState, index: LogIndex): boolean {
  const { log, out } = raft;
  if (!log.commitTo(index)) return false;
  raft.outcomes.commit(
    log.commit,
    (at) => log.termAt(at),
    (token, outcome) => out.report(token, outcome),
  );
  return true;
}

/** The largest index that a quorum holds durably. */
export function quorumMatch(raft: RaftState): LogIndex {
  const incoming = majorityMatch(raft.incoming);
  if (raft.outgoing.length === 0) return incoming;
  return Math.min(incoming, majorityMatch(raft.outgoing));
}

function majorityMatch(voters: readonly Progress[]): LogIndex {
  const matches: LogIndex[] = [];
  for (const { match } of voters) matches.push(match);
  return majorityReached(matches);
}

/**
 * Commits what a quorum holds, if it is of the leader's own term (thesis §3.6.2).
 *
 * An entry of an older term on a quorum may still be overwritten; it commits along with a newer one.
 */
export function commitByQuorum(raft: RaftState): boolean {
  if (raft.conf.voters.length === 0) return false;
  const index = quorumMatch(raft);
  if (index <= raft.log.commit || !raft.log.matches(index, raft.term)) return false;
  return advanceCommit(raft, index);
}
