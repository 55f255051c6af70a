/** Where each operation stands in the order that etcd's revisions force. */
import type { TxnOpResult } from '@etcd-ts/mvcc';
import { type Operation, type OperationResponse, responseRevision } from '../history/operation.ts';
import type { WatchRecord } from '../history/watch-record.ts';

/** An operation and the revision at which it happened. */
export interface Placed {
  readonly operation: Operation;
  readonly revision: number;
  /** It made that revision; otherwise it only saw it. */
  readonly wrote: boolean;
}

/** A lease ended with keys attached and so made a revision, without a client's write. */
export interface LeaseEnd {
  readonly leaseId: bigint;
  readonly revision: number;
}

/** What the checkers of answers judge. */
export interface Evidence {
  readonly operations: readonly Operation[];
  /** Revisions that the ends of leases made. */
  readonly leaseEnds: readonly LeaseEnd[];
  /**
   * Of operations with unknown outcome: the revision that they made after all, 0 when they happened without writing.
   * Absent: they never happened.
   */
  readonly unknownRevisions: ReadonlyMap<number, number>;
  readonly watches?: readonly WatchRecord[] | undefined;
}

/** True when the answered request wrote something. */
export function didWrite(response: OperationResponse): boolean {
  switch (response.kind) {
    case 'put':
      return true;
    case 'deleteRange':
      return response.result.deleted > 0;
    case 'txn':
      return response.result.responses.some(opWrote);
    default:
      return false;
  }
}

function opWrote(op: TxnOpResult): boolean {
  switch (op.$case) {
    case 'responsePut':
      return true;
    case 'responseDeleteRange':
      return op.value.deleted > 0;
    case 'responseTxn':
      return op.value.responses.some(opWrote);
    case 'responseRange':
      return false;
  }
}

/** True when only members' own order binds the answer, not real time. */
export function isSerializable(operation: Operation): boolean {
  return operation.request.kind === 'range' && operation.request.request.serializable;
}

/** True for the operations of the key-value service whose answers the replay predicts. */
export function isKeyValue(operation: Operation): boolean {
  const { kind } = operation.request;
  return kind === 'range' || kind === 'put' || kind === 'deleteRange' || kind === 'txn';
}

/** Places every operation of the key-value service that happened; in no particular order. */
export function place(evidence: Evidence): Placed[] {
  const placed: Placed[] = [];
  for (const operation of evidence.operations) {
    if (!isKeyValue(operation)) continue;
    const { outcome } = operation;
    if (outcome.kind === 'ok') {
      const { response } = outcome;
      placed.push({ operation, revision: responseRevision(response), wrote: didWrite(response) });
    } else if (outcome.kind === 'unknown') {
      const revision = evidence.unknownRevisions.get(operation.id);
      if (revision !== undefined && revision > 0) {
        placed.push({ operation, revision, wrote: true });
      }
    }
  }
  return placed;
}
