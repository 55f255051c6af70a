/** Options about sockets, peers and databases, each by what it does to a node. */
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect } from '@etcd-ts/client/node';
import { HealthCheckRequest } from '@etcd-ts/protocol';
import type { Message } from '@etcd-ts/raft';
import { afterEach, describe, expect, test } from 'vitest';
import { EtcdNode } from '../src/etcd-node.ts';
import type { EtcdNodeOptions } from '../src/index.ts';
import { type LogFields, type Logger, silentLogger } from '../src/logger.ts';
import { systemClock } from '../src/node/system-clock.ts';
import { InMemoryNetwork } from '../src/peers/in-memory-network.ts';
import { TcpTransport } from '../src/peers/node/tcp-transport.ts';
import { clusterId, memberId } from '@etcd-ts/base';
import { harness } from './services/harness.ts';

const toClose: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of toClose.splice(0).reverse()) await close();
});

async function started(options: EtcdNodeOptions): Promise<EtcdNode> {
  const node = await EtcdNode.start(options);
  toClose.push(() => node.stop());
  await node.ready();
  return node;
}

const ANY_PORT = 'http://127.0.0.1:0';

describe('what a member tells of itself', () => {
  test('has the ports that the system has chosen', async () => {
    const node = await started({
      listenClientUrls: [ANY_PORT, ANY_PORT.replace('127.0.0.1', '127.0.0.2')],
    });
    const [member] = await node.client().cluster.members();
    expect(member?.clientURLs).toEqual(node.clientUrls);
    for (const url of node.clientUrls) expect(url).not.toMatch(/:0$/);
  });

  test('is what was said, where something was said', async () => {
    const advertiseClientUrls = ['http://outside:1', ANY_PORT];
    const node = await started({ listenClientUrls: [ANY_PORT], advertiseClientUrls });
    const [member] = await node.client().cluster.members();
    expect(member?.clientURLs).toEqual(['http://outside:1', ...node.clientUrls]);
  });
});

describe('HTTP on ports of its own', () => {
  test('gRPC is served on the one, HTTP on the other, and neither on both', async () => {
    const node = await started({
      listenClientUrls: [ANY_PORT],
      advertiseClientUrls: ['http://h:1'],
      listenClientHttpUrls: [ANY_PORT],
    });
    const [grpc, http] = node.clientUrls as [string, string];
    const client = connect({ endpoints: [grpc], timeoutMs: 5_000 });
    toClose.push(() => client.close());
    await client.put('k', 'v');
    expect(await (await fetch(`${http}/health`)).json()).toMatchObject({ health: 'true' });
    await expect(fetch(`${grpc}/health`)).rejects.toThrow();
    const wrong = connect({ endpoints: [http], timeoutMs: 500 });
    toClose.push(() => wrong.close());
    await expect(wrong.get('k')).rejects.toThrow();
  });

  test('without them one port has both', async () => {
    const node = await started({
      listenClientUrls: [ANY_PORT],
      advertiseClientUrls: ['http://h:1'],
    });
    const [url] = node.clientUrls as [string];
    expect((await fetch(`${url}/health`)).status).toBe(200);
  });
});

describe.skipIf(process.platform !== 'linux')('a shared port', () => {
  const withPort = (port: number, socketReusePort: boolean): EtcdNodeOptions => ({
    listenClientUrls: [`http://127.0.0.1:${port}`],
    advertiseClientUrls: ['http://h:1'],
    socketReusePort,
  });

  test('is listened on by two nodes, and refused to those that do not share', async () => {
    const first = await started(withPort(0, true));
    const port = Number(new URL(first.clientUrls[0] as string).port);
    const second = await started(withPort(port, true));
    expect(second.clientUrls).toEqual(first.clientUrls);
    const client = connect({ endpoints: [first.clientUrls[0] as string], timeoutMs: 5_000 });
    toClose.push(() => client.close());
    await client.put('k', 'v');
    await expect(started(withPort(port, false))).rejects.toThrow(
      `listen tcp 127.0.0.1:${port}: bind: address already in use`,
    );
  });

  test('that somebody holds alone is refused by name', async () => {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    toClose.push(() => new Promise((resolve) => server.close(resolve)));
    const { port } = server.address() as AddressInfo;
    await expect(started(withPort(port, true))).rejects.toThrow(
      `listen tcp 127.0.0.1:${port}: bind: address already in use`,
    );
  });
});

describe('health while defragmenting', () => {
  const check = HealthCheckRequest.fromPartial({ service: '' });

  async function statuses(stopGrpcServiceOnDefrag: boolean): Promise<number[]> {
    const { channel, node, services } = await harness({}, { stopGrpcServiceOnDefrag });
    const seen: number[] = [];
    const ask = async (): Promise<void> => {
      seen.push((await channel.unary('grpc.health.v1.Health/Check', check)).status);
    };
    const defragment = node.state.defragment.bind(node.state);
    node.state.defragment = async () => {
      await ask();
      await defragment();
    };
    await ask();
    await channel.unary('etcdserverpb.Maintenance/Defragment', {});
    await ask();
    services.stop();
    return seen;
  }

  test('is NOT_SERVING when that was asked for, and SERVING again', async () => {
    expect(await statuses(true)).toEqual([1, 2, 1]);
    expect(await statuses(false)).toEqual([1, 1, 1]);
  });

  test('is told to those who watch it', async () => {
    const { channel, services } = await harness({}, { stopGrpcServiceOnDefrag: true });
    const call = channel.stream('grpc.health.v1.Health/Watch');
    call.send(check);
    const seen: number[] = [];
    const responses = call.responses[Symbol.asyncIterator]();
    const next = async (): Promise<void> => {
      const { value } = (await responses.next()) as { value: { status: number } };
      seen.push(value.status);
    };
    await next();
    await channel.unary('etcdserverpb.Maintenance/Defragment', {});
    await next();
    await next();
    expect(seen).toEqual([1, 2, 1]);
    call.cancel();
    services.stop();
  });
});

describe('connections to peers', () => {
  const local = { id: memberId(1n), clusterId: clusterId(9n), peerUrls: () => [] };
  const handlers = new Proxy({}, { get: () => () => undefined }) as Parameters<
    TcpTransport['start']
  >[1];

  /** A peer that takes connections and upgrades them, and says nothing more. */
  async function silentPeer(
    seen: (address: string | undefined, socket: Socket) => void,
  ): Promise<string> {
    const server = createServer((socket) => {
      seen(socket.remoteAddress, socket);
      socket.on('error', () => undefined);
      socket.once('data', () =>
        socket.write(
          'HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n',
        ),
      );
      toClose.push(() => Promise.resolve(socket.destroy()));
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    toClose.push(() => new Promise((resolve) => server.close(resolve)));
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  }

  function logOf(lines: { message: string; fields: LogFields }[]): Logger {
    const write = (message: string, fields: LogFields = {}) => lines.push({ message, fields });
    return { debug: write, info: write, warn: write, error: write };
  }

  test('are given up when nothing is heard within the read timeout', async () => {
    const lines: { message: string; fields: LogFields }[] = [];
    const url = await silentPeer(() => undefined);
    const transport = new TcpTransport({
      listenUrls: [ANY_PORT],
      clock: systemClock,
      log: logOf(lines),
      timeouts: { readMs: 60, writeMs: 5_000 },
    });
    toClose.push(() => transport.close());
    transport.setPeers([{ id: memberId(2n), urls: [url] }]);
    await transport.start(local, handlers);
    await expect
      .poll(() => lines.map(({ fields }) => String(fields['error'])).join(), { timeout: 20_000 })
      .toContain('no sign of life for 60 ms');
  });

  test('are given up when what was sent does not leave within the write timeout', async () => {
    const lines: { message: string; fields: LogFields }[] = [];
    // Reads nothing: what is sent to it fills the buffers between.
    const url = await silentPeer((_, socket) => {
      socket.once('data', () => {
        socket.pause();
      });
    });
    const transport = new TcpTransport({
      listenUrls: [ANY_PORT],
      clock: systemClock,
      log: logOf(lines),
      timeouts: { readMs: 60_000, writeMs: 1 },
    });
    toClose.push(() => transport.close());
    transport.setPeers([{ id: memberId(2n), urls: [url] }]);
    await transport.start(local, handlers);
    await expect
      .poll(() => transport.connectedSinceMs(memberId(2n)), { timeout: 20_000 })
      .toBeDefined();
    const data = new Uint8Array(1 << 20);
    const entry = { index: 1, term: 1, payload: { kind: 'command', data } } as const;
    const append = {
      type: 'append',
      from: 1n,
      to: 2n,
      term: 1,
      prevIndex: 0,
      prevTerm: 0,
      entries: [entry],
      commit: 0,
      session: 0,
    };
    transport.send(Array.from({ length: 32 }, () => append as unknown as Message));
    transport.flush();
    await expect
      .poll(() => lines.map(({ fields }) => String(fields['error'])).join(), { timeout: 20_000 })
      .toContain('what was sent has not left for 1 ms');
  });

  test.skipIf(process.platform !== 'linux')(
    'are made from the local address that was asked for',
    async () => {
      const seen: (string | undefined)[] = [];
      const url = await silentPeer((address) => seen.push(address));
      const transport = new TcpTransport({
        listenUrls: [ANY_PORT],
        clock: systemClock,
        log: silentLogger,
        localAddress: '127.0.0.7',
      });
      toClose.push(() => transport.close());
      transport.setPeers([{ id: memberId(2n), urls: [url] }]);
      await transport.start(local, handlers);
      await expect.poll(() => seen).toContain('127.0.0.7');
    },
  );
});

describe('defragmenting at the start', () => {
  test('is done when so much would come free, and said not to be otherwise', async () => {
    const dataDir = mkdtempSync(join(tmpdir(), 'etcd-ts-defrag-'));
    toClose.push(() => Promise.resolve(rmSync(dataDir, { recursive: true, force: true })));
    const said: string[] = [];
    const logger: Logger = { ...silentLogger, info: (message) => said.push(message) };
    const network = new InMemoryNetwork(systemClock);
    const start = (bootstrapDefragThresholdMegabytes: number): Promise<EtcdNode> =>
      EtcdNode.start({ dataDir, network, logger, bootstrapDefragThresholdMegabytes });
    const first = await start(0);
    // Not to be made smaller by the database's own compression.
    for (let i = 0; i < 40; i++) await first.client().put('k', randomBytes(100_000));
    await first.channel().unary('etcdserverpb.KV/Compact', { revision: 41, physical: true });
    await first.stop();
    expect(said.join()).not.toContain('efragment');
    await (await start(1_000)).stop();
    expect(said).toContain('Skipping defragmentation');
    await (await start(1)).stop();
    expect(said).toContain('finished defragmenting');
  });
});
