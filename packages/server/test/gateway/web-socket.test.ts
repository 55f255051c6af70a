import { once } from 'node:events';
import { type AddressInfo, connect, createServer } from 'node:net';
import { duplexPair } from 'node:stream';
import {
  EtcdError,
  type Handlers,
  LeaseKeepAliveResponse,
  RangeResponse,
  SnapshotResponse,
  WatchResponse,
} from '@etcd-ts/protocol';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { Gateway } from '../../src/listeners/node/gateway.ts';
import { HttpServer } from '../../src/listeners/node/http.ts';
import { systemClock } from '../../src/node/system-clock.ts';

const MAX_MESSAGE_BYTES = 5_000;
let heardGone: Promise<void>;
let sent = 0;

const handlers: Handlers = {
  'etcdserverpb.KV/Range': ({ key }, { metadata }) =>
    key.length === 0
      ? Promise.reject(new EtcdError('EMPTY_KEY'))
      : Promise.resolve(
          RangeResponse.fromPartial({
            kvs: [{ key, value: new TextEncoder().encode(metadata.get('authorization') ?? '') }],
          }),
        ),
  'etcdserverpb.Lease/LeaseKeepAlive': async (requests, _context, responses) => {
    for await (const { ID } of requests) {
      if (ID === 13n) throw new EtcdError('NO_LEADER');
      responses.send(LeaseKeepAliveResponse.fromPartial({ ID, TTL: 5 }));
    }
  },
  'etcdserverpb.Maintenance/Snapshot': async (requests, _context, responses) => {
    for await (const _ of requests) responses.send(SnapshotResponse.fromPartial({}));
  },
  // Sends until it is told to wait, and again when it may.
  'etcdserverpb.Watch/Watch': async (requests, { signal }, responses) => {
    heardGone = new Promise((resolve) => {
      signal.addEventListener('abort', () => resolve());
    });
    for await (const _ of requests) {
      const cancelReason = 'x'.repeat(10_000);
      while (!signal.aborted) {
        sent += 1;
        if (!responses.send(WatchResponse.fromPartial({ cancelReason }))) await responses.drained();
      }
    }
  },
};

describe('the gateway over a WebSocket', () => {
  const http = new HttpServer({
    routes: new Map([
      ['/page', { answer: () => Promise.resolve({ status: 200, contentType: 'a/b', body: 'p' }) }],
    ]),
    gateway: new Gateway({ handlers, clock: systemClock, maxMessageBytes: MAX_MESSAGE_BYTES }),
    access: { origins: ['*'], hosts: ['127.0.0.1'] },
  });
  const server = createServer((socket) => http.accept(socket));
  let port: number;

  beforeAll(async () => {
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    ({ port } = server.address() as AddressInfo);
  });
  afterAll(() => {
    http.close();
    server.close();
  });

  interface Talk {
    readonly socket: WebSocket;
    /** The next message. */
    readonly next: () => Promise<string>;
    readonly closed: Promise<number>;
  }

  async function open(
    path: string,
    { protocols = [], headers = {} }: { protocols?: string[]; headers?: object } = {},
  ): Promise<Talk> {
    const socket = new WebSocket(`ws://127.0.0.1:${port}${path}`, protocols, { headers } as never);
    const messages: string[] = [];
    let wake: (() => void) | undefined;
    socket.on('message', (data: Buffer) => {
      messages.push(data.toString());
      wake?.();
    });
    const closed = new Promise<number>((resolve) => {
      socket.on('close', resolve);
    });
    await new Promise<void>((resolve, reject) => {
      socket.once('open', resolve);
      socket.once('error', reject);
    });
    const next = async (): Promise<string> => {
      while (messages.length === 0) {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
      return messages.shift() ?? '';
    };
    return { socket, next, closed };
  }

  test('a stream of answers to one request ends when they are all there', async () => {
    const { socket, next, closed } = await open('/v3/maintenance/snapshot');
    socket.send('{}{}');
    expect(await next()).toBe('{"result":{}}');
    expect(await closed).toBe(1000);
  });

  test('a unary call is answered after the first value, in however many messages it comes', async () => {
    const { socket, next, closed } = await open('/v3/kv/range');
    socket.send('{"key":');
    socket.send(Buffer.from('"Zm9v"}'));
    expect(await next()).toBe('{"kvs":[{"key":"Zm9v"}]}');
    expect(await closed).toBe(1000);
  });

  test('what fails is told as a message', async () => {
    const refused = await open('/v3/kv/range');
    refused.socket.send('{}');
    expect(await refused.next()).toBe('{"code":3,"message":"etcdserver: key is not provided"}');
    const broken = await open('/v3beta/kv/range');
    broken.socket.send('nope');
    expect(await broken.next()).toContain('invalid character');
    const unknown = await open('/v3/nope');
    expect(await unknown.next()).toBe('{"code":5,"message":"Not Found"}');
  });

  test('a stream takes requests as they come, and ends with its error', async () => {
    const { socket, next, closed } = await open('/v3/lease/keepalive');
    socket.send('{"ID":1}{"ID":2}');
    expect(await next()).toBe('{"result":{"ID":"1","TTL":"5"}}');
    expect(await next()).toBe('{"result":{"ID":"2","TTL":"5"}}');
    socket.send('{"ID":13}');
    expect(await next()).toBe('{"error":{"code":14,"message":"etcdserver: no leader"}}');
    expect(await closed).toBe(1000);
  });

  test('a token may come as sub-protocol, cookie or header', async () => {
    const ways = [
      [{ protocols: ['Bearer', 'tok'] }, 'Bearer tok'],
      [{ headers: { Cookie: 'a=b; token=tok' } }, 'Bearer tok'],
      [{ headers: { Authorization: 'tok' } }, 'tok'],
    ] as const;
    for (const [way, token] of ways) {
      const { socket, next } = await open('/v3/kv/range', way as never);
      socket.send('{"key":"Zm9v"}');
      const value = Buffer.from(token).toString('base64');
      expect(await next()).toBe(`{"kvs":[{"key":"Zm9v","value":"${value}"}]}`);
    }
  });

  test('a message that is too large ends it', async () => {
    const { socket, closed } = await open('/v3/kv/range');
    socket.on('error', () => undefined);
    socket.send('x'.repeat(10 * MAX_MESSAGE_BYTES));
    expect(await closed).toBe(1009);
  });

  test('a reader that is slow holds its handler back, and its going ends the call', async () => {
    const { socket, next } = await open('/v3/watch');
    sent = 0;
    socket.send('{"createRequest":{"key":"Zm9v"}}');
    await next();
    socket.pause();
    let before = -1;
    // It goes on until the buffers are full, of the system too; then no more is sent.
    while (sent !== before) {
      before = sent;
      await new Promise((resolve) => {
        setTimeout(resolve, 50);
      });
    }
    socket.terminate();
    await heardGone;
  });

  /** All that a server says to these bytes until it hangs up. */
  function raw(text: string): Promise<string> {
    return new Promise((resolve) => {
      const socket = connect(port, '127.0.0.1', () => socket.write(text));
      let heard = '';
      socket.on('data', (chunk: Buffer) => {
        heard += chunk.toString();
      });
      socket.on('close', () => resolve(heard));
    });
  }

  test('another upgrade is passed over, with its body, and so is one of a page', async () => {
    const head =
      'Host: 127.0.0.1\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAM';
    const body = '{"key":"Zm9v"}';
    const post = `POST /v3/kv/range HTTP/1.1\r\n${head}\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
    const close = 'GET /page HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n';
    const heard = await raw(post + close);
    expect(heard).toContain('{"kvs":[{"key":"Zm9v"}]}');
    expect(heard).toMatch(/p$/);
    const page =
      'GET /page HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\nUpgrade: websocket';
    expect(await raw(`${page}\r\n\r\n${close}`)).toMatch(/^HTTP\/1.1 200 OK/);
  });

  test('a connection that asks for upgrade after upgrade has no more listeners than before', async () => {
    const [near, far] = duplexPair();
    http.accept(far);
    const ask = async (): Promise<number> => {
      near.write('GET /page HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: none\r\n\r\n');
      await once(near, 'data');
      return far.eventNames().reduce((sum, name) => sum + far.listenerCount(name), 0);
    };
    await ask();
    const after = await ask();
    for (let i = 0; i < 20; i++) expect(await ask()).toBe(after);
    near.destroy();
    far.destroy();
  });

  test('a host that is not ours gets no WebSocket', async () => {
    const head =
      'GET /v3/watch HTTP/1.1\r\nHost: evil\r\nConnection: Upgrade\r\nUpgrade: websocket';
    const close = 'GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n';
    expect(await raw(`${head}\r\n\r\n${close}`)).toMatch(/^HTTP\/1.1 421 /);
  });
});
