/** A leader's heartbeats: they keep its authority and carry the commit index and read rounds (thesis §3.4, §6.4). */
import type { HeartbeatResponseMessage } from './message.ts';
import { acknowledgeRound } from './read-index.ts';
import { knownPeer } from './replication.ts';
import type { RaftState } from './state.ts';

/** Sends a heartbeat to everybody, learners included. Where reads trust leases, each is a round. */
export function broadcastHeartbeat(raft: RaftState): void {
  const { id: from, term, log, reads, config } = raft;
  let { pendingRound: readRound } = reads;
  if (config.readMode === 'lease') {
    readRound = reads.number();
    noteLeaseRound(raft, readRound);
  }
  for (const peer of raft.peers) {
    if (peer.id === from) continue;
    const { session, match } = peer;
    raft.out.immediate.push({
      type: 'heartbeat',
      from,
      to: peer.id,
      term,
      commit: log.commit,
      readRound,
      session,
    });
    peer.sentCommit = Math.min(match, log.commit);
  }
}

/** Remembers when the round was sent: the first of each tick, and as many ticks as a lease can last. */
function noteLeaseRound({ leaseRounds, tickCount: tick, config }: RaftState, round: number): void {
  if (leaseRounds.at(-1)?.tick === tick) return;
  leaseRounds.push({ round, tick });
  const oldest = tick - config.electionTimeoutTicks;
  while ((leaseRounds[0]?.tick ?? tick) <= oldest) leaseRounds.shift();
}

/** A peer answered a heartbeat: it is alive, and its lost appends are sent again. */
export function handleHeartbeatResponse(raft: RaftState, message: HeartbeatResponseMessage): void {
  const peer = knownPeer(raft, message);
  if (peer === undefined) return;
  peer.isRecentlyActive = true;
  peer.isPaused = false;
  const lags = peer.match < raft.log.lastIndex || message.commit < raft.log.commit;
  if (peer.state === 'probe' || (lags && peer.remind(raft.tickCount))) peer.owed = 'append';
  acknowledgeRound(raft, peer, message.readRound);
}
