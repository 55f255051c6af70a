/** Whom a member that has lost its database asks for its state, and for how long. */
import { clusterId, type MemberId, memberId } from '@etcd-ts/base';
import { memoryBackend } from '@etcd-ts/mvcc';
import { beforeEach, expect, test } from 'vitest';
import { fetchState } from '../src/bootstrap/fetch-state.ts';
import type { BackendStore, Env } from '../src/env.ts';
import { silentLogger } from '../src/logger.ts';
import { resolveOptions } from '../src/options.ts';
import type { PeerHandlers, PeerTransport } from '../src/peers/peer-transport.ts';
import { ManualClock } from '../src/testing/manual-clock.ts';

const CLUSTER = clusterId(7n);
const URLS = ['http://10.0.0.1:2380', 'http://10.0.0.2:2380', 'http://10.0.0.3:2380'];
const options = resolveOptions({
  name: 'm1',
  initialCluster: URLS.map((url, i) => `m${i + 1}=${url}`).join(','),
  listenPeerUrls: URLS.slice(0, 1),
});

let clock: ManualClock;
let asked: { readonly peer: MemberId; readonly atMs: number }[];
let handlers: PeerHandlers;
let isClosed: boolean;

beforeEach(() => {
  clock = new ManualClock(0);
  asked = [];
  isClosed = false;
});

const pages: BackendStore = {
  list: () => Promise.resolve([]),
  open: () => Promise.resolve(memoryBackend()),
  remove: () => Promise.resolve(),
};

/** Peers that are connected, take the question, and do with it what they are told. */
function envWith(answer: (peer: MemberId, signal: AbortSignal) => void): Env {
  const transport: PeerTransport = {
    start: (_local, given) => {
      handlers = given;
      return Promise.resolve();
    },
    setPeers: () => undefined,
    setRemoved: () => undefined,
    send: () => undefined,
    flush: () => undefined,
    sendSnapshot: () => Promise.reject(new Error('nothing is sent')),
    connectedSinceMs: () => 0,
    close: () => {
      isClosed = true;
      return Promise.resolve();
    },
    askMembers: () =>
      Promise.resolve({
        clusterId: CLUSTER,
        appliedIndex: 9,
        members: URLS.map((url, i) => ({
          id: memberId(BigInt(i + 1)),
          name: `m${i + 1}`,
          peerUrls: [url],
          clientUrls: [],
        })),
      }),
    call: (peer, _method, _request, signal) =>
      new Promise((_resolve, reject) => {
        asked.push({ peer, atMs: clock.monotonicMs() });
        signal.addEventListener('abort', () => reject(signal.reason as Error));
        answer(peer, signal);
      }),
  };
  const parts: Pick<Env, 'clock' | 'log' | 'backends' | 'peers'> = {
    clock,
    log: silentLogger,
    backends: pages,
    peers: () => transport,
  };
  return parts as Env;
}

const fetch = (env: Env): Promise<string> => {
  const wanted = { clusterId: CLUSTER, memberId: memberId(1n), minIndex: 5 };
  return fetchState(wanted, options, env).then(
    () => 'fetched',
    (error: unknown) => String(error),
  );
};

/** In steps, for what comes in goes through many hands before it counts. */
async function pass(durationMs: number): Promise<void> {
  for (let leftMs = durationMs; leftMs > 0; leftMs -= 500) {
    for (let i = 0; i < 10; i++) await clock.settle();
    await clock.pass(Math.min(500, leftMs));
  }
}

test('asks the next peer once nothing was heard of the one before for 10 s', async () => {
  const outcome = fetch(envWith(() => undefined));
  await pass(9_999);
  expect(asked).toEqual([{ peer: 2n, atMs: 0 }]);
  await pass(10_000);
  expect(asked).toEqual([
    { peer: 2n, atMs: 0 },
    { peer: 3n, atMs: 10_000 },
  ]);
  await pass(1);
  expect(await outcome).toBe('Error: no other member could be reached that has it');
  expect(isClosed).toBe(true);
  expect(clock.timers).toBe(0);
});

test('waits for a peer for as long as parts of its state come in', async () => {
  const parts = async function* (): AsyncGenerator<Uint8Array> {
    for (let i = 0; i < 3; i++) {
      await new Promise<void>((resolve) => clock.after(9_000, resolve));
      yield new Uint8Array(0);
    }
    await new Promise(() => undefined);
  };
  const state = {
    type: 'snapshot',
    from: memberId(2n),
    to: memberId(1n),
    term: 3,
    session: 0,
    snapshot: { index: 9, term: 3, confState: { voters: [1n, 2n, 3n].map(memberId) } },
  } as unknown as Parameters<PeerHandlers['receiveSnapshot']>[0];
  void fetch(
    envWith((peer) => {
      if (peer === 2n) void handlers.receiveSnapshot(state, parts());
    }),
  );
  await pass(36_999);
  expect(asked).toEqual([{ peer: 2n, atMs: 0 }]);
  await pass(1);
  expect(asked.at(-1)).toEqual({ peer: 3n, atMs: 37_000 });
});
