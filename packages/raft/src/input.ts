import type { ConfigChange, ConfState, LogIndex, NodeId, Term, Token } from './entry.ts';
import type { Message } from './message.ts';

/** One step of time. All the core's durations are counted in these. */
export interface TickInput {
  readonly type: 'tick';
}

/** A message from a peer. Any message may come late, twice, out of order or never. */
export interface MessageInput {
  readonly type: 'message';
  readonly message: Message;
}

/** Commands to replicate, each with the token of its outcome. One batch becomes one append. */
export interface ProposeInput {
  readonly type: 'propose';
  readonly proposals: readonly Proposal[];
}

/** One command and the token of its outcome. */
export interface Proposal {
  readonly token: Token;
  readonly data: Uint8Array;
}

/** A membership change to replicate (thesis §4). */
export interface ChangeConfigInput {
  readonly type: 'changeConfig';
  readonly token: Token;
  readonly change: ConfigChange;
  /**
   * Only the leader of this term may take it, for it was judged by what that one had applied: nobody else does, and nobody
   * hands it on (`notLeader`). Left out: any leader may.
   */
  readonly inTerm?: Term;
}

/** Asks for a read index: a linearizable read may be served once that index is applied (thesis §6.4). */
export interface ReadInput {
  readonly type: 'read';
  readonly token: Token;
}

/** Asks the leader to hand over (thesis §3.10). */
export interface TransferInput {
  readonly type: 'transfer';
  readonly token: Token;
  readonly target: NodeId;
}

/** Starts an election now, as if the election timeout had passed. */
export interface CampaignInput {
  readonly type: 'campaign';
}

/** A follower forgets its leader, so that it grants pre-votes at once. */
export interface ForgetLeaderInput {
  readonly type: 'forgetLeader';
}

/** All persist effects up to this group are durable. Late and repeated ones are harmless. */
export interface PersistedInput {
  readonly type: 'persisted';
  readonly group: number;
}

/** Entries through this index are applied. */
export interface AppliedInput {
  readonly type: 'applied';
  readonly index: LogIndex;
}

/**
 * The driver holds a durable snapshot at `snapshotIndex`; entries through `compactIndex` may be forgotten.
 *
 * compactIndex ≤ snapshotIndex ≤ applied. `confState` is the configuration as of `snapshotIndex`.
 */
export interface SnapshotTakenInput {
  readonly type: 'snapshotTaken';
  readonly snapshotIndex: LogIndex;
  readonly compactIndex: LogIndex;
  readonly confState: ConfState;
}

/** How a `sendSnapshot` effect ended. Sent means: the peer has the content, its core has been told. */
export interface SnapshotReportInput {
  readonly type: 'snapshotReport';
  readonly to: NodeId;
  readonly index: LogIndex;
  readonly ok: boolean;
}

/** Messages to this peer are being lost. */
export interface UnreachableInput {
  readonly type: 'unreachable';
  readonly peer: NodeId;
}

/** Everything that can happen to a Raft core. No input makes it throw. */
export type Input =
  | TickInput
  | MessageInput
  | ProposeInput
  | ChangeConfigInput
  | ReadInput
  | TransferInput
  | CampaignInput
  | ForgetLeaderInput
  | PersistedInput
  | AppliedInput
  | SnapshotTakenInput
  | SnapshotReportInput
  | UnreachableInput;
