/** Elections: when one is started, who is asked, who gets a vote (thesis §3.4, §3.6.1, §4.2.3, §9.6). */
import { advanceCommit } from './commit.ts';
import { votersOf } from './conf-change.ts';
import { NO_NODE, type Term } from './entry.ts';
import type { VoteMessage, VoteResponseMessage } from './message.ts';
import { jointVote } from './quorum.ts';
import { becomeCandidate, becomeFollower, becomeLeader, becomePreCandidate } from './roles.ts';
import type { RaftState } from './state.ts';
import type { VoteType } from './trace.ts';

/** True when this node may stand: a voter of the configuration, not about to install a snapshot. */
export function isPromotable(raft: RaftState): boolean {
  if (raft.installing !== undefined) return false;
  const own = raft.peer(raft.id);
  return (
    own !== undefined &&
    !own.isLearner &&
    (raft.incoming.includes(own) || raft.outgoing.includes(own))
  );
}

/** True when nobody else has a say. */
export function isLoneVoter(raft: RaftState): boolean {
  const { voters, votersOutgoing } = raft.conf;
  return voters.length === 1 && voters[0] === raft.id && votersOutgoing.length === 0;
}

/**
 * Starts an election, if this node may stand.
 *
 * Where reads trust leases, a node that promised its leader not to vote for others does not vote for itself either.
 * While a committed membership change waits to be applied it may not: it would count the votes of a
 * configuration that others have left already, two steps of which need not overlap.
 */
export function startElection(raft: RaftState, transfer: boolean): void {
  if (raft.role === 'leader') return;
  const { trace, log } = raft;
  if (!isPromotable(raft)) {
    trace?.({ type: 'unpromotable' });
    return;
  }
  if (!transfer && raft.config.readMode === 'lease' && isUnderLease(raft)) {
    trace?.({ type: 'campaignUnderLease' });
    return;
  }
  const unappliedChanges = log.configsBetween(log.applied, log.commit);
  if (unappliedChanges > 0) {
    trace?.({ type: 'campaignRefused', unappliedChanges });
    return;
  }
  trace?.({ type: 'electionStarted', term: raft.term });
  // The old leader gave way on purpose, and a lone voter disturbs nobody: neither asks first.
  const asksFirst = raft.config.preVote && !transfer && !isLoneVoter(raft);
  campaign(raft, asksFirst ? 'preVote' : 'vote', transfer);
}

/** Asks every voter of both halves, itself included. Its own vote counts when it is durable. */
function campaign(raft: RaftState, vote: VoteType, transfer: boolean): void {
  if (vote === 'preVote') becomePreCandidate(raft);
  else becomeCandidate(raft);
  const { id, log, out, trace } = raft;
  const { lastIndex, lastTerm } = log;
  const term: Term = vote === 'preVote' ? raft.term + 1 : raft.term;
  // A candidate that crashes must not come back in the same term with a shorter log and win by old votes:
  // requests for real votes leave when the term is durable.
  const queue = vote === 'preVote' ? out.immediate : out.dependent;
  for (const to of votersOf(raft.conf)) {
    if (to === id) {
      out.ownVote = true;
      trace?.({ type: 'ownVoteRequested', vote, term });
      continue;
    }
    trace?.({ type: 'voteRequested', vote, peer: to, term: raft.term, lastIndex, lastTerm });
    queue.push({ type: vote, from: id, to, term, lastIndex, lastTerm, transfer });
  }
}

/** The vote that this node asked itself for is durable. */
export function countOwnVote(raft: RaftState): void {
  if (raft.role !== 'candidate' && raft.role !== 'preCandidate') return;
  countVote(raft, raft.id, false);
}

/** A voter answered the election in progress. */
export function handleVoteResponse(raft: RaftState, message: VoteResponseMessage): void {
  const expected = raft.role === 'preCandidate' ? 'preVoteResponse' : 'voteResponse';
  if (message.type !== expected || raft.peer(message.from) === undefined) return;
  if (message.rejected && learnCommit(raft, message)) return;
  countVote(raft, message.from, message.rejected);
}

/**
 * Takes over what the voter knows to be committed, if this log holds it: the prefix is the same (thesis §3.5).
 *
 * True when that ends the candidacy, since a membership change is committed now and not applied yet.
 */
function learnCommit(raft: RaftState, { commit, commitTerm }: VoteResponseMessage): boolean {
  const { log } = raft;
  if (commit <= log.commit || !log.matches(commit, commitTerm)) return false;
  advanceCommit(raft, commit);
  if (log.configsBetween(log.applied, log.commit) === 0) return false;
  becomeFollower(raft, raft.term, NO_NODE);
  return true;
}

function countVote(raft: RaftState, from: bigint, rejected: boolean): void {
  const { votes, trace } = raft;
  const vote: VoteType = raft.role === 'preCandidate' ? 'preVote' : 'vote';
  trace?.({ type: 'voteReceived', vote, peer: from, term: raft.term, rejected });
  // The first answer stands: a repeated or contradicting one is not a second vote.
  if (!votes.has(from)) votes.set(from, !rejected);
  traceTally(raft, vote);
  switch (jointVote(raft.conf, (id) => votes.get(id))) {
    case 'won':
      if (vote === 'preVote') campaign(raft, 'vote', false);
      else becomeLeader(raft);
      return;
    case 'lost':
      // For a pre-vote the term is the own one still: nothing was started.
      becomeFollower(raft, raft.term, NO_NODE);
      return;
    case 'pending':
      return;
  }
}

function traceTally(raft: RaftState, vote: VoteType): void {
  if (raft.trace === undefined) return;
  let granted = 0;
  let rejected = 0;
  for (const peer of raft.peers) {
    const answer = peer.isLearner ? undefined : raft.votes.get(peer.id);
    if (answer === true) granted++;
    else if (answer === false) rejected++;
  }
  raft.trace({ type: 'votesCounted', vote, granted, rejected });
}

/** Ticks for which this node still counts its leader as alive, or is bound by what it promised one. */
export function remainingLeaseTicks(raft: RaftState): number {
  const { config, role, leader } = raft;
  const promised = isLoneVoter(raft) ? 0 : raft.promiseEndsTick - raft.tickCount;
  if (leader === NO_NODE) return promised;
  const silentTicks = role === 'leader' ? raft.electionElapsed : raft.silentTicks;
  return Math.max(promised, config.electionTimeoutTicks - silentTicks);
}

/**
 * True when a leader counts as alive, so that votes of a higher term are not even considered (thesis §4.2.3).
 *
 * Where reads trust leases this is a promise to the leader that was heard: it outlives the term in which it was
 * made, the knowledge of who leads, and the node's own restart.
 */
export function isUnderLease(raft: RaftState): boolean {
  return raft.config.checkQuorum && remainingLeaseTicks(raft) > 0;
}

/** Decides about a request for a vote of this term, or about a pre-vote for a later one. */
export function handleVoteRequest(raft: RaftState, message: VoteMessage): void {
  const { log, vote, out } = raft;
  const isPreVote = message.type === 'preVote';
  const isFree =
    vote === message.from ||
    (vote === NO_NODE && raft.leader === NO_NODE) ||
    (isPreVote && message.term > raft.term);
  const grants = isFree && log.isUpToDate(message.lastIndex, message.lastTerm);
  raft.trace?.({
    type: 'voteDecided',
    decision: grants ? 'cast' : 'rejected',
    message,
    lastIndex: log.lastIndex,
    lastTerm: log.lastTerm,
    voted: vote,
    term: raft.term,
    remainingTicks: 0,
  });
  const type = isPreVote ? 'preVoteResponse' : 'voteResponse';
  // A granted pre-vote names the term it is for: the candidate's own term would look old to it.
  const term = grants ? message.term : raft.term;
  const { id: from } = raft;
  const commitTerm = log.termAt(log.commit) ?? 0;
  const known = { commit: log.commit, commitTerm };
  const response = { type, from, to: message.from, term, rejected: !grants, ...known } as const;
  if (!grants || isPreVote) {
    out.immediate.push(response);
    return;
  }
  raft.electionElapsed = 0;
  raft.vote = message.from;
  out.dependent.push(response);
}
