/** The gate of terms, which every message passes before its role sees it (thesis §3.3). */
import { NO_NODE } from './entry.ts';
import { isUnderLease, remainingLeaseTicks } from './election.ts';
import type { Message, VoteMessage } from './message.ts';
import { becomeFollower } from './roles.ts';
import type { RaftState } from './state.ts';
import { stepCandidate } from './step-candidate.ts';
import { stepFollower } from './step-follower.ts';
import { stepLeader } from './step-leader.ts';

/** Takes a message in. */
export function stepMessage(raft: RaftState, message: Message): void {
  if (message.term > raft.term && !enterHigherTerm(raft, message)) return;
  if (message.term < raft.term) {
    answerLowerTerm(raft, message);
    return;
  }
  dispatch(raft, message);
}

function dispatch(raft: RaftState, message: Message): void {
  switch (raft.role) {
    case 'follower':
      stepFollower(raft, message);
      return;
    case 'preCandidate':
    case 'candidate':
      stepCandidate(raft, message);
      return;
    case 'leader':
      stepLeader(raft, message);
      return;
  }
}

/** False when the message is done with, here or by ignoring it. */
function enterHigherTerm(raft: RaftState, message: Message): boolean {
  switch (message.type) {
    case 'vote':
    case 'preVote':
      if (!message.transfer && isUnderLease(raft)) {
        traceIgnoredVote(raft, message);
        return false;
      }
      if (message.type === 'vote') leaveTerm(raft, message);
      // Nobody goes to the term of a pre-vote for being asked; it is judged from here.
      else dispatch(raft, message);
      return message.type === 'vote';
    case 'preVoteResponse':
      // A granted one names the term that was asked for; only a rejection tells of a term that exists.
      if (!message.rejected) {
        dispatch(raft, message);
        return false;
      }
      leaveTerm(raft, message);
      return true;
    default:
      leaveTerm(raft, message);
      return true;
  }
}

function leaveTerm(raft: RaftState, message: Message): void {
  raft.trace?.({ type: 'higherTerm', message, term: raft.term });
  const isFromLeader =
    message.type === 'append' || message.type === 'heartbeat' || message.type === 'snapshot';
  becomeFollower(raft, message.term, isFromLeader ? message.from : NO_NODE);
}

function traceIgnoredVote(raft: RaftState, message: VoteMessage): void {
  raft.trace?.({
    type: 'voteDecided',
    decision: 'ignored',
    message,
    lastIndex: raft.log.lastIndex,
    lastTerm: raft.log.lastTerm,
    voted: raft.vote,
    term: raft.term,
    remainingTicks: remainingLeaseTicks(raft),
  });
}

/** Most old messages are dropped; some senders would stay behind for ever if nobody told them. */
function answerLowerTerm(raft: RaftState, message: Message): void {
  const { config, id: from, term, out } = raft;
  switch (message.type) {
    case 'append':
    case 'heartbeat':
      // A leader of an old term that reaches us while we do not disturb it with votes (they are ignored, or
      // never sent) would lead on for ever: an answer of this term takes it down.
      if (!config.checkQuorum && !config.preVote) break;
      out.immediate.push({
        type: 'appendResponse',
        from,
        to: message.from,
        term,
        session: message.session,
        index: 0,
        rejected: false,
        hintIndex: 0,
        hintTerm: 0,
      });
      return;
    case 'preVote':
      // The candidate may be behind in term but ahead in log: it must learn the term to be of use.
      raft.trace?.({
        type: 'voteDecided',
        decision: 'rejected',
        message,
        lastIndex: raft.log.lastIndex,
        lastTerm: raft.log.lastTerm,
        voted: raft.vote,
        term,
        remainingTicks: 0,
      });
      out.immediate.push({
        type: 'preVoteResponse',
        from,
        to: message.from,
        term,
        rejected: true,
        commit: raft.log.commit,
        commitTerm: raft.log.termAt(raft.log.commit) ?? 0,
      });
      return;
    case 'forward':
    case 'readRequest':
      // The sender counts on a leader of a term that is over.
      dispatch(raft, message);
      return;
    case 'appendResponse':
    case 'heartbeatResponse':
    case 'vote':
    case 'voteResponse':
    case 'preVoteResponse':
    case 'snapshot':
    case 'timeoutNow':
    case 'readResponse':
    case 'forwardResponse':
      break;
  }
  raft.trace?.({ type: 'lowerTermIgnored', message, term });
}
