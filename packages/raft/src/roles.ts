/** Changing role, term and leader (thesis §3.4, figure 3.3), and what that does to everything that waits. */
import { assert } from '@etcd-ts/base';
import type { Role } from './effect.ts';
import { NO_NODE, type NodeId, type Term } from './entry.ts';
import { abandonForwards } from './forward.ts';
import { abandonReads } from './read-index.ts';
import { appendPayloads, broadcastAppend } from './replication.ts';
import type { RaftState } from './state.ts';
import { settleTransfer } from './transfer.ts';

/** Draws the ticks after which this node campaigns: n to 2n − 1, fewer at most with priority. */
export function drawElectionTimeout(raft: RaftState): void {
  const { electionTimeoutTicks, electionPriority } = raft.config;
  const spread = Math.max(1, Math.floor(electionTimeoutTicks / (1 + electionPriority)));
  raft.electionTimeout = electionTimeoutTicks + raft.prng.below(spread);
}

/** Starts over in a role: timers, votes, progress, transfer. A new term has no vote yet. */
function reset(raft: RaftState, term: Term): void {
  assert(term >= raft.term, () => `term ${term} is behind ${raft.term}`);
  if (term !== raft.term) {
    raft.term = term;
    raft.vote = NO_NODE;
  }
  raft.electionElapsed = 0;
  raft.heartbeatElapsed = 0;
  drawElectionTimeout(raft);
  forgetVotes(raft);
  raft.transferTarget = NO_NODE;
  raft.owesTimeoutNow = NO_NODE;
  raft.pendingConfigIndex = 0;
  raft.leaseRounds = [];
  raft.isLeaseBroken = false;
  raft.seenRequests.clear();
  const { log, id } = raft;
  for (const peer of raft.peers) {
    peer.reset(log.lastIndex + 1);
    if (peer.id === id) peer.match = log.durable;
  }
}

function forgetVotes(raft: RaftState): void {
  raft.votes.clear();
  raft.out.ownVote = false;
  raft.persists.forgetOwnVote();
}

/** Sets role and leader; requests that counted on the old leader are answered. */
function enter(raft: RaftState, role: Role, leader: NodeId, isNewTerm: boolean): void {
  const isNewLeader = isNewTerm || leader !== raft.leader || raft.role === 'leader';
  raft.role = role;
  raft.leader = leader;
  if (!isNewLeader) return;
  abandonReads(raft);
  abandonForwards(raft);
  settleTransfer(raft);
}

/** Follows `leader` in `term`; {@link NO_NODE} when nobody is known to lead. */
export function becomeFollower(raft: RaftState, term: Term, leader: NodeId): void {
  const isNewTerm = term !== raft.term;
  reset(raft, term);
  enter(raft, 'follower', leader, isNewTerm);
  raft.trace?.({ type: 'becameFollower', term });
}

/** A follower hears from the leader of its term. */
export function follow(raft: RaftState, leader: NodeId): void {
  raft.electionElapsed = 0;
  raft.silentTicks = 0;
  const { electionTimeoutTicks, readMode } = raft.config;
  if (readMode === 'lease') raft.promiseEndsTick = raft.tickCount + electionTimeoutTicks;
  if (raft.leader !== leader) enter(raft, 'follower', leader, false);
}

/** Forgets the leader without leaving the term. */
export function forgetLeader(raft: RaftState): void {
  enter(raft, 'follower', NO_NODE, false);
}

/** Asks who would vote for it; neither term nor vote change (thesis §9.6). */
export function becomePreCandidate(raft: RaftState): void {
  assert(raft.role !== 'leader', 'a leader does not campaign');
  forgetVotes(raft);
  enter(raft, 'preCandidate', NO_NODE, false);
  raft.trace?.({ type: 'becamePreCandidate', term: raft.term });
}

/** Stands for the next term and votes for itself. */
export function becomeCandidate(raft: RaftState): void {
  assert(raft.role !== 'leader', 'a leader does not campaign');
  reset(raft, raft.term + 1);
  raft.vote = raft.id;
  enter(raft, 'candidate', NO_NODE, true);
  raft.trace?.({ type: 'becameCandidate', term: raft.term });
}

/** Leads: begins with an entry of its own term, without which nothing older commits (thesis §3.6.2, §6.4). */
export function becomeLeader(raft: RaftState): void {
  assert(raft.role !== 'follower', 'a follower does not become leader without an election');
  const { log, id, term } = raft;
  reset(raft, term);
  raft.silentTicks = 0;
  enter(raft, 'leader', id, false);
  const own = raft.peer(id);
  if (own !== undefined) {
    own.becomeReplicate();
    own.isRecentlyActive = true;
  }
  // Nothing is known of the changes that this log may hold; all of it must be applied before the next one.
  raft.pendingConfigIndex = log.lastIndex;
  raft.trace?.({ type: 'becameLeader', term });
  appendPayloads(raft, [{ kind: 'empty' }]);
  broadcastAppend(raft);
}
