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
  LeaseGrantResponse,
  LeaseKeepAliveResponse,
  LeaseTimeToLiveResponse,
  PutResponse,
  RangeResponse,
  ResponseHeader,
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
  return request.kind === 'leaseKeepAlive'
    ? keepAlive(channel, request.id, options)
    : responseOf(request.kind, await send(channel, request, options));
}

function send(
  channel: Channel,
  request: Exclude<OperationRequest, { kind: 'leaseKeepAlive' }>,
  options: CallOptions,
): Promise<unknown> {
  switch (request.kind) {
    case 'range':
      return channel.unary('etcdserverpb.KV/Range', request.request, options);
    case 'put':
      return channel.unary('etcdserverpb.KV/Put', request.request, options);
    case 'deleteRange':
      return channel.unary('etcdserverpb.KV/DeleteRange', request.request, options);
    case 'txn':
      return channel.unary('etcdserverpb.KV/Txn', request.request, options);
    case 'compact': {
      const { revision, physical } = request;
      return channel.unary('etcdserverpb.KV/Compact', { revision, physical }, options);
    }
    case 'leaseGrant': {
      const message = { ID: request.id, TTL: request.ttlSeconds };
      return channel.unary('etcdserverpb.Lease/LeaseGrant', message, options);
    }
    case 'leaseRevoke':
      return channel.unary('etcdserverpb.Lease/LeaseRevoke', { ID: request.id }, options);
    case 'leaseTimeToLive': {
      const message = { ID: request.id, keys: true };
      return channel.unary('etcdserverpb.Lease/LeaseTimeToLive', message, options);
    }
  }
}

/** What a call of this kind was answered, as a history holds it. The kind tells the message's type. */
export function responseOf(kind: OperationRequest['kind'], answer: unknown): OperationResponse {
  const revision = (answer as { readonly header?: ResponseHeader }).header?.revision ?? 0;
  switch (kind) {
    case 'range':
      return { kind, result: rangeResult(answer as RangeResponse) };
    case 'put':
      return { kind, result: putResult(answer as PutResponse) };
    case 'deleteRange':
      return { kind, result: deleteResult(answer as DeleteRangeResponse) };
    case 'txn':
      return { kind, result: txnResult(answer as TxnResponse) };
    case 'compact':
    case 'leaseRevoke':
      return { kind, revision };
    case 'leaseGrant': {
      const { ID, TTL } = answer as LeaseGrantResponse;
      return { kind, revision, id: ID, ttlSeconds: TTL };
    }
    case 'leaseKeepAlive':
      return { kind, revision, ttlSeconds: (answer as LeaseKeepAliveResponse).TTL };
    case 'leaseTimeToLive': {
      const { TTL, grantedTTL, keys } = answer as LeaseTimeToLiveResponse;
      return { kind, revision, ttlSeconds: TTL, grantedTtlSeconds: grantedTTL, keys };
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
    return responseOf('leaseKeepAlive', response);
  }
  throw new Error('the stream ended without an answer');
}

/** Keys that clients name again and again. */
const knownKeys = new Map<string, Uint8Array>();
/** Beyond it the keys of earlier runs are forgotten. */
const MAX_KNOWN_KEYS = 1_000;

/** The bytes of a key's name, the same array for the same name: never to be written to, as all of a request. */
export function keyBytes(name: string): Uint8Array {
  let bytes = knownKeys.get(name);
  if (bytes === undefined) {
    if (knownKeys.size >= MAX_KNOWN_KEYS) knownKeys.clear();
    bytes = utf8(name);
    knownKeys.set(name, bytes);
  }
  return bytes;
}

/** A range request with everything at its default. */
export function rangeRequest(key: string, more: Partial<RangeRequest> = {}): RangeRequest {
  return {
    key: keyBytes(key),
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
