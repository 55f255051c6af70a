import { type AddressInfo, createServer } from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import type { AccessRules } from '../../src/listeners/access.ts';
import { profileRoutes } from '../../src/listeners/node/debug-routes.ts';
import { HttpServer } from '../../src/listeners/node/http.ts';
import type { Route } from '../../src/listeners/route.ts';
import { ask, type Comparable } from '../gateway/ask.ts';

const toClose: (() => void)[] = [];

afterEach(() => {
  for (const close of toClose.splice(0)) close();
});

const PAGE: Route = {
  answer: (query) =>
    Promise.resolve({ status: 200, contentType: 'text/plain', body: `<${query.toString()}>` }),
};

async function serve(
  access?: AccessRules,
  routes: ReadonlyMap<string, Route> = new Map([
    ['/page', PAGE],
    ['/any', { ...PAGE, anyMethod: true }],
    ['/folder/', PAGE],
    ['/broken', { answer: () => Promise.reject(new Error('no luck')) }],
  ]),
): Promise<string> {
  const http = new HttpServer({ routes, ...(access === undefined ? {} : { access }) });
  const server = createServer((socket) => http.accept(socket));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  toClose.push(() => {
    http.close();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

function get(url: string, path: string, headers: Record<string, string> = {}): Promise<Comparable> {
  return ask(url, { method: 'GET', path, headers });
}

describe('the HTTP door', () => {
  test('sends whoever asks by an unclean path to the clean one, with what was asked', async () => {
    const url = await serve();
    const moves = [
      ['//page', '/page'],
      ['/./x/../page?a=b', '/page?a=b'],
      ['/folder?a', '/folder/?a'],
      ['/a%2F..%2Fpage', '/page'],
    ];
    for (const [from = '', to] of moves) {
      const { status, headers, body } = await get(url, from);
      expect([status, headers['location'], body]).toEqual([
        301,
        to,
        `<a href="${to}">Moved Permanently</a>.\n\n`,
      ]);
    }
    expect((await get(url, '/p%61ge?a=b')).body).toBe('<a=b>');
    expect((await get(url, '/%zz')).status).toBe(400);
  });

  test('takes any method only where a route says so', async () => {
    const url = await serve();
    const { status, headers, body } = await ask(url, { method: 'DELETE', path: '/page' });
    expect([status, headers['allow'], body]).toEqual([405, 'GET', 'Method Not Allowed\n']);
    expect((await ask(url, { method: 'DELETE', path: '/any' })).status).toBe(200);
    expect((await get(url, '/nowhere')).body).toBe('404 page not found\n');
    expect((await get(url, '/broken')).status).toBe(500);
  });

  test('names the origins that may ask, one by one or all', async () => {
    const some = await serve({ origins: ['http://a:1', 'http://b:2'], hosts: ['*'] });
    const allowed = 'access-control-allow-origin';
    const origin = async (url: string, name: string): Promise<unknown> =>
      (await get(url, '/page', { Origin: name })).headers[allowed];
    expect(await origin(some, 'http://b:2')).toBe('http://b:2');
    expect(await origin(some, 'http://c:3')).toBeUndefined();
    const all = await serve({ origins: ['*'], hosts: ['*'] });
    expect(await origin(all, 'http://c:3')).toBe('*');
    const options = await ask(all, { method: 'OPTIONS', path: '/nowhere' });
    expect([options.status, options.headers[allowed]]).toEqual([200, '*']);
    expect((await get(await serve(), '/page')).headers[allowed]).toBeUndefined();
  });

  test('answers for the hosts that it knows alone', async () => {
    const url = await serve({ origins: ['*'], hosts: ['good.example', '::1'] });
    for (const Host of ['good.example', 'good.example:99', '[::1]:99']) {
      expect((await get(url, '/page', { Host })).status).toBe(200);
    }
    const refused = await get(url, '/page', { Host: 'evil.example:99' });
    expect(refused.status).toBe(421);
    expect(refused.body).toContain('etcd --host-whitelist "evil.example"');
    expect(refused.headers['access-control-allow-origin']).toBeUndefined();
  });
});

describe('/debug/pprof/', () => {
  test('has a profile of the CPU, one at a time and not for ever', async () => {
    const url = await serve(undefined, profileRoutes());
    const profile = `${url}/debug/pprof/profile?seconds=0.2`;
    const [one, other] = await Promise.all([fetch(profile), fetch(profile)]);
    const [good, busy] = one.status === 200 ? [one, other] : [other, one];
    expect(await good.text()).toMatch(/^\{"nodes":/);
    expect(busy.status).toBe(500);
    expect((await get(url, '/debug/pprof/profile?seconds=1e9')).status).toBe(400);
    expect((await get(url, '/debug/pprof/profile?seconds=x')).status).toBe(400);
  });

  test('has a snapshot of the heap, sent as it is made, an index and the command line', async () => {
    const url = await serve(undefined, profileRoutes());
    const heap = await fetch(`${url}/debug/pprof/heap`);
    const reader = heap.body?.getReader();
    const first = await reader?.read();
    expect(new TextDecoder().decode(first?.value)).toContain('"snapshot"');
    await reader?.cancel();
    expect((await get(url, '/debug/pprof')).status).toBe(301);
    expect((await get(url, '/debug/pprof/')).body).toContain('href="profile"');
    expect((await get(url, '/debug/pprof/cmdline')).body).toContain(process.argv[0]);
    expect((await get(url, '/debug/pprof/goroutine')).status).toBe(404);
  });
});
