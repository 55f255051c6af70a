/**
 * The port through which a node orders its commands. Two engines implement it: Raft (raft-consensus.ts) and a single
 * writer (single-writer-consensus.ts); both pass `consensusSuite` of `@etcd-ts/server/testing`.
 *
 * What always holds
 * - Pages reach the host in log order, without gap or repetition, and only when they are durable on this node and
 *   committed. The next page comes only after `applied` named the last entry of the one before.
 * - Every token gets its outcome: a proposal or change `accepted` and then one final outcome, or one `refused`.
 * - Nothing throws. After `stopped` was called the host hears nothing more.
 * - No method calls back into the host before it returns: what it leads to comes in a later turn.
 */
import type {
  ConfigChange,
  ConfState,
  Entry,
  LogIndex,
  NodeId,
  Outcome,
  Role,
  SnapshotMeta,
  Term,
  Token,
} from '@etcd-ts/raft';
import type { SnapshotSource } from '../snapshot/snapshot-source.ts';

/** What an engine says of itself. */
export interface ConsensusStatus {
  readonly role: Role;
  /** 0n when no leader is known. */
  readonly leader: NodeId;
  readonly term: Term;
  readonly committedIndex: LogIndex;
  readonly lastIndex: LogIndex;
  /** First entry that is still in the log. */
  readonly firstIndex: LogIndex;
}

/** How far a leader's follower is; for MemberPromote and for metrics. */
export interface FollowerProgress {
  readonly id: NodeId;
  /** Last index known to be durable there. */
  readonly matchIndex: LogIndex;
  /** Heard from within the last election timeout. */
  readonly active: boolean;
}

/** What a node offers to its engine. */
export interface ConsensusHost {
  /** A turn begins: what is asked of the engine from now on belongs to a later one. */
  stepping(): void;
  /** Applies a page; the host answers with {@link Consensus.applied}, at once or when it has room again. */
  apply(entries: readonly Entry[]): void;
  /** How a request went. */
  outcome(token: Token, outcome: Outcome): void;
  /** Role, term or known leader changed. */
  statusChanged(status: ConsensusStatus): void;
  /** A copy of the state at the newest applied index, for a follower behind the log's start. */
  takeSnapshot(): Promise<SnapshotSource>;
  /** Receives the content of a snapshot into a place of its own; nothing of the state changes yet. */
  receiveSnapshot(meta: SnapshotMeta, chunks: AsyncIterable<Uint8Array>): Promise<void>;
  /** The log now begins after this snapshot: the content that was received becomes the state. */
  installSnapshot(meta: SnapshotMeta): Promise<void>;
  /** Content that was received is not wanted. */
  discardSnapshot(meta: SnapshotMeta): void;
  /** The engine has stopped by itself: disk error or broken invariant. Nothing follows. */
  stopped(reason: Error): void;
}

/** Orders commands: the port. */
export interface Consensus {
  /** Begins work. Called once; the host is not called before. */
  start(host: ConsensusHost): void;
  status(): ConsensusStatus;
  /** Followers' progress; empty when this node does not lead. */
  progress(): readonly FollowerProgress[];
  /** Replicates a command. All that is proposed in one turn goes down as one batch. */
  propose(token: Token, data: Uint8Array): void;
  /** Replicates a membership change, if this node leads in that term: it is refused with `notLeader` otherwise. */
  changeConfig(token: Token, change: ConfigChange, inTerm: Term): void;
  /** Asks for an index from which on a local read is linearizable. All of one turn share one round. */
  readIndex(token: Token): void;
  /** Hands leadership over. */
  transferLeadership(token: Token, target: NodeId): void;
  /** Starts an election now. */
  campaign(): void;
  /** The page that ends at this index is applied. */
  applied(index: LogIndex): void;
  /**
   * The state through `snapshotIndex` is durable outside the log: entries through `compactIndex` may go.
   *
   * compactIndex ≤ snapshotIndex ≤ applied.
   *
   * @returns Through which they go: fewer while a snapshot is under way to a peer that will need them.
   */
  compact(mark: SnapshotMeta, compactIndex: LogIndex): LogIndex;
  /** Ends in order: what was handed to the log is synced, then the log is closed. */
  stop(): Promise<void>;
  /** Ends at once, as if the process were killed: nothing more is written, sent or said. */
  kill(): void;
}

/** @internal The parts of a configuration that are only one voter. */
export function loneVoter(id: NodeId): ConfState {
  return { voters: [id], votersOutgoing: [], learners: [], learnersNext: [], autoLeave: false };
}
