/** Flags by what they do: a node from a command line, and what it does then. */
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { utf8 } from '@etcd-ts/base';
import { op } from '@etcd-ts/client';
import { afterAll, afterEach, expect, test } from 'vitest';
import { closeAll, nodeFrom, type Started } from './node-from.ts';

const scratch = mkdtempSync(join(tmpdir(), 'etcd-ts-effects-'));
afterEach(closeAll);
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

async function members({ node }: Started) {
  const request = { linearizable: true };
  return (await node.channel().unary('etcdserverpb.Cluster/MemberList', request)).members;
}

async function statusOf(url: string, headers: Record<string, string> = {}): Promise<number> {
  const response = await fetch(url, { headers });
  await response.arrayBuffer();
  return response.status;
}

const code = (promise: Promise<unknown>): Promise<string> =>
  promise.then(
    () => 'OK',
    (error: { code?: string; message: string }) => error.code ?? error.message,
  );

test('--name, --advertise-client-urls and --initial-advertise-peer-urls are what the member list tells', async () => {
  const started = await nodeFrom(
    '--name=m1',
    '--advertise-client-urls=http://c:1,http://c:2',
    '--initial-advertise-peer-urls=http://p:1',
    '--initial-cluster=m1=http://p:1',
  );
  expect(await members(started)).toMatchObject([
    { name: 'm1', clientURLs: ['http://c:1', 'http://c:2'], peerURLs: ['http://p:1'] },
  ]);
});

test('--data-dir and --wal-dir are where things are', async () => {
  const dataDir = join(scratch, 'data');
  const walDir = join(scratch, 'wal');
  await nodeFrom(`--data-dir=${dataDir}`, `--wal-dir=${walDir}`);
  expect(existsSync(join(dataDir, 'member', 'db'))).toBe(true);
  expect(existsSync(join(dataDir, 'member', 'wal'))).toBe(false);
  expect(existsSync(join(walDir, '0000000000000000-0000000000000001.wal'))).toBe(true);
});

test('--initial-cluster-token goes into the ids', async () => {
  const [a, b] = [await nodeFrom(), await nodeFrom('--initial-cluster-token=other')];
  expect(a.node.clusterId).not.toBe(b.node.clusterId);
  expect(a.node.memberId).not.toBe(b.node.memberId);
});

test('--election-timeout is what the least time of leases derives from', async () => {
  const { client } = await nodeFrom('--election-timeout=4000');
  expect((await client.lease.grant(1)).ttlSeconds).toBe(6);
});

test('--snapshot-count and --snapshot-catchup-entries say when the log is dropped, and what stays of it', async () => {
  const { client, said } = await nodeFrom('--snapshot-count=20', '--snapshot-catchup-entries=7');
  const find = (message: string) => said.find((line) => line.message === message)?.fields;
  for (let i = 0; i < 60 && find('compacted Raft logs') === undefined; i++) {
    await client.put('k', String(i));
  }
  const mark = find('saved snapshot')?.['snapshot-index'] as number;
  expect(mark).toBeGreaterThanOrEqual(20);
  expect(find('compacted Raft logs')?.['compact-index']).toBe(mark - 7);
});

test('--max-learners is how many learners there may be', async () => {
  const add = ({ node }: Started, name: string) =>
    node.channel().unary('etcdserverpb.Cluster/MemberAdd', {
      peerURLs: [`http://${name}:2380`],
      isLearner: true,
    });
  const few = await nodeFrom();
  await add(few, 'a');
  expect(await code(add(few, 'b'))).toBe('TOO_MANY_LEARNERS');
  const more = await nodeFrom('--max-learners=2');
  await add(more, 'a');
  await add(more, 'b');
  expect(await code(add(more, 'c'))).toBe('TOO_MANY_LEARNERS');
});

test('--max-txn-ops bounds a transaction', async () => {
  const { client } = await nodeFrom('--max-txn-ops=2');
  const puts = (count: number) =>
    client
      .txn()
      .do(...Array.from({ length: count }, (_, i) => op.put(`k${i}`, 'v')))
      .commit();
  expect(await code(puts(2))).toBe('OK');
  expect(await code(puts(3))).toBe('TOO_MANY_OPS');
});

test('--max-request-bytes bounds a request', async () => {
  const { client } = await nodeFrom('--max-request-bytes=1000');
  expect(await code(client.put('k', 'v'.repeat(900)))).toBe('OK');
  expect(await code(client.put('k', 'v'.repeat(1_100)))).toBe('REQUEST_TOO_LARGE');
});

test('--max-concurrent-streams bounds the calls of a connection', async () => {
  const { client } = await nodeFrom('--max-concurrent-streams=1');
  const watcher = client.watch('k');
  await watcher.created;
  expect(await code(client.get('k', { timeoutMs: 300 }))).not.toBe('OK');
  watcher.cancel();
});

test('--quota-backend-bytes refuses writes, and negative never does', async () => {
  const value = 'v'.repeat(1_000);
  const { client } = await nodeFrom('--quota-backend-bytes=600');
  expect(await code(client.put('k', value))).toBe('NO_SPACE');
  const free = await nodeFrom('--quota-backend-bytes=-1');
  expect(await code(free.client.put('k', value))).toBe('OK');
});

test('--enable-grpc-gateway=false takes /v3 away', async () => {
  const ask = async (url: string): Promise<number> => {
    const body = JSON.stringify({ key: Buffer.from('k').toString('base64') });
    return (await fetch(`${url}/v3/kv/range`, { method: 'POST', body })).status;
  };
  expect(await ask((await nodeFrom()).url)).toBe(200);
  expect(await ask((await nodeFrom('--enable-grpc-gateway=false')).url)).toBe(404);
});

test('--cors names the origins that pages may ask from', async () => {
  const allowed = async (url: string, origin: string): Promise<string | null> => {
    const response = await fetch(`${url}/version`, { headers: { origin } });
    return response.headers.get('access-control-allow-origin');
  };
  const { url } = await nodeFrom('--cors=http://good:1');
  expect(await allowed(url, 'http://good:1')).toBe('http://good:1');
  expect(await allowed(url, 'http://bad:1')).toBeNull();
});

test('--host-whitelist names the hosts that are answered for', async () => {
  const { url } = await nodeFrom('--host-whitelist=other');
  expect(await statusOf(`${url}/version`)).toBe(421);
  const good = await nodeFrom('--host-whitelist=127.0.0.1');
  expect(await statusOf(`${good.url}/version`)).toBe(200);
});

test('--enable-pprof serves profiles', async () => {
  expect(await statusOf(`${(await nodeFrom()).url}/debug/pprof/cmdline`)).toBe(404);
  expect(await statusOf(`${(await nodeFrom('--enable-pprof')).url}/debug/pprof/cmdline`)).toBe(200);
});

test('--metrics=extensive adds the durations of calls', async () => {
  const page = async ({ client, url }: Started): Promise<string> => {
    await client.put('k', 'v');
    return (await fetch(`${url}/metrics`)).text();
  };
  const histogram = 'grpc_server_handling_seconds_bucket{';
  expect(await page(await nodeFrom())).not.toContain(histogram);
  expect(await page(await nodeFrom('--metrics=extensive'))).toContain(histogram);
});

test('--listen-metrics-urls serves metrics and health besides', async () => {
  const { node } = await nodeFrom('--listen-metrics-urls=http://127.0.0.1:0');
  const [url] = node.metricsUrls as [string];
  expect(await statusOf(`${url}/metrics`)).toBe(200);
  expect(await statusOf(`${url}/health`)).toBe(200);
  expect(await statusOf(`${url}/v3/kv/range`)).toBe(404);
});

test('--watch-progress-notify-interval tells idle watchers the revision', async () => {
  const { node } = await nodeFrom('--watch-progress-notify-interval=100ms');
  const call = node.channel().stream('etcdserverpb.Watch/Watch');
  call.send({
    requestUnion: {
      $case: 'createRequest',
      value: {
        key: utf8('k'),
        rangeEnd: new Uint8Array(0),
        startRevision: 0,
        progressNotify: true,
        filters: [],
        prevKv: false,
        watchId: 0n,
        fragment: false,
      },
    },
  });
  const seen: boolean[] = [];
  for await (const { created } of call.responses) {
    seen.push(created);
    if (seen.length === 2) break;
  }
  call.cancel();
  expect(seen).toEqual([true, false]);
});

test('--bcrypt-cost is the work that passwords take', async () => {
  const hashOf = async (...flags: string[]): Promise<string> => {
    const { node } = await nodeFrom(...flags);
    const request = { name: 'u', password: 'p', hashedPassword: '', options: undefined };
    await node.channel().unary('etcdserverpb.Auth/UserAdd', request);
    return Buffer.from(node.port.state.auth.user('u')?.passwordHash ?? '').toString();
  };
  expect(await hashOf('--bcrypt-cost=4')).toMatch(/^\$2[aby]\$04\$/);
  expect(await hashOf()).toMatch(/^\$2[aby]\$10\$/);
});

test('--warning-apply-duration logs what takes longer to apply', async () => {
  const slow = ({ said }: Started) =>
    said.filter(({ message }) => message === 'apply request took too long');
  const patient = await nodeFrom('--warning-apply-duration=1h');
  await patient.client.put('k', 'v');
  expect(slow(patient)).toEqual([]);
  const hasty = await nodeFrom('--warning-apply-duration=1ns');
  await hasty.client.put('k', 'v');
  expect(slow(hasty)[0]?.fields).toMatchObject({ 'expected-duration': '1ns' });
});
