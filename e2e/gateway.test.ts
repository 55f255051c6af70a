/**
 * The gateway with curl, as a script would use it: what README-like examples do, in their order, against one member as a
 * process.
 */
import { spawn, spawnSync } from 'node:child_process';
import { createInterface } from 'node:readline';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Cluster, runTool } from './harness/cluster.ts';
import { programUnderTest } from './harness/under-test.ts';

const base64 = (text: string): string => Buffer.from(text).toString('base64');

const hasCurl = spawnSync('curl', ['--version']).status === 0;
if (!hasCurl) console.log('skipped, there is no curl');

describe.runIf(hasCurl)('curl against the gateway', () => {
  let cluster: Cluster;
  let url: string;

  beforeAll(async () => {
    cluster = await Cluster.start({ size: 1, program: programUnderTest() });
    const [endpoint = ''] = cluster.endpoints.split(',');
    url = endpoint.startsWith('http') ? endpoint : `http://${endpoint}`;
  }, 60_000);
  afterAll(async () => {
    await cluster?.dispose();
  });

  /** Posts JSON, and gives the status and the JSON that come back. */
  async function curl(
    path: string,
    body: object,
    ...headers: readonly string[]
  ): Promise<{ status: number; body: Record<string, unknown> }> {
    const options = ['-s', '-L', '-w', '\n%{http_code}', '-X', 'POST', '-d', JSON.stringify(body)];
    const more = headers.flatMap((header) => ['-H', header]);
    const ran = await runTool('curl', [...options, ...more, `${url}/v3/${path}`]);
    expect(ran.code).toBe(0);
    const [text = '', status] = ran.stdout.trimEnd().split(/\n(?=\d+$)/);
    return { status: Number(status), body: JSON.parse(text) as Record<string, unknown> };
  }

  test('put, range, range of a prefix, delete', async () => {
    await curl('kv/put', { key: base64('foo'), value: base64('bar') });
    const { body } = await curl('kv/range', { key: base64('foo') });
    expect(body).toMatchObject({ count: '1', kvs: [{ key: 'Zm9v', value: 'YmFy', version: '1' }] });
    await curl('kv/put', { key: base64('foo2'), value: base64('bar2') });
    const prefix = await curl('kv/range', { key: base64('foo'), range_end: base64('fop') });
    expect(prefix.body['count']).toBe('2');
    const deleted = await curl('kv/deleterange', { key: base64('foo2') });
    expect(deleted.body['deleted']).toBe('1');
  });

  test('a transaction that compares', async () => {
    const { body } = await curl('kv/txn', {
      compare: [{ target: 'VALUE', key: base64('foo'), value: base64('bar') }],
      success: [{ requestPut: { key: base64('foo'), value: base64('baz') } }],
      failure: [{ requestRange: { key: base64('foo') } }],
    });
    expect(body).toMatchObject({ succeeded: true, responses: [{ response_put: {} }] });
  });

  test('a watch tells what happens, one JSON object a line', async () => {
    const request = JSON.stringify({ create_request: { key: base64('watched') } });
    const watch = spawn('curl', ['-s', '-N', `${url}/v3/watch`, '-X', 'POST', '-d', request]);
    const lines = createInterface({ input: watch.stdout })[Symbol.asyncIterator]();
    const next = async (): Promise<unknown> => JSON.parse((await lines.next()).value as string);
    expect(await next()).toMatchObject({ result: { created: true } });
    await curl('kv/put', { key: base64('watched'), value: base64('now') });
    expect(await next()).toMatchObject({
      result: { events: [{ kv: { key: base64('watched'), value: base64('now') } }] },
    });
    watch.kill();
  });

  test('a lease that is granted, kept alive, looked at and revoked', async () => {
    expect((await curl('lease/grant', { TTL: 60, ID: 77 })).body).toMatchObject({
      ID: '77',
      TTL: '60',
    });
    await curl('kv/put', { key: base64('leased'), value: base64('v'), lease: '77' });
    expect((await curl('lease/keepalive', { ID: 77 })).body).toMatchObject({
      result: { ID: '77', TTL: '60' },
    });
    const { body } = await curl('lease/timetolive', { ID: 77, keys: true });
    expect(body).toMatchObject({ grantedTTL: '60', keys: [base64('leased')] });
    await curl('lease/revoke', { ID: 77 });
    const gone = await curl('kv/range', { key: base64('leased') });
    expect(gone.body).not.toHaveProperty('count');
    // What has run out or never was is told by the absence of a TTL, which scripts go by.
    expect((await curl('lease/keepalive', { ID: 77 })).body['result']).not.toHaveProperty('TTL');
  });

  test('users: enabling, logging in, and the token on a request', async () => {
    await curl('auth/user/add', { name: 'root', password: 'pass' });
    await curl('auth/role/add', { name: 'root' });
    await curl('auth/user/grant', { user: 'root', role: 'root' });
    await curl('auth/enable', {});
    const refused = await curl('kv/range', { key: base64('foo') });
    expect(refused.status).toBe(400);
    expect(refused.body).toMatchObject({ code: 3, message: 'etcdserver: user name is empty' });
    const login = await curl('auth/authenticate', { name: 'root', password: 'pass' });
    const token = `Authorization: ${login.body['token'] as string}`;
    expect((await curl('kv/range', { key: base64('foo') }, token)).body['count']).toBe('1');
    const wrong = await curl('kv/range', { key: base64('foo') }, 'Authorization: nonsense');
    expect([wrong.status, wrong.body['code']]).toEqual([401, 16]);
    await curl('auth/disable', {}, token);
  });

  test('what monitors ask for', async () => {
    const get = async (path: string): Promise<string> =>
      (await runTool('curl', ['-s', url + path])).stdout;
    expect(JSON.parse(await get('/health'))).toEqual({ health: 'true', reason: '' });
    expect(await get('/livez')).toBe('ok\n');
    expect(await get('/readyz?verbose')).toContain('[+]serializable_read ok\n');
    const version = JSON.parse(await get('/version')) as Record<string, string>;
    expect(version['etcdserver']).toMatch(/^\d+\.\d+\.\d+$/);
    expect(version['etcdcluster']).toMatch(/^\d+\.\d+\.\d+$/);
    expect(await get('/metrics')).toContain('etcd_server_has_leader 1\n');
  });
});
