/**
 * What a member that has lost its database hears from its peers until it has a state again: it takes one in, whoever
 * sends it, and nothing else.
 *
 * What always holds
 * - One state is taken in at a time, and one is kept: two of the same index would be in one database.
 * - After `close` nothing is being taken in.
 */
import type { SnapshotMessage, SnapshotMeta } from '@etcd-ts/raft';
import type { Env } from '../env.ts';
import type { PeerHandlers } from '../peers/peer-transport.ts';
import { ETCD_VERSION } from '../services/version.ts';
import { whileWanted } from '../snapshot/snapshot-source.ts';
import { fillDatabase } from '../state/databases.ts';
import type { FetchedState, WantedState } from './recovery-parts.ts';

/** Takes one state in. */
export class StateReceiver implements PeerHandlers {
  /** Hears of every part of a state, and of its end. */
  onPart: (isLast: boolean) => void = () => undefined;
  readonly #wanted: WantedState;
  readonly #env: Env;
  #fetched: FetchedState | undefined;
  /** Breaks off what is being taken in; undefined: nothing is. */
  #ending: AbortController | undefined;
  #settled: Promise<unknown> = Promise.resolve();

  constructor(wanted: WantedState, env: Env) {
    this.#wanted = wanted;
    this.#env = env;
  }

  /** The state, once there is one; its database is its taker's to close. */
  get fetched(): FetchedState | undefined {
    return this.#fetched;
  }

  facts(): ReturnType<PeerHandlers['facts']> {
    return {
      members: [],
      appliedIndex: 0,
      serverVersion: this.#env.serverVersion ?? ETCD_VERSION,
      clusterVersion: 'not_decided',
      health: { healthy: false, reason: 'RECOVERING' },
    };
  }

  receive(): void {
    // Not before the state is there.
  }

  unreachable(): void {
    // Nothing is sent.
  }

  removed(): void {
    this.#env.log.warn('a peer says that the member was removed from the cluster');
  }

  call(): Promise<Uint8Array> {
    return Promise.reject(new Error('the member is recovering'));
  }

  async receiveSnapshot(
    { snapshot: meta }: SnapshotMessage,
    chunks: AsyncIterable<Uint8Array>,
  ): Promise<void> {
    const { minIndex } = this.#wanted;
    if (meta.index < minIndex) {
      throw new Error(`the state is at index ${meta.index}, at least ${minIndex} is needed`);
    }
    if (this.#ending !== undefined || this.#fetched !== undefined) {
      throw new Error(`state at index ${meta.index} refused: another one is being received`);
    }
    const taken = this.#take(meta, chunks);
    this.#settled = taken.catch(() => undefined);
    await taken;
  }

  /** Resolves when nothing is being taken in. */
  async settled(): Promise<void> {
    await this.#settled;
  }

  /** What is being taken in will not become whole. Harmless when nothing is. */
  breakOff(reason: Error): void {
    this.#ending?.abort(reason);
  }

  /** Breaks off what is being taken in, and waits for its end. */
  async close(): Promise<void> {
    this.breakOff(new Error('the state is not waited for any more'));
    await this.#settled;
  }

  async #take(meta: SnapshotMeta, chunks: AsyncIterable<Uint8Array>): Promise<void> {
    const { backends: store, clock } = this.#env;
    const ending = new AbortController();
    this.#ending = ending;
    try {
      const content = this.#counted(whileWanted(chunks, ending.signal));
      const database = await fillDatabase({ store, clock }, meta, content);
      this.#fetched = { meta, database };
    } finally {
      this.#ending = undefined;
    }
    this.onPart(false);
  }

  async *#counted(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    for await (const chunk of chunks) {
      this.onPart(false);
      yield chunk;
    }
    this.onPart(true);
  }
}
