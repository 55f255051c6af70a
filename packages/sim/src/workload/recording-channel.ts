/**
 * A channel that writes down the key-value and lease calls of whatever client uses it, so that the checkers judge a
 * user's own service as they judge the planned clients. Everything else passes through unseen.
 */
import {
  type CallOptions,
  type Channel,
  type CompactionRequest,
  type DeleteRangeRequest,
  EtcdError,
  type LeaseGrantRequest,
  type LeaseKeepAliveRequest,
  type LeaseKeepAliveResponse,
  type LeaseRevokeRequest,
  type PutRequest,
  type RangeRequest,
  type RequestOf,
  type ResponseOf,
  type StreamCall,
  type StreamMethodName,
  type TxnRequest,
  type UnaryMethodName,
} from '@etcd-ts/protocol';
import { isReadOnly, type OperationRequest } from '../history/operation.ts';
import type { HistoryRecorder, Invoker } from '../history/recorder.ts';
import { responseOf } from './wire.ts';

/** Passes calls on and writes them down. */
export class RecordingChannel implements Channel {
  readonly #channel: Channel;
  readonly #by: () => Invoker;
  readonly #recorder: HistoryRecorder;

  constructor(channel: Channel, by: () => Invoker, recorder: HistoryRecorder) {
    this.#channel = channel;
    this.#by = by;
    this.#recorder = recorder;
  }

  async unary<Method extends UnaryMethodName>(
    method: Method,
    request: RequestOf<Method>,
    options?: CallOptions,
  ): Promise<ResponseOf<Method>> {
    const asked = describeRequest(method, request);
    if (asked === undefined) return this.#channel.unary(method, request, options);
    const id = this.#recorder.invoke(this.#by(), asked);
    try {
      const response = await this.#channel.unary(method, request, options);
      this.#recorder.settle(id, { kind: 'ok', response: responseOf(asked.kind, response) });
      return response;
    } catch (error) {
      const { code, mayHaveApplied } = EtcdError.from(error);
      const isWithoutEffect = isReadOnly(asked) || !mayHaveApplied;
      this.#recorder.settle(id, { kind: isWithoutEffect ? 'failed' : 'unknown', code });
      throw error;
    }
  }

  stream<Method extends StreamMethodName>(
    method: Method,
    options?: CallOptions,
  ): StreamCall<RequestOf<Method>, ResponseOf<Method>> {
    const call = this.#channel.stream(method, options);
    if (method !== 'etcdserverpb.Lease/LeaseKeepAlive') return call;
    // The method tells the messages' types.
    const recorded = recordKeepAlives(call as unknown as KeepAliveCall, this.#by, this.#recorder);
    return recorded as unknown as typeof call;
  }

  close(): Promise<void> {
    return this.#channel.close();
  }
}

type KeepAliveCall = StreamCall<LeaseKeepAliveRequest, LeaseKeepAliveResponse>;

/** Writes down each refresh on a stream; those of one lease are answered in order, and some never. */
function recordKeepAlives(
  call: KeepAliveCall,
  by: () => Invoker,
  recorder: HistoryRecorder,
): KeepAliveCall {
  const open = new Map<bigint, number[]>();
  const end = (): void => {
    for (const ids of open.values()) {
      for (const id of ids) recorder.settle(id, { kind: 'unknown', code: 'CANCELED' });
    }
    open.clear();
  };
  async function* responses(): AsyncGenerator<LeaseKeepAliveResponse, void, undefined> {
    try {
      for await (const response of call.responses) {
        const id = open.get(response.ID)?.shift();
        const told = responseOf('leaseKeepAlive', response);
        if (id !== undefined) recorder.settle(id, { kind: 'ok', response: told });
        yield response;
      }
    } finally {
      end();
    }
  }
  return {
    ...call,
    responses: responses(),
    send: (request) => {
      const id = recorder.invoke(by(), { kind: 'leaseKeepAlive', id: request.ID });
      open.set(request.ID, [...(open.get(request.ID) ?? []), id]);
      return call.send(request);
    },
  };
}

/** The request as a history holds it; undefined for methods that it does not hold. The method tells the message's type. */
function describeRequest(method: UnaryMethodName, request: unknown): OperationRequest | undefined {
  switch (method) {
    case 'etcdserverpb.KV/Range':
      return { kind: 'range', request: request as RangeRequest };
    case 'etcdserverpb.KV/Put':
      return { kind: 'put', request: request as PutRequest };
    case 'etcdserverpb.KV/DeleteRange':
      return { kind: 'deleteRange', request: request as DeleteRangeRequest };
    case 'etcdserverpb.KV/Txn':
      return { kind: 'txn', request: request as TxnRequest };
    case 'etcdserverpb.KV/Compact': {
      const { revision, physical } = request as CompactionRequest;
      return { kind: 'compact', revision, physical };
    }
    case 'etcdserverpb.Lease/LeaseGrant': {
      const { ID, TTL } = request as LeaseGrantRequest;
      return { kind: 'leaseGrant', id: ID, ttlSeconds: TTL };
    }
    case 'etcdserverpb.Lease/LeaseRevoke':
      return { kind: 'leaseRevoke', id: (request as LeaseRevokeRequest).ID };
    default:
      return undefined;
  }
}
