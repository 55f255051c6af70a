/**
 * What goes through the log for the state machine. Each kind carries the wire message as it was decoded; the log
 * holds that message's wire bytes behind a short envelope (command-codec.ts), so nothing is encoded twice.
 */
import type {
  AlarmRequest,
  AlarmResponse,
  CompactionRequest,
  DeleteRangeRequest,
  DeleteRangeResponse,
  LeaseGrantRequest,
  LeaseGrantResponse,
  LeaseRevokeRequest,
  LeaseRevokeResponse,
  PutRequest,
  PutResponse,
  TxnRequest,
  TxnResponse,
} from '@etcd-ts/protocol';
import type { AuthCommand } from './auth-command.ts';

/** What is left of a lease, so that it survives a change of leader (etcd LeaseCheckpoint). */
export interface LeaseCheckpoint {
  readonly id: bigint;
  /** Whole seconds; 0: the full TTL again (the lease was renewed). */
  readonly remainingTtlSeconds: number;
}

/** Who asks; judged again at apply time by the replicated auth state. */
export interface Caller {
  /** Empty for nobody. */
  readonly username: string;
  /** As of which this was so; from 1 on, for a caller. */
  readonly authRevision: number;
}

/**
 * The member itself, for what clients may ask as well. No client can be taken for it: an identity is of the auth
 * revision of its token, or of now, and older ones are refused.
 */
export const THE_MEMBER: Caller = { username: '', authRevision: -1 };

/** Whether a member itself asks. */
export function isTheMember({ username, authRevision }: Caller): boolean {
  return username === THE_MEMBER.username && authRevision === THE_MEMBER.authRevision;
}

/** A replicated request. */
export type Command = { readonly caller?: Caller } & (
  | { readonly kind: 'put'; readonly request: PutRequest }
  | { readonly kind: 'deleteRange'; readonly request: DeleteRangeRequest }
  | { readonly kind: 'txn'; readonly request: TxnRequest }
  | { readonly kind: 'compact'; readonly request: CompactionRequest }
  | { readonly kind: 'leaseGrant'; readonly request: LeaseGrantRequest }
  | { readonly kind: 'leaseRevoke'; readonly request: LeaseRevokeRequest }
  /**
   * The leader of `term` found these leases past their time when it had applied `asOfIndex`.
   *
   * Applied in that very term alone: what a deposed leader proposed revokes nothing, since its successor gave every
   * lease new time. A lease granted after `asOfIndex` under one of these ids is another lease, and stays.
   */
  | {
      readonly kind: 'leaseRevokeExpired';
      readonly ids: readonly bigint[];
      readonly term: number;
      readonly asOfIndex: number;
    }
  /** The leader of `term` reports what is left of leases; `term` and `asOfIndex` bind it as they bind a revoke. */
  | {
      readonly kind: 'leaseCheckpoint';
      readonly checkpoints: readonly LeaseCheckpoint[];
      readonly term: number;
      readonly asOfIndex: number;
    }
  | { readonly kind: 'alarm'; readonly request: AlarmRequest }
  | { readonly kind: 'auth'; readonly change: AuthCommand }
  /** A member says what it is called and where its clients reach it (etcd's publish). */
  | {
      readonly kind: 'publishMember';
      readonly id: bigint;
      readonly name: string;
      readonly clientUrls: readonly string[];
    }
  /** All members have at least this version, major and minor. */
  | { readonly kind: 'setClusterVersion'; readonly version: string }
  /** A downgrade to this version begins; empty: it is over, or called off. */
  | { readonly kind: 'setDowngrade'; readonly target: string }
);

/** What applying a command answered; headers are filled in by the service. */
export type CommandResult =
  | { readonly kind: 'put'; readonly response: PutResponse }
  | { readonly kind: 'deleteRange'; readonly response: DeleteRangeResponse }
  | { readonly kind: 'txn'; readonly response: TxnResponse }
  | { readonly kind: 'compact'; readonly revision: number }
  | { readonly kind: 'leaseGrant'; readonly response: LeaseGrantResponse }
  | { readonly kind: 'leaseRevoke'; readonly response: LeaseRevokeResponse }
  | { readonly kind: 'alarm'; readonly response: AlarmResponse }
  /** `token` of a login; empty for every other change. */
  | { readonly kind: 'auth'; readonly token: string }
  | { readonly kind: 'done' };
