/** Between the wire's messages and what a history holds of them. */
import { EMPTY_BYTES, utf8 } from '@etcd-ts/base';
import type {
  DeleteRangeResult,
  PutResult,
  RangeRequest,
  RangeResult,
  TxnOpResult,
  TxnResult,
} from '@etcd-ts/mvcc';
import type {
  CallOptions,
  Channel,
  DeleteRangeResponse,
  PutResponse,
  RangeResponse,
  ResponseOp,
  TxnResponse,
} from '@etcd-ts/protocol';
import type { OperationRequest, OperationResponse } from '../history/operation.ts';

/** Sends a recorded request over a channel; all but keepalives, which go over a stream. */
export async function sendUnary(
  channel: Channel,
  request: OperationRequest,
  options: CallOptions,
): Promise<OperationResponse> {
  switch (request.kind) {
    case 'range': {
      const response = await channel.unary('etcdserverpb.KV/Range', request.request, options);
      return { kind: 'range', result: rangeResult(response) };
    }
    case 'put': {
      const response = await channel.unary('etcdserverpb.KV/Put', request.request, options);
      return { kind: 'put', result: putResult(response) };
    }
    case 'deleteRange': {
      const response = await channel.unary('etcdserverpb.KV/DeleteRange', request.request, options);
      return { kind: 'deleteRange', result: deleteResult(response) };
    }
    case 'txn': {
      const response = await channel.unary('etcdserverpb.KV/Txn', request.request, options);
      return { kind: 'txn', result: txnResult(response) };
    }
    case 'compact': {
      const { revision, physical } = request;
      const response = await channel.unary(
        'etcdserverpb.KV/Compact',
        { revision, physical },
        options,
      );
      return { kind: 'compact', revision: response.header?.revision ?? 0 };
    }
    case 'leaseGrant': {
      const message = { ID: request.id, TTL: request.ttlSeconds };
      const response = await channel.unary('etcdserverpb.Lease/LeaseGrant', message, options);
      return {
        kind: 'leaseGrant',
        revision: response.header?.revision ?? 0,
        id: response.ID,
        ttlSeconds: response.TTL,
      };
    }
    case 'leaseRevoke': {
      const message = { ID: request.id };
      const response = await channel.unary('etcdserverpb.Lease/LeaseRevoke', message, options);
      return { kind: 'leaseRevoke', revision: response.header?.revision ?? 0 };
    }
    case 'leaseKeepAlive':
      return keepAlive(channel, request.id, options);
    case 'leaseTimeToLive': {
      const message = { ID: request.id, keys: true };
      const response = await channel.unary('etcdserverpb.Lease/LeaseTimeToLive', message, options);
      return {
        kind: 'leaseTimeToLive',
        revision: response.header?.revision ?? 0,
        ttlSeconds: response.TTL,
        grantedTtlSeconds: response.grantedTTL,
        keys: response.keys,
      };
    }
  }
}

/** One keepalive: a stream of one request and one answer. */
async function keepAlive(
  channel: Channel,
  id: bigint,
  options: CallOptions,
): Promise<OperationResponse> {
  const call = channel.stream('etcdserverpb.Lease/LeaseKeepAlive', options);
  call.send({ ID: id });
  call.end();
  for await (const response of call.responses) {
    return {
      kind: 'leaseKeepAlive',
      revision: response.header?.revision ?? 0,
      ttlSeconds: response.TTL,
    };
  }
  throw new Error('the stream ended without an answer');
}

/** A range request with everything at its default. */
export function rangeRequest(key: string, more: Partial<RangeRequest> = {}): RangeRequest {
  return {
    key: utf8(key),
    rangeEnd: EMPTY_BYTES,
    limit: 0,
    revision: 0,
    sortOrder: 0,
    sortTarget: 0,
    serializable: false,
    keysOnly: false,
    countOnly: false,
    minModRevision: 0,
    maxModRevision: 0,
    minCreateRevision: 0,
    maxCreateRevision: 0,
    ...more,
  };
}

/** What a range answered. */
export function rangeResult({ header, kvs, more, count }: RangeResponse): RangeResult {
  return { revision: header?.revision ?? 0, kvs, more, count };
}

/** What a put answered. */
export function putResult({ header, prevKv }: PutResponse): PutResult {
  return { revision: header?.revision ?? 0, prevKv };
}

/** What a delete answered. */
export function deleteResult({ header, deleted, prevKvs }: DeleteRangeResponse): DeleteRangeResult {
  return { revision: header?.revision ?? 0, deleted, prevKvs };
}

/** What a transaction answered. */
export function txnResult({ header, succeeded, responses }: TxnResponse): TxnResult {
  return { revision: header?.revision ?? 0, succeeded, responses: responses.map(opResult) };
}

function opResult({ response }: ResponseOp): TxnOpResult {
  switch (response?.$case) {
    case 'responseRange':
      return { $case: 'responseRange', value: rangeResult(response.value) };
    case 'responsePut':
      return { $case: 'responsePut', value: putResult(response.value) };
    case 'responseDeleteRange':
      return { $case: 'responseDeleteRange', value: deleteResult(response.value) };
    case 'responseTxn':
      return { $case: 'responseTxn', value: txnResult(response.value) };
    case undefined:
      throw new Error('a transaction answered an operation with nothing');
  }
}
