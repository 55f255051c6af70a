/** Whom a member that has lost its database asks for its state, and for how long. */
import { clusterId, type MemberId, memberId } from '@etcd-ts/base';
import { memoryBackend, openStore, snapshotStore } from '@etcd-ts/mvcc';
import type { SnapshotMessage } from '@etcd-ts/raft';
import { beforeEach, expect, test } from 'vitest';
import { fetchState } from '../src/bootstrap/fetch-state.ts';
import { StateReceiver } from '../src/bootstrap/state-receiver.ts';
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
  opened = [];
});

/** Databases that are open, by name. */
let opened: string[];

const databases: BackendStore = {
  list: () => Promise.resolve([]),
  open: (name) => {
    const backend = memoryBackend();
    opened.push(name);
    const close = backend.close.bind(backend);
    backend.close = () => {
      opened = opened.filter((each) => each !== name);
      return close();
    };
    return Promise.resolve(backend);
  },
  remove: () => Promise.resolve(),
};

/** Peers that are connected, take the question, and do with it what they are told. */
function envWith(answer: (peer: MemberId, fail: (error: unknown) => void) => void): Env {
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
        answer(peer, reject);
      }),
  };
  const parts: Pick<Env, 'clock' | 'log' | 'backends' | 'peers'> = {
    clock,
    log: silentLogger,
    backends: databases,
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

/** A state at an index, as it is sent. */
async function contentAt(index: number): Promise<readonly Uint8Array[]> {
  const store = await openStore(memoryBackend());
  store.setApplied(index, 1);
  const content: Uint8Array[] = [];
  for await (const chunk of snapshotStore(store).chunks) content.push(chunk);
  return content;
}

/** The message before a state. */
const state = (from: bigint): SnapshotMessage =>
  ({
    type: 'snapshot',
    from: memberId(from),
    to: memberId(1n),
    term: 3,
    session: 0,
    snapshot: { index: 9, term: 1, confState: { voters: [1n, 2n, 3n].map(memberId) } },
  }) as unknown as SnapshotMessage;

async function* endless(): AsyncGenerator<Uint8Array> {
  await new Promise(() => undefined);
  yield new Uint8Array(0);
}

test('waits for a peer for as long as parts of its state come in', async () => {
  const parts = async function* (): AsyncGenerator<Uint8Array> {
    for (let i = 0; i < 3; i++) {
      await new Promise<void>((resolve) => clock.after(9_000, resolve));
      yield new Uint8Array(0);
    }
    await new Promise(() => undefined);
  };
  let refusal: unknown;
  void fetch(
    envWith((peer) => {
      if (peer !== 2n) return;
      handlers.receiveSnapshot(state(2n), parts()).catch((error: unknown) => (refusal = error));
    }),
  );
  await pass(36_999);
  expect(asked).toEqual([{ peer: 2n, atMs: 0 }]);
  await pass(1);
  expect(asked.at(-1)).toEqual({ peer: 3n, atMs: 37_000 });
  expect(String(refusal)).toContain('nothing was heard of it for 10000 ms');
});

test('takes the state that a leader sends unasked while another member cannot give its own', async () => {
  const content = await contentAt(9);
  let mayEnd = (): void => undefined;
  const shut = new Promise<void>((resolve) => (mayEnd = resolve));
  const slow = async function* (): AsyncGenerator<Uint8Array> {
    yield* content;
    await shut;
  };
  const listed = async function* (): AsyncGenerator<Uint8Array> {
    yield* content;
  };
  let refusal: unknown;
  let unasked: Promise<void> | undefined;
  const outcome = fetch(
    envWith((peer, fail) => {
      if (peer === 3n) return;
      unasked = handlers.receiveSnapshot(state(3n), slow());
      // A second one of the same index would be in the same database.
      handlers.receiveSnapshot(state(2n), listed()).catch((error: unknown) => {
        refusal = error;
        fail(error);
      });
    }),
  );
  await pass(1_000);
  expect(String(refusal)).toBe('Error: state at index 9 refused: another one is being received');
  expect(asked.map(({ peer }) => peer)).toEqual([2n]);
  mayEnd();
  await pass(1_000);
  await unasked;
  expect(await outcome).toBe('fetched');
  expect(asked.map(({ peer }) => peer)).toEqual([2n]);
  expect(opened).toEqual(['db-0000000000000009']);
});

test('breaks off a state that does not become whole when it is closed', async () => {
  const wanted = { clusterId: CLUSTER, memberId: memberId(1n), minIndex: 5 };
  const receiver = new StateReceiver(
    wanted,
    envWith(() => undefined),
  );
  const outcome = receiver.receiveSnapshot(state(3n), endless()).catch(String);
  for (let i = 0; i < 10; i++) await clock.settle();
  expect(opened).toEqual(['db-0000000000000009']);
  await receiver.close();
  expect(opened).toEqual([]);
  expect(await outcome).toBe('Error: the state is not waited for any more');
  expect(receiver.fetched).toBe(undefined);
});
