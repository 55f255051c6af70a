/** Handing leadership over (thesis §3.10). */
import { votersOf } from './conf-change.ts';
import { NO_NODE, type NodeId, type Token } from './entry.ts';
import { refuse } from './proposals.ts';
import type { Progress } from './progress.ts';
import type { RaftState } from './state.ts';

/** A caller asks this leader to hand over. */
export function handleTransfer(raft: RaftState, token: Token, target: NodeId): void {
  if (raft.role !== 'leader') {
    refuse(raft, token, { reason: raft.leader === NO_NODE ? 'noLeader' : 'notLeader' });
    return;
  }
  const peer = raft.peer(target);
  if (peer === undefined || !votersOf(raft.conf).includes(target)) {
    refuse(raft, token, { reason: 'notMember', detail: `node ${target} is no voter` });
    return;
  }
  if (target === raft.id) {
    raft.out.report(token, { kind: 'transferred' });
    return;
  }
  if (raft.transferTarget === target) {
    refuse(raft, token, { reason: 'transferring', detail: `a transfer to ${target} is under way` });
    return;
  }
  refuseTransfer(raft, 'transferring', `replaced by a transfer to ${target}`);
  begin(raft, token, peer);
}

function begin(raft: RaftState, token: Token, peer: Progress): void {
  const { id: target } = peer;
  const deadlineTick = raft.tickCount + raft.config.electionTimeoutTicks;
  // The transfer gets a whole election timeout: the check of the quorum starts over with it.
  raft.electionElapsed = 0;
  raft.transferTarget = target;
  raft.transfer = { token, target, deadlineTick };
  raft.trace?.({ type: 'transferStarted', target });
  if (peer.match === raft.log.lastIndex) oweTimeoutNow(raft, target, true);
  else peer.owed = 'append';
}

function oweTimeoutNow(raft: RaftState, target: NodeId, immediately: boolean): void {
  raft.owesTimeoutNow = target;
  raft.isLeaseBroken = true;
  raft.trace?.({ type: 'timeoutNowSent', target, immediately });
}

/** The target may campaign once it holds everything. */
export function oweTimeoutNowIfCaughtUp(raft: RaftState, peer: Progress): void {
  if (peer.id === raft.transferTarget && peer.match === raft.log.lastIndex) {
    oweTimeoutNow(raft, peer.id, false);
  }
}

/** The leader or the term changed: with the target as leader the transfer is done, with another it failed. */
export function settleTransfer(raft: RaftState): void {
  const { transfer, leader, id } = raft;
  if (transfer === undefined || leader === NO_NODE) return;
  if (leader === transfer.target) {
    raft.transfer = undefined;
    raft.out.report(transfer.token, { kind: 'transferred' });
  } else if (leader !== id || raft.transferTarget === NO_NODE) {
    refuseTransfer(raft, 'timedOut', `node ${leader} leads`);
  }
}

/** Ends the transfer in progress, if there is one; this node leads on. */
export function abortTransfer(raft: RaftState, detail: string): void {
  raft.transferTarget = NO_NODE;
  raft.owesTimeoutNow = NO_NODE;
  refuseTransfer(raft, 'timedOut', detail);
}

/** A transfer has an election timeout to succeed. */
export function expireTransfer(raft: RaftState): void {
  const { transfer } = raft;
  if (transfer === undefined || raft.tickCount < transfer.deadlineTick) return;
  abortTransfer(raft, `node ${transfer.target} did not lead within an election timeout`);
}

function refuseTransfer(
  raft: RaftState,
  reason: 'timedOut' | 'transferring',
  detail: string,
): void {
  const { transfer } = raft;
  if (transfer === undefined) return;
  raft.transfer = undefined;
  refuse(raft, transfer.token, { reason, detail });
}
