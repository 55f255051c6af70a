import type {
  ConfState,
  Entry,
  HardState,
  LogIndex,
  NodeId,
  SnapshotMeta,
  Term,
  Token,
} from './entry.ts';
import type { Message } from './message.ts';

/**
 * Write this down.
 *
 * Groups are numbered from 1 without gaps, written in order, and durable only with all groups before them. In one
 * group: first the snapshot (its content replaces the state machine, and the log so far is gone, all of it), then
 * the entries (the first one cuts off whatever the log held from its index on), then the hard state. When the group
 * is durable the driver sends `messages` and then steps `{ type: 'persisted', group }`. A group may hold nothing at
 * all: it stands for what was said before it.
 */
export interface PersistEffect {
  readonly type: 'persist';
  readonly group: number;
  /** Present when term, vote or commit changed. */
  readonly hardState?: HardState | undefined;
  readonly entries: readonly Entry[];
  readonly snapshot?: SnapshotMeta | undefined;
  /** False when only the commit index changed: it may stay in the page cache. */
  readonly mustSync: boolean;
  /** These may leave only when the group is durable. */
  readonly messages: readonly Message[];
}

/** Send at once; needs no write. */
export interface SendEffect {
  readonly type: 'send';
  readonly messages: readonly Message[];
}

/**
 * Committed entries, durable here, in order and without gap; one page at a time.
 *
 * The next page comes after `{ type: 'applied', index: last }`.
 */
export interface ApplyEffect {
  readonly type: 'apply';
  readonly entries: readonly Entry[];
}

/**
 * Move the newest snapshot (at least this one, and not before `session`) to the peer, then step a `snapshotReport`.
 *
 * A snapshot from before the change that made the peer a member would put a node whose id was used before back into a
 * configuration in which its former self decided.
 *
 * Exactly one report for each effect, also when the content or its message was lost, or when another transfer to
 * the peer is under way: until then the peer gets heartbeats only. An acknowledgement by the peer ends the wait too.
 */
export interface SendSnapshotEffect {
  readonly type: 'sendSnapshot';
  readonly to: NodeId;
  readonly term: Term;
  readonly snapshot: SnapshotMeta;
  readonly session: LogIndex;
}

/** Why a request was refused. Each wants another answer from the caller. */
export type Refusal =
  /** No leader is known. Retry later. */
  | 'noLeader'
  /** Another node leads; `leader` tells which. */
  | 'notLeader'
  /** A leadership transfer is under way. Retry soon. */
  | 'transferring'
  /** The bounded queue (uncommitted bytes, waiting reads) is full. Retry later. */
  | 'full'
  /** A membership change is not yet committed and applied. Retry later. */
  | 'changePending'
  /** The change makes no sense for the newest configuration. `detail` tells why. */
  | 'changeIllegal'
  /** The node named (or this one) is no voter of the configuration. */
  | 'notMember'
  /** The transfer, or the read, did not finish within an election timeout. */
  | 'timedOut'
  /** The core has stopped after a broken invariant. */
  | 'stopped';

/** How a request went, by the caller's token. */
export type Outcome =
  /** A proposal or change is in the leader's log; it is decided when this index commits. */
  | { readonly kind: 'accepted'; readonly index: LogIndex; readonly term: Term }
  /** The entry at (index, term) is committed. */
  | { readonly kind: 'committed'; readonly index: LogIndex; readonly term: Term }
  /** Another entry took the accepted one's place: it will never commit. */
  | { readonly kind: 'lost'; readonly index: LogIndex; readonly term: Term }
  /**
   * This node cannot know any more: it may or may not commit. A snapshot jumped over it; no leader was heard for
   * ten election timeouts; or (index 0) it was handed to a leader that did not answer within an election timeout.
   */
  | { readonly kind: 'unknown'; readonly index: LogIndex; readonly term: Term }
  /** Nothing was done. */
  | {
      readonly kind: 'refused';
      readonly reason: Refusal;
      readonly leader: NodeId;
      readonly detail?: string;
    }
  /** A read may be served once `index` is applied. */
  | { readonly kind: 'readable'; readonly index: LogIndex }
  /** The transfer is done: this node saw the target lead. */
  | { readonly kind: 'transferred' };

/** The answer to a request. A proposal gets `accepted` and later one final outcome. */
export interface OutcomeEffect {
  readonly type: 'outcome';
  readonly token: Token;
  readonly outcome: Outcome;
}

/** What a node is in its term (thesis §3.3; pre-candidate: §9.6). */
export type Role = 'follower' | 'preCandidate' | 'candidate' | 'leader';

/** Term, role or known leader changed. */
export interface RoleEffect {
  readonly type: 'role';
  readonly term: Term;
  readonly role: Role;
  readonly leader: NodeId;
}

/** The configuration in force changed (at apply time). */
export interface ConfigEffect {
  readonly type: 'config';
  readonly index: LogIndex;
  readonly confState: ConfState;
}

/** Something an operator should know; the core has already dealt with it. */
export interface NoticeEffect {
  readonly type: 'notice';
  readonly code:
    | 'logRegressed'
    | 'protocolViolation'
    | 'impossibleAcknowledgement'
    | 'quorumLost'
    | 'removed';
  readonly peer: NodeId;
  readonly detail: string;
}

/** A broken invariant: the core takes no more input. The driver stops the node and says why. */
export interface HaltEffect {
  readonly type: 'halt';
  readonly reason: string;
}

/** Everything that the core asks of its driver, in the order in which it is to be done. */
export type Effect =
  | PersistEffect
  | SendEffect
  | ApplyEffect
  | SendSnapshotEffect
  | OutcomeEffect
  | RoleEffect
  | ConfigEffect
  | NoticeEffect
  | HaltEffect;
