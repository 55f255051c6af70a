/** What a start makes of what it finds: other members that knew this one, data without a name, ports that are taken. */
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeEach, describe, expect, test } from 'vitest';
import { EtcdNode } from '../src/etcd-node.ts';
import type { EtcdNodeOptions } from '../src/index.ts';
import { systemEnv } from '../src/node/system-env.ts';
import { resolveOptions } from '../src/options.ts';
import { freePorts } from '../../../tools/peers/free-ports.ts';

const scratch = mkdtempSync(join(tmpdir(), 'etcd-ts-first-'));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

const nodes = new Map<string, EtcdNode>();
afterEach(async () => {
  await Promise.all([...nodes.values()].map((node) => node.stop()));
  nodes.clear();
  for (const name of ['a', 'b', 'c']) rmSync(join(scratch, name), { recursive: true, force: true });
});

let urls: Record<string, string>;
beforeEach(async () => {
  const ports = await freePorts(3);
  urls = Object.fromEntries(
    ['a', 'b', 'c'].map((name, i) => [name, `http://127.0.0.1:${ports[i]}`]),
  );
});

async function start(name: string, more: EtcdNodeOptions = {}): Promise<EtcdNode> {
  const options: EtcdNodeOptions = {
    name,
    dataDir: join(scratch, name),
    initialCluster: urls,
    listenPeerUrls: [urls[name] as string],
    listenClientUrls: ['http://127.0.0.1:0'],
    ...more,
  };
  const node = await EtcdNode.start(options);
  nodes.set(name, node);
  return node;
}

async function stop(name: string): Promise<void> {
  await nodes.get(name)?.stop();
  nodes.delete(name);
}

describe('a member that has lost all of its data', () => {
  test.each(['new', 'existing'] as const)(
    'is refused under its old id, whether the cluster is said to be new or existing: %s',
    async (initialClusterState) => {
      const names = ['a', 'b', 'c'];
      await Promise.all(names.map((name) => start(name)));
      await Promise.all(names.map((name) => nodes.get(name)!.ready()));
      const { memberId } = nodes.get('c')!;
      await stop('c');
      rmSync(join(scratch, 'c'), { recursive: true });
      await expect(start('c', { initialClusterState })).rejects.toMatchObject({
        code: 'STATE_LOST',
        message: expect.stringContaining(
          `member ${memberId.toString(16)} has already been bootstrapped`,
        ) as string,
      });
      await nodes.get('a')!.client().put('k', 'v');
    },
  );

  test('that nobody else knows of founds its cluster again', async () => {
    const options = { initialCluster: { a: urls['a']! } };
    const first = await start('a', options);
    await first.ready();
    await stop('a');
    rmSync(join(scratch, 'a'), { recursive: true });
    expect((await start('a', options)).memberId).toBe(first.memberId);
  });
});

describe('a directory with data', () => {
  const elsewhere = {
    initialCluster: { z: 'http://z:1' },
    initialAdvertisePeerUrls: ['http://z:1'],
  };

  test('is taken by a start that says no name, or not where it is, and refused to another member', async () => {
    const dataDir = join(scratch, 'kept');
    const first = await start('a', { dataDir, initialCluster: { a: urls['a']! } });
    await first.ready();
    await stop('a');
    const again = await EtcdNode.start({ dataDir });
    expect([again.memberId, again.clusterId]).toEqual([first.memberId, first.clusterId]);
    await again.ready();
    await again.stop();
    const other = { dataDir, listenPeerUrls: [urls['a']!], ...elsewhere };
    await expect(start('z', other)).rejects.toMatchObject({ code: 'FOREIGN_DATA_DIR' });
  });
});

test('a directory that etcd itself has written is refused as such, and left as it is', async () => {
  const dataDir = join(scratch, 'etcds');
  const [wal, snap] = ['wal', 'snap'].map((name) => join(dataDir, 'member', name)) as [
    string,
    string,
  ];
  for (const folder of [wal, snap]) mkdirSync(folder, { recursive: true });
  const segment = join(wal, '0000000000000000-0000000000000000.wal');
  writeFileSync(segment, Buffer.from('0400000000000084', 'hex'));
  writeFileSync(join(snap, 'db'), 'bbolt');
  await expect(start('a', { dataDir, initialCluster: { a: urls['a']! } })).rejects.toMatchObject({
    code: 'FOREIGN_DATA_DIR',
    message: expect.stringContaining('was written by etcd') as string,
  });
  expect(readFileSync(segment).toString('hex')).toBe('0400000000000084');
  expect(readdirSync(snap)).toEqual(['db']);
});

test('a directory with the database of etcd, whose log lies elsewhere, is refused as well', async () => {
  const dataDir = join(scratch, 'etcds-database');
  const snap = join(dataDir, 'member', 'snap');
  mkdirSync(snap, { recursive: true });
  writeFileSync(join(snap, 'db'), 'bbolt');
  await expect(start('a', { dataDir, initialCluster: { a: urls['a']! } })).rejects.toMatchObject({
    code: 'FOREIGN_DATA_DIR',
    message: expect.stringContaining('was written by etcd') as string,
  });
  expect(readdirSync(join(dataDir, 'member'))).toEqual(['snap']);
});

test('a port that is taken, by somebody else or twice by itself, is refused before anything is written', async () => {
  await start('a', { initialCluster: { a: urls['a']! } });
  const dataDir = join(scratch, 'never');
  const [taken, free] = [urls['a']!, urls['b']!];
  for (const options of [
    { listenPeerUrls: [taken] },
    { listenPeerUrls: [free], listenClientUrls: [taken] },
    { listenPeerUrls: [free], listenMetricsUrls: [taken] },
    { listenPeerUrls: [free], listenClientUrls: [free] },
  ]) {
    const started = start('b', { dataDir, initialCluster: { b: free }, ...options });
    await expect(started).rejects.toMatchObject({ code: 'LISTEN_FAILED' });
    expect(existsSync(dataDir)).toBe(false);
  }
});

test('what is advertised by address may stand by name in the initial cluster', async () => {
  const { port } = new URL(urls['a']!);
  const options: EtcdNodeOptions = {
    name: 'a',
    initialCluster: { a: `http://here.test:${port}` },
    initialAdvertisePeerUrls: [`http://127.0.0.1:${port}`],
    listenPeerUrls: [`http://127.0.0.1:${port}`],
  };
  const env = systemEnv(resolveOptions(options));
  const resolver = (address: string) => ({
    resolveSrv: () => Promise.reject(new Error('not asked')),
    addresses: (host: string) => Promise.resolve([host === 'here.test' ? address : host]),
  });
  await expect(
    EtcdNode.start(options, { ...env, names: resolver('192.0.2.1') }),
  ).rejects.toMatchObject({
    code: 'BAD_OPTION',
    message: expect.stringContaining('missing from --initial-advertise-peer-urls') as string,
  });
  const node = await EtcdNode.start(options, { ...env, names: resolver('127.0.0.1') });
  nodes.set('a', node);
  const [member] = await node.client().cluster.members();
  expect(member?.peerURLs).toEqual([`http://here.test:${port}`]);
});
