/** A proxy among its like: each registers its address under a prefix, and its member list is what is registered there. */
import { hostname } from 'node:os';
import { EtcdError, type Handlers, MemberListResponse } from '@etcd-ts/protocol';
import type { EtcdClient } from '@etcd-ts/client';
import type { Clock } from '../../clock.ts';
import type { Logger } from '../../logger.ts';

/** Pause before a registration that was lost is made again, in milliseconds. */
export const REGISTER_RETRY_MS = 1_000;

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
  #isClosed = false;
  #stop: (() => void) | undefined;

  constructor(parts: RegistrationParts) {
    this.#parts = parts;
    void this.#keep();
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

  /** Gives the registration up at once. */
  close(): void {
    this.#isClosed = true;
    this.#stop?.();
  }

  async #keep(): Promise<void> {
    const { client, clock, log, prefix, address, ttlSeconds } = this.#parts;
    while (!this.#isClosed) {
      try {
        const lease = await client.lease.create(ttlSeconds);
        const value = JSON.stringify({
          Op: 0,
          Addr: address,
          Metadata: JSON.stringify({ name: hostname() }),
        });
        await client.put(`${prefix}/${address}`, value, { lease: lease.id });
        log.info('registered session with lease', { addr: address, 'lease-ttl': ttlSeconds });
        this.#stop = () => {
          lease.stop();
          void client.lease.revoke(lease.id).catch(() => undefined);
        };
        await lease.lost;
        if (!this.#isClosed)
          log.warn('session expired; possible network partition or server restart');
      } catch (error) {
        if (this.#isClosed) return;
        log.warn('failed to register', { error: EtcdError.from(error).message });
      }
      await new Promise<void>((resolve) => {
        clock.after(REGISTER_RETRY_MS, resolve);
      });
    }
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
    const { Addr, Metadata } = JSON.parse(text) as { Addr: string; Metadata: string };
    const { name } = JSON.parse(Metadata) as { name: string };
    return [{ name, clientURLs: [Addr] }];
  } catch {
    // Something else lies under the prefix.
    return [];
  }
}
