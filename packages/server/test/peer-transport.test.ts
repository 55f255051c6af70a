import { clusterId, memberId, utf8 } from '@etcd-ts/base';
import type { SnapshotMessage } from '@etcd-ts/raft';
import { afterEach, describe, expect, test } from 'vitest';
import { silentLogger } from '../src/logger.ts';
import { systemClock } from '../src/node/system-clock.ts';
import { InMemoryNetwork } from '../src/peers/in-memory-network.ts';
import { TcpTransport } from '../src/peers/node/tcp-transport.ts';
import type { PeerHandlers } from '../src/peers/peer-transport.ts';
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

describe('in memory', () => {
  for (const { name, run } of peerTransportSuite(inMemory)) test(name, run);
});

describe('over TCP', () => {
  for (const { name, run } of peerTransportSuite(tcp)) test(name, run);

  test('a snapshot whose sender is cut off gives way to that of another member', async () => {
    const [sender, other, receiver] = [tcpTransport(), tcpTransport(), tcpTransport()];
    const taken: bigint[] = [];
    const failed: bigint[] = [];
    const handlers = {
      unreachable: () => undefined,
      receiveSnapshot: async ({ from }: SnapshotMessage, chunks: AsyncIterable<Uint8Array>) => {
        try {
          for await (const _ of chunks) continue;
          taken.push(from);
        } catch (error) {
          failed.push(from);
          throw error;
        }
      },
    } as unknown as PeerHandlers; // nothing else is asked of them here
    const [first, second, third] = [memberId(1n), memberId(2n), memberId(3n)];
    const all = [
      [sender, first],
      [other, second],
      [receiver, third],
    ] as const;
    for (const [transport, id] of all) {
      const local = { id, clusterId: clusterId(1n), peerUrls: () => [] };
      await transport.start(local, handlers);
    }
    const proxy = await proxyTo(receiver);
    sender.setPeers([{ id: third, urls: [proxy.url] }]);
    other.setPeers([{ id: third, urls: [`http://127.0.0.1:${portOf(receiver)}`] }]);
    receiver.setPeers([first, second].map((id) => ({ id, urls: ['http://127.0.0.1:1'] })));
    const message = (from: bigint): SnapshotMessage => ({
      type: 'snapshot',
      from,
      to: third,
      term: 1,
      session: 0,
      snapshot: {
        index: 1,
        term: 1,
        confState: {
          voters: [],
          votersOutgoing: [],
          learners: [],
          learnersNext: [],
          autoLeave: false,
        },
      },
    });
    const never = new AbortController().signal;
    async function* broken(): AsyncGenerator<Uint8Array> {
      yield utf8('begun');
      proxy.close();
      await new Promise<never>(() => undefined);
    }
    const lost = sender.sendSnapshot(message(first), broken(), never).catch(() => 'lost');
    while (proxy.isOpen) await turn();
    async function* whole(): AsyncGenerator<Uint8Array> {
      yield utf8('whole');
    }
    await other.sendSnapshot(message(second), whole(), never);
    expect([taken, failed]).toEqual([[second], [first]]);
    for (const [transport] of all) await transport.close();
    expect(await lost).toBe('lost');
  });
});
