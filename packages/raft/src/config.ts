import type { ConfState, Entry, HardState, LogIndex, NodeId } from './entry.ts';

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
  /** `safe`: a read round per batch. `lease`: trust the clock; requires checkQuorum. @defaultValue 'safe' */
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
  /** A removed leader (or one made learner) steps down when the change is applied. @defaultValue true */
  readonly stepDownOnRemoval?: boolean;
  /** Higher campaigns sooner; 0 is ordinary. @defaultValue 0 */
  readonly electionPriority?: number;
  /** Seed of the election timeouts' generator; two nodes of a cluster want different ones. */
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
