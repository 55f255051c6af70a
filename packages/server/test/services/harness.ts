import { fromUtf8, utf8 } from '@etcd-ts/base';
import type { RequestOp } from '@etcd-ts/protocol';
import {
  type Channel,
  Compare,
  DeleteRangeRequest,
  type DeleteRangeResponse,
  EtcdError,
  type ErrorCode,
  LeaseGrantRequest,
  type LeaseGrantResponse,
  PutRequest,
  type PutResponse,
  RangeRequest,
  type RangeResponse,
  type StreamCall,
  TxnRequest,
  type TxnResponse,
  WatchCreateRequest,
  type WatchRequest,
  type WatchResponse,
} from '@etcd-ts/protocol';
import type { ServerLimits } from '../../src/limits.ts';
import { InProcessChannel } from '../../src/listeners/in-process.ts';
import { type ServiceParts, Services } from '../../src/services/services.ts';
import { FakeNode } from './fake-node.ts';
import { SURROUNDINGS } from './surroundings.ts';

type Partial_<Codec extends { fromPartial: (partial: never) => unknown }> = Parameters<
  Codec['fromPartial']
>[0];

/** A node, its services and a client beside them. */
export interface Harness {
  readonly node: FakeNode;
  readonly services: Services;
  readonly channel: Channel;
  readonly put: (
    key: string,
    value?: string,
    more?: Partial_<typeof PutRequest>,
  ) => Promise<PutResponse>;
  readonly range: (key: string, more?: Partial_<typeof RangeRequest>) => Promise<RangeResponse>;
  readonly del: (
    key: string,
    more?: Partial_<typeof DeleteRangeRequest>,
  ) => Promise<DeleteRangeResponse>;
  readonly txn: (request: Partial_<typeof TxnRequest>) => Promise<TxnResponse>;
  readonly grant: (ID: bigint, TTL: number) => Promise<LeaseGrantResponse>;
  readonly compact: (revision: number, physical?: boolean) => Promise<void>;
  readonly watch: () => WatchClient;
}

/** Starts all of it. */
export async function harness(
  limits: Partial<ServerLimits> = {},
  parts: Partial<ServiceParts> = {},
): Promise<Harness> {
  const node = await FakeNode.start({ limits });
  const services = new Services(node, { ...SURROUNDINGS, ...parts });
  const channel = new InProcessChannel(services.handlers, node.clock);
  return {
    node,
    services,
    channel,
    put: (key, value = '', more = {}) =>
      channel.unary(
        'etcdserverpb.KV/Put',
        PutRequest.fromPartial({ key: utf8(key), value: utf8(value), ...more }),
      ),
    range: (key, more = {}) =>
      channel.unary('etcdserverpb.KV/Range', RangeRequest.fromPartial({ key: utf8(key), ...more })),
    del: (key, more = {}) =>
      channel.unary(
        'etcdserverpb.KV/DeleteRange',
        DeleteRangeRequest.fromPartial({ key: utf8(key), ...more }),
      ),
    txn: (request) => channel.unary('etcdserverpb.KV/Txn', TxnRequest.fromPartial(request)),
    grant: (ID, TTL) =>
      channel.unary('etcdserverpb.Lease/LeaseGrant', LeaseGrantRequest.fromPartial({ ID, TTL })),
    compact: async (revision, physical = true) => {
      await channel.unary('etcdserverpb.KV/Compact', { revision, physical });
    },
    watch: () => new WatchClient(channel),
  };
}

/** Operations of a transaction. */
export const op = {
  put: (key: string, value = '', more: Partial_<typeof PutRequest> = {}): RequestOp => ({
    request: {
      $case: 'requestPut',
      value: PutRequest.fromPartial({ key: utf8(key), value: utf8(value), ...more }),
    },
  }),
  range: (key: string, more: Partial_<typeof RangeRequest> = {}): RequestOp => ({
    request: {
      $case: 'requestRange',
      value: RangeRequest.fromPartial({ key: utf8(key), ...more }),
    },
  }),
  del: (key: string, more: Partial_<typeof DeleteRangeRequest> = {}): RequestOp => ({
    request: {
      $case: 'requestDeleteRange',
      value: DeleteRangeRequest.fromPartial({ key: utf8(key), ...more }),
    },
  }),
  txn: (request: Partial_<typeof TxnRequest>): RequestOp => ({
    request: { $case: 'requestTxn', value: TxnRequest.fromPartial(request) },
  }),
};

/** A compare of a value. */
export function valueIs(key: string, result: number, value: string): Compare {
  return Compare.fromPartial({
    key: utf8(key),
    target: 3,
    result,
    targetUnion: { $case: 'value', value: utf8(value) },
  });
}

/** One Watch stream. */
export class WatchClient {
  readonly call: StreamCall<WatchRequest, WatchResponse>;
  readonly #responses: AsyncIterator<WatchResponse>;

  constructor(channel: Channel) {
    this.call = channel.stream('etcdserverpb.Watch/Watch');
    this.#responses = this.call.responses[Symbol.asyncIterator]();
  }

  create(key: string, more: Partial_<typeof WatchCreateRequest> = {}): void {
    const value = WatchCreateRequest.fromPartial({ key: utf8(key), ...more });
    this.call.send({ requestUnion: { $case: 'createRequest', value } });
  }

  cancel(watchId: bigint): void {
    this.call.send({ requestUnion: { $case: 'cancelRequest', value: { watchId } } });
  }

  progress(): void {
    this.call.send({ requestUnion: { $case: 'progressRequest', value: {} } });
  }

  /** The next response; fails the test's time limit when there is none. */
  async next(): Promise<WatchResponse> {
    const { value, done } = await this.#responses.next();
    if (done === true) throw new Error('the stream ended');
    return value;
  }

  /** What is answered before the answer to a create that must fail: everything up to now. */
  async until(): Promise<readonly WatchResponse[]> {
    this.create('b', { rangeEnd: utf8('a') });
    const heard: WatchResponse[] = [];
    for (;;) {
      const response = await this.next();
      if (response.cancelReason === 'mvcc: watcher range is empty') return heard;
      heard.push(response);
    }
  }
}

/** `put k@3`, `delete k@4` … of a response. */
export function events(response: WatchResponse): readonly string[] {
  return response.events.map(
    ({ type, kv }) =>
      `${type === 0 ? 'put' : 'delete'} ${fromUtf8(kv?.key ?? new Uint8Array(0))}@${kv?.modRevision}`,
  );
}

/** Keys of a range's answer. */
export function keysOf(response: RangeResponse): readonly string[] {
  return response.kvs.map(({ key }) => fromUtf8(key));
}

/** The code with which a call fails. */
export async function failure(call: Promise<unknown>): Promise<ErrorCode> {
  try {
    await call;
  } catch (error) {
    return EtcdError.from(error).code;
  }
  throw new Error('the call succeeded');
}
