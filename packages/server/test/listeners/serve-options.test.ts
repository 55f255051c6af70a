/** That what a node is told about its doors reaches them. */
import { connect, type Socket } from 'node:net';
import { concatBytes } from '@etcd-ts/base';
import { FrameType } from '@etcd-ts/protocol/http2';
import { afterEach, expect, test } from 'vitest';
import { EtcdNode } from '../../src/etcd-node.ts';
import type { EtcdNodeOptions } from '../../src/options.ts';
import { frame, framesOf, HELLO, open, requestBlock } from '../../../protocol/test/http2/frames.ts';
import { ask } from '../gateway/ask.ts';

let node: EtcdNode | undefined;
const sockets: Socket[] = [];

afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy();
  await node?.stop();
});

async function start(options: EtcdNodeOptions): Promise<string> {
  node = await EtcdNode.start({ listenClientUrls: ['http://127.0.0.1:0'], ...options });
  await node.ready();
  return node.clientUrls[0] ?? '';
}

async function status(url: string, path: string, method = 'GET'): Promise<number> {
  const body = method === 'POST' ? '{"key":"aw=="}' : undefined;
  return (await ask(url, { method, path, ...(body === undefined ? {} : { body }) })).status;
}

/** Speaks raw HTTP/2, and hears until the server hangs up or enough has come. */
function talk(
  url: string,
  bytes: readonly Uint8Array[],
  isEnough: (frames: ReturnType<typeof framesOf>) => boolean = () => false,
): Promise<ReturnType<typeof framesOf>> {
  const socket = connect(Number(new URL(url).port), '127.0.0.1');
  sockets.push(socket);
  socket.on('error', () => undefined);
  socket.write(concatBytes([HELLO, ...bytes]));
  const heard: Uint8Array[] = [];
  return new Promise((resolve) => {
    socket.on('data', (chunk: Uint8Array) => {
      heard.push(new Uint8Array(chunk));
      const frames = wholeFrames(heard);
      if (isEnough(frames)) resolve(frames);
    });
    socket.on('close', () => resolve(wholeFrames(heard)));
  });
}

function wholeFrames(parts: readonly Uint8Array[]): ReturnType<typeof framesOf> {
  return framesOf(parts);
}

const WATCH = requestBlock('/etcdserverpb.Watch/Watch');

test('without a gateway its paths are not found; profiles are there only when asked for', async () => {
  const url = await start({ enableGrpcGateway: false, enablePprof: true });
  expect(await status(url, '/v3/kv/range', 'POST')).toBe(404);
  expect(await status(url, '/debug/pprof/')).toBe(200);
  await node?.stop();
  const other = await start({});
  expect(await status(other, '/v3/kv/range', 'POST')).toBe(200);
  expect(await status(other, '/debug/pprof/')).toBe(404);
});

test('origins and hosts are those of the options', async () => {
  const url = await start({ cors: ['http://a:1'], hostWhitelist: ['good.example'] });
  const from = (Host: string, Origin: string): ReturnType<typeof ask> =>
    ask(url, { method: 'GET', path: '/version', headers: { Host, Origin } });
  expect((await from('evil.example', 'http://a:1')).status).toBe(421);
  const allowed = await from('good.example', 'http://a:1');
  expect(allowed.headers['access-control-allow-origin']).toBe('http://a:1');
  const stranger = await from('good.example', 'http://b:2');
  expect(stranger.headers['access-control-allow-origin']).toBeUndefined();
});

test('monitors have a port of their own, for what is theirs alone', async () => {
  await start({ listenMetricsUrls: ['http://127.0.0.1:0'], metrics: 'extensive' });
  const url = node?.metricsUrls[0] ?? '';
  const page = await ask(url, { method: 'GET', path: '/metrics' });
  expect(page.body).toContain('grpc_server_handling_seconds_bucket');
  expect(page.headers['content-type']).toContain('version=0.0.4');
  expect(await status(url, '/health')).toBe(200);
  expect(await status(url, '/livez')).toBe(200);
  expect(await status(url, '/readyz/linearizable_read')).toBe(200);
  for (const path of ['/version', '/debug/vars', '/v3/kv/range']) {
    expect(await status(url, path)).toBe(404);
  }
});

test('one stream more than a connection may have is refused', async () => {
  const url = await start({ maxConcurrentStreams: 2 });
  const opens = [1, 3, 5].map((id) => open(id, WATCH));
  const isReset = ({ type }: { type: number }): boolean => type === FrameType.RST_STREAM;
  const frames = await talk(url, opens, (so) => so.some(isReset));
  expect(frames.filter(isReset).map(({ streamId, payload }) => [streamId, payload[3]])).toEqual([
    [5, 7],
  ]);
});

test('pings are too many when they come sooner than the option says', async () => {
  const pings = Array.from({ length: 10 }, () => frame(FrameType.PING, 0, 0, new Uint8Array(8)));
  const strict = await start({});
  const last = (await talk(strict, [open(1, WATCH), ...pings])).at(-1);
  expect(new TextDecoder().decode(last?.payload)).toContain('too_many_pings');
  await node?.stop();
  const lenient = await start({ grpcKeepaliveMinTimeMs: 0 });
  const isAnswer = ({ type }: { type: number }): boolean => type === FrameType.PING;
  const frames = await talk(
    lenient,
    [open(1, WATCH), ...pings],
    (so) => so.filter(isAnswer).length === pings.length,
  );
  expect(frames.some(({ type }) => type === FrameType.GOAWAY)).toBe(false);
});

test('a client that is silent is asked for a sign of life, and cut when it gives none', async () => {
  const url = await start({ grpcKeepaliveIntervalMs: 30, grpcKeepaliveTimeoutMs: 30 });
  const frames = await talk(url, []);
  expect(frames.some(({ type, flags }) => type === FrameType.PING && flags === 0)).toBe(true);
});
