import { EtcdError, LeaseGrantRequest } from '@etcd-ts/protocol';
import type { Caller, ClientCallOptions } from '../caller.ts';
import { KeepAliveHub } from './keep-alive-hub.ts';
import type { LeaseKeeper } from './lease-keeper.ts';

/** A lease that was granted. */
export interface GrantedLease {
  readonly id: bigint;
  /** Time to live in seconds that the server has chosen; at least what was asked for. */
  readonly ttlSeconds: number;
  /** When the grant was asked for, on the client's clock: the lease lasts at least from then. */
  readonly refreshedMs: number;
}

/** How a lease stands. */
export interface LeaseStanding {
  /** Whole seconds left. */
  readonly remainingSeconds: number;
  readonly grantedTtlSeconds: number;
  /** Keys attached to it, when asked for; in no order. */
  readonly keys: readonly Uint8Array[];
}

/** The lease calls: `client.lease`. */
export class Leases {
  readonly #caller: Caller;
  readonly #hub: KeepAliveHub;

  /** @internal */
  constructor(caller: Caller) {
    this.#caller = caller;
    this.#hub = new KeepAliveHub(caller);
  }

  /**
   * Makes a lease. It ends after its time to live unless it is kept: see {@link Leases.keepAlive}.
   *
   * @throws EtcdError LEASE_EXIST, LEASE_TTL_TOO_LARGE, NO_SPACE.
   */
  async grant(
    ttlSeconds: number,
    options: ClientCallOptions & { readonly id?: bigint } = {},
  ): Promise<GrantedLease> {
    const refreshedMs = this.#caller.clock.monotonicMs();
    const request = LeaseGrantRequest.fromPartial({ TTL: ttlSeconds, ID: options.id ?? 0n });
    const answer = await this.#caller.unary(
      'etcdserverpb.Lease/LeaseGrant',
      request,
      'write',
      options,
    );
    return { id: answer.ID, ttlSeconds: answer.TTL, refreshedMs };
  }

  /** Makes a lease and keeps it alive. */
  async create(
    ttlSeconds: number,
    options?: ClientCallOptions & { readonly id?: bigint },
  ): Promise<LeaseKeeper> {
    return this.keepAlive(await this.grant(ttlSeconds, options));
  }

  /** Keeps a lease alive in the background until the keeper is stopped or the lease is lost. */
  keepAlive(lease: GrantedLease): LeaseKeeper {
    return this.#hub.keep(lease);
  }

  /**
   * Refreshes a lease once.
   *
   * @returns Its time to live in seconds.
   * @throws EtcdError LEASE_NOT_FOUND.
   */
  async keepAliveOnce(id: bigint, options: ClientCallOptions = {}): Promise<number> {
    const { TTL } = await this.#caller.firstOf(
      'etcdserverpb.Lease/LeaseKeepAlive',
      { ID: id },
      options,
    );
    if (TTL > 0) return TTL;
    throw new EtcdError('LEASE_NOT_FOUND');
  }

  /** Takes up a lease by its id, made elsewhere or before a restart, and keeps it alive. @throws EtcdError LEASE_NOT_FOUND. */
  async adopt(id: bigint, options?: ClientCallOptions): Promise<LeaseKeeper> {
    const refreshedMs = this.#caller.clock.monotonicMs();
    const ttlSeconds = await this.keepAliveOnce(id, options);
    return this.keepAlive({ id, ttlSeconds, refreshedMs });
  }

  /** Ends a lease and deletes its keys. @throws EtcdError LEASE_NOT_FOUND. */
  async revoke(id: bigint, options?: ClientCallOptions): Promise<void> {
    await this.#caller.unary('etcdserverpb.Lease/LeaseRevoke', { ID: id }, 'write', options);
  }

  /** How a lease stands; undefined when there is no such lease. */
  async timeToLive(
    id: bigint,
    options: ClientCallOptions & { readonly keys?: boolean } = {},
  ): Promise<LeaseStanding | undefined> {
    const request = { ID: id, keys: options.keys ?? false };
    const answer = await this.#caller.unary(
      'etcdserverpb.Lease/LeaseTimeToLive',
      request,
      'read',
      options,
    );
    if (answer.TTL < 0) return undefined;
    return {
      remainingSeconds: answer.TTL,
      grantedTtlSeconds: answer.grantedTTL,
      keys: answer.keys,
    };
  }

  /** Ids of all leases; the one that ends first comes first. */
  async list(options?: ClientCallOptions): Promise<bigint[]> {
    const answer = await this.#caller.unary('etcdserverpb.Lease/LeaseLeases', {}, 'read', options);
    return answer.leases.map(({ ID }) => ID);
  }

  /** @internal Stops all keepers. */
  close(): void {
    this.#hub.close();
  }
}
