/**
 * How a member that has lost its database, and whose log no longer reaches back, gets its state again: it asks the
 * other members for theirs, before it takes part. Its log and its vote are untouched, so it breaks no promise.
 */
import { endAll } from '@etcd-ts/base';
import type { Env } from '../env.ts';
import { PeerTraffic } from '../metrics/peer-traffic.ts';
import type { ResolvedOptions } from '../options.ts';
import { SEND_STATE } from '../peers/peer-desk.ts';
import type { Peer, PeerTransport } from '../peers/peer-transport.ts';
import { pause } from '../turns.ts';
import { joinCluster } from './join.ts';
import type { FetchedState, WantedState } from './recovery-parts.ts';
import { StateReceiver } from './state-receiver.ts';

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
  const receiver = new StateReceiver(wanted, env);
  try {
    transport.setPeers(peers);
    const { memberId: id } = wanted;
    const peerUrls = (): readonly string[] => options.initialAdvertisePeerUrls;
    await transport.start({ id, clusterId, peerUrls }, receiver);
    for (const peer of peers) {
      // A leader sends its state unasked to whom it takes for a member that lags.
      if (receiver.fetched !== undefined) break;
      if (!(await connected(transport, peer, env))) continue;
      await ask(transport, peer, receiver, env.clock).catch((error: unknown) => {
        if (receiver.fetched !== undefined) return;
        env.log.warn('failed to fetch the state', { 'remote-peer-id': peer.id, error });
      });
    }
  } finally {
    await endAll(
      () => transport.close(),
      () => receiver.close(),
    );
  }
  const { fetched } = receiver;
  if (fetched === undefined) throw new Error('no other member could be reached that has it');
  return fetched;
}

/**
 * Has a peer send its state, as long as anything is heard of a state: the peer's answer may have been lost on the way, and
 * it is refused while another one sends its own.
 */
async function ask(
  transport: PeerTransport,
  { id }: Peer,
  receiver: StateReceiver,
  clock: Env['clock'],
): Promise<void> {
  const ending = new AbortController();
  const giveUp = (): void => {
    const silence = new Error(`nothing was heard of it for ${SILENCE_LIMIT_MS} ms`);
    ending.abort(silence);
    receiver.breakOff(silence);
  };
  let timer = clock.after(SILENCE_LIMIT_MS, giveUp);
  receiver.onPart = (isLast) => {
    timer.cancel();
    // What is left to do then is done here.
    if (!isLast) timer = clock.after(SILENCE_LIMIT_MS, giveUp);
  };
  try {
    await transport.call(id, SEND_STATE, new Uint8Array(0), ending.signal);
  } finally {
    await receiver.settled();
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
