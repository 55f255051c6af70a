/**
 * A leader's side of log replication (thesis §3.5, §3.6, §10.2.1).
 *
 * Appends are not sent where they are found to be needed but owed; what is owed leaves when the call ends,
 * so that everything that came in together goes out together.
 */
import { commitByQuorum } from './commit.ts';
import { type Entry, type LogIndex, NO_NODE, type Payload } from './entry.ts';
import { payloadBytes } from './log.ts';
import type { AppendResponseMessage } from './message.ts';
import type { Progress } from './progress.ts';
import { sendSnapshot } from './snapshot.ts';
import type { RaftState } from './state.ts';
import { peerProgress } from './status.ts';
import { oweTimeoutNowIfCaughtUp } from './transfer.ts';

/** Appends entries of the leader's term; returns the index of the first. */
export function appendPayloads(raft: RaftState, payloads: readonly Payload[]): LogIndex {
  const { log, term } = raft;
  const first = log.lastIndex + 1;
  let index = first;
  for (const payload of payloads) {
    log.append({ index, term, payload });
    index++;
  }
  return first;
}

/** Owes every peer an append, even an empty one: there is a new commit index, or a new leader. */
export function broadcastAppend(raft: RaftState): void {
  for (const peer of raft.peers) if (peer.id !== raft.id) peer.owed = 'append';
}

/** Sends what is owed, peers ascending: first one append to each, then more to those that have room. */
export function flushAppends(raft: RaftState): void {
  if (raft.role !== 'leader') return;
  for (const peer of raft.peers) {
    if (peer.owed === 'nothing') continue;
    sendAppend(raft, peer, peer.owed === 'append');
    peer.owed = 'nothing';
  }
  for (const peer of raft.peers) {
    if (!peer.owesMore) continue;
    peer.owesMore = false;
    while (sendAppend(raft, peer, false)) continue;
  }
  if (raft.owesTimeoutNow !== NO_NODE) {
    const { id: from, term, owesTimeoutNow: to } = raft;
    raft.out.immediate.push({ type: 'timeoutNow', from, to, term });
    raft.owesTimeoutNow = NO_NODE;
  }
}

/** Sends one append; false when nothing was sent. */
function sendAppend(raft: RaftState, peer: Progress, evenIfEmpty: boolean): boolean {
  if (peer.isStopped) return false;
  const { log, config } = raft;
  const prevIndex = peer.next - 1;
  const prevTerm = log.termAt(prevIndex);
  if (prevTerm === undefined) return sendSnapshot(raft, peer);
  // A full window gets empty appends only: they bring back the answers that were lost.
  const mayFill = peer.state !== 'replicate' || !peer.inflights.isFull;
  const entries = mayFill ? log.page(peer.next, log.lastIndex, config.maxMessageBytes) : [];
  if (entries.length === 0 && !evenIfEmpty) return false;
  raft.out.immediate.push({
    type: 'append',
    from: raft.id,
    to: peer.id,
    term: raft.term,
    prevIndex,
    prevTerm,
    entries,
    commit: log.commit,
    session: peer.session,
  });
  peer.sentEntries(entries.length, bytesOf(entries));
  peer.sentCommit = log.commit;
  return true;
}

function bytesOf(entries: readonly Entry[]): number {
  let bytes = 0;
  for (const { payload } of entries) bytes += payloadBytes(payload);
  return bytes;
}

/** A peer answered an append or a snapshot. */
export function handleAppendResponse(raft: RaftState, message: AppendResponseMessage): void {
  const peer = knownPeer(raft, message);
  if (peer === undefined) return;
  peer.isRecentlyActive = true;
  if (message.rejected) handleRejection(raft, peer, message);
  else handleAcknowledgement(raft, peer, message.index);
}

/** The progress that an answer is for; undefined for strangers and for members of an earlier session. */
export function knownPeer(
  raft: RaftState,
  message: { readonly from: bigint; readonly session: LogIndex },
): Progress | undefined {
  const peer = raft.peer(message.from);
  if (peer === undefined) return undefined;
  if (peer.session !== message.session) {
    raft.trace?.({ type: 'staleSession', peer: peer.id, session: message.session });
    return undefined;
  }
  return peer;
}

function handleRejection(raft: RaftState, peer: Progress, message: AppendResponseMessage): void {
  const { index, hintIndex, hintTerm } = message;
  const { log, trace } = raft;
  trace?.({ type: 'rejectionReceived', peer: peer.id, index, hintIndex, hintTerm });
  // The follower told the largest index whose term is not beyond ours there; the same question asked of
  // this log skips every entry that cannot match (thesis §3.5, the optimisation in its last paragraph).
  const hint = hintTerm > 0 ? log.findByTerm(hintIndex, hintTerm).index : hintIndex;
  if (peer.state === 'probe' && index === peer.match && index === peer.next - 1 && hint < index) {
    const detail = `peer no longer holds index ${index}, which it had acknowledged; it may match through ${hint}`;
    raft.out.notice('logRegressed', peer.id, detail);
    peer.regress(hint);
    peer.owed = 'append';
    return;
  }
  if (!peer.reject(index, hint)) return;
  if (trace !== undefined) {
    trace({ type: 'progressDecreased', peer: peer.id, progress: peerProgress(peer) });
  }
  if (peer.state === 'replicate') peer.becomeProbe();
  peer.owed = 'append';
}

function handleAcknowledgement(raft: RaftState, peer: Progress, index: LogIndex): void {
  const { log } = raft;
  if (index > log.lastIndex) {
    const detail = `peer acknowledged index ${index}, this log ends at ${log.lastIndex}`;
    raft.out.notice('impossibleAcknowledgement', peer.id, detail);
    return;
  }
  if (!peer.acknowledge(index) && !confirmsProbe(peer, index)) return;
  switch (peer.state) {
    case 'probe':
      peer.becomeReplicate();
      break;
    case 'snapshot':
      // Any snapshot that reaches the log will do, also one older than the one waited for.
      if (peer.match + 1 < log.firstIndex) break;
      raft.trace?.({ type: 'peerRecovered', peer: peer.id, progress: peerProgress(peer) });
      peer.becomeProbe();
      peer.becomeReplicate();
      break;
    case 'replicate':
      peer.inflights.freeThrough(index);
      break;
  }
  if (commitByQuorum(raft)) broadcastAppend(raft);
  else if (peer.canUseCommit(log.commit)) peer.owed = 'append';
  peer.owesMore = true;
  oweTimeoutNowIfCaughtUp(raft, peer);
}

/**
 * An equal match tells a probed peer to be in step when the probe was sent from there. Else it is none: whoever hears of
 * an old term answers with index 0, and what was held up may come from when this leader led in that term itself.
 */
function confirmsProbe(peer: Progress, index: LogIndex): boolean {
  return peer.state === 'probe' && index === peer.match && peer.next === index + 1;
}

/** This leader's own log is durable further than before. */
export function acknowledgeOwnLog(raft: RaftState): void {
  const own = raft.peer(raft.id);
  if (raft.role !== 'leader' || own === undefined) return;
  if (!own.acknowledge(raft.log.durable)) return;
  if (commitByQuorum(raft)) broadcastAppend(raft);
}

/** Messages to this peer are being lost: what is in flight is in doubt. */
export function handleUnreachable(raft: RaftState, id: bigint): void {
  const peer = raft.peer(id);
  if (raft.role !== 'leader' || peer === undefined || id === raft.id) return;
  if (peer.state === 'replicate') peer.becomeProbe();
  raft.trace?.({ type: 'peerUnreachable', peer: id, progress: peerProgress(peer) });
}
