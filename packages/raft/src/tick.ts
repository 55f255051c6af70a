/** One step of time (thesis §3.4, §6.2). */
import { isLoneVoter, isPromotable, startElection } from './election.ts';
import { NO_NODE } from './entry.ts';
import { expireForwards } from './forward.ts';
import { broadcastHeartbeat } from './heartbeat.ts';
import { jointVote } from './quorum.ts';
import { expireReads } from './read-index.ts';
import { becomeFollower } from './roles.ts';
import type { RaftState } from './state.ts';
import { expireTransfer } from './transfer.ts';

/** Lets one tick pass: timers count, what waited too long is given up, elections and heartbeats become due. */
export function tick(raft: RaftState): void {
  raft.tickCount++;
  raft.electionElapsed++;
  expireReads(raft);
  expireForwards(raft);
  if (raft.role === 'leader') tickLeader(raft);
  else tickFollower(raft);
  expireTransfer(raft);
}

/**
 * Election timeouts without any leader after which accepted proposals end as unknown.
 *
 * A node that comes back before can still tell committed from lost; one that was removed meanwhile, and is not
 * spoken to any more, never can.
 */
export const OUTCOME_PATIENCE_ELECTION_TIMEOUTS = 10;

function expireOutcomes(raft: RaftState): void {
  const patienceTicks = OUTCOME_PATIENCE_ELECTION_TIMEOUTS * raft.config.electionTimeoutTicks;
  if (raft.silentTicks < patienceTicks || raft.outcomes.isEmpty) return;
  raft.outcomes.abandon((token, outcome) => raft.out.report(token, outcome));
}

/** A lone voter waits for nobody: it leads again at its first tick. */
function tickFollower(raft: RaftState): void {
  raft.silentTicks++;
  expireOutcomes(raft);
  const isDue = raft.electionElapsed >= raft.electionTimeout;
  if (!isDue && !(raft.role === 'follower' && isLoneVoter(raft))) return;
  if (!isPromotable(raft)) return;
  raft.electionElapsed = 0;
  startElection(raft, false);
}

function tickLeader(raft: RaftState): void {
  const { config } = raft;
  raft.heartbeatElapsed++;
  if (raft.electionElapsed >= config.electionTimeoutTicks) {
    raft.electionElapsed = 0;
    if (config.checkQuorum) checkQuorum(raft);
    if (raft.role !== 'leader') return;
  }
  if (raft.heartbeatElapsed < config.heartbeatTicks) return;
  raft.heartbeatElapsed = 0;
  broadcastHeartbeat(raft);
}

/** A leader that a quorum has not answered for an election timeout steps down (thesis §6.2). */
function checkQuorum(raft: RaftState): void {
  const isActive = (id: bigint): boolean =>
    id === raft.id || (raft.peer(id)?.isRecentlyActive ?? false);
  const isQuorumActive = jointVote(raft.conf, isActive) === 'won';
  for (const peer of raft.peers) if (peer.id !== raft.id) peer.isRecentlyActive = false;
  if (isQuorumActive) return;
  raft.trace?.({ type: 'quorumInactive' });
  raft.out.notice('quorumLost', NO_NODE, 'stepped down to follower since quorum is not active');
  becomeFollower(raft, raft.term, NO_NODE);
}
