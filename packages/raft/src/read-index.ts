/**
 * Linearizable reads without the log (thesis §6.4): at a leader, at a follower, and by lease.
 *
 * Every token gets an answer: an index to wait for, or a refusal, at the latest an election timeout after the
 * read, or its round, began.
 */
import { isLoneVoter } from './election.ts';
import type { Refusal } from './effect.ts';
import { type LogIndex, NO_NODE, type Token } from './entry.ts';
import { broadcastHeartbeat } from './heartbeat.ts';
import type { ReadRequestMessage, ReadResponseMessage } from './message.ts';
import { majorityReached } from './quorum.ts';
import type { Progress } from './progress.ts';
import type { Reader } from './read-queue.ts';
import type { RaftState } from './state.ts';

/** A caller of this node wants to read. */
export function handleRead(raft: RaftState, token: Token): void {
  if (raft.role === 'leader') {
    leaderRead(raft, { kind: 'own', token });
    return;
  }
  if (raft.leader === NO_NODE) refuseRead(raft, { kind: 'own', token }, 'noLeader');
  else if (raft.sentReadCount + raft.freshReads.length >= raft.config.maxPendingReads) {
    refuseRead(raft, { kind: 'own', token }, 'full');
  } else raft.freshReads.push(token);
}

/** A follower asks for its readers. */
export function handleReadRequest(raft: RaftState, message: ReadRequestMessage): void {
  const reader: Reader = { kind: 'peer', peer: message.from, id: message.id };
  if (raft.role === 'leader') leaderRead(raft, reader);
  else refuseRead(raft, reader, 'notLeader');
}

function leaderRead(raft: RaftState, reader: Reader): void {
  const { reads, config, log } = raft;
  if (config.readMode === 'lease' && raft.transferTarget !== NO_NODE) {
    refuseRead(raft, reader, 'transferring');
  } else if (reads.count >= config.maxPendingReads) {
    refuseRead(raft, reader, 'full');
  } else if (hasCommittedInTerm(raft) && (isLoneVoter(raft) || holdsLease(raft))) {
    serveRead(raft, reader, log.commit);
  } else {
    reads.add(reader, raft.tickCount);
  }
}

/** Until an entry of its term is committed a leader does not know what was committed before it. */
function hasCommittedInTerm(raft: RaftState): boolean {
  return raft.log.matches(raft.log.commit, raft.term);
}

/**
 * Begins a round for everything that waits. Called when a call ends: its reads share the round.
 *
 * The commit index of this moment is at or above that of the moment at which each read came in.
 */
export function flushReads(raft: RaftState): void {
  if (raft.role === 'leader') {
    if (!raft.reads.wantsRound || !hasCommittedInTerm(raft)) return;
    raft.reads.begin(raft.log.commit, raft.tickCount);
    broadcastHeartbeat(raft);
    serveConfirmed(raft);
    return;
  }
  if (raft.freshReads.length === 0) return;
  const id = raft.nextRequestId++;
  raft.sentReads.add(id, raft.freshReads, raft.tickCount);
  raft.sentReadCount += raft.freshReads.length;
  raft.freshReads = [];
  const { id: from, leader: to, term } = raft;
  raft.out.immediate.push({ type: 'readRequest', from, to, term, id });
}

/** A member follows still, as of `round`. */
export function acknowledgeRound(raft: RaftState, peer: Progress, round: number): void {
  if (round > raft.reads.newestRound) {
    const detail = `peer acknowledged read round ${round}, the newest is ${raft.reads.newestRound}`;
    raft.out.notice('impossibleAcknowledgement', peer.id, detail);
    return;
  }
  if (round <= peer.readRound) return;
  peer.readRound = round;
  serveConfirmed(raft);
}

/** Serves the rounds that a quorum has confirmed; of another configuration, it may be more than a moment ago. */
export function serveConfirmed(raft: RaftState): void {
  if (raft.reads.pendingRound === 0) return;
  for (const { index, readers } of raft.reads.takeThrough(confirmedRound(raft))) {
    for (const reader of readers) serveRead(raft, reader, index);
  }
}

/** The newest round in which a quorum followed. */
function confirmedRound(raft: RaftState): number {
  const incoming = majorityRound(raft, raft.incoming);
  if (raft.outgoing.length === 0) return incoming;
  return Math.min(incoming, majorityRound(raft, raft.outgoing));
}

function majorityRound(raft: RaftState, voters: readonly Progress[]): number {
  const newest = raft.reads.newestRound;
  return majorityReached(voters.map((peer) => (peer.id === raft.id ? newest : peer.readRound)));
}

/**
 * True when no other leader can have been elected yet, if all clocks run at about one speed (thesis §6.4.1).
 *
 * A voter that answered a round sent at tick s ignores candidates for an election timeout of its own ticks
 * from then on. Either side's ticks may fall anywhere between ours, which costs two of them.
 */
export function holdsLease(raft: RaftState): boolean {
  const { config, leaseRounds, tickCount } = raft;
  if (config.readMode !== 'lease' || raft.isLeaseBroken) return false;
  const confirmed = confirmedRound(raft);
  let since = Number.NEGATIVE_INFINITY;
  let spent = -1;
  for (const { round, tick } of leaseRounds) {
    if (round > confirmed) break;
    since = tick;
    spent++;
  }
  if (spent > 0) leaseRounds.splice(0, spent);
  return tickCount - since < config.electionTimeoutTicks - 1;
}

function serveRead(raft: RaftState, reader: Reader, index: LogIndex): void {
  if (reader.kind === 'own') {
    raft.out.report(reader.token, { kind: 'readable', index });
    return;
  }
  answerPeer(raft, reader, index, false);
}

function refuseRead(raft: RaftState, reader: Reader, reason: Refusal): void {
  if (reader.kind === 'own') {
    raft.out.report(reader.token, { kind: 'refused', reason, leader: raft.leader });
    return;
  }
  answerPeer(raft, reader, 0, true);
}

function answerPeer(
  raft: RaftState,
  { peer: to, id }: Reader & { readonly kind: 'peer' },
  index: LogIndex,
  refused: boolean,
): void {
  const { id: from, term } = raft;
  raft.out.immediate.push({ type: 'readResponse', from, to, term, id, index, refused });
}

/** The leader answered. */
export function handleReadResponse(raft: RaftState, message: ReadResponseMessage): void {
  const tokens = raft.sentReads.take(message.id);
  if (tokens === undefined) return;
  raft.sentReadCount -= tokens.length;
  const { index } = message;
  for (const token of tokens) {
    if (message.refused) refuseRead(raft, { kind: 'own', token }, 'noLeader');
    else raft.out.report(token, { kind: 'readable', index });
  }
}

/** The leader, or the term, is another one: nobody will answer what waits. */
export function abandonReads(raft: RaftState): void {
  const reason: Refusal = raft.leader === NO_NODE ? 'noLeader' : 'notLeader';
  if (raft.reads.count > 0) {
    for (const reader of raft.reads.takeAll()) refuseRead(raft, reader, reason);
  }
  refuseSent(raft, raft.tickCount, reason);
  for (const token of raft.freshReads) refuseRead(raft, { kind: 'own', token }, reason);
  raft.freshReads = [];
}

/** Gives up what the leader, or a quorum, did not answer within an election timeout. */
export function expireReads(raft: RaftState): void {
  const tick = raft.tickCount - raft.config.electionTimeoutTicks;
  if (raft.reads.hasSince(tick)) {
    for (const reader of raft.reads.takeSince(tick)) refuseRead(raft, reader, 'timedOut');
  }
  if (raft.sentReads.hasSentBy(tick)) refuseSent(raft, tick, 'timedOut');
}

function refuseSent(raft: RaftState, tick: number, reason: Refusal): void {
  for (const tokens of raft.sentReads.takeSentBy(tick)) {
    raft.sentReadCount -= tokens.length;
    for (const token of tokens) refuseRead(raft, { kind: 'own', token }, reason);
  }
}
