/** What always holds between two steps of one core, whatever its driver and its peers do. */
import { assert } from '@etcd-ts/base';
import { NO_NODE } from './entry.ts';
import { payloadBytes, type RaftLog } from './log.ts';
import type { Progress } from './progress.ts';
import { quorumMatch } from './commit.ts';
import type { RaftCore } from './raft-core.ts';
import type { RaftState } from './state.ts';

/**
 * Checks a core between two steps; O(log length).
 *
 * @throws InvariantError naming what is broken.
 */
export function checkInvariants(core: RaftCore): void {
  core.checkInvariants();
}

/** Checks a state between two calls. @throws InvariantError naming what is broken. */
export function checkState(raft: RaftState): void {
  // A stopped core is what the broken step left.
  if (raft.haltReason !== undefined) return;
  checkLog(raft.log, raft.installing !== undefined);
  checkRole(raft);
  checkConf(raft);
  for (const peer of raft.peers) checkProgress(raft, peer);
  const { immediate, dependent, outcomes, configs, snapshots } = raft.out;
  // Notices of the start wait for the first call.
  for (const kept of [immediate, dependent, outcomes, configs, snapshots]) {
    assert(kept.length === 0, 'something was kept back in the outbox between two calls');
  }
  assert(raft.installing !== undefined || raft.snapshot.index >= raft.log.offset, () => {
    return `log begins behind ${raft.log.offset}, the snapshot is at ${raft.snapshot.index}`;
  });
}

function checkLog(log: RaftLog, isInstalling: boolean): void {
  const { applied, applying, commit, durable, handed, lastIndex, offset } = log;
  const marks = `applied ${applied} applying ${applying} commit ${commit} durable ${durable} handed ${handed} last ${lastIndex} offset ${offset}`;
  assert(applied <= applying && applying <= commit && commit <= lastIndex, marks);
  assert(handed === lastIndex, () => `entries were kept back: ${marks}`);
  assert(durable <= handed, marks);
  assert(isInstalling || (offset <= applied && applying <= durable), marks);
  let term = log.termAt(offset) ?? 0;
  let bytes = 0;
  const configs: number[] = [];
  for (let index = offset + 1; index <= lastIndex; index++) {
    const entry = log.entryAt(index);
    assert(entry?.index === index && entry.term >= term, () => `entry ${index} is out of place`);
    term = entry.term;
    if (index > commit) bytes += payloadBytes(entry.payload);
    if (entry.payload.kind === 'config') configs.push(index);
  }
  assert(
    bytes === log.uncommittedBytes,
    () => `uncommitted ${bytes}, counted ${log.uncommittedBytes}`,
  );
  assert(
    configs.join() === log.configIndexes.join(),
    () => `changes at ${configs.join()}, known ${log.configIndexes.join()}`,
  );
  // One change at a time: the one before the last was applied, so committed, when the last was taken.
  assert((configs.at(-2) ?? 0) <= commit, () => `changes at ${configs.join()}, commit ${commit}`);
}

function checkRole(raft: RaftState): void {
  const { role, leader, id, log, term } = raft;
  assert(role !== 'leader' || leader === id, () => `leader ${id} follows ${leader}`);
  assert(role === 'leader' || leader !== id, () => `${role} ${id} believes to lead`);
  assert(
    role === 'leader' || role === 'follower' || leader === NO_NODE,
    () => `${role} ${id} follows ${leader}`,
  );
  assert(role !== 'candidate' || raft.vote === id, () => `candidate ${id} votes for ${raft.vote}`);
  assert(
    log.lastTerm <= term || log.lastIndex === log.offset,
    () => `log of term ${log.lastTerm} in term ${term}`,
  );
  const { acceptedTerm, acceptedIndex } = raft;
  assert(
    acceptedTerm < term || (acceptedTerm === term && acceptedIndex <= log.lastIndex),
    () => `accepted (${acceptedIndex}, ${acceptedTerm}) in term ${term}, last ${log.lastIndex}`,
  );
  assert(
    raft.leaseRounds.length <= raft.config.electionTimeoutTicks,
    () => `${raft.leaseRounds.length} lease rounds are remembered`,
  );
  if (role !== 'leader') return;
  const match = quorumMatch(raft);
  assert(
    raft.conf.voters.length === 0 || match <= log.commit || !log.matches(match, term),
    () => `a quorum holds ${match} of this term, committed is ${log.commit}`,
  );
}

function checkConf({ conf }: RaftState): void {
  const joint = conf.votersOutgoing.length > 0;
  assert(joint || (conf.learnersNext.length === 0 && !conf.autoLeave), 'not joint, but to be left');
  for (const id of conf.learners) {
    assert(!conf.voters.includes(id) && !conf.votersOutgoing.includes(id), `learner ${id} votes`);
  }
  for (const id of conf.learnersNext) {
    assert(conf.votersOutgoing.includes(id), `learner-next ${id} is not in the outgoing half`);
  }
}

function checkProgress(raft: RaftState, peer: Progress): void {
  const { log, role } = raft;
  const text = `${peer.id}: ${peer.state} match ${peer.match} next ${peer.next} pending ${peer.pendingSnapshot}`;
  assert(peer.match < peer.next, text);
  assert(peer.owed === 'nothing' && !peer.owesMore, () => `${text} is owed something`);
  assert(peer.inflights.count === 0 || peer.state === 'replicate', text);
  assert(
    peer.state === 'snapshot' ? peer.next > peer.pendingSnapshot : peer.pendingSnapshot === 0,
    text,
  );
  if (role !== 'leader') return;
  assert(peer.match <= log.lastIndex && peer.next <= log.lastIndex + 1, text);
  if (peer.id === raft.id) assert(peer.match <= log.durable, text);
}
