/**
 * What goes through the log for the state machine. Each kind carries the wire message as it was decoded; the log
 * holds that message's wire bytes behind a short envelope (command-codec.ts), so nothing is encoded twice.
 */
import type {
  AlarmRequest,
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

/** Extends remaining times of leases, so that they survive a change of leader (etcd LeaseCheckpoint). */
export interface LeaseCheckpoint {
  readonly id: bigint;
  readonly remainingTtlSeconds: number;
}

/** Who asks; judged again at apply time by the replicated auth state. */
export interface Caller {
  /** Empty when authentication is off or the node itself asks. */
  readonly username: string;
  readonly authRevision: number;
}

/** A replicated request. */
export type Command = { readonly caller?: Caller } & (
  | { readonly kind: 'put'; readonly request: PutRequest }
  | { readonly kind: 'deleteRange'; readonly request: DeleteRangeRequest }
  | { readonly kind: 'txn'; readonly request: TxnRequest }
  | { readonly kind: 'compact'; readonly request: CompactionRequest }
  | { readonly kind: 'leaseGrant'; readonly request: LeaseGrantRequest }
  | { readonly kind: 'leaseRevoke'; readonly request: LeaseRevokeRequest }
  | { readonly kind: 'leaseRevokeExpired'; readonly ids: readonly bigint[] }
  | { readonly kind: 'leaseCheckpoint'; readonly checkpoints: readonly LeaseCheckpoint[] }
  | { readonly kind: 'alarm'; readonly request: AlarmRequest }
  /** A member says what it is called and where its clients reach it (etcd's publish). */
  | {
      readonly kind: 'publishMember';
      readonly id: bigint;
      readonly name: string;
      readonly clientUrls: readonly string[];
    }
);

/** What applying a command answered; headers are filled in by the service. */
export type CommandResult =
  | { readonly kind: 'put'; readonly response: PutResponse }
  | { readonly kind: 'deleteRange'; readonly response: DeleteRangeResponse }
  | { readonly kind: 'txn'; readonly response: TxnResponse }
  | { readonly kind: 'compact'; readonly revision: number }
  | { readonly kind: 'leaseGrant'; readonly response: LeaseGrantResponse }
  | { readonly kind: 'leaseRevoke'; readonly response: LeaseRevokeResponse }
  | { readonly kind: 'done' };
