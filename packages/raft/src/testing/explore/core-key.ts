import type { Progress } from '../../progress.ts';
import type { RaftState } from '../../state.ts';

/**
 * Everything in a core's state that decides what it does next, as a text.
 *
 * Left out is what no input of an exploration can reach: the generator of timeouts, tick counts beyond the
 * timers, byte counts that follow from the entries.
 */
export function coreKey(raft: RaftState): string {
  const { log } = raft;
  const marks =
    `${raft.term} ${raft.vote} ${raft.role} ${raft.leader} ${log.offset} ${log.commit} ` +
    `${log.durable} ${log.handed} ${log.applying} ${log.applied} ${raft.acceptedTerm} ${raft.acceptedIndex} ` +
    `${raft.pendingConfigIndex} ${raft.persists.newest} ${raft.electionElapsed} ` +
    `${raft.heartbeatElapsed}`;
  return `${marks}/${logKey(raft)}/${confKey(raft)}/${leaderKey(raft)}`;
}

function logKey({ log }: RaftState): string {
  let text = '';
  for (let index = log.firstIndex; index <= log.lastIndex; index++) {
    const entry = log.entryAt(index);
    text += `${entry?.term}${entry?.payload.kind === 'command' ? entry.payload.data.join('.') : ''},`;
  }
  return text;
}

function confKey({ conf }: RaftState): string {
  const { voters, votersOutgoing, learners, learnersNext, autoLeave } = conf;
  return `${voters.join()}|${votersOutgoing.join()}|${learners.join()}|${learnersNext.join()}|${autoLeave}`;
}

function leaderKey(raft: RaftState): string {
  let text = '';
  for (const [id, granted] of [...raft.votes].sort(([a], [b]) => (a < b ? -1 : 1))) {
    text += `${id}${granted},`;
  }
  text += `/${raft.reads.count} ${raft.reads.newestRound} ${raft.reads.pendingRound}/`;
  if (raft.role !== 'leader') return text;
  for (const peer of raft.peers) text += progressKey(peer);
  return text;
}

function progressKey(peer: Progress): string {
  return (
    `${peer.id} ${peer.state} ${peer.match} ${peer.next} ${peer.sentCommit} ${peer.isPaused} ` +
    `${peer.isRecentlyActive} ${peer.readRound} ${peer.inflights.count} ${peer.session};`
  );
}
