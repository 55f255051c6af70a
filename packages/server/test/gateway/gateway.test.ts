import { type AddressInfo, createServer } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { utf8 } from '@etcd-ts/base';
import {
  type CallContext,
  EtcdError,
  type Handlers,
  KeyValue,
  LeaseKeepAliveResponse,
  type PutResponse,
  RangeResponse,
  WatchResponse,
} from '@etcd-ts/protocol';
import { Gateway } from '../../src/listeners/node/gateway.ts';
import { HttpServer } from '../../src/listeners/node/http.ts';
import { systemClock } from '../../src/node/system-clock.ts';

let lastContext: CallContext | undefined;
let watchEnded: Promise<unknown> = Promise.resolve();

const handlers: Handlers = {
  'etcdserverpb.KV/Range': async (request, context) => {
    lastContext = context;
    if (request.key.length === 0) throw new EtcdError('EMPTY_KEY');
    if (request.rangeEnd.length > 0) {
      const header = { clusterId: 1n, memberId: 2n, revision: 3, raftTerm: 4 };
      const kvs = [KeyValue.fromPartial({ key: request.key })];
      if (context.rangeParts === undefined) return RangeResponse.fromPartial({ header, kvs });
      context.rangeParts.begin(header);
      await context.rangeParts.take(kvs);
      await context.rangeParts.take(kvs);
      if (request.limit > 0) throw new EtcdError('COMPACTED');
      return RangeResponse.fromPartial({ header, count: 2 });
    }
    return RangeResponse.fromPartial({ kvs: [{ key: request.key }], count: request.limit });
  },
  'etcdserverpb.KV/Put': () => new Promise<PutResponse>(() => undefined),
  'etcdserverpb.Watch/Watch': async (requests, context, responses) => {
    watchEnded = new Promise((resolve) => context.signal.addEventListener('abort', resolve));
    for await (const request of requests) {
      const id = BigInt(
        request.requestUnion?.value && 'watchId' in request.requestUnion.value
          ? request.requestUnion.value.watchId
          : 0,
      );
      responses.send(WatchResponse.fromPartial({ created: true, watchId: id }));
    }
    await watchEnded;
  },
  'etcdserverpb.Lease/LeaseKeepAlive': async (requests, _context, responses) => {
    for await (const { ID } of requests) {
      if (ID === 13n) throw new EtcdError('NO_LEADER');
      responses.send(LeaseKeepAliveResponse.fromPartial({ ID, TTL: 5 }));
    }
  },
};

describe('the JSON gateway', () => {
  const http = new HttpServer({
    routes: new Map(),
    gateway: new Gateway({ handlers, clock: systemClock, maxMessageBytes: 5_000 }),
    access: { origins: ['*'], hosts: ['*'] },
  });
  const server = createServer((socket) => http.accept(socket));
  let url: string;

  beforeAll(async () => {
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  });
  afterAll(() => {
    http.close();
    server.close();
  });

  const post = (path: string, body: string, headers: Record<string, string> = {}) =>
    fetch(url + path, { method: 'POST', body, headers });

  test('a unary call answers one JSON object, and reads only the first value', async () => {
    const response = await post('/v3/kv/range', '{"key":"Zm9v","limit":3} trailing');
    expect(response.status).toBe(200);
    expect(response.headers.get('content-type')).toBe('application/json');
    expect(response.headers.get('grpc-metadata-content-type')).toBe('application/grpc');
    expect(await response.text()).toBe('{"kvs":[{"key":"Zm9v"}],"count":"3"}');
    expect((await post('/v3beta/kv/range', '{"key":"Zm9v"}')).status).toBe(200);
  });

  test('every answer carries the CORS headers, and OPTIONS is always welcome', async () => {
    const preflight = await fetch(`${url}/v3/kv/range`, { method: 'OPTIONS' });
    expect([preflight.status, await preflight.text()]).toEqual([200, '']);
    for (const response of [preflight, await post('/nowhere', '')]) {
      expect(response.headers.get('access-control-allow-origin')).toBe('*');
      expect(response.headers.get('access-control-allow-methods')).toContain('POST');
    }
  });

  test('an empty body is an empty request, and an error has its status, code and text', async () => {
    const response = await post('/v3/kv/range', '');
    expect(response.status).toBe(400);
    expect(await response.json()).toEqual({ code: 3, message: 'etcdserver: key is not provided' });
    const broken = await post('/v3/kv/range', '{"key":');
    expect([broken.status, await broken.json()]).toEqual([
      400,
      { code: 3, message: 'unexpected EOF' },
    ]);
  });

  test('a wrong method is 501 and an unknown path 404, as grpc-gateway answers', async () => {
    const wrong = await fetch(`${url}/v3/kv/range`);
    expect([wrong.status, await wrong.json()]).toEqual([
      501,
      { code: 12, message: 'Method Not Allowed' },
    ]);
    const unknown = await post('/v3/kv/bogus', '{}');
    expect([unknown.status, await unknown.json()]).toEqual([
      404,
      { code: 5, message: 'Not Found' },
    ]);
    expect((await post('/v3alpha/kv/range', '{}')).status).toBe(404);
    expect((await post('/v3/kv/txn', '{}')).status).toBe(501);
  });

  test('a token comes as authorization header or as metadata', async () => {
    await post('/v3/kv/range', '{"key":"Zm9v"}', {
      authorization: 'abc.1',
      'grpc-metadata-hasleader': 'true',
    });
    expect(lastContext?.metadata.get('authorization')).toBe('abc.1');
    expect(lastContext?.metadata.get('hasleader')).toBe('true');
    expect(lastContext?.peer.via).toBe('gateway');
  });

  test('a body beyond the limit is refused, and so is one that does not end in time', async () => {
    const large = await post('/v3/kv/range', JSON.stringify({ key: 'A'.repeat(20_000) }));
    expect(large.status).toBe(429);
    expect(await large.json()).toMatchObject({ code: 8 });
    const late = await post('/v3/kv/put', '{"key":"Zm9v"}', { 'grpc-timeout': '10m' });
    expect(late.status).toBe(504);
  });

  test('a range that comes in parts is one JSON object, and cut off when it cannot be ended', async () => {
    const response = await post('/v3/kv/range', '{"key":"Zm9v","range_end":"AA=="}');
    expect(await response.text()).toBe(
      '{"header":{"cluster_id":"1","member_id":"2","revision":"3","raft_term":"4"},' +
        '"kvs":[{"key":"Zm9v"},{"key":"Zm9v"}],"count":"2"}',
    );
    await expect(
      post('/v3/kv/range', '{"key":"Zm9v","range_end":"AA==","limit":1}').then((half) =>
        half.text(),
      ),
    ).rejects.toThrow();
  });

  test('a stream answers one chunk per message, for every JSON value of the body', async () => {
    const response = await post('/v3/lease/keepalive', '{"ID":"1"}{"ID":2}\n{"ID":3}');
    expect(await response.text()).toBe(
      '{"result":{"ID":"1","TTL":"5"}}\n{"result":{"ID":"2","TTL":"5"}}\n{"result":{"ID":"3","TTL":"5"}}\n',
    );
  });

  test('a stream that fails says so in its last line, or as its status when nothing was sent', async () => {
    const late = await post('/v3/lease/keepalive', '{"ID":"1"}{"ID":13}');
    expect(await late.text()).toBe(
      '{"result":{"ID":"1","TTL":"5"}}\n{"error":{"code":14,"message":"etcdserver: no leader"}}\n',
    );
    const early = await post('/v3/lease/keepalive', '{"ID":"13"}');
    expect([early.status, await early.json()]).toEqual([
      503,
      { error: { code: 14, message: 'etcdserver: no leader' } },
    ]);
    const broken = await post('/v3/lease/keepalive', '{"ID":');
    expect([broken.status, await broken.json()]).toEqual([
      400,
      { error: { code: 3, message: 'unexpected EOF' } },
    ]);
  });

  test('a watch goes on after the body has ended, and its handler hears when the client goes', async () => {
    const leaving = new AbortController();
    const response = await fetch(`${url}/v3/watch`, {
      method: 'POST',
      body: JSON.stringify({
        create_request: { key: Buffer.from(utf8('a')).toString('base64'), watch_id: '7' },
      }),
      signal: leaving.signal,
    });
    const { value } = await response.body!.getReader().read();
    expect(new TextDecoder().decode(value)).toBe('{"result":{"watch_id":"7","created":true}}\n');
    leaving.abort();
    await watchEnded;
  });
});
