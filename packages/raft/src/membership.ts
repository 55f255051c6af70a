/**
 * Membership changes (thesis §4), with etcd's rule that a configuration is in force when its entry is applied.
 *
 * One change at a time: the next is taken only when everything up to the last one is applied here. So a node
 * whose log holds two changes knows that the first is committed, and a node that has not applied a committed
 * change does not campaign: any two configurations by which decisions are made at once share a member in every
 * pair of quorums.
 */
import { changeConf, isJoint, isLeave, votersOf } from './conf-change.ts';
import { commitByQuorum } from './commit.ts';
import { type ConfigChange, type ConfState, type LogIndex, NO_NODE } from './entry.ts';
import type { Refused } from './proposals.ts';
import { serveConfirmed } from './read-index.ts';
import { appendPayloads, broadcastAppend, flushAppends } from './replication.ts';
import { becomeFollower } from './roles.ts';
import type { RaftState } from './state.ts';
import { abortTransfer } from './transfer.ts';

/** Why this leader does not take the change; undefined when it does. Judged by the newest configuration. */
export function whyNotChange(raft: RaftState, change: ConfigChange): Refused | undefined {
  const refused = judge(raft, change);
  if (refused?.detail !== undefined) {
    raft.trace?.({ type: 'changeRefused', detail: refused.detail });
  }
  return refused;
}

function judge(raft: RaftState, change: ConfigChange): Refused | undefined {
  const { log, conf, pendingConfigIndex } = raft;
  if (change.steps.some((step) => step.node === NO_NODE)) {
    return { reason: 'changeIllegal', detail: 'a node id is above 0: 0' };
  }
  if (!raft.config.checkChanges) return undefined;
  if (pendingConfigIndex > log.applied) {
    const detail = `possible unapplied conf change at index ${pendingConfigIndex} (applied to ${log.applied})`;
    return { reason: 'changePending', detail };
  }
  if (isJoint(conf) && !isLeave(change)) {
    return { reason: 'changeIllegal', detail: 'must transition out of joint config first' };
  }
  if (!isJoint(conf) && isLeave(change)) {
    return { reason: 'changeIllegal', detail: 'not in joint state; refusing empty conf change' };
  }
  const result = changeConf(conf, change);
  return result.ok ? undefined : { reason: 'changeIllegal', detail: result.reason };
}

/** Appends a change that was found fit. */
export function appendChange(raft: RaftState, change: ConfigChange): LogIndex {
  const index = appendPayloads(raft, [{ kind: 'config', change }]);
  raft.pendingConfigIndex = index;
  return index;
}

/** The state machine holds everything through `index`: the changes on the way take effect. */
export function handleApplied(raft: RaftState, index: LogIndex): void {
  const { log } = raft;
  if (index > log.applying) {
    const detail = `applied through ${index}, but handed out only through ${log.applying}`;
    raft.out.notice('impossibleAcknowledgement', raft.id, detail);
    return;
  }
  if (index <= log.applied) return;
  const from = log.applied;
  log.applied = index;
  applyChanges(raft, from, index);
  leaveJointWhenDue(raft);
}

/** Takes the changes after `from` through `to` into force. */
export function applyChanges(raft: RaftState, from: LogIndex, to: LogIndex): void {
  const due = raft.log.configIndexes.filter((index) => index > from && index <= to);
  for (const index of due) {
    const payload = raft.log.entryAt(index)?.payload;
    if (payload?.kind === 'config') applyChange(raft, index, payload.change);
  }
}

function applyChange(raft: RaftState, index: LogIndex, change: ConfigChange): void {
  const result = changeConf(raft.conf, change);
  if (!result.ok) {
    // Every member judges the same entry by the same configuration, so all of them pass over it.
    const detail = `change at index ${index} passed over: ${result.reason}`;
    raft.out.notice('protocolViolation', raft.leader, detail);
    return;
  }
  switchConf(raft, result.conf, index);
}

function switchConf(raft: RaftState, conf: ConfState, index: LogIndex): void {
  const wasMember = raft.peer(raft.id) !== undefined;
  raft.useConf(conf, index);
  raft.out.configs.push({ type: 'config', index, confState: conf });
  raft.trace?.({ type: 'switchedConfig', confState: conf });
  const own = raft.peer(raft.id);
  if (wasMember && own === undefined) {
    raft.out.notice('removed', raft.id, `removed from the configuration at index ${index}`);
  }
  if (raft.role !== 'leader') return;
  if ((own === undefined || own.isLearner) && raft.config.stepDownOnRemoval) {
    becomeFollower(raft, raft.term, NO_NODE);
    return;
  }
  // A smaller quorum may confirm and commit more; new members want their first append.
  serveConfirmed(raft);
  if (commitByQuorum(raft)) broadcastAppend(raft);
  else for (const peer of raft.peers) if (peer.id !== raft.id) oweEntries(peer);
  if (raft.transferTarget !== NO_NODE && !votersOf(conf).includes(raft.transferTarget)) {
    abortTransfer(raft, `node ${raft.transferTarget} is no voter any more`);
  }
}

function oweEntries(peer: { owed: 'nothing' | 'entries' | 'append' }): void {
  if (peer.owed === 'nothing') peer.owed = 'entries';
}

/** Leaves a joint configuration that is to be left automatically, once it is in force. */
function leaveJointWhenDue(raft: RaftState): void {
  const { conf, log, role } = raft;
  if (role !== 'leader' || !conf.autoLeave || log.applied < raft.pendingConfigIndex) return;
  // A new member is probed with the change that made it one, and not with what follows from it.
  flushAppends(raft);
  raft.trace?.({ type: 'leavingJoint', confState: conf });
  appendChange(raft, LEAVE_JOINT);
  broadcastAppend(raft);
}

const LEAVE_JOINT: ConfigChange = { steps: [], transition: 'auto', context: new Uint8Array(0) };
