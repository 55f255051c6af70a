import type { ClusterId, MemberId } from '@etcd-ts/base';
import type { Command, CommandResult } from './apply/command.ts';
import type { ReplicatedState } from './apply/replicated-state.ts';
import type { ConfigChange } from '@etcd-ts/raft';
import type { Clock } from './clock.ts';
import type { FollowerProgress } from './consensus/consensus.ts';
import type { ServerLimits } from './limits.ts';
import type { Logger } from './logger.ts';
import type { NodeMetrics } from './metrics/node-metrics.ts';

/** What the consensus says of this node right now. */
export interface NodeStatus {
  /** 0n when no leader is known. */
  readonly leader: MemberId;
  readonly isLeader: boolean;
  readonly isLearner: boolean;
  readonly term: number;
  /** Last index committed, as far as this node knows. */
  readonly committedIndex: number;
  readonly appliedIndex: number;
}

/** What a service may ask of its node, and all that it knows of consensus. */
export interface NodePort {
  readonly memberId: MemberId;
  readonly clusterId: ClusterId;
  /** Of this member's program: `3.6.0`. */
  readonly serverVersion: string;
  readonly limits: ServerLimits;
  readonly clock: Clock;
  readonly log: Logger;
  /** What the node counts of itself; whoever does a thing that is counted adds to it. */
  readonly metrics: NodeMetrics;
  /** The replicated state as of `status().appliedIndex`: read it, never write it. */
  readonly state: ReplicatedState;

  status(): NodeStatus;

  /**
   * Replicates a command, and gives this node's result of applying it.
   *
   * @param raw The request's wire bytes, when the caller has them: they go into the log as they are.
   * @throws EtcdError what apply answered; TIMEOUT… when the outcome is unknown; NO_LEADER, TOO_MANY_REQUESTS,
   *   REQUEST_TOO_LARGE, STOPPED when nothing was done.
   */
  propose(
    command: Command,
    options?: { raw?: Uint8Array; signal?: AbortSignal },
  ): Promise<CommandResult>;

  /**
   * Resolves when this node has applied everything that was committed anywhere when it was called.
   *
   * @throws EtcdError NO_LEADER, TIMEOUT, LEADER_CHANGED, STOPPED.
   */
  readBarrier(signal?: AbortSignal): Promise<void>;

  /**
   * Calls a unary method of the leader's services through the peer transport (`etcdserverpb.Lease/LeaseKeepAlive` as
   * one request and one answer, say); on the leader itself it calls the own service.
   *
   * @throws EtcdError NO_LEADER, TIMEOUT, or what the leader answered.
   */
  callLeader(method: string, request: Uint8Array, signal?: AbortSignal): Promise<Uint8Array>;

  /**
   * Calls another member through the peer transport.
   *
   * @throws EtcdError what it answered, or UNAVAILABLE when it cannot be reached.
   */
  callMember(
    member: MemberId,
    method: string,
    request: Uint8Array,
    signal?: AbortSignal,
  ): Promise<Uint8Array>;

  /**
   * Replicates a membership change; resolves when it is applied here. Taken by the leader alone, in the term of the call:
   * what the caller knows of the membership may be old anywhere else. Never tried again by itself: the caller decides, with
   * the newest membership before its eyes.
   *
   * @throws EtcdError NOT_LEADER, NO_LEADER, TOO_MANY_REQUESTS (another change is under way), MEMBER_NOT_FOUND,
   *   FAILED_PRECONDITION (illegal), TIMEOUT…, STOPPED.
   */
  changeMembers(change: ConfigChange, signal?: AbortSignal): Promise<void>;

  /**
   * Hands leadership over; resolves when this node sees the target lead.
   *
   * @throws EtcdError NOT_LEADER, BAD_LEADER_TRANSFEREE, TIMEOUT_LEADER_TRANSFER, STOPPED.
   */
  transferLeadership(target: MemberId, signal?: AbortSignal): Promise<void>;

  /** Followers' progress as their leader knows it; empty elsewhere. */
  progress(): readonly FollowerProgress[];

  /** Since when a peer has been connected without break, in the clock's monotonic ms; undefined: it is not. */
  connectedSinceMs(member: MemberId): number | undefined;

  /** Ends the node for good: it can no longer be trusted. Later reasons change nothing. */
  halt(reason: Error): void;

  /** Called in the turn in which leadership, term or known leader changed. Returns how to stop listening. */
  onStatusChange(listener: (status: NodeStatus) => void): () => void;
}
