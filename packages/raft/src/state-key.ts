/**
 * A core's state as one string: two cores with equal keys behave alike from here on.
 *
 * For explorers, which visit each state once. Times are relative to now, so that time alone makes no state
 * new. Payloads are named by their place in the log: an entry is known by its index and term (thesis §3.5).
 */
import type { ConfState, NodeId } from './entry.ts';
import type { RaftLog } from './log.ts';
import type { Progress } from './progress.ts';
import type { RaftState } from './state.ts';
import { OUTCOME_PATIENCE_ELECTION_TIMEOUTS } from './tick.ts';

/** The key of a state between two calls. */
export function keyOf(raft: RaftState): string {
  return [
    `${raft.term} ${raft.vote} ${raft.role} ${raft.leader} ${raft.haltReason ?? ''}`,
    keyOfLog(raft.log),
    `${raft.snapshot.index} ${raft.installing?.index ?? 0} ${raft.isInstallingHanded ? 1 : 0}`,
    raft.persists.key,
    raft.gate === undefined ? '' : `${raft.persists.newest - raft.gate.group} ${raft.gate.index}`,
    keyOfConf(raft.conf),
    raft.peers.map((peer) => keyOfPeer(peer, raft.tickCount)).join(';'),
    `${raft.pendingConfigIndex} ${raft.acceptedTerm} ${raft.acceptedIndex} ${raft.prng.state}`,
    keyOfTimers(raft),
    keyOfVotes(raft),
    raft.reads.key(raft.tickCount),
    raft.sentReads.key(raft.tickCount),
    raft.forwards.key(raft.tickCount),
    keyOfSeen(raft),
    `${raft.outcomes.key} ${raft.transferTarget} ${keyOfTransfer(raft)}`,
    `${raft.handedHard.term} ${raft.handedHard.vote} ${raft.handedHard.commit}`,
    `${raft.handedRole.term} ${raft.handedRole.role} ${raft.handedRole.leader}`,
  ].join('|');
}

function keyOfLog(log: RaftLog): string {
  const { offset, lastIndex, commit, durable, handed, applying, applied } = log;
  const terms: number[] = [];
  for (let index = offset; index <= lastIndex; index++) terms.push(log.termAt(index) ?? 0);
  const changes = log.configIndexes.join();
  return `${offset} ${terms.join()} ${commit} ${durable} ${handed} ${applying} ${applied} ${changes}`;
}

function keyOfConf(conf: ConfState): string {
  const { voters, votersOutgoing, learners, learnersNext, autoLeave } = conf;
  const list = (ids: readonly NodeId[]): string => ids.join();
  return `${list(voters)}/${list(votersOutgoing)}/${list(learners)}/${list(learnersNext)}/${autoLeave}`;
}

function keyOfPeer(peer: Progress, tick: number): string {
  const { id, state, match, next, sentCommit, pendingSnapshot, session, readRound } = peer;
  const bits = [peer.isLearner, peer.isRecentlyActive, peer.isPaused, peer.remindedTick === tick];
  const flags = bits.map(Number).join('');
  const marks = `${match} ${next} ${sentCommit} ${pendingSnapshot} ${session} ${readRound}`;
  return `${id} ${state} ${marks} ${flags} ${peer.inflights.key}`;
}

function keyOfTimers(raft: RaftState): string {
  const { electionElapsed, heartbeatElapsed, electionTimeout, tickCount } = raft;
  const lease = raft.leaseRounds.map(({ round, tick }) => `${round}@${tickCount - tick}`).join();
  const promised = Math.max(0, raft.promiseEndsTick - tickCount);
  const patience = OUTCOME_PATIENCE_ELECTION_TIMEOUTS * raft.config.electionTimeoutTicks;
  const silent = Math.min(raft.silentTicks, patience);
  return `${electionElapsed} ${heartbeatElapsed} ${silent} ${electionTimeout} ${promised} ${lease} ${raft.isLeaseBroken}`;
}

function keyOfVotes(raft: RaftState): string {
  const votes = [...raft.votes].sort(([a], [b]) => (a < b ? -1 : 1));
  return votes.map(([id, granted]) => `${id}${granted ? '+' : '-'}`).join();
}

function keyOfSeen(raft: RaftState): string {
  const seen = [...raft.seenRequests].sort(([a], [b]) => (a < b ? -1 : 1));
  return `${raft.nextRequestId} ${seen.map(([id, from]) => `${id}:${from.key}`).join()}`;
}

function keyOfTransfer({ transfer, tickCount }: RaftState): string {
  if (transfer === undefined) return '';
  return `${transfer.token}>${transfer.target}@${transfer.deadlineTick - tickCount}`;
}
