import { connect as connectHttp2 } from 'node:http2';
import { connect as connectTcp, type Socket } from 'node:net';
import { connect as connectClient, GrpcChannel } from '@etcd-ts/client/node';
import { type Handlers, PutRequest, RangeRequest, RangeResponse } from '@etcd-ts/protocol';
import { afterEach, describe, expect, test } from 'vitest';
import type { ClientListener } from '../../src/env.ts';
import type { Route } from '../../src/listeners/route.ts';
import { listenForClients } from '../../src/listeners/node/client-listener.ts';
import { realClock } from './real-clock.ts';

const RANGE = RangeRequest.fromPartial({ key: new Uint8Array([1]) });
const toClose: (() => Promise<unknown>)[] = [];

afterEach(async () => {
  for (const close of toClose.splice(0).reverse()) await close();
});

const ok: Handlers = {
  'etcdserverpb.KV/Range': () => Promise.resolve(RangeResponse.fromPartial({ count: 1 })),
};
const routes = new Map<string, Route>([
  [
    '/hello',
    {
      answer: (query) =>
        Promise.resolve({
          status: 200,
          contentType: 'text/plain',
          body: `hello ${query.get('name')}`,
        }),
    },
  ],
]);

async function listen(handlers: Handlers = ok): Promise<{ listener: ClientListener; url: string }> {
  const listener = await listenForClients({
    urls: ['http://127.0.0.1:0'],
    handlers,
    clock: realClock,
    maxRequestBytes: 1_572_864,
    routes,
  });
  toClose.push(() => listener.close(0));
  return { listener, url: listener.urls[0] ?? '' };
}

function channelTo(url: string): GrpcChannel {
  const channel = new GrpcChannel(url);
  toClose.push(() => channel.close());
  return channel;
}

function tcpTo(url: string): Socket {
  const socket = connectTcp(Number(new URL(url).port), '127.0.0.1');
  socket.on('error', () => undefined);
  return socket;
}

/** All that a server says until it hangs up. */
function heard(socket: Socket): Promise<string> {
  return new Promise((resolve) => {
    let text = '';
    socket.on('data', (chunk: Buffer) => (text += chunk.toString('latin1')));
    socket.on('close', () => resolve(text));
  });
}

describe('one port', () => {
  test('serves gRPC and HTTP/1.1 alike', async () => {
    const { url } = await listen();
    expect((await channelTo(url).unary('etcdserverpb.KV/Range', RANGE)).count).toBe(1);
    const answer = await fetch(`${url}/hello?name=you`);
    expect([answer.status, await answer.text()]).toEqual([200, 'hello you']);
  });

  test('decides by the first three bytes, however they come', async () => {
    const { url } = await listen();
    for (const [first, rest] of [
      ['G', 'ET /hello?name=x HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n'],
      ['P', 'OST /hello HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n'],
    ] as const) {
      const socket = tcpTo(url);
      const text = heard(socket);
      socket.setNoDelay(true);
      socket.write(first);
      await new Promise((resolve) => void setImmediate(resolve));
      socket.write(rest);
      expect(await text).toMatch(/^HTTP\/1.1 (200|405)/);
    }
    const http2 = tcpTo(url);
    const answer = heard(http2);
    http2.write('PR');
    await new Promise((resolve) => void setImmediate(resolve));
    http2.write('I * HTTP/2.0\r\n\r\nSM\r\n\r\nnot a frame at all');
    expect((await answer).charCodeAt(3)).toBe(4);
  });

  test('waits for the rest of the first bytes while others are served', async () => {
    const { url } = await listen();
    // The fourth byte is of `HTTP`, or the type of a frame: SETTINGS.
    for (const [pieces, fourth] of [
      [['P', 'OST /hello HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n'], 'P'],
      [['P', 'R', 'I * HTTP/2.0\r\n\r\nSM\r\n\r\nnot a frame at all'], '\u0004'],
    ] as const) {
      const socket = tcpTo(url);
      const text = heard(socket);
      socket.setNoDelay(true);
      for (const piece of pieces) {
        socket.write(piece);
        expect((await fetch(`${url}/hello?name=you`)).status).toBe(200);
      }
      expect((await text)[3]).toBe(fourth);
    }
  });

  test('answers 404 for what it does not know and 405 for a wrong method', async () => {
    const { url } = await listen();
    expect((await fetch(`${url}/nothing`)).status).toBe(404);
    const wrong = await fetch(`${url}/hello`, { method: 'DELETE' });
    expect([wrong.status, wrong.headers.get('allow')]).toEqual([405, 'GET']);
  });

  test('that is taken is refused with its address, and nothing else is left open', async () => {
    const { url } = await listen();
    const again = listenForClients({
      urls: ['http://127.0.0.1:0', url],
      handlers: ok,
      clock: realClock,
      maxRequestBytes: 1,
      routes,
    });
    const { host } = new URL(url);
    await expect(again).rejects.toMatchObject({
      code: 'LISTEN_FAILED',
      message: `listen tcp ${host}: bind: address already in use`,
    });
  });

  test('over TLS is refused while there is no TLS', async () => {
    const listening = listenForClients({
      urls: ['https://127.0.0.1:0'],
      handlers: ok,
      clock: realClock,
      maxRequestBytes: 1,
      routes,
    });
    await expect(listening).rejects.toMatchObject({ code: 'BAD_OPTION' });
  });
});

describe('another implementation of HTTP/2', () => {
  test('is understood: Huffman strings, kept headers, a large answer through its windows', async () => {
    const { url } = await listen({
      'etcdserverpb.KV/Range': ({ limit }, { metadata }) => {
        const value = new Uint8Array(limit);
        const key = new TextEncoder().encode(metadata.get('token'));
        return Promise.resolve(RangeResponse.fromPartial({ kvs: [{ key, value }], count: 1 }));
      },
    });
    const session = connectHttp2(url);
    toClose.push(() => new Promise<void>((resolve) => session.close(() => resolve())));
    for (const limit of [0, 10, 500_000]) {
      const token = `a token of ${limit} #[]{}~^|<>"`;
      const stream = session.request({
        ':method': 'POST',
        ':path': '/etcdserverpb.KV/Range',
        'content-type': 'application/grpc',
        te: 'trailers',
        'grpc-timeout': '9S',
        token,
      });
      const body: Buffer[] = [];
      stream.on('data', (chunk: Buffer) => body.push(chunk));
      const trailers = new Promise<Record<string, unknown>>(
        (resolve) => void stream.once('trailers', resolve),
      );
      stream.end(RangeRequest.encodeFrame({ ...RANGE, limit }));
      expect(await trailers).toMatchObject({ 'grpc-status': '0' });
      const { kvs } = RangeResponse.decode(Buffer.concat(body).subarray(5));
      expect([Buffer.from(kvs[0]?.key ?? []).toString(), kvs[0]?.value.length]).toEqual([
        token,
        limit,
      ]);
    }
  });
});

describe('the raw request', () => {
  test('reaches the handler of a unary call byte for byte', async () => {
    const request = PutRequest.fromPartial({
      key: new Uint8Array([1]),
      value: new Uint8Array([2, 3]),
      lease: -1n,
    });
    let raw: Uint8Array | undefined;
    const { url } = await listen({
      'etcdserverpb.KV/Put': (_request, context) => {
        raw = context.rawRequest;
        return Promise.resolve({});
      },
    });
    await channelTo(url).unary('etcdserverpb.KV/Put', request);
    expect(raw).toEqual(PutRequest.encode(request));
  });
});

describe('a request that is too large', () => {
  test("is refused in grpc-go's words, and the connection goes on", async () => {
    const { url } = await listen();
    const channel = channelTo(url);
    const value = new Uint8Array(3_000_000);
    const put = PutRequest.fromPartial({ key: new Uint8Array([1]), value });
    await expect(channel.unary('etcdserverpb.KV/Put', put)).rejects.toMatchObject({
      code: 'UNIMPLEMENTED',
    });
    await expect(
      channel.unary('etcdserverpb.KV/Range', { ...RANGE, key: value }),
    ).rejects.toMatchObject({
      code: 'RESOURCE_EXHAUSTED',
      message: expect.stringMatching(
        /^grpc: received message larger than max \(3\d{6} vs\. 2097152\)$/,
      ) as string,
    });
    expect((await channel.unary('etcdserverpb.KV/Range', RANGE)).count).toBe(1);
  });
});

describe('closing', () => {
  test('ends streams with STOPPED, lets unary calls end, frees the port', async () => {
    let answer: (() => void) | undefined;
    const { listener, url } = await listen({
      'etcdserverpb.KV/Range': () =>
        new Promise((resolve) => {
          answer = () => resolve(RangeResponse.fromPartial({ count: 7 }));
        }),
      'etcdserverpb.Watch/Watch': async (requests) => {
        for await (const _request of requests) void _request;
      },
    });
    const channel = channelTo(url);
    const call = channel.unary('etcdserverpb.KV/Range', RANGE);
    const stream = channel.stream('etcdserverpb.Watch/Watch');
    stream.send({});
    while (answer === undefined) await new Promise((resolve) => void setImmediate(resolve));
    const closed = listener.close(10_000);
    await expect(stream.responses[Symbol.asyncIterator]().next()).rejects.toMatchObject({
      code: 'STOPPED',
    });
    answer();
    expect((await call).count).toBe(7);
    await channel.close();
    await closed;
    await expect(fetch(`${url}/hello`)).rejects.toThrow();
  });

  test('gives up on calls that outlast the grace time', async () => {
    let called = false;
    const { listener, url } = await listen({
      'etcdserverpb.KV/Range': () => {
        called = true;
        return new Promise(() => undefined);
      },
    });
    const call = channelTo(url)
      .unary('etcdserverpb.KV/Range', RANGE)
      .catch((error: unknown) => error);
    while (!called) await new Promise((resolve) => void setImmediate(resolve));
    await listener.close(20);
    expect(await call).toMatchObject({ status: 14 });
  });

  test('hangs up on connections that have said nothing', async () => {
    const { listener, url } = await listen();
    const socket = tcpTo(url);
    const closed = heard(socket);
    await new Promise((resolve) => socket.once('connect', resolve));
    await listener.close(0);
    expect(await closed).toBe('');
  });

  test('one node leaves the other in the same process alone', async () => {
    const first = await listen();
    const second = await listen();
    const client = connectClient({ endpoints: [second.url] });
    toClose.push(() => client.close());
    expect(await client.count('a')).toBe(1);
    await first.listener.close(0);
    expect(await client.count('a')).toBe(1);
  });
});
