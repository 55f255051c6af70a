/** A node's id: 64 bits, unsigned. {@link NO_NODE} stands for none. */
export type NodeId = bigint;
/** Raft term: a safe integer from 0; 0 before the first election. */
export type Term = number;
/** Position in the log: a safe integer; the first entry has index 1, 0 stands for "before the log". */
export type LogIndex = number;
/** The caller's correlation value for a request; the core gives it back and never interprets it. */
export type Token = number;

/** No node: no leader, no vote. */
export const NO_NODE: NodeId = 0n;

/** What an entry that nobody proposed carries: the leader's first of a term. */
export interface EmptyPayload {
  readonly kind: 'empty';
}

/** A command for the state machine, opaque to Raft. */
export interface CommandPayload {
  readonly kind: 'command';
  readonly data: Uint8Array;
}

/** A change of the membership (thesis §4). */
export interface ConfigPayload {
  readonly kind: 'config';
  readonly change: ConfigChange;
}

/** What an entry carries. */
export type Payload = EmptyPayload | CommandPayload | ConfigPayload;

/** One entry of the replicated log (thesis §3.3). Never mutated once made. */
export interface Entry {
  readonly index: LogIndex;
  readonly term: Term;
  readonly payload: Payload;
}

/** One step of a membership change. `update` changes nothing in Raft; its context tells the driver. */
export interface ConfigStep {
  readonly op: 'addVoter' | 'addLearner' | 'remove' | 'update';
  readonly node: NodeId;
}

/**
 * A membership change (thesis §4.3).
 *
 * No steps at all: leave the joint configuration.
 */
export interface ConfigChange {
  readonly steps: readonly ConfigStep[];
  /**
   * `auto`: one step is made at once, several through a joint configuration that is left automatically.
   * `implicit`: always joint, left automatically. `explicit`: always joint, left by an empty change.
   */
  readonly transition: 'auto' | 'implicit' | 'explicit';
  /** The driver's own data about the change (a member's URLs, say); opaque to Raft. */
  readonly context: Uint8Array;
}

/** A configuration as a value: who votes and who only listens. Every list is ascending and unique. */
export interface ConfState {
  readonly voters: readonly NodeId[];
  /** The outgoing half of a joint configuration; empty when not joint. */
  readonly votersOutgoing: readonly NodeId[];
  readonly learners: readonly NodeId[];
  /** Voters of the outgoing half that become learners when the joint configuration is left. */
  readonly learnersNext: readonly NodeId[];
  /** A joint configuration that the leader leaves by itself. */
  readonly autoLeave: boolean;
}

/** What must be on disk before a message that depends on it leaves (thesis §3.8). */
export interface HardState {
  readonly term: Term;
  readonly vote: NodeId;
  readonly commit: LogIndex;
}

/** What Raft knows of a snapshot; the driver keeps and moves its content. */
export interface SnapshotMeta {
  readonly index: LogIndex;
  readonly term: Term;
  readonly confState: ConfState;
}
