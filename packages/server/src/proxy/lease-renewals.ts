/**
 * Renewals of leases through one stream to the cluster: who renews a lease while its renewal is under way gets the same
 * answer.
 */
import {
  EtcdError,
  type LeaseKeepAliveRequest,
  type LeaseKeepAliveResponse,
  type StreamCall,
} from '@etcd-ts/protocol';
import { type Deferred, deferred } from '@etcd-ts/base';

type Call = StreamCall<LeaseKeepAliveRequest, LeaseKeepAliveResponse>;

/** The renewals of callers with the same credentials. */
export class LeaseRenewals {
  readonly #open: () => Call;
  readonly #pending = new Map<bigint, Deferred<LeaseKeepAliveResponse>>();
  #call: Call | undefined;

  /** @param open Opens a stream to the cluster. */
  constructor(open: () => Call) {
    this.#open = open;
  }

  /** @throws EtcdError what the stream broke with. */
  renew(id: bigint): Promise<LeaseKeepAliveResponse> {
    const known = this.#pending.get(id);
    if (known !== undefined) return known.promise;
    const pending = deferred<LeaseKeepAliveResponse>();
    this.#pending.set(id, pending);
    this.#stream().send({ ID: id } as LeaseKeepAliveRequest);
    return pending.promise;
  }

  close(): void {
    this.#call?.cancel();
  }

  #stream(): Call {
    if (this.#call !== undefined) return this.#call;
    const call = this.#open();
    this.#call = call;
    void this.#read(call);
    return call;
  }

  async #read(call: Call): Promise<void> {
    let failure = new EtcdError('UNAVAILABLE', { message: 'the member ended the stream' });
    try {
      for await (const response of call.responses) {
        const pending = this.#pending.get(response.ID);
        this.#pending.delete(response.ID);
        pending?.resolve(response);
      }
    } catch (error) {
      failure = EtcdError.from(error);
    }
    if (this.#call === call) this.#call = undefined;
    const waiting = [...this.#pending.values()];
    this.#pending.clear();
    for (const pending of waiting) pending.reject(failure);
  }
}
