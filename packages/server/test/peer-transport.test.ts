import { once } from 'node:events';
import { connect } from 'node:net';
import { clusterId, type MemberId, memberId, utf8 } from '@etcd-ts/base';
import type { SnapshotMessage } from '@etcd-ts/raft';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { silentLogger } from '../src/logger.ts';
import { systemClock } from '../src/node/system-clock.ts';
import { InMemoryNetwork } from '../src/peers/in-memory-network.ts';
import { encodeMessage } from '../src/peers/message-codec.ts';
import { SNAPSHOT_STALL_MS } from '../src/peers/node/bulk-lane.ts';
import { MAX_RECEIVED_BYTES } from '../src/peers/node/bulk-receiver.ts';
import { Connection } from '../src/peers/node/connection.ts';
import { dial } from '../src/peers/node/dial.ts';
import { helloHeaders, PEER_PATH } from '../src/peers/node/handshake.ts';
import { TcpTransport } from '../src/peers/node/tcp-transport.ts';
import { RECORD } from '../src/peers/peer-record.ts';
import type { LocalPeer, PeerHandlers } from '../src/peers/peer-transport.ts';
import { MAX_REMOTES } from '../src/peers/remotes.ts';
import { peerTransportSuite, type TransportWorld } from '../src/testing/peer-transport-suite.ts';
import { BreakingProxy } from './support/breaking-proxy.ts';

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

function inMemory(): TransportWorld {
  const network = new InMemoryNetwork(systemClock);
  let made = 0;
  return {
    turn,
    breakConnections: () => {
      for (const [a, b] of [
        [1n, 2n],
        [1n, 3n],
        [2n, 3n],
      ] as const) {
        network.cut(a, b);
      }
      setImmediate(() => setImmediate(() => network.heal()));
    },
    make: () => {
      made += 1;
      const url = `memory://${made}`;
      return { transport: network.transport(), url: () => url };
    },
  };
}

function tcpTransport(): TcpTransport {
  return new TcpTransport({
    listenUrls: ['http://127.0.0.1:0'],
    clock: systemClock,
    log: silentLogger,
  });
}

const portOf = (transport: TcpTransport): number => transport.addresses[0]?.port ?? 0;

const proxies: BreakingProxy[] = [];

afterEach(() => {
  vi.useRealTimers();
  for (const proxy of proxies.splice(0)) proxy.close();
});

async function proxyTo(transport: TcpTransport): Promise<BreakingProxy> {
  const proxy = await BreakingProxy.open(() => portOf(transport));
  proxies.push(proxy);
  return proxy;
}

function tcp(): TransportWorld {
  return {
    turn,
    breakConnections: () => {
      for (const proxy of proxies) proxy.breakAll();
    },
    make: async () => {
      const transport = tcpTransport();
      const proxy = await proxyTo(transport);
      return { transport, url: () => proxy.url };
    },
  };
}

const [FIRST, SECOND, THIRD] = [memberId(1n), memberId(2n), memberId(3n)];

const NEVER = new AbortController().signal;

function localPeer(id: MemberId): LocalPeer {
  return { id, clusterId: clusterId(1n), peerUrls: () => [] };
}

function snapshotOf(from: MemberId): SnapshotMessage {
  const nobody = { voters: [], votersOutgoing: [], learners: [], learnersNext: [] };
  const snapshot = { index: 1, term: 1, confState: { ...nobody, autoLeave: false } };
  return { type: 'snapshot', from, to: THIRD, term: 1, session: 0, snapshot };
}

async function* whole(): AsyncGenerator<Uint8Array> {
  yield utf8('whole');
}

describe('in memory', () => {
  for (const { name, run } of peerTransportSuite(inMemory)) test(name, run);
});

describe('over TCP', () => {
  for (const { name, run } of peerTransportSuite(tcp)) test(name, run);

  /** Two members that send to a third, which knows both. */
  async function senders(mayRead?: Promise<void>): Promise<{
    readonly sender: TcpTransport;
    readonly other: TcpTransport;
    readonly receiver: TcpTransport;
    /** Whose snapshots were taken in full, and whose failed. */
    readonly ends: { readonly taken: bigint[]; readonly failed: bigint[] };
    readonly close: () => Promise<void>;
  }> {
    const [sender, other, receiver] = [tcpTransport(), tcpTransport(), tcpTransport()];
    const ends = { taken: [] as bigint[], failed: [] as bigint[] };
    const handlers = {
      unreachable: () => undefined,
      receiveSnapshot: async ({ from }: SnapshotMessage, chunks: AsyncIterable<Uint8Array>) => {
        try {
          await mayRead;
          for await (const _ of chunks) continue;
          ends.taken.push(from);
        } catch (error) {
          ends.failed.push(from);
          throw error;
        }
      },
    } as unknown as PeerHandlers; // nothing else is asked of them here
    const all = [
      [sender, FIRST],
      [other, SECOND],
      [receiver, THIRD],
    ] as const;
    for (const [transport, id] of all) await transport.start(localPeer(id), handlers);
    other.setPeers([{ id: THIRD, urls: [`http://127.0.0.1:${portOf(receiver)}`] }]);
    receiver.setPeers([FIRST, SECOND].map((id) => ({ id, urls: ['http://127.0.0.1:1'] })));
    const close = async (): Promise<void> => {
      for (const [transport] of all) await transport.close();
    };
    return { sender, other, receiver, ends, close };
  }

  test('a snapshot whose sender is cut off gives way to that of another member', async () => {
    const { sender, other, receiver, ends, close } = await senders();
    const proxy = await proxyTo(receiver);
    sender.setPeers([{ id: THIRD, urls: [proxy.url] }]);
    async function* broken(): AsyncGenerator<Uint8Array> {
      yield utf8('begun');
      proxy.close();
      await new Promise<never>(() => undefined);
    }
    const lost = sender.sendSnapshot(snapshotOf(FIRST), broken(), NEVER).catch(() => 'lost');
    while (proxy.isOpen) await turn();
    await other.sendSnapshot(snapshotOf(SECOND), whole(), NEVER);
    expect([ends.taken, ends.failed]).toEqual([[SECOND], [FIRST]]);
    await close();
    expect(await lost).toBe('lost');
  });

  /** A snapshot's connection of the first member, on which one chunk has arrived. */
  async function begun(
    receiver: TcpTransport,
    chunk: Uint8Array,
  ): Promise<{ readonly connection: Connection; readonly closed: Promise<unknown> }> {
    const url = `http://127.0.0.1:${portOf(receiver)}`;
    const { socket, head } = await dial({ local: localPeer(FIRST) }, url, THIRD, 'bulk', NEVER);
    const connection = new Connection(socket, head);
    let position: unknown;
    const closed = new Promise((resolve) => {
      connection.listen({ record: (record) => (position = record[1]), closed: resolve });
    });
    connection.send([RECORD.snapshot, encodeMessage(snapshotOf(FIRST)), 7, false]);
    connection.send([RECORD.chunk, chunk, 0]);
    while (position !== 1) await turn();
    return { connection, closed };
  }

  test('a snapshot whose sender is gone without a word gives way to that of another member', async () => {
    const { other, receiver, ends, close } = await senders();
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval', 'performance'] });
    const { closed } = await begun(receiver, utf8('begun'));
    vi.advanceTimersByTime(SNAPSHOT_STALL_MS + 1_000);
    await closed;
    await other.sendSnapshot(snapshotOf(SECOND), whole(), NEVER);
    expect([ends.taken, ends.failed]).toEqual([[SECOND], [FIRST]]);
    await close();
  });

  test('a sender that waits for its receiver is not taken for one that is gone', async () => {
    let mayRead = (): void => undefined;
    const { receiver, ends, close } = await senders(new Promise((resolve) => (mayRead = resolve)));
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval', 'performance'] });
    const { connection } = await begun(receiver, new Uint8Array(MAX_RECEIVED_BYTES + 1));
    vi.advanceTimersByTime(10 * SNAPSHOT_STALL_MS);
    mayRead();
    connection.send([RECORD.end]);
    while (ends.taken.length + ends.failed.length === 0) await turn();
    expect(ends.taken).toEqual([FIRST]);
    await close();
  });

  test('strangers who send what is no frame keep no place of unknown members', async () => {
    const { receiver, close } = await senders();
    const port = portOf(receiver);
    const hello = (id: bigint): string => {
      const local = { ...localPeer(memberId(id)), peerUrls: () => ['http://127.0.0.1:1'] };
      const headers = Object.entries(helloHeaders(local, THIRD, 'log'));
      const lines = headers.map(([name, value]) => `${name}: ${value}\r\n`);
      return `GET ${PEER_PATH} HTTP/1.1\r\nHost: a\r\n${lines.join('')}\r\n`;
    };
    for (let i = 0; i < MAX_REMOTES; i++) {
      const stranger = connect(port, '127.0.0.1');
      stranger.resume().write(hello(100n + BigInt(i)) + '~'.repeat(8));
      await once(stranger, 'close');
    }
    const late = { ...localPeer(memberId(200n)), peerUrls: () => ['http://127.0.0.1:1'] };
    const dialled = dial({ local: late }, `http://127.0.0.1:${port}`, THIRD, 'log', NEVER);
    await expect(dialled).resolves.toBeDefined();
    await close();
  });
});
