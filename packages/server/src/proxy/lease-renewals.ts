/**
 * Renewals of leases through one stream to the cluster: who renews a lease while its renewal is under way gets the same
 * answer.
 */
import { EtcdError, type LeaseKeepAliveResponse } from '@etcd-ts/protocol';
import { type Deferred, deferred } from '@etcd-ts/base';
import type { OpenStream } from './upstream.ts';

type Opened = OpenStream<'etcdserverpb.Lease/LeaseKeepAlive'>;

/** The renewals of callers with the same credentials. */
export class LeaseRenewals {
  readonly #open: () => Opened;
  readonly #pending = new Map<bigint, Deferred<LeaseKeepAliveResponse>>();
  #opened: Opened | undefined;

  /** @param open Opens a stream to the member in use. */
  constructor(open: () => Opened) {
    this.#open = open;
  }

  /** @throws EtcdError what the stream broke with; the next renewal then goes to the next member. */
  renew(id: bigint): Promise<LeaseKeepAliveResponse> {
    const known = this.#pending.get(id);
    if (known !== undefined) return known.promise;
    const pending = deferred<LeaseKeepAliveResponse>();
    this.#pending.set(id, pending);
    this.#stream().call.send({ ID: id });
    return pending.promise;
  }

  close(): void {
    this.#opened?.call.cancel();
  }

  #stream(): Opened {
    if (this.#opened === undefined) {
      this.#opened = this.#open();
      void this.#read(this.#opened);
    }
    return this.#opened;
  }

  async #read(opened: Opened): Promise<void> {
    let failure = new EtcdError('UNAVAILABLE', { message: 'the member ended the stream' });
    try {
      for await (const response of opened.call.responses) {
        const pending = this.#pending.get(response.ID);
        this.#pending.delete(response.ID);
        pending?.resolve(response);
      }
    } catch (error) {
      failure = EtcdError.from(error);
    }
    this.#opened = undefined;
    opened.failed(failure);
    const waiting = [...this.#pending.values()];
    this.#pending.clear();
    for (const pending of waiting) pending.reject(failure);
  }
}
