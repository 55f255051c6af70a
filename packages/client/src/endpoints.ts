import { type Channel, EtcdError } from '@etcd-ts/protocol';
import { assert } from '@etcd-ts/base';

/** The channel in use, and a mark to say of it that it failed. */
export interface Chosen {
  readonly endpoint: string;
  readonly channel: Channel;
  /** Position in the list. */
  readonly index: number;
}

/**
 * The members a client may talk to: one at a time, the next when that one fails.
 *
 * Channels are made when they are first needed, and kept.
 * Invariant: 0 ≤ current < number of endpoints.
 */
export class Endpoints {
  readonly names: readonly string[];
  readonly #connect: (endpoint: string) => Channel;
  readonly #channels = new Map<number, Channel>();
  #current = 0;
  #isClosed = false;

  constructor(names: readonly string[], connect: (endpoint: string) => Channel) {
    assert(names.length > 0, 'a client needs at least one endpoint');
    this.names = names;
    this.#connect = connect;
  }

  /**
   * The channel to use now.
   *
   * @throws EtcdError CANCELED when the client is closed.
   */
  current(): Chosen {
    return this.at(this.#current);
  }

  /** The channel of one endpoint of the list. */
  at(index: number): Chosen {
    if (this.#isClosed) {
      throw new EtcdError('CANCELED', { message: 'the client is closed', mayHaveApplied: false });
    }
    const endpoint = this.names[index];
    assert(endpoint !== undefined, () => `no endpoint ${index} of ${this.names.length}`);
    let channel = this.#channels.get(index);
    if (channel === undefined) {
      channel = this.#connect(endpoint);
      this.#channels.set(index, channel);
    }
    return { endpoint, channel, index };
  }

  /** Turns to the next one, unless somebody has done so already. */
  failed(chosen: Chosen): void {
    if (chosen.index === this.#current) this.#current = (this.#current + 1) % this.names.length;
  }

  /** Closes all channels; what is open ends with CANCELED. */
  async close(): Promise<void> {
    this.#isClosed = true;
    await Promise.all([...this.#channels.values()].map((channel) => channel.close()));
  }
}
