import {
  type Channel,
  type CompactionResponse,
  EtcdError,
  type StatusResponse,
  type TxnRequest,
  type TxnResponse,
} from '@etcd-ts/protocol';
import { Auth } from './auth.ts';
import { Caller, type ClientCallOptions } from './caller.ts';
import type { Clock, Random } from './clock.ts';
import { Cluster } from './cluster.ts';
import { Endpoints } from './endpoints.ts';
import type { Entry } from './entry.ts';
import { type Bytes, type Keys, toBytes } from './key.ts';
import {
  type DeleteOptions,
  deleteRequest,
  type DeleteResult,
  deleteResult,
  type PutOptions,
  putRequest,
  type PutResult,
  putResult,
  type RangeOptions,
  rangeRequest,
  type RangeResult,
  rangeResult,
} from './kv.ts';
import { Leases } from './lease/leases.ts';
import { Maintenance, type MemberCallOptions } from './maintenance.ts';
import { pages } from './pages.ts';
import { type Credentials, Tokens } from './tokens.ts';
import { isReadOnly, Txn } from './txn.ts';
import type { WatchOptions } from './watch/subscription.ts';
import { WatchHub } from './watch/watch-hub.ts';
import type { Watcher } from './watch/watcher.ts';

/** Time of a call that brings none of its own: longer than a member's own request timeout of 7 seconds. */
export const DEFAULT_TIMEOUT_MS = 10_000;

/** What a client is made of. */
export interface EtcdClientOptions {
  /** The members to talk to, in the order in which they are tried; names for `connect`. */
  readonly endpoints: readonly string[];
  /** Makes the channel to an endpoint, when it is first needed. */
  readonly connect: (endpoint: string) => Channel;
  readonly clock: Clock;
  readonly random: Random;
  /** Time of a call that brings none of its own; Infinity for none. @defaultValue {@link DEFAULT_TIMEOUT_MS} */
  readonly timeoutMs?: number;
  /** Who calls, when auth is on. The token is asked for and renewed by itself. */
  readonly credentials?: Credentials;
}

/**
 * A client of an etcd cluster, over whatever channels it is given: in process, gRPC, simulated.
 *
 * Every failure is an EtcdError; match on its `code`. `mayHaveApplied` says whether a failed write may have happened.
 * What is tried again and what is not: `caller.ts`.
 *
 * @example
 * await client.put('greeting', 'hello');
 * console.log((await client.get('greeting'))?.text);
 */
export class EtcdClient {
  readonly auth: Auth;
  readonly cluster: Cluster;
  readonly lease: Leases;
  readonly maintenance: Maintenance;
  readonly #caller: Caller;
  readonly #watches: WatchHub;

  constructor(options: EtcdClientOptions) {
    const { clock, credentials, random, timeoutMs = DEFAULT_TIMEOUT_MS } = options;
    this.#caller = new Caller({
      endpoints: new Endpoints(options.endpoints, options.connect),
      clock,
      random,
      tokens: credentials === undefined ? undefined : new Tokens(credentials, clock, timeoutMs),
      timeoutMs,
    });
    this.#watches = new WatchHub(this.#caller);
    this.auth = new Auth(this.#caller);
    this.cluster = new Cluster(this.#caller);
    this.lease = new Leases(this.#caller);
    this.maintenance = new Maintenance(this.#caller);
  }

  /** The endpoints of this client. */
  get endpoints(): readonly string[] {
    return this.#caller.endpoints.names;
  }

  /**
   * One key; undefined when it is not there.
   *
   * @throws EtcdError EMPTY_KEY, COMPACTED, FUTURE_REV.
   */
  async get(key: Bytes, options?: RangeOptions & ClientCallOptions): Promise<Entry | undefined> {
    return (await this.getAll(toBytes(key), options)).entries[0];
  }

  /** Many keys at one revision, in one answer. For very many see {@link EtcdClient.entries}. */
  async getAll(keys: Keys, options?: RangeOptions & ClientCallOptions): Promise<RangeResult> {
    const request = rangeRequest(keys, options);
    return rangeResult(await this.#caller.unary('etcdserverpb.KV/Range', request, 'read', options));
  }

  /**
   * Many keys at one revision, page by page, in the order of their keys: for ranges that do not fit into one answer.
   *
   * @throws EtcdError COMPACTED when the revision is compacted while reading.
   */
  entries(
    keys: Keys,
    options?: Pick<RangeOptions, 'revision' | 'serializable' | 'keysOnly'> &
      ClientCallOptions & { readonly pageSize?: number },
  ): AsyncGenerator<Entry, void, undefined> {
    return pages(this.#caller, keys, options);
  }

  /** Number of keys. */
  async count(keys: Keys, options?: RangeOptions & ClientCallOptions): Promise<number> {
    return (await this.getAll(keys, { ...options, countOnly: true })).count;
  }

  /**
   * Writes a key.
   *
   * @throws EtcdError EMPTY_KEY, LEASE_NOT_FOUND, KEY_NOT_FOUND, NO_SPACE, REQUEST_TOO_LARGE.
   */
  async put(
    key: Bytes,
    value: Bytes,
    options?: PutOptions & ClientCallOptions,
  ): Promise<PutResult> {
    const request = putRequest(key, value, options);
    return putResult(await this.#caller.unary('etcdserverpb.KV/Put', request, 'write', options));
  }

  /** Deletes keys; none is no error. */
  async delete(keys: Keys, options?: DeleteOptions & ClientCallOptions): Promise<DeleteResult> {
    const request = deleteRequest(keys, options);
    return deleteResult(
      await this.#caller.unary('etcdserverpb.KV/DeleteRange', request, 'write', options),
    );
  }

  /** Begins a transaction: see {@link Txn}. */
  txn(): Txn {
    return new Txn((request, options) => this.#txn(request, options));
  }

  /**
   * Forgets the history before a revision.
   *
   * @param options.physical Answer when the versions are gone from the backend.
   * @throws EtcdError COMPACTED, FUTURE_REV.
   */
  async compact(
    revision: number,
    options: ClientCallOptions & { readonly physical?: boolean } = {},
  ): Promise<CompactionResponse> {
    const request = { revision, physical: options.physical ?? false };
    return this.#caller.unary('etcdserverpb.KV/Compact', request, 'write', options);
  }

  /** Watches keys: see {@link Watcher}. */
  watch(keys: Keys, options?: WatchOptions): Watcher {
    return this.#watches.watch(keys, options);
  }

  /** How the member in use is. */
  status(options?: MemberCallOptions): Promise<StatusResponse> {
    return this.maintenance.status(options);
  }

  /** Ends watches and keepers, fails what is under way with CANCELED, and closes the channels. */
  async close(): Promise<void> {
    this.#watches.close();
    this.lease.close();
    await this.#caller.endpoints.close();
  }

  #txn(request: TxnRequest, options?: ClientCallOptions): Promise<TxnResponse> {
    const effect = isReadOnly(request) ? 'read' : 'write';
    return this.#caller.unary('etcdserverpb.KV/Txn', request, effect, options);
  }
}

/** The code of an error of this library; undefined for any other. */
export function codeOf(error: unknown): EtcdError['code'] | undefined {
  return EtcdError.is(error) ? error.code : undefined;
}
