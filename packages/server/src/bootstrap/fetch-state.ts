/**
 * How a member that has lost its database, and whose log no longer reaches back, gets its state again: it asks the
 * other members for theirs, before it takes part. Its log and its vote are untouched, so it breaks no promise.
 */
import { must } from '@etcd-ts/base';
import type { SnapshotMessage, SnapshotMeta } from '@etcd-ts/raft';
import type { Env } from '../env.ts';
import { PeerTraffic } from '../metrics/peer-traffic.ts';
import type { ResolvedOptions } from '../options.ts';
import { SEND_STATE } from '../peers/peer-desk.ts';
import type { Peer, PeerHandlers, PeerTransport } from '../peers/peer-transport.ts';
import { ETCD_VERSION } from '../services/version.ts';
import { pause } from '../turns.ts';
import { type Database, fillDatabase, removeDatabases } from '../state/databases.ts';
import { joinCluster } from './join.ts';
import type { FetchedState, WantedState } from './recovery-parts.ts';

/** A peer that is not connected within so long is passed over, in milliseconds. */
const CONNECT_LIMIT_MS = 5_000;

/** Between two looks whether it is connected. */
const CONNECT_POLL_MS = 20;

/** A peer of which nothing is heard for so long while its state is awaited is passed over, in milliseconds. */
const SILENCE_LIMIT_MS = 10_000;

/**
 * Fetches a state that is at least as new as the log's newest mark.
 *
 * @throws Error: no other member is known, can be reached, and has such a state.
 */
export async function fetchState(
  wanted: WantedState,
  options: ResolvedOptions,
  env: Env,
): Promise<FetchedState> {
  const transport = env.peers(options, new PeerTraffic());
  const { peers, clusterId } = await joinCluster(options, transport, env.names);
  if (clusterId !== wanted.clusterId)
    throw new Error('the members at these URLs are another cluster');
  const receiver = new Receiver(wanted, env);
  try {
    transport.setPeers(peers);
    const { memberId: id } = wanted;
    const peerUrls = (): readonly string[] => options.initialAdvertisePeerUrls;
    await transport.start({ id, clusterId, peerUrls }, receiver);
    for (const peer of peers) {
      if (!(await connected(transport, peer, env))) continue;
      try {
        await ask(transport, peer, receiver, env.clock);
        return must(receiver.fetched, 'state');
      } catch (error) {
        env.log.warn('failed to fetch the state', { 'remote-peer-id': peer.id, error });
      }
    }
  } finally {
    await transport.close();
  }
  throw new Error('no other member could be reached that has it');
}

/** Has a peer send its state, as long as anything is heard of it: its answer may have been lost on the way. */
async function ask(
  transport: PeerTransport,
  { id }: Peer,
  receiver: Receiver,
  clock: Env['clock'],
): Promise<void> {
  const ending = new AbortController();
  const giveUp = (): void =>
    ending.abort(new Error(`nothing was heard of it for ${SILENCE_LIMIT_MS} ms`));
  let timer = clock.after(SILENCE_LIMIT_MS, giveUp);
  receiver.onPart = (isLast) => {
    timer.cancel();
    // What is left to do then is done here.
    if (!isLast) timer = clock.after(SILENCE_LIMIT_MS, giveUp);
  };
  try {
    await transport.call(id, SEND_STATE, new Uint8Array(0), ending.signal);
  } finally {
    receiver.onPart = () => undefined;
    timer.cancel();
  }
}

async function connected(transport: PeerTransport, peer: Peer, env: Env): Promise<boolean> {
  const untilMs = env.clock.monotonicMs() + CONNECT_LIMIT_MS;
  while (transport.connectedSinceMs(peer.id) === undefined) {
    if (env.clock.monotonicMs() >= untilMs) return false;
    await pause(env.clock, CONNECT_POLL_MS);
  }
  return true;
}

/** Takes one snapshot in, and nothing else. */
class Receiver implements PeerHandlers {
  fetched: FetchedState | undefined;
  /** Hears of every part of a snapshot, and of its end. */
  onPart: (isLast: boolean) => void = () => undefined;
  readonly #wanted: WantedState;
  readonly #env: Env;

  constructor(wanted: WantedState, env: Env) {
    this.#wanted = wanted;
    this.#env = env;
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
    const database = await fillDatabase(
      { store: this.#env.backends, clock: this.#env.clock },
      meta,
      this.#counted(chunks),
    );
    this.onPart(false);
    await this.#take(meta, database);
  }

  async *#counted(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    for await (const chunk of chunks) {
      this.onPart(false);
      yield chunk;
    }
    this.onPart(true);
  }

  async #take(meta: SnapshotMeta, database: Database): Promise<void> {
    if (this.fetched === undefined) this.fetched = { meta, database };
    else await removeDatabases(this.#env.backends, [database]);
  }
}
