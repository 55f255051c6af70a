import { createServer, type Http2Server, type ServerHttp2Session } from 'node:http2';
import { createServer as createTcpServer, type AddressInfo } from 'node:net';
import { PutRequest } from '@etcd-ts/protocol';
import { describe, expect, test } from 'vitest';
import { GrpcChannel } from '../src/node/index.ts';

const PUT = 'etcdserverpb.KV/Put';
const request = PutRequest.fromPartial({ key: new Uint8Array([1]) });

/** A port that nobody listens on. */
async function freePort(): Promise<number> {
  const server = createTcpServer();
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => void server.close(resolve));
  return port;
}

/** An HTTP/2 server that does to each session what a test wants. */
async function http2Server(
  onRequest: (session: ServerHttp2Session) => void,
): Promise<{ server: Http2Server; endpoint: string }> {
  const server = createServer();
  server.on('stream', (stream) => {
    stream.on('error', () => undefined);
    if (stream.session instanceof Object) onRequest(stream.session as ServerHttp2Session);
  });
  server.on('sessionError', () => undefined);
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  return { server, endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}` };
}

describe('a write over gRPC', () => {
  test('to a member that cannot be reached certainly had no effect', async () => {
    const channel = new GrpcChannel(`127.0.0.1:${await freePort()}`);
    await expect(channel.unary(PUT, request)).rejects.toMatchObject({
      code: 'UNAVAILABLE',
      mayHaveApplied: false,
    });
    await channel.close();
  });

  test('whose connection breaks after it was sent has an unknown outcome', async () => {
    const { server, endpoint } = await http2Server((session) => session.destroy());
    const channel = new GrpcChannel(endpoint);
    await expect(channel.unary(PUT, request)).rejects.toMatchObject({
      status: 14,
      mayHaveApplied: true,
    });
    await channel.close();
    await new Promise((resolve) => void server.close(resolve));
  });

  test('to a member that never answers fails when its time is up', async () => {
    const sessions: ServerHttp2Session[] = [];
    const { server, endpoint } = await http2Server((session) => sessions.push(session));
    const channel = new GrpcChannel(endpoint);
    await expect(channel.unary(PUT, request, { timeoutMs: 50 })).rejects.toMatchObject({
      code: 'DEADLINE_EXCEEDED',
      mayHaveApplied: true,
    });
    await channel.close();
    for (const session of sessions) session.destroy();
    await new Promise((resolve) => void server.close(resolve));
  });
});

test('a stream of a closed channel fails with CANCELED', async () => {
  const channel = new GrpcChannel(`127.0.0.1:${await freePort()}`);
  await channel.close();
  const call = channel.stream('etcdserverpb.Watch/Watch');
  expect(call.send({})).toBe(false);
  await expect(call.responses[Symbol.asyncIterator]().next()).rejects.toMatchObject({
    code: 'CANCELED',
  });
});
