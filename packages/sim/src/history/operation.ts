/**
 * What clients did and what they were told: the evidence that the checkers judge.
 *
 * What always holds
 * - `invokedAt` and `returnedAt` are positions in one sequence over all clients: what returned before another thing
 *   was invoked has the smaller position, also within one moment of virtual time.
 * - A request and a response are never changed once they are recorded.
 */
import type {
  DeleteRangeRequest,
  DeleteRangeResult,
  PutRequest,
  PutResult,
  RangeRequest,
  RangeResult,
  TxnRequest,
  TxnResult,
} from '@etcd-ts/mvcc';

/** What a client asked for. */
export type OperationRequest =
  | { readonly kind: 'range'; readonly request: RangeRequest }
  | { readonly kind: 'put'; readonly request: PutRequest }
  | { readonly kind: 'deleteRange'; readonly request: DeleteRangeRequest }
  | { readonly kind: 'txn'; readonly request: TxnRequest }
  | { readonly kind: 'compact'; readonly revision: number; readonly physical: boolean }
  | { readonly kind: 'leaseGrant'; readonly id: bigint; readonly ttlSeconds: number }
  | { readonly kind: 'leaseRevoke'; readonly id: bigint }
  | { readonly kind: 'leaseKeepAlive'; readonly id: bigint }
  | { readonly kind: 'leaseTimeToLive'; readonly id: bigint };

/** What it was told. `revision` is the one of the response's header. */
export type OperationResponse =
  | { readonly kind: 'range'; readonly result: RangeResult }
  | { readonly kind: 'put'; readonly result: PutResult }
  | { readonly kind: 'deleteRange'; readonly result: DeleteRangeResult }
  | { readonly kind: 'txn'; readonly result: TxnResult }
  | { readonly kind: 'compact'; readonly revision: number }
  | {
      readonly kind: 'leaseGrant';
      readonly revision: number;
      readonly id: bigint;
      readonly ttlSeconds: number;
    }
  | { readonly kind: 'leaseRevoke'; readonly revision: number }
  /** `ttlSeconds` 0: there is no such lease. */
  | { readonly kind: 'leaseKeepAlive'; readonly revision: number; readonly ttlSeconds: number }
  /** `ttlSeconds` −1: there is no such lease. */
  | {
      readonly kind: 'leaseTimeToLive';
      readonly revision: number;
      readonly ttlSeconds: number;
      readonly grantedTtlSeconds: number;
      readonly keys: readonly Uint8Array[];
    };

/** How an operation ended for its client. */
export type OperationOutcome =
  | { readonly kind: 'ok'; readonly response: OperationResponse }
  /** Certainly without effect; `code` as in the error catalogue. */
  | { readonly kind: 'failed'; readonly code: string }
  /** It may have taken effect, may take effect yet, or never. Also: not ended when the run was over. */
  | { readonly kind: 'unknown'; readonly code: string };

/** One operation of one client. */
export interface Operation {
  /** Unique in a history; ascends with `invokedAt`. */
  readonly id: number;
  readonly client: number;
  /** Which member was asked. */
  readonly member: number;
  /** The connection it went over: one client, one incarnation of one member. */
  readonly connection: number;
  readonly request: OperationRequest;
  /** In whose name, and with which token; absent: without one. */
  readonly caller?: { readonly user: string; readonly token: string } | undefined;
  readonly invokedAt: number;
  /** Infinity when the outcome is unknown: it may still happen at any later moment. */
  readonly returnedAt: number;
  readonly invokedUs: number;
  readonly returnedUs: number;
  readonly outcome: OperationOutcome;
}

/** True when the operation reads without changing anything. */
export function isReadOnly(request: OperationRequest): boolean {
  return request.kind === 'range' || request.kind === 'leaseTimeToLive';
}

/** The header revision of a response. */
export function responseRevision(response: OperationResponse): number {
  return 'result' in response ? response.result.revision : response.revision;
}
