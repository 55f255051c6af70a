/** What a candidate, or a pre-candidate, does with each message of its term (thesis §3.4). */
import { handleVoteRequest, handleVoteResponse } from './election.ts';
import { handleForward } from './forward.ts';
import type { Message } from './message.ts';
import { handleReadRequest } from './read-index.ts';
import { becomeFollower } from './roles.ts';
import type { RaftState } from './state.ts';
import { stepFollower } from './step-follower.ts';

/** Takes a message of the term that this node campaigns in. */
export function stepCandidate(raft: RaftState, message: Message): void {
  switch (message.type) {
    case 'append':
    case 'heartbeat':
    case 'snapshot':
      // Somebody else won this term.
      becomeFollower(raft, message.term, message.from);
      stepFollower(raft, message);
      return;
    case 'voteResponse':
    case 'preVoteResponse':
      handleVoteResponse(raft, message);
      return;
    case 'vote':
    case 'preVote':
      handleVoteRequest(raft, message);
      return;
    case 'forward':
      handleForward(raft, message);
      return;
    case 'readRequest':
      handleReadRequest(raft, message);
      return;
    // It campaigns already; and whatever it asked a leader for it gave up when it began to.
    case 'timeoutNow':
    case 'appendResponse':
    case 'heartbeatResponse':
    case 'readResponse':
    case 'forwardResponse':
      return;
  }
}
