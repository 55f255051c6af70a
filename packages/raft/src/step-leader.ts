/** What a leader does with each message of its term. */
import { handleVoteRequest } from './election.ts';
import { handleForward } from './forward.ts';
import { handleHeartbeatResponse } from './heartbeat.ts';
import type { Message } from './message.ts';
import { handleReadRequest } from './read-index.ts';
import { handleAppendResponse } from './replication.ts';
import type { RaftState } from './state.ts';

/** Takes a message of the term that this node leads. */
export function stepLeader(raft: RaftState, message: Message): void {
  switch (message.type) {
    case 'appendResponse':
      handleAppendResponse(raft, message);
      return;
    case 'heartbeatResponse':
      handleHeartbeatResponse(raft, message);
      return;
    case 'forward':
      handleForward(raft, message);
      return;
    case 'readRequest':
      handleReadRequest(raft, message);
      return;
    case 'vote':
    case 'preVote':
      handleVoteRequest(raft, message);
      return;
    case 'append':
    case 'heartbeat':
    case 'snapshot': {
      // Election safety (thesis §3.4): nobody else can lead this term.
      const detail = `node ${message.from} sent ${message.type} in term ${message.term}, which this node leads`;
      raft.out.notice('protocolViolation', message.from, detail);
      return;
    }
    case 'voteResponse':
    case 'preVoteResponse':
    case 'timeoutNow':
    case 'readResponse':
    case 'forwardResponse':
      return;
  }
}
