// npm run bench -- grpc [CALLS]: CPU time of one gRPC call that does nothing, at the server and at the client.
//
// Server: the door of etcd-ts, and node:http2 with the least that gRPC needs, each in a process of its own. Client: the
// channel of etcd-ts, which drives both.
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type ServerHttp2Stream } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';
import { GrpcChannel, systemClock } from '@etcd-ts/client/node';
import { type Handlers, RangeRequest, RangeResponse } from '@etcd-ts/protocol';
import { listenForClients } from '../packages/server/src/listeners/node/client-listener.ts';

const CALLERS = [1, 100, 1000] as const;
const RANGE = RangeRequest.fromPartial({ key: Buffer.from('a key of some length'), limit: 1 });
const ANSWER = RangeResponse.fromPartial({
  header: { clusterId: 1n << 60n, memberId: 1n << 61n, revision: 1_000, raftTerm: 2 },
  kvs: [
    { key: RANGE.key, value: new Uint8Array(64), createRevision: 2, modRevision: 900, version: 3 },
  ],
  count: 1,
});

async function serveOwn(): Promise<string> {
  const handlers: Handlers = { 'etcdserverpb.KV/Range': () => Promise.resolve(ANSWER) };
  const clock = {
    ...systemClock,
    wallMs: () => Date.now(),
    soon: (next: () => void) => void setImmediate(next),
  };
  const urls = ['http://127.0.0.1:0'];
  const listener = await listenForClients({
    urls,
    handlers,
    clock,
    maxRequestBytes: 1 << 20,
    routes: new Map(),
  });
  return listener.urls[0] ?? '';
}

async function serveNode(): Promise<string> {
  const server = createServer();
  server.on('stream', (stream: ServerHttp2Stream) => {
    stream.on('data', (chunk: Buffer) => {
      RangeRequest.decode(chunk.subarray(5));
      stream.respond(
        { ':status': 200, 'content-type': 'application/grpc' },
        { waitForTrailers: true },
      );
      stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }));
      stream.end(RangeResponse.encodeFrame(ANSWER));
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** The child: serves, and tells its CPU time in microseconds when asked. */
async function child(kind: string): Promise<void> {
  process.send?.(kind === 'own' ? await serveOwn() : await serveNode());
  process.on('message', () => {
    const { user, system } = process.cpuUsage();
    process.send?.(user + system);
  });
}

/** Microseconds of CPU for one call: at the server, at the client. */
async function measure(kind: string, callers: number, calls: number): Promise<[number, number]> {
  const server = fork(fileURLToPath(import.meta.url), ['serve', kind], {
    execArgv: process.execArgv,
  });
  const ask = async (): Promise<number> => {
    server.send('cpu');
    return ((await once(server, 'message')) as [number])[0];
  };
  const [url] = (await once(server, 'message')) as [string];
  const channel = new GrpcChannel(url);
  const run = async (count: number): Promise<void> => {
    const loop = async (): Promise<void> => {
      for (let i = 0; i < count / callers; i++) await channel.unary('etcdserverpb.KV/Range', RANGE);
    };
    await Promise.all(Array.from({ length: callers }, loop));
  };
  await run(calls / 2);
  const before = await ask();
  const own = process.cpuUsage();
  await run(calls);
  const { user, system } = process.cpuUsage(own);
  const after = await ask();
  await channel.close();
  server.kill();
  return [(after - before) / calls, (user + system) / calls];
}

if (process.argv[2] === 'serve') {
  await child(process.argv[3] ?? '');
} else {
  const calls = Number(process.argv[2] ?? 20_000);
  console.log('| callers | server: etcd-ts, µs | server: node:http2, µs | client: etcd-ts, µs |');
  console.log('|---|---|---|---|');
  for (const callers of CALLERS) {
    const [own, client] = await measure('own', callers, calls);
    const [node] = await measure('node', callers, calls);
    const cells = [callers, own.toFixed(1), node.toFixed(1), client.toFixed(1)];
    console.log(`| ${cells.join(' | ')} |`);
  }
}
