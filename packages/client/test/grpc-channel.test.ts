import { readFileSync } from 'node:fs';
import {
  createSecureServer,
  createServer,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from 'node:http2';
import {
  connect as connectTcp,
  createServer as createTcpServer,
  type AddressInfo,
  type Server,
  type Socket,
} from 'node:net';
import { deferred } from '@etcd-ts/base';
import { PutRequest, PutResponse } from '@etcd-ts/protocol';
import { afterEach, describe, expect, test } from 'vitest';
import { MAX_WAITING_CALLS } from '../src/node/grpc-channel.ts';
import { GrpcChannel, type GrpcChannelOptions } from '../src/node/index.ts';

const PUT = 'etcdserverpb.KV/Put';
const KEEP_ALIVE = 'etcdserverpb.Lease/LeaseKeepAlive';
const request = PutRequest.fromPartial({ key: new Uint8Array([1]) });
const GRPC = { ':status': 200, 'content-type': 'application/grpc' };

const toClose: (() => Promise<unknown> | void)[] = [];

afterEach(async () => {
  for (const close of toClose.splice(0).reverse()) await close();
});

function channelTo(endpoint: string, options?: GrpcChannelOptions): GrpcChannel {
  const channel = new GrpcChannel(endpoint, options);
  toClose.push(() => channel.close());
  return channel;
}

async function listen(server: Server, port = 0): Promise<string> {
  await new Promise<void>((resolve) => void server.listen(port, '127.0.0.1', resolve));
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** A port that nobody listens on. */
async function freePort(): Promise<string> {
  const server = createTcpServer();
  const endpoint = await listen(server);
  await new Promise((resolve) => void server.close(resolve));
  return endpoint;
}

interface NodeServer {
  readonly endpoint: string;
  readonly sessions: Set<ServerHttp2Session>;
  readonly stop: () => Promise<void>;
}

/** Node's own HTTP/2 server, doing to each stream what a test wants. */
async function nodeServer(
  onStream: (stream: ServerHttp2Stream, headers: Readonly<Record<string, unknown>>) => void,
  port = 0,
): Promise<NodeServer> {
  const server = createServer();
  const sessions = new Set<ServerHttp2Session>();
  server.on('session', (session) => {
    sessions.add(session);
    session.on('error', () => undefined);
    session.on('close', () => sessions.delete(session));
  });
  server.on('stream', (stream, headers) => {
    stream.on('error', () => undefined);
    onStream(stream, headers);
  });
  server.on('sessionError', () => undefined);
  const endpoint = await listen(server, port);
  const stop = async (): Promise<void> => {
    for (const session of sessions) session.destroy();
    await new Promise<void>((resolve) => void server.close(() => resolve()));
  };
  toClose.push(stop);
  return { endpoint, sessions, stop };
}

/** Answers a put, as gRPC does. */
function answer(stream: ServerHttp2Stream, revision = 7): void {
  stream.respond(GRPC, { waitForTrailers: true });
  stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }));
  stream.end(PutResponse.encodeFrame(PutResponse.fromPartial({ header: { revision } })));
}

describe('a call over gRPC', () => {
  test('is what another implementation of HTTP/2 understands, headers and all', async () => {
    const seen: Readonly<Record<string, unknown>>[] = [];
    const bodies: Buffer[] = [];
    const { endpoint } = await nodeServer((stream, headers) => {
      seen.push(headers);
      stream.on('data', (chunk: Buffer) => bodies.push(chunk));
      stream.on('end', () => answer(stream));
    });
    const channel = channelTo(endpoint);
    const metadata = new Map([['token', 'abc']]);
    for (let i = 0; i < 3; i++) {
      const { header } = await channel.unary(PUT, request, { metadata, timeoutMs: 2_500 });
      expect(header?.revision).toBe(7);
    }
    for (const headers of seen) {
      expect(headers).toMatchObject({
        ':method': 'POST',
        ':path': `/${PUT}`,
        ':authority': endpoint,
        'content-type': 'application/grpc',
        te: 'trailers',
        'grpc-timeout': '2500m',
        token: 'abc',
      });
    }
    expect(Buffer.concat(bodies)).toEqual(
      Buffer.concat([1, 2, 3].map(() => PutRequest.encodeFrame(request))),
    );
  });

  test('carries large messages both ways through the windows of the other side', async () => {
    const value = new Uint8Array(1_000_000).fill(7);
    const { endpoint } = await nodeServer((stream) => {
      const parts: Buffer[] = [];
      stream.on('data', (chunk: Buffer) => parts.push(chunk));
      stream.on('end', () => {
        const put = PutRequest.decode(Buffer.concat(parts).subarray(5));
        stream.respond(GRPC, { waitForTrailers: true });
        stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }));
        const prevKv = { ...put, createRevision: 1, modRevision: 1, version: 1 };
        stream.end(PutResponse.encodeFrame({ prevKv }));
      });
    });
    const channel = channelTo(endpoint);
    const answers = await Promise.all(
      [1, 2, 3].map(() =>
        channel.unary(PUT, PutRequest.fromPartial({ key: new Uint8Array([1]), value })),
      ),
    );
    for (const { prevKv } of answers)
      expect(Buffer.compare(prevKv?.value ?? value.subarray(1), value)).toBe(0);
  });

  test('waits for its turn when the server takes few streams at a time', async () => {
    let open = 0;
    let most = 0;
    const server = createServer({ settings: { maxConcurrentStreams: 2 } });
    server.on('stream', (stream) => {
      most = Math.max(most, ++open);
      stream.on('end', () => setImmediate(() => answer(stream)));
      stream.on('close', () => open--);
      stream.resume();
    });
    const endpoint = await listen(server);
    const channel = channelTo(endpoint);
    toClose.push(() => new Promise<void>((resolve) => void server.close(() => resolve())));
    toClose.push(() => channel.close());
    await Promise.all(Array.from({ length: 30 }, () => channel.unary(PUT, request)));
    expect(most).toBe(2);
  });
});

describe('a failed call', () => {
  const failures: readonly [string, (stream: ServerHttp2Stream) => void, object][] = [
    [
      'with a status and an encoded text',
      (stream) =>
        stream.respond(
          { ...GRPC, 'grpc-status': '5', 'grpc-message': 'etcdserver: requested lease not found' },
          { endStream: true },
        ),
      { code: 'LEASE_NOT_FOUND', mayHaveApplied: false },
    ],
    [
      'with a text in another script',
      (stream) =>
        stream.respond(
          { ...GRPC, 'grpc-status': '2', 'grpc-message': 'gr%C3%B6%C3%9Fer' },
          { endStream: true },
        ),
      { code: 'UNKNOWN', message: 'größer' },
    ],
    [
      'with a status of HTTP',
      (stream) => stream.respond({ ':status': 503 }, { endStream: true }),
      { code: 'UNAVAILABLE', message: 'the server answered HTTP status 503' },
    ],
    [
      'with a status of HTTP and a page, as a proxy answers',
      (stream) => {
        stream.respond({ ':status': 502, 'content-type': 'text/html' });
        stream.end('<html>Bad Gateway</html>');
      },
      { code: 'UNAVAILABLE', message: 'the server answered HTTP status 502' },
    ],
    [
      'with a page in place of gRPC',
      (stream) => {
        stream.respond({ ':status': 200, 'content-type': 'text/html' });
        stream.end('<html>Welcome</html>');
      },
      {
        code: 'UNKNOWN',
        message: 'the server answered text/html, which is not gRPC',
        mayHaveApplied: true,
      },
    ],
    [
      'without status',
      (stream) => stream.respond(GRPC, { endStream: true }),
      { code: 'INTERNAL', message: 'the answer has no status' },
    ],
    [
      'with status OK and no message',
      (stream) => stream.respond({ ...GRPC, 'grpc-status': '0' }, { endStream: true }),
      { code: 'INTERNAL', message: 'the answer has status OK but no message' },
    ],
    [
      'with a message that is none',
      (stream) => {
        stream.respond(GRPC);
        stream.write(new Uint8Array([0, 0, 0, 0, 1, 0xff]));
      },
      {
        code: 'INTERNAL',
        message: expect.stringMatching(/^malformed response: proto: unexpected EOF/) as string,
      },
    ],
    [
      'by a refusal of the stream: certainly not done',
      (stream) => stream.close(7),
      { code: 'UNAVAILABLE', mayHaveApplied: false },
    ],
    [
      'by a reset: perhaps done',
      (stream) => stream.close(8),
      { code: 'CANCELED', mayHaveApplied: true },
    ],
    [
      'by the loss of its connection: perhaps done',
      (stream) => stream.session?.destroy(),
      { code: 'UNAVAILABLE', mayHaveApplied: true },
    ],
  ];
  for (const [claim, onStream, expected] of failures) {
    test(claim, async () => {
      const { endpoint } = await nodeServer(onStream);
      await expect(channelTo(endpoint).unary(PUT, request)).rejects.toMatchObject(expected);
    });
  }

  test('to a member that cannot be reached: certainly not done, and it says where', async () => {
    const endpoint = await freePort();
    await expect(channelTo(endpoint).unary(PUT, request)).rejects.toMatchObject({
      code: 'UNAVAILABLE',
      mayHaveApplied: false,
      message: expect.stringContaining(`cannot connect to ${endpoint}: `) as string,
    });
  });

  test('to something that speaks another protocol: certainly not done', async () => {
    const server = createTcpServer(
      (socket: Socket) => void socket.resume().end('HTTP/1.1 400 Bad Request\r\n\r\n'),
    );
    const endpoint = await listen(server);
    toClose.push(() => new Promise<void>((resolve) => void server.close(() => resolve())));
    await expect(channelTo(endpoint).unary(PUT, request)).rejects.toMatchObject({
      code: 'UNAVAILABLE',
      mayHaveApplied: false,
    });
  });

  test('to a host that never says anything: fails when its time is up, certainly not done', async () => {
    const sockets: Socket[] = [];
    const server = createTcpServer((socket) => void sockets.push(socket));
    const endpoint = await listen(server);
    toClose.push(() => new Promise<void>((resolve) => void server.close(() => resolve())));
    toClose.push(() => sockets.forEach((socket) => socket.destroy()));
    await expect(channelTo(endpoint).unary(PUT, request, { timeoutMs: 60 })).rejects.toMatchObject({
      code: 'DEADLINE_EXCEEDED',
      mayHaveApplied: false,
    });
  });

  test('that was given up does not count among those that wait for a connection', async () => {
    const server = createTcpServer();
    toClose.push(() => void server.close());
    const channel = channelTo(await listen(server), { connectTimeoutMs: 60_000 });
    for (const count of [MAX_WAITING_CALLS, 1]) {
      const calls = Array.from({ length: count }, () => {
        return channel.unary(PUT, request, { timeoutMs: 1 }).catch(({ code }) => code as string);
      });
      expect(new Set(await Promise.all(calls))).toEqual(new Set(['DEADLINE_EXCEEDED']));
    }
  });

  test('to a member that never answers: fails when its time is up, perhaps done', async () => {
    const { endpoint } = await nodeServer(() => undefined);
    const channel = channelTo(endpoint);
    // The first call brings the connection about, the second one has it.
    await channel.unary(PUT, request, { timeoutMs: 300 }).catch(() => undefined);
    await expect(channel.unary(PUT, request, { timeoutMs: 60 })).rejects.toMatchObject({
      code: 'DEADLINE_EXCEEDED',
      mayHaveApplied: true,
    });
  });

  test('with metadata that HTTP cannot carry is refused before anything is sent', async () => {
    const channel = channelTo(await freePort());
    const metadata = new Map([['token', 'ö']]);
    await expect(channel.unary(PUT, request, { metadata })).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
      message: 'metadata token is not plain ASCII',
    });
  });
});

describe('a connection', () => {
  test('is made anew after the server was away', async () => {
    const first = await nodeServer(
      (stream) => void stream.on('end', () => answer(stream, 1)).resume(),
    );
    const channel = channelTo(first.endpoint);
    expect((await channel.unary(PUT, request)).header?.revision).toBe(1);
    await first.stop();
    await expect(channel.unary(PUT, request)).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    const port = Number(first.endpoint.split(':')[1]);
    await nodeServer((stream) => void stream.on('end', () => answer(stream, 2)).resume(), port);
    expect((await channel.unary(PUT, request)).header?.revision).toBe(2);
  });

  test('made anew is told every header anew, so that no method is taken for another', async () => {
    const paths: unknown[] = [];
    const { endpoint, sessions } = await nodeServer((stream, headers) => {
      paths.push(headers[':path']);
      stream.on('end', () => answer(stream)).resume();
    });
    const channel = channelTo(endpoint);
    const put = (): Promise<unknown> => channel.unary(PUT, request);
    const compact = (): Promise<unknown> =>
      channel.unary('etcdserverpb.KV/Compact', { revision: 1, physical: false });
    for (const call of [put, put, compact, compact]) await call();
    for (const session of sessions) session.destroy();
    while (sessions.size > 0) await new Promise((resolve) => void setImmediate(resolve));
    // The first call may still meet the old connection.
    await compact().catch(() => undefined);
    paths.length = 0;
    for (const call of [compact, put, put, compact]) await call();
    const compactPath = '/etcdserverpb.KV/Compact';
    expect(paths).toEqual([compactPath, `/${PUT}`, `/${PUT}`, compactPath]);
  });

  test('that is said goodbye to is left for another, and what is open on it goes on', async () => {
    const held: ServerHttp2Stream[] = [];
    const { endpoint, sessions } = await nodeServer((stream) => {
      stream.resume();
      if (held.push(stream) > 1) answer(stream, 2);
    });
    const channel = channelTo(endpoint);
    const slow = channel.unary(PUT, request);
    while (held.length === 0) await new Promise((resolve) => void setImmediate(resolve));
    const [session] = sessions;
    session?.goaway(0, 1);
    await new Promise((resolve) => void session?.ping(() => resolve(undefined)));
    expect((await channel.unary(PUT, request)).header?.revision).toBe(2);
    expect(sessions.size).toBe(2);
    for (const stream of held.slice(0, 1)) answer(stream, 1);
    expect((await slow).header?.revision).toBe(1);
  });

  test('whose host falls silent is given up, and its calls fail', async () => {
    const { endpoint, sessions } = await nodeServer((stream) => void stream.resume());
    const [host = '', port = ''] = endpoint.split(':');
    const pairs: Socket[] = [];
    const between = createTcpServer((near) => {
      const far = connectTcp(Number(port), host);
      pairs.push(near, far);
      near.pipe(far).pipe(near);
    });
    const channel = channelTo(await listen(between), {
      keepAliveIntervalMs: 20,
      keepAliveTimeoutMs: 20,
    });
    toClose.push(() => new Promise<void>((resolve) => void between.close(() => resolve())));
    toClose.push(() => pairs.forEach((socket) => socket.destroy()));
    const call = channel.unary(PUT, request).catch((error: unknown) => error);
    while (sessions.size === 0) await new Promise((resolve) => void setImmediate(resolve));
    for (const socket of pairs) socket.unpipe().pause();
    expect(await call).toMatchObject({ code: 'UNAVAILABLE' });
  });

  test('that has not come about yet is given up with its channel', async () => {
    const hungUp = deferred<void>();
    const connected = deferred<void>();
    const server = createTcpServer((socket) => {
      connected.resolve();
      socket.on('error', () => undefined);
      socket.resume().once('close', () => hungUp.resolve());
    });
    const endpoint = await listen(server);
    toClose.push(() => new Promise<void>((resolve) => void server.close(() => resolve())));
    const channel = new GrpcChannel(`https://${endpoint}`, { connectTimeoutMs: 600_000 });
    const call = channel.unary(PUT, request);
    await connected.promise;
    await channel.close();
    await expect(call).rejects.toMatchObject({ code: 'CANCELED' });
    await hungUp.promise;
  });

  test('that answers pings lasts', async () => {
    const held: ServerHttp2Stream[] = [];
    const { endpoint } = await nodeServer((stream) => {
      held.push(stream);
      stream.resume();
    });
    const channel = channelTo(endpoint, { keepAliveIntervalMs: 10, keepAliveTimeoutMs: 500 });
    const call = channel.unary(PUT, request);
    await new Promise((resolve) => void setTimeout(resolve, 120));
    for (const stream of held) answer(stream);
    expect((await call).header?.revision).toBe(7);
  });
});

describe('over TLS', () => {
  const pem = (name: string): Buffer => readFileSync(new URL(`tls/${name}.pem`, import.meta.url));

  async function tlsServer(): Promise<string> {
    const server = createSecureServer({ cert: pem('cert'), key: pem('key') });
    server.on('stream', (stream) => void stream.on('end', () => answer(stream)).resume());
    server.on('sessionError', () => undefined);
    server.on('tlsClientError', () => undefined);
    const endpoint = await listen(server);
    toClose.push(() => new Promise<void>((resolve) => void server.close(() => resolve())));
    return endpoint.replace('127.0.0.1', 'https://localhost');
  }

  test('a server with a certificate that is trusted is spoken to', async () => {
    const channel = channelTo(await tlsServer(), { tls: { ca: pem('cert') } });
    expect((await channel.unary(PUT, request)).header?.revision).toBe(7);
    await channel.close();
  });

  test('one with another certificate is not: certainly nothing was done', async () => {
    const channel = channelTo(await tlsServer());
    await expect(channel.unary(PUT, request)).rejects.toMatchObject({
      code: 'UNAVAILABLE',
      mayHaveApplied: false,
      message: expect.stringContaining('self-signed certificate') as string,
    });
  });

  test('one that has no TLS is not', async () => {
    const { endpoint } = await nodeServer((stream) => answer(stream));
    const channel = channelTo(`https://${endpoint}`);
    await expect(channel.unary(PUT, request)).rejects.toMatchObject({
      code: 'UNAVAILABLE',
      mayHaveApplied: false,
    });
  });
});

describe('a stream over gRPC', () => {
  test('sends what it was given before there was a connection', async () => {
    const bodies: Buffer[] = [];
    const { endpoint } = await nodeServer((stream) => {
      stream.on('data', (chunk: Buffer) => bodies.push(chunk));
      stream.on('end', () => answer(stream));
    });
    const call = channelTo(endpoint).stream(KEEP_ALIVE);
    expect(call.send({ ID: 1n })).toBe(true);
    call.send({ ID: 2n });
    call.end();
    expect(call.send({ ID: 3n })).toBe(false);
    for await (const _response of call.responses) void _response;
    expect(Buffer.concat(bodies).length).toBe(14);
  });

  test('of a closed channel fails with CANCELED', async () => {
    const channel = channelTo(await freePort());
    await channel.close();
    const call = channel.stream('etcdserverpb.Watch/Watch');
    expect(call.send({})).toBe(false);
    await expect(call.responses[Symbol.asyncIterator]().next()).rejects.toMatchObject({
      code: 'CANCELED',
    });
    await call.drained();
    call.end();
    call.cancel();
  });
});
