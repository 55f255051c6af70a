import {
  NO_NODE,
  type ConfState,
  type Entry,
  type HardState,
  type LogIndex,
  type NodeId,
} from './entry.ts';

/** How a core behaves. Durations in ticks, sizes in bytes. */
export interface RaftConfig {
  readonly id: NodeId;
  /** Ticks without a leader before an election; drawn anew from [n, 2n) each time. @defaultValue 10 */
  readonly electionTimeoutTicks?: number;
  /** Ticks between a leader's heartbeats; below the election timeout. @defaultValue 1 */
  readonly heartbeatTicks?: number;
  /** Ask before campaigning, so that a node that comes back does not disturb (thesis §9.6). @defaultValue true */
  readonly preVote?: boolean;
  /** A leader without an active quorum steps down (thesis §6.2). @defaultValue true */
  readonly checkQuorum?: boolean;
  /**
   * `safe`: a read round per batch. `lease`: trust that clocks run at about one speed (thesis §6.4.1).
   *
   * The same for all nodes: a leader's lease is its followers' promise. Requires checkQuorum. @defaultValue 'safe'
   */
  readonly readMode?: 'safe' | 'lease';
  /** Entry bytes in one append message; at least one entry always fits. @defaultValue 1 MiB */
  readonly maxMessageBytes?: number;
  /** Appends in flight to one follower. @defaultValue 256 */
  readonly maxInflightMessages?: number;
  /** Bytes in flight to one follower; 0 for no limit. @defaultValue 0 */
  readonly maxInflightBytes?: number;
  /** Bytes of proposals not yet committed; beyond it proposals are refused as `full`. @defaultValue 64 MiB */
  readonly maxUncommittedBytes?: number;
  /** Bytes of committed entries handed out in one apply page. @defaultValue 1 MiB */
  readonly maxApplyBytes?: number;
  /** Reads that wait for a round or for the term's first commit. @defaultValue 65536 */
  readonly maxPendingReads?: number;
  /**
   * A removed leader (or one made learner) steps down when the change is applied (thesis §4.2.2).
   *
   * Otherwise it leads on, taking no proposals, until its driver stops it. @defaultValue true
   */
  readonly stepDownOnRemoval?: boolean;
  /**
   * Judge a membership change when it is proposed, by the newest configuration. Without it the driver answers for every
   * change, and for there being one at a time; one that cannot be made when it is applied is passed over (etcd
   * raft.Config.DisableConfChangeValidation). @defaultValue true
   */
  readonly checkChanges?: boolean;
  /**
   * Higher campaigns sooner: the part of the election timeout that is drawn is 1 + priority times shorter.
   *
   * 0 is ordinary. Safety does not depend on it, nor does the choice of a leader that lives. @defaultValue 0
   */
  readonly electionPriority?: number;
  /**
   * An append that brings a commit index to entries that this node has acknowledged in the same term is not answered:
   * a message less for every follower and commit. Should the acknowledgement have been lost, the append that follows a
   * heartbeat brings it. Etcd's raft answers every append. @defaultValue false
   */
  readonly quietCommits?: boolean;
  /** Followers hand proposals and changes on to the leader; otherwise they refuse. @defaultValue true */
  readonly forwardProposals?: boolean;
  /**
   * Seed of the generator of election timeouts and of the ids of requests to the leader; 32 bits are used.
   *
   * Two nodes of a cluster want different ones, and so do two starts of one node: an answer that was on its way
   * when the node went down must not be taken for the answer to a new request.
   */
  readonly seed: number;
}

/** What the driver recovered from disk. */
export interface RaftInitialState {
  readonly hardState: HardState;
  /** Of the newest snapshot; index 0 with the first configuration for a node that starts a cluster. */
  readonly snapshotIndex: LogIndex;
  readonly snapshotTerm: number;
  readonly confState: ConfState;
  /** The log after some index ≤ snapshotIndex, without gap. */
  readonly entries: readonly Entry[];
  /** The state machine holds everything through here; at least snapshotIndex. */
  readonly applied: LogIndex;
}

/** A configuration with every default filled in. */
export type ResolvedConfig = Readonly<Required<RaftConfig>>;

const MIB = 1024 * 1024;

/** Times of one election timeout that a core may be configured for; keeps tick arithmetic exact. */
export const MAX_ELECTION_TIMEOUT_TICKS = 1_000_000;

/**
 * Fills in the defaults.
 *
 * @throws RangeError when a value is out of its range or two values contradict each other.
 */
export function resolveConfig(config: RaftConfig): ResolvedConfig {
  const resolved: ResolvedConfig = {
    id: config.id,
    electionTimeoutTicks: config.electionTimeoutTicks ?? 10,
    heartbeatTicks: config.heartbeatTicks ?? 1,
    preVote: config.preVote ?? true,
    checkQuorum: config.checkQuorum ?? true,
    readMode: config.readMode ?? 'safe',
    maxMessageBytes: config.maxMessageBytes ?? MIB,
    maxInflightMessages: config.maxInflightMessages ?? 256,
    maxInflightBytes: config.maxInflightBytes ?? 0,
    maxUncommittedBytes: config.maxUncommittedBytes ?? 64 * MIB,
    maxApplyBytes: config.maxApplyBytes ?? MIB,
    maxPendingReads: config.maxPendingReads ?? 65_536,
    stepDownOnRemoval: config.stepDownOnRemoval ?? true,
    checkChanges: config.checkChanges ?? true,
    electionPriority: config.electionPriority ?? 0,
    quietCommits: config.quietCommits ?? false,
    forwardProposals: config.forwardProposals ?? true,
    seed: config.seed,
  };
  checkRange('electionTimeoutTicks', resolved.electionTimeoutTicks, 2, MAX_ELECTION_TIMEOUT_TICKS);
  checkRange('heartbeatTicks', resolved.heartbeatTicks, 1, resolved.electionTimeoutTicks - 1);
  checkRange('maxMessageBytes', resolved.maxMessageBytes, 0);
  checkRange('maxInflightMessages', resolved.maxInflightMessages, 1);
  checkRange('maxInflightBytes', resolved.maxInflightBytes, 0);
  checkRange('maxUncommittedBytes', resolved.maxUncommittedBytes, 0);
  checkRange('maxApplyBytes', resolved.maxApplyBytes, 0);
  checkRange('maxPendingReads', resolved.maxPendingReads, 1);
  checkRange('electionPriority', resolved.electionPriority, 0);
  if (resolved.id <= NO_NODE) throw new RangeError(`id must be above 0: ${resolved.id}`);
  if (!Number.isSafeInteger(resolved.seed)) {
    throw new RangeError(`seed must be a safe integer: ${resolved.seed}`);
  }
  if (resolved.readMode === 'lease' && !resolved.checkQuorum) {
    throw new RangeError("readMode 'lease' requires checkQuorum");
  }
  return Object.freeze(resolved);
}

function checkRange(name: string, value: number, min: number, max = Number.MAX_SAFE_INTEGER): void {
  if (Number.isSafeInteger(value) && value >= min && value <= max) return;
  throw new RangeError(`${name} must be an integer from ${min} to ${max}: ${value}`);
}
