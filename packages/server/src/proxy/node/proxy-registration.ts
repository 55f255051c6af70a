/** A proxy among its like: each registers its address under a prefix, and its member list is what is registered there. */
import { hostname } from 'node:os';
import { EtcdError, type Handlers, MemberListResponse } from '@etcd-ts/protocol';
import type { EtcdClient, LeaseKeeper } from '@etcd-ts/client';
import { deferred } from '@etcd-ts/base';
import type { Clock } from '../../clock.ts';
import type { Logger } from '../../logger.ts';

/** Pause before a registration that was lost is made again, in milliseconds. */
export const REGISTER_RETRY_MS = 1_000;

/** A registration, or its end, that takes longer is given up, in milliseconds. */
export const REGISTER_LIMIT_MS = 5_000;

/** What is registered. */
export interface RegistrationParts {
  readonly client: EtcdClient;
  readonly clock: Clock;
  readonly log: Logger;
  /** Namespace and resolver prefix together. */
  readonly prefix: string;
  /** What clients can reach the proxy under. */
  readonly address: string;
  readonly ttlSeconds: number;
}

/** The registration of one proxy, in the format of etcd's naming (client/v3/naming/endpoints). */
export class ProxyRegistration {
  readonly #parts: RegistrationParts;
  readonly #ending = deferred<void>();
  readonly #kept: Promise<void>;
  #isClosed = false;

  constructor(parts: RegistrationParts) {
    this.#parts = parts;
    this.#kept = this.#keep();
  }

  /** The member list of all proxies under the prefix. */
  get handlers(): Handlers {
    return {
      'etcdserverpb.Cluster/MemberList': async () => {
        const { client, prefix } = this.#parts;
        const { entries } = await client.getAll({ prefix: `${prefix}/` });
        const members = entries.flatMap(({ text }) => memberOf(text));
        return MemberListResponse.fromPartial({ members });
      },
    };
  }

  /** Gives the registration up; resolves when it is, or could not be in time. */
  close(): Promise<void> {
    this.#isClosed = true;
    this.#ending.resolve();
    return this.#kept;
  }

  /** Registers again and again, until it is closed. Never rejects. */
  async #keep(): Promise<void> {
    const { client, clock, log } = this.#parts;
    while (!this.#isClosed) {
      let lease: LeaseKeeper | undefined;
      try {
        lease = await client.lease.create(this.#parts.ttlSeconds, { timeoutMs: REGISTER_LIMIT_MS });
        await this.#register(lease);
        await Promise.race([lease.lost, this.#ending.promise]);
        if (!this.#isClosed)
          log.warn('session expired; possible network partition or server restart');
      } catch (error) {
        if (!this.#isClosed)
          log.warn('failed to register', { error: EtcdError.from(error).message });
      }
      if (lease !== undefined) await this.#giveUp(lease);
      if (this.#isClosed) return;
      await new Promise<void>((resolve) => {
        const pause = clock.after(REGISTER_RETRY_MS, resolve);
        void this.#ending.promise.then(() => {
          pause.cancel();
          resolve();
        });
      });
    }
  }

  async #register(lease: LeaseKeeper): Promise<void> {
    const { client, log, prefix, address, ttlSeconds } = this.#parts;
    const metadata = JSON.stringify({ name: hostname() });
    const value = JSON.stringify({ Op: 0, Addr: address, Metadata: metadata });
    const options = { lease: lease.id, timeoutMs: REGISTER_LIMIT_MS };
    await client.put(`${prefix}/${address}`, value, options);
    log.info('registered session with lease', { addr: address, 'lease-ttl': ttlSeconds });
  }

  /** Nobody refreshes the lease any more, and it goes at once where that can be said. */
  async #giveUp(lease: LeaseKeeper): Promise<void> {
    const isAlive = lease.isAlive;
    lease.stop();
    if (!isAlive) return;
    const options = { timeoutMs: REGISTER_LIMIT_MS };
    // Where it cannot be revoked, its time runs out.
    await this.#parts.client.lease.revoke(lease.id, options).catch(() => undefined);
  }
}

/**
 * The member list of a proxy that knows of no others: itself, so that clients who follow the list stay with it.
 *
 * @param address What clients can reach it under; empty: the cluster's own list is handed on.
 */
export function loneProxy(address: string): Handlers {
  if (address === '') return {};
  const members = [{ name: hostname(), clientURLs: [address] }];
  return {
    'etcdserverpb.Cluster/MemberList': () =>
      Promise.resolve(MemberListResponse.fromPartial({ members })),
  };
}

function memberOf(text: string): { name: string; clientURLs: string[] }[] {
  try {
    const { Addr, Metadata } = JSON.parse(text) as Record<string, unknown>;
    const { name } = JSON.parse(String(Metadata)) as Record<string, unknown>;
    if (typeof Addr !== 'string' || typeof name !== 'string') return [];
    return [{ name, clientURLs: [Addr] }];
  } catch {
    // Something else lies under the prefix.
    return [];
  }
}
