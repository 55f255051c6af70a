/**
 * What a core does inside, for logs and debugging: one event for each decision, at the moment it is made.
 *
 * A core without a sink makes no events. Nothing may be decided by them, and a sink may not step the core.
 */
import type { ConfState, LogIndex, NodeId, SnapshotMeta, Term } from './entry.ts';
import type { Message } from './message.ts';
import type { PeerProgress } from './status.ts';

/** The two rounds of an election (thesis §3.4, §9.6). */
export type VoteType = 'vote' | 'preVote';

/** One decision. `peer` is who it is about. */
export type TraceEvent =
  /** The configuration in force is this one from now on. */
  | { readonly type: 'switchedConfig'; readonly confState: ConfState }
  | { readonly type: 'becameFollower'; readonly term: Term }
  | { readonly type: 'becamePreCandidate'; readonly term: Term }
  | { readonly type: 'becameCandidate'; readonly term: Term }
  | { readonly type: 'becameLeader'; readonly term: Term }
  /** An election was due, but this node is no voter or installs a snapshot. */
  | { readonly type: 'unpromotable' }
  /** An election was due, but a committed membership change is not applied yet. */
  | { readonly type: 'campaignRefused'; readonly unappliedChanges: number }
  /** An election was asked for, but the leader may be reading by its lease. */
  | { readonly type: 'campaignUnderLease' }
  | { readonly type: 'electionStarted'; readonly term: Term }
  /** Asks itself for a vote; it counts when it is durable. `term` is the term campaigned for. */
  | { readonly type: 'ownVoteRequested'; readonly vote: VoteType; readonly term: Term }
  /** `term` is the node's own, which a pre-vote does not change. */
  | {
      readonly type: 'voteRequested';
      readonly vote: VoteType;
      readonly peer: NodeId;
      readonly term: Term;
      readonly lastIndex: LogIndex;
      readonly lastTerm: Term;
    }
  | {
      readonly type: 'voteReceived';
      readonly vote: VoteType;
      readonly peer: NodeId;
      readonly term: Term;
      readonly rejected: boolean;
    }
  | {
      readonly type: 'votesCounted';
      readonly vote: VoteType;
      readonly granted: number;
      readonly rejected: number;
    }
  /** A request for a vote was answered, or left unanswered because a leader is alive. */
  | {
      readonly type: 'voteDecided';
      readonly decision: 'cast' | 'rejected' | 'ignored';
      readonly message: Message & { readonly type: VoteType };
      readonly lastIndex: LogIndex;
      readonly lastTerm: Term;
      /** Who had this node's vote before. */
      readonly voted: NodeId;
      readonly term: Term;
      /** Ignored: ticks for which the leader still counts as alive. */
      readonly remainingTicks: number;
    }
  | { readonly type: 'higherTerm'; readonly message: Message; readonly term: Term }
  | { readonly type: 'lowerTermIgnored'; readonly message: Message; readonly term: Term }
  /** An append disagrees with this log, which is cut off before `index`. */
  | {
      readonly type: 'conflict';
      readonly index: LogIndex;
      readonly existingTerm: Term;
      readonly conflictingTerm: Term;
    }
  /** An append does not fit: this log has another term (0: nothing) at `index`. */
  | {
      readonly type: 'appendRejected';
      readonly peer: NodeId;
      readonly index: LogIndex;
      readonly ownTerm: Term;
      readonly messageTerm: Term;
    }
  | {
      readonly type: 'rejectionReceived';
      readonly peer: NodeId;
      readonly index: LogIndex;
      readonly hintIndex: LogIndex;
      readonly hintTerm: Term;
    }
  | { readonly type: 'progressDecreased'; readonly peer: NodeId; readonly progress: PeerProgress }
  | {
      readonly type: 'snapshotSent';
      readonly peer: NodeId;
      readonly firstIndex: LogIndex;
      readonly commit: LogIndex;
      readonly snapshot: SnapshotMeta;
      readonly progress: PeerProgress;
    }
  /** Appends to the peer stop until its snapshot has arrived. */
  | { readonly type: 'peerPaused'; readonly peer: NodeId; readonly progress: PeerProgress }
  /** The peer has what the snapshot was for; `progress` is from before it is appended to again. */
  | { readonly type: 'peerRecovered'; readonly peer: NodeId; readonly progress: PeerProgress }
  | {
      readonly type: 'snapshotReported';
      readonly peer: NodeId;
      readonly ok: boolean;
      readonly progress: PeerProgress;
    }
  | { readonly type: 'peerUnreachable'; readonly peer: NodeId; readonly progress: PeerProgress }
  /** An answer from before the peer was removed and added again. */
  | { readonly type: 'staleSession'; readonly peer: NodeId; readonly session: LogIndex }
  | { readonly type: 'quorumInactive' }
  | { readonly type: 'snapshotRestoring'; readonly snapshot: SnapshotMeta }
  | {
      readonly type: 'snapshotRestored' | 'snapshotIgnored';
      readonly snapshot: SnapshotMeta;
      readonly commit: LogIndex;
    }
  | {
      readonly type: 'snapshotFastForwarded';
      readonly snapshot: SnapshotMeta;
      readonly commit: LogIndex;
    }
  | { readonly type: 'leavingJoint'; readonly confState: ConfState }
  | { readonly type: 'changeRefused'; readonly detail: string }
  | { readonly type: 'transferStarted'; readonly target: NodeId }
  | { readonly type: 'timeoutNowSent'; readonly target: NodeId; readonly immediately: boolean }
  | { readonly type: 'timeoutNowReceived'; readonly peer: NodeId }
  | { readonly type: 'forgettingLeader'; readonly leader: NodeId }
  /** Forgetting the leader would break its lease. */
  | { readonly type: 'forgetLeaderRefused' };

/** Takes events. */
export type TraceSink = (event: TraceEvent) => void;
