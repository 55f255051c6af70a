import type { Role } from './effect.ts';
import type { ConfState, LogIndex, NodeId, Term } from './entry.ts';
import type { Progress, ProgressState } from './progress.ts';
import type { RaftState } from './state.ts';

/** What a node is and how far it has come: a copy, for metrics and debugging. */
export interface RaftStatus {
  readonly id: NodeId;
  readonly role: Role;
  readonly term: Term;
  /** Whom this node voted for in its term. */
  readonly vote: NodeId;
  /** The leader of the term as far as known. */
  readonly leader: NodeId;
  readonly commit: LogIndex;
  readonly applied: LogIndex;
  /** The last entry handed out to be applied. */
  readonly applying: LogIndex;
  readonly firstIndex: LogIndex;
  readonly lastIndex: LogIndex;
  readonly lastTerm: Term;
  /** The last entry on this node's disk. */
  readonly durableIndex: LogIndex;
  readonly confState: ConfState;
  readonly isLearner: boolean;
  /** A leader takes no membership change before this index is applied. */
  readonly pendingConfIndex: LogIndex;
  /** To whom leadership is being handed over. */
  readonly transferTarget: NodeId;
  readonly electionElapsedTicks: number;
  readonly electionTimeoutTicks: number;
  readonly uncommittedBytes: number;
  readonly pendingReads: number;
  readonly pendingForwards: number;
  readonly pendingOutcomes: number;
  /** The newest persist group given out. */
  readonly persistGroup: number;
  /** Why the core stopped; undefined while it works. */
  readonly haltReason: string | undefined;
}

/** How far a peer has come, as its leader knows: a copy. */
export interface PeerProgress {
  readonly id: NodeId;
  readonly state: ProgressState;
  readonly match: LogIndex;
  readonly next: LogIndex;
  readonly isLearner: boolean;
  readonly isPaused: boolean;
  readonly pendingSnapshot: LogIndex;
  readonly recentActive: boolean;
  readonly inflightMessages: number;
  readonly inflightBytes: number;
  readonly isInflightFull: boolean;
  readonly session: LogIndex;
}

/** Copies what a node is. */
export function statusOf(raft: RaftState): RaftStatus {
  const { log } = raft;
  return {
    id: raft.id,
    role: raft.role,
    term: raft.term,
    vote: raft.vote,
    leader: raft.leader,
    commit: log.commit,
    applied: log.applied,
    applying: log.applying,
    firstIndex: log.firstIndex,
    lastIndex: log.lastIndex,
    lastTerm: log.lastTerm,
    durableIndex: log.durable,
    confState: raft.conf,
    isLearner: raft.conf.learners.includes(raft.id),
    pendingConfIndex: raft.pendingConfigIndex,
    transferTarget: raft.transferTarget,
    electionElapsedTicks: raft.electionElapsed,
    electionTimeoutTicks: raft.electionTimeout,
    uncommittedBytes: log.uncommittedBytes,
    pendingReads: raft.reads.count,
    pendingForwards: raft.forwards.count,
    pendingOutcomes: raft.outcomes.count,
    persistGroup: raft.persists.newest,
    haltReason: raft.haltReason,
  };
}

/** Copies what is known of a peer. */
export function peerProgress(progress: Progress): PeerProgress {
  return {
    id: progress.id,
    state: progress.state,
    match: progress.match,
    next: progress.next,
    isLearner: progress.isLearner,
    isPaused: progress.isStopped,
    pendingSnapshot: progress.pendingSnapshot,
    recentActive: progress.isRecentlyActive,
    inflightMessages: progress.inflights.count,
    inflightBytes: progress.inflights.bytes,
    isInflightFull: progress.inflights.isFull,
    session: progress.session,
  };
}
