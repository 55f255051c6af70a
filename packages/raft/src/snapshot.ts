/** Snapshots: sending one to a peer behind the log, taking one in, and forgetting what one covers (thesis §5). */
import type { SnapshotMeta } from './entry.ts';
import type { SnapshotReportInput, SnapshotTakenInput } from './input.ts';
import type { SnapshotMessage } from './message.ts';
import { acknowledge } from './acknowledge.ts';
import { advanceCommit } from './commit.ts';
import type { Progress } from './progress.ts';
import type { RaftState } from './state.ts';
import { peerProgress } from './status.ts';

/** Has the driver move a snapshot to a peer whose next entry is gone; false when the peer seems to be away. */
export function sendSnapshot(raft: RaftState, peer: Progress): boolean {
  if (!peer.isRecentlyActive) return false;
  const { snapshot, term, trace, log } = raft;
  const { firstIndex, commit } = log;
  const before = trace === undefined ? undefined : peerProgress(peer);
  peer.becomeSnapshot(snapshot.index);
  raft.out.snapshots.push({
    type: 'sendSnapshot',
    to: peer.id,
    term,
    snapshot,
    session: peer.session,
  });
  if (trace !== undefined && before !== undefined) {
    trace({ type: 'snapshotSent', peer: peer.id, firstIndex, commit, snapshot, progress: before });
    trace({ type: 'peerPaused', peer: peer.id, progress: peerProgress(peer) });
  }
  return true;
}

/** How sending ended. Either way the peer is probed, after its next sign of life. */
export function handleSnapshotReport(raft: RaftState, report: SnapshotReportInput): void {
  const peer = raft.peer(report.to);
  if (raft.role !== 'leader' || peer === undefined || peer.state !== 'snapshot') return;
  // The driver may have sent a newer one than it was asked for.
  peer.pendingSnapshot = report.ok ? Math.max(peer.pendingSnapshot, knownIndex(raft, report)) : 0;
  peer.becomeProbe();
  peer.isPaused = true;
  raft.trace?.({
    type: 'snapshotReported',
    peer: peer.id,
    ok: report.ok,
    progress: peerProgress(peer),
  });
}

function knownIndex(raft: RaftState, report: SnapshotReportInput): number {
  return Math.min(report.index, raft.log.lastIndex);
}

/** The driver holds a durable snapshot: entries that it covers may go. */
export function handleSnapshotTaken(raft: RaftState, taken: SnapshotTakenInput): void {
  const { log, snapshot } = raft;
  const { snapshotIndex: index, compactIndex, confState } = taken;
  const term = index === snapshot.index ? snapshot.term : log.termAt(index);
  if (compactIndex > index || index > log.applied) {
    const detail = `snapshot at ${index}, compaction to ${compactIndex}, but applied is ${log.applied}`;
    raft.out.notice('impossibleAcknowledgement', raft.id, detail);
    return;
  }
  if (term !== undefined && index >= snapshot.index) raft.snapshot = { index, term, confState };
  log.compactTo(Math.min(compactIndex, raft.snapshot.index));
}

/**
 * The leader's snapshot: its content is here. It replaces the log unless the log is as far already.
 *
 * Its configuration need not name this node: the change that added it may follow in the log.
 */
export function handleSnapshot(raft: RaftState, message: SnapshotMessage): void {
  const { snapshot } = message;
  const { log, trace } = raft;
  if (takeIn(raft, snapshot)) {
    trace?.({ type: 'snapshotRestored', snapshot, commit: log.commit });
    acknowledge(raft, message, log.lastIndex);
  } else {
    trace?.({ type: 'snapshotIgnored', snapshot, commit: log.commit });
    acknowledge(raft, message, log.commit);
  }
}

function takeIn(raft: RaftState, snapshot: SnapshotMeta): boolean {
  const { log, trace } = raft;
  const { index, term, confState } = snapshot;
  if (index <= log.commit) return false;
  if (log.matches(index, term)) {
    trace?.({ type: 'snapshotFastForwarded', snapshot, commit: log.commit });
    advanceCommit(raft, index);
    return false;
  }
  trace?.({ type: 'snapshotRestoring', snapshot });
  raft.outcomes.restore(snapshot, (token, outcome) => raft.out.report(token, outcome));
  raft.out.withdrawAcknowledgementsAfter(log.commit);
  raft.persists.clip(index - 1);
  log.restore(snapshot);
  log.durable = Math.min(log.durable, index - 1);
  raft.installing = snapshot;
  raft.isInstallingHanded = false;
  raft.useConf(confState, index);
  raft.out.configs.push({ type: 'config', index, confState });
  trace?.({ type: 'switchedConfig', confState });
  return true;
}

/** The snapshot of a group is durable, and the state machine is what it holds. */
export function finishInstalling(raft: RaftState, index: number): void {
  const { installing, log } = raft;
  if (installing === undefined || installing.index !== index) return;
  raft.snapshot = installing;
  raft.installing = undefined;
  log.applied = index;
  log.applying = index;
}
