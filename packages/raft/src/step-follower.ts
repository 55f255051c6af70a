/** What a follower does with each message of its term (thesis §3.3, §3.5). */
import { acknowledge } from './acknowledge.ts';
import { advanceCommit } from './commit.ts';
import { handleVoteRequest, startElection } from './election.ts';
import { handleForward, handleForwardResponse } from './forward.ts';
import type { Entry, LogIndex } from './entry.ts';
import type { AppendMessage, HeartbeatMessage, Message } from './message.ts';
import { handleReadRequest, handleReadResponse } from './read-index.ts';
import { follow } from './roles.ts';
import { handleSnapshot } from './snapshot.ts';
import type { RaftState } from './state.ts';

/** Takes a message of the term that this node follows in. */
export function stepFollower(raft: RaftState, message: Message): void {
  switch (message.type) {
    case 'append':
      follow(raft, message.from);
      handleAppend(raft, message);
      return;
    case 'heartbeat':
      follow(raft, message.from);
      handleHeartbeat(raft, message);
      return;
    case 'snapshot':
      follow(raft, message.from);
      handleSnapshot(raft, message);
      return;
    case 'timeoutNow':
      raft.trace?.({ type: 'timeoutNowReceived', peer: message.from });
      startElection(raft, true);
      return;
    case 'vote':
    case 'preVote':
      handleVoteRequest(raft, message);
      return;
    case 'readRequest':
      handleReadRequest(raft, message);
      return;
    case 'readResponse':
      handleReadResponse(raft, message);
      return;
    case 'forward':
      handleForward(raft, message);
      return;
    case 'forwardResponse':
      handleForwardResponse(raft, message);
      return;
    // Answers to something that this node was in the same term, or to nothing.
    case 'appendResponse':
    case 'heartbeatResponse':
    case 'voteResponse':
    case 'preVoteResponse':
      return;
  }
}

/** Takes entries in, if they follow on what is here (thesis §3.5, figure 3.1 AppendEntries). */
export function handleAppend(raft: RaftState, message: AppendMessage): void {
  const { log } = raft;
  const { prevIndex, prevTerm, entries } = message;
  if (prevIndex < log.commit) {
    acknowledge(raft, message, log.commit);
    return;
  }
  if (!log.matches(prevIndex, prevTerm)) {
    rejectAppend(raft, message);
    return;
  }
  const lastNew = prevIndex + entries.length;
  const commit = Math.min(message.commit, lastNew);
  const isAnswered = entries.length > 0 || commit <= log.commit || !mayBeQuiet(raft, lastNew);
  takeEntries(raft, entries);
  accept(raft, lastNew);
  if (isAnswered) acknowledge(raft, message, lastNew);
  advanceCommit(raft, commit);
}

/** True when the leader was told of this index before, and commit indexes are not answered. */
function mayBeQuiet(
  { config, acceptedTerm, acceptedIndex, term }: RaftState,
  index: LogIndex,
): boolean {
  return config.quietCommits && acceptedTerm === term && index <= acceptedIndex;
}

/** This log is the leader's through `index`. What lies behind may still be a tail that nobody else has. */
function accept(raft: RaftState, index: LogIndex): void {
  const isFirst = raft.acceptedTerm !== raft.term;
  raft.acceptedTerm = raft.term;
  raft.acceptedIndex = isFirst ? index : Math.max(raft.acceptedIndex, index);
}

/** Appends what is new, from the first disagreement on. All of it is behind the commit index: so is `prevIndex`. */
function takeEntries(raft: RaftState, entries: readonly Entry[]): void {
  const { log } = raft;
  let start = 0;
  for (; start < entries.length; start++) {
    const entry = entries[start];
    if (entry === undefined || !log.matches(entry.index, entry.term)) break;
  }
  const first = entries[start];
  if (first === undefined) return;
  const existingTerm = log.termAt(first.index);
  if (existingTerm !== undefined) {
    const { index, term: conflictingTerm } = first;
    raft.trace?.({ type: 'conflict', index, existingTerm, conflictingTerm });
    truncate(raft, index - 1);
  }
  for (let i = start; i < entries.length; i++) {
    const entry = entries[i];
    if (entry !== undefined) log.append(entry);
  }
}

/** Cuts the log off; what was on its way to the disk behind the cut counts for nothing any more. */
function truncate(raft: RaftState, index: number): void {
  raft.log.truncateAfter(index);
  raft.persists.clip(index);
  raft.out.withdrawAcknowledgementsAfter(index);
}

/**
 * Tells the leader where to look: the largest index here whose term is not beyond the leader's at `prevIndex`.
 *
 * Everything after it has terms that the leader does not have there, so none of it can match.
 */
function rejectAppend(
  raft: RaftState,
  { from: to, prevIndex, prevTerm, session }: AppendMessage,
): void {
  const { log } = raft;
  const ownTerm = log.termAt(prevIndex) ?? 0;
  raft.trace?.({
    type: 'appendRejected',
    peer: to,
    index: prevIndex,
    ownTerm,
    messageTerm: prevTerm,
  });
  const hint = log.findByTerm(Math.min(prevIndex, log.lastIndex), prevTerm);
  raft.out.immediate.push({
    type: 'appendResponse',
    from: raft.id,
    to,
    term: raft.term,
    session,
    index: prevIndex,
    rejected: true,
    hintIndex: hint.index,
    hintTerm: hint.term,
  });
}

/**
 * Takes the commit index and answers the read round.
 *
 * A heartbeat does not say where the logs agree. The commit index holds as far as appends of this term were
 * accepted; before the first it says nothing, and the answer, which tells the commit index here, makes the leader
 * send an append.
 */
export function handleHeartbeat(raft: RaftState, message: HeartbeatMessage): void {
  const { log } = raft;
  if (raft.acceptedTerm === raft.term) {
    advanceCommit(raft, Math.min(message.commit, raft.acceptedIndex));
  }
  const { id: from, term } = raft;
  const { from: to, readRound, session } = message;
  const { commit } = log;
  raft.out.immediate.push({
    type: 'heartbeatResponse',
    from,
    to,
    term,
    readRound,
    commit,
    session,
  });
}
