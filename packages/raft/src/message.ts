import type { Refusal } from './effect.ts';
import type {
  CommandPayload,
  ConfigPayload,
  Entry,
  LogIndex,
  NodeId,
  SnapshotMeta,
  Term,
} from './entry.ts';

/** What every message carries. `term` is the sender's, or the term campaigned for in a pre-vote. */
interface Envelope {
  readonly from: NodeId;
  readonly to: NodeId;
  readonly term: Term;
}

/** Entries after (prevIndex, prevTerm), and the leader's commit index (thesis §3.5). */
export interface AppendMessage extends Envelope {
  readonly type: 'append';
  readonly prevIndex: LogIndex;
  readonly prevTerm: Term;
  readonly entries: readonly Entry[];
  readonly commit: LogIndex;
  /** Index of the configuration that made the receiver a member; echoed by the answer. */
  readonly session: LogIndex;
}

/** The answer to an append or a snapshot: `index` is durable here, or refused with a hint where to go on. */
export interface AppendResponseMessage extends Envelope {
  readonly type: 'appendResponse';
  readonly session: LogIndex;
  /** Accepted: the last index known to match. Rejected: the `prevIndex` that did not match. */
  readonly index: LogIndex;
  readonly rejected: boolean;
  /** Rejected: the largest index that may match, and its term. */
  readonly hintIndex: LogIndex;
  readonly hintTerm: Term;
}

/** Keeps the leader's authority, and carries read rounds (thesis §6.4). */
export interface HeartbeatMessage extends Envelope {
  readonly type: 'heartbeat';
  readonly commit: LogIndex;
  /** The newest read round that waits for this acknowledgement; 0 for none. */
  readonly readRound: number;
  readonly session: LogIndex;
}

/** The answer to a heartbeat; acknowledges its read round. */
export interface HeartbeatResponseMessage extends Envelope {
  readonly type: 'heartbeatResponse';
  readonly readRound: number;
  /** The follower's commit index: one that lags behind gets an append, which tells where the logs agree. */
  readonly commit: LogIndex;
  readonly session: LogIndex;
}

/** Request for a vote, or for the promise of one (thesis §3.4, §9.6). */
export interface VoteMessage extends Envelope {
  readonly type: 'vote' | 'preVote';
  readonly lastIndex: LogIndex;
  readonly lastTerm: Term;
  /** A leadership transfer: the receiver votes although it hears from a leader (thesis §3.10). */
  readonly transfer: boolean;
}

/**
 * The answer to a vote or pre-vote request, with what the voter knows to be committed.
 *
 * A candidate may lack nothing but the news that its own removal of the voter is committed, and lose to the voter's
 * longer log for ever; with (commit, commitTerm) in its log it learns it here.
 */
export interface VoteResponseMessage extends Envelope {
  readonly type: 'voteResponse' | 'preVoteResponse';
  readonly rejected: boolean;
  /** The voter's commit index and the term of the entry there; 0 for nothing committed. */
  readonly commit: LogIndex;
  readonly commitTerm: Term;
}

/**
 * A snapshot, for a follower behind the log's start (thesis §5).
 *
 * The driver moves the content on its own lane; it hands this message to the receiving core only when the
 * content is there in full.
 */
export interface SnapshotMessage extends Envelope {
  readonly type: 'snapshot';
  readonly snapshot: SnapshotMeta;
  readonly session: LogIndex;
}

/** Tells the transfer's target to campaign at once (thesis §3.10). */
export interface TimeoutNowMessage extends Envelope {
  readonly type: 'timeoutNow';
}

/** A follower's request for a read index; `id` is the follower's own counter (thesis §6.4). */
export interface ReadRequestMessage extends Envelope {
  readonly type: 'readRequest';
  readonly id: number;
}

/** The leader's answer to a follower's read request. */
export interface ReadResponseMessage extends Envelope {
  readonly type: 'readResponse';
  readonly id: number;
  /** The read index; `refused` when the leader could not serve it. */
  readonly index: LogIndex;
  readonly refused: boolean;
}

/**
 * A follower hands proposals or a membership change to its leader; `ids` are the follower's own counters.
 */
export interface ForwardMessage extends Envelope {
  readonly type: 'forward';
  readonly ids: readonly number[];
  readonly payloads: readonly (CommandPayload | ConfigPayload)[];
}

/** What became of each forwarded payload: accepted at (index, term), or refused. */
export interface ForwardResponseMessage extends Envelope {
  readonly type: 'forwardResponse';
  readonly results: readonly ForwardResult[];
}

/** What became of one forwarded payload. */
export type ForwardResult =
  | { readonly id: number; readonly accepted: true; readonly index: LogIndex }
  | {
      readonly id: number;
      readonly accepted: false;
      readonly reason: Refusal;
      readonly detail?: string;
    };

/** What members say to one another. Plain values: any structured codec carries them. */
export type Message =
  | AppendMessage
  | AppendResponseMessage
  | HeartbeatMessage
  | HeartbeatResponseMessage
  | VoteMessage
  | VoteResponseMessage
  | SnapshotMessage
  | TimeoutNowMessage
  | ReadRequestMessage
  | ReadResponseMessage
  | ForwardMessage
  | ForwardResponseMessage;
