/**
 * A client that works through the client library, as a service does: with its endpoints, its retries and its errors. Each
 * call counts as one operation, however many attempts the library makes of it.
 */
import { utf8 } from '@etcd-ts/base';
import { compare, EtcdClient, op } from '@etcd-ts/client';
import { type Channel, EtcdError } from '@etcd-ts/protocol';
import type { SimCluster } from '../cluster/sim-cluster.ts';
import { isReadOnly, type OperationOutcome, type OperationRequest } from '../history/operation.ts';
import type { HistoryRecorder } from '../history/recorder.ts';
import { compareCreate, putOp } from './txn-parts.ts';
import { rangeRequest, responseOf } from './wire.ts';

/** What is done through the library. */
export type LibraryCall = 'get' | 'put' | 'delete' | 'claim';

/** Connections of the library are numbered from here: each call is one of its own, for no member is stuck to. */
const FIRST_CONNECTION = 500_000_000;
const CONNECTIONS_PER_CLIENT = 1_000_000;

/** One planned client's use of the library. */
export class LibraryClient {
  readonly #client: EtcdClient;
  readonly #id: number;
  readonly #recorder: HistoryRecorder;
  #calls = 0;
  /** Attempts beyond the first of each call. */
  retries = 0;
  #attempts = 0;
  /** The answer that the library had last, as it came over the wire. */
  #answer: unknown;

  constructor(cluster: SimCluster, id: number, recorder: HistoryRecorder) {
    const name = `client-${id}`;
    const { world } = cluster;
    const process = cluster.clientProcess(name);
    this.#id = id;
    this.#recorder = recorder;
    this.#client = new EtcdClient({
      endpoints: cluster.members.map((member) => member.clientUrl),
      clock: {
        monotonicMs: () => world.nowUs / 1000,
        after: (delayMs, callback) =>
          process.schedule(Math.ceil(delayMs * 1000), 'timer', callback),
      },
      random: world.random(`library/${name}`),
      connect: (endpoint) => this.#listen(cluster.connect(name, cluster.memberAt(endpoint))),
    });
  }

  /** Does it, and writes it down as one operation. Never rejects. */
  async call(
    what: LibraryCall,
    key: string,
    value: Uint8Array,
    timeoutMs: number,
  ): Promise<OperationOutcome> {
    const request = requestOf(what, key, value);
    const connection = FIRST_CONNECTION + this.#id * CONNECTIONS_PER_CLIENT + this.#calls++;
    const id = this.#recorder.invoke({ client: this.#id, member: 0, connection }, request);
    const outcome = await this.#outcome(what, request, { key, value, timeoutMs });
    this.#recorder.settle(id, outcome);
    return outcome;
  }

  async #outcome(
    what: LibraryCall,
    request: OperationRequest,
    { key, value, timeoutMs }: { key: string; value: Uint8Array; timeoutMs: number },
  ): Promise<OperationOutcome> {
    const options = { timeoutMs };
    this.#attempts = 0;
    try {
      if (what === 'get') await this.#client.get(key, options);
      else if (what === 'put') await this.#client.put(key, value, options);
      else if (what === 'delete') await this.#client.delete(key, options);
      else {
        const claim = this.#client.txn().if(compare.missing(key)).do(op.put(key, value));
        await claim.commit(options);
      }
      return { kind: 'ok', response: responseOf(request.kind, this.#answer) };
    } catch (error) {
      const { code, mayHaveApplied } = EtcdError.from(error);
      const isWithoutEffect = isReadOnly(request) || !mayHaveApplied;
      return { kind: isWithoutEffect ? 'failed' : 'unknown', code };
    }
  }

  #listen(channel: Channel): Channel {
    return {
      unary: async (method, request, options) => {
        if (this.#attempts++ > 0) this.retries++;
        const response = await channel.unary(method, request, options);
        this.#answer = response;
        return response;
      },
      stream: (method, options) => channel.stream(method, options),
      close: () => channel.close(),
    };
  }
}

/** What the library sends for it. */
function requestOf(what: LibraryCall, key: string, value: Uint8Array): OperationRequest {
  switch (what) {
    case 'get':
      return { kind: 'range', request: rangeRequest(key) };
    case 'put': {
      const flags = { lease: 0n, prevKv: false, ignoreValue: false, ignoreLease: false };
      return { kind: 'put', request: { key: utf8(key), value, ...flags } };
    }
    case 'delete':
      return {
        kind: 'deleteRange',
        request: { key: utf8(key), rangeEnd: new Uint8Array(0), prevKv: false },
      };
    case 'claim':
      return {
        kind: 'txn',
        request: { compare: [compareCreate(key, 0)], success: [putOp(key, value)], failure: [] },
      };
  }
}
