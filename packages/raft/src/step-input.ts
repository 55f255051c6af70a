/** What each input does. */
import { countOwnVote, startElection } from './election.ts';
import type { Input } from './input.ts';
import { handleApplied } from './membership.ts';
import { handleChangeConfig, handlePropose } from './proposals.ts';
import { handleRead } from './read-index.ts';
import { acknowledgeOwnLog, handleUnreachable } from './replication.ts';
import { forgetLeader } from './roles.ts';
import { finishInstalling, handleSnapshotReport, handleSnapshotTaken } from './snapshot.ts';
import type { RaftState } from './state.ts';
import { stepMessage } from './step-message.ts';
import { tick } from './tick.ts';
import { handleTransfer } from './transfer.ts';
import { whyMalformed } from './validate.ts';
import { NO_NODE } from './entry.ts';
import type { Message } from './message.ts';

/** Steps one input; its effects wait in the outbox. */
export function stepInput(raft: RaftState, input: Input): void {
  switch (input.type) {
    case 'tick':
      tick(raft);
      return;
    case 'message':
      receive(raft, input.message);
      return;
    case 'propose':
      handlePropose(raft, input.proposals);
      return;
    case 'changeConfig':
      handleChangeConfig(raft, input);
      return;
    case 'read':
      handleRead(raft, input.token);
      return;
    case 'transfer':
      handleTransfer(raft, input.token, input.target);
      return;
    case 'campaign':
      startElection(raft, false);
      return;
    case 'forgetLeader':
      handleForgetLeader(raft);
      return;
    case 'persisted':
      handlePersisted(raft, input.group);
      return;
    case 'applied':
      handleApplied(raft, input.index);
      return;
    case 'snapshotTaken':
      handleSnapshotTaken(raft, input);
      return;
    case 'snapshotReport':
      handleSnapshotReport(raft, input);
      return;
    case 'unreachable':
      handleUnreachable(raft, input.peer);
      return;
  }
}

function receive(raft: RaftState, message: Message): void {
  const malformed = whyMalformed(message, raft.id);
  if (malformed === undefined) stepMessage(raft, message);
  else raft.out.notice('protocolViolation', message.from, malformed);
}

/** Writes through `group` are durable: votes and entries of this node count from now on. */
function handlePersisted(raft: RaftState, group: number): void {
  const { log, persists } = raft;
  if (group > persists.newest) {
    const detail = `group ${group} is durable, but the newest given out is ${persists.newest}`;
    raft.out.notice('impossibleAcknowledgement', raft.id, detail);
    return;
  }
  const durable = persists.acknowledge(group);
  if (durable === undefined) return;
  log.durable = Math.max(log.durable, durable.lastIndex);
  if (raft.gate !== undefined && raft.gate.group <= group) raft.gate = undefined;
  if (durable.snapshotIndex > 0) finishInstalling(raft, durable.snapshotIndex);
  if (durable.ownVote) countOwnVote(raft);
  acknowledgeOwnLog(raft);
}

/** Without a leader a follower grants votes at once. Where reads trust leases it may not. */
function handleForgetLeader(raft: RaftState): void {
  const { leader, role } = raft;
  if (role !== 'follower' || leader === NO_NODE) return;
  if (raft.config.readMode === 'lease') {
    raft.trace?.({ type: 'forgetLeaderRefused' });
    return;
  }
  raft.trace?.({ type: 'forgettingLeader', leader });
  forgetLeader(raft);
}
