/**
 * What the store answers, in the shape of etcd's messages.
 *
 * Headers carry the revision alone; a service adds cluster, member and term. Inside a transaction that is all they ever
 * carry, and a nested transaction's header is there but empty (etcd server/etcdserver/txn/txn.go).
 */
import type {
  DeleteRangeResult,
  PutResult,
  RangeResult,
  TxnOpResult,
  TxnResult,
} from '@etcd-ts/mvcc';
import type {
  DeleteRangeResponse,
  PutResponse,
  RangeResponse,
  ResponseHeader,
  ResponseOp,
  TxnResponse,
} from '@etcd-ts/protocol';

/** A header with nothing but a revision; 0 for the empty one. */
export function revisionHeader(revision: number): ResponseHeader {
  return { clusterId: 0n, memberId: 0n, revision, raftTerm: 0 };
}

/** A range's result as its response. */
export function rangeResponse({ revision, kvs, more, count }: RangeResult): RangeResponse {
  return { header: revisionHeader(revision), kvs, more, count };
}

/** A put's result as its response. */
export function putResponse({ revision, prevKv }: PutResult): PutResponse {
  return { header: revisionHeader(revision), prevKv };
}

/** A deletion's result as its response. */
export function deleteRangeResponse(result: DeleteRangeResult): DeleteRangeResponse {
  const { revision, deleted, prevKvs } = result;
  return { header: revisionHeader(revision), deleted, prevKvs };
}

/** A transaction's result as its response. */
export function txnResponse({ revision, succeeded, responses }: TxnResult): TxnResponse {
  return { header: revisionHeader(revision), succeeded, responses: responses.map(responseOp) };
}

function responseOp(result: TxnOpResult): ResponseOp {
  switch (result.$case) {
    case 'responseRange':
      return { response: { $case: 'responseRange', value: rangeResponse(result.value) } };
    case 'responsePut':
      return { response: { $case: 'responsePut', value: putResponse(result.value) } };
    case 'responseDeleteRange': {
      const value = deleteRangeResponse(result.value);
      return { response: { $case: 'responseDeleteRange', value } };
    }
    case 'responseTxn':
      return { response: { $case: 'responseTxn', value: txnResponse(result.value) } };
  }
}
