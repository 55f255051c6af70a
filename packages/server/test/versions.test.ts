/** Which version the cluster is at, and who may take part in it. */
import { crc32c, utf8 } from '@etcd-ts/base';
import { flushStore, memoryBackend } from '@etcd-ts/mvcc';
import { DowngradeAction } from '@etcd-ts/protocol';
import { MemoryDisk } from '@etcd-ts/wal';
import { afterEach, describe, expect, test } from 'vitest';
import { ReplicatedState } from '../src/apply/replicated-state.ts';
import { VERSIONS_RECORD } from '../src/apply/versions.ts';
import type { EtcdNode } from '../src/etcd-node.ts';
import { memoryLevelBackends } from '../src/node/level-backends.ts';
import { compareMinors, previousMinor } from '../src/services/version.ts';
import { Cluster } from './support/cluster.ts';

let cluster: Cluster;
afterEach(() => cluster?.close());

/** A cluster whose members have these versions; all of them run and have agreed on one. */
async function clusterOf(versions: Readonly<Record<string, string>>): Promise<void> {
  cluster = new Cluster(Object.keys(versions), { downgradeCheckTimeMs: 20 });
  await Promise.all(Object.entries(versions).map(([name, version]) => startAs(name, version)));
}

function startAs(name: string, serverVersion: string): Promise<EtcdNode> {
  return cluster.start(name, {}, { serverVersion });
}

function versionOf(name: string): string | undefined {
  return cluster.node(name).port.state.versions.cluster;
}

async function reaches(name: string, version: string): Promise<void> {
  await cluster.when(() => (versionOf(name) === version ? true : undefined));
}

async function downgrade(name: string, action: number, version: string): Promise<void> {
  const channel = cluster.node(name).channel();
  await channel.unary('etcdserverpb.Maintenance/Downgrade', { action, version });
}

describe('versions', () => {
  test('are compared by major and minor', () => {
    expect(compareMinors('3.10', '3.9')).toBeGreaterThan(0);
    expect(compareMinors('3.6.7', '3.6')).toBe(0);
    expect(compareMinors('2.9', '3.0')).toBeLessThan(0);
    expect(previousMinor('3.6')).toBe('3.5');
  });
});

describe('the cluster', () => {
  test('is at the version of its lone member as soon as that leads', async () => {
    await clusterOf({ a: '3.6.0' });
    await reaches('a', '3.6');
  });

  test('is at the lowest version of its members, and rises with the last of them', async () => {
    await clusterOf({ a: '3.6.0', b: '3.5.9', c: '3.6.2' });
    for (const name of ['a', 'b', 'c']) await reaches(name, '3.5');
    await cluster.node('b').stop();
    await startAs('b', '3.6.0');
    for (const name of ['a', 'b', 'c']) await reaches(name, '3.6');
  });

  test('begins at the lowest version there is while a member has never answered', async () => {
    cluster = new Cluster(['a', 'b', 'c'], { downgradeCheckTimeMs: 20 });
    await Promise.all(['a', 'b'].map((name) => startAs(name, '3.6.0')));
    await reaches('a', '3.5');
    await startAs('c', '3.6.0');
    await reaches('a', '3.6');
  });

  test('keeps its version over a restart of all', async () => {
    await clusterOf({ a: '3.6.0' });
    await reaches('a', '3.6');
    await cluster.node('a').stop();
    await startAs('a', '3.7.0');
    expect(versionOf('a')).toBe('3.6');
    await reaches('a', '3.7');
  });

  test('lets no member in that is older', async () => {
    await clusterOf({ a: '3.6.0', b: '3.6.0', c: '3.6.0' });
    await reaches('b', '3.6');
    await cluster.node('b').stop();
    await expect(startAs('b', '3.5.9')).rejects.toMatchObject({
      code: 'NEWER_FORMAT',
      message:
        'invalid downgrade; server version is lower than determined cluster version: this is 3.5.9, the cluster is at 3.6',
    });
    await startAs('b', '3.6.1');
    await cluster.agreed();
  });

  test('ends a new member that is older when it learns of the version', async () => {
    await clusterOf({ a: '3.6.0' });
    await reaches('a', '3.6');
    const channel = cluster.node('a').channel();
    await channel.unary('etcdserverpb.Cluster/MemberAdd', {
      peerURLs: ['http://d:2380'],
      isLearner: true,
    });
    cluster.addMachine('d');
    const joined = await cluster.start(
      'd',
      {
        initialCluster: { a: 'http://a:2380', d: 'http://d:2380' },
        initialClusterState: 'existing',
        initialAdvertisePeerUrls: ['http://d:2380'],
      },
      { serverVersion: '3.5.0' },
    );
    const reason = await new Promise((resolve) => joined.once('stopped', resolve));
    expect(reason).toMatchObject({ code: 'NEWER_FORMAT' });
  });
});

describe('a downgrade', () => {
  test('takes the cluster down at once, lets older members in, and ends when all of them are', async () => {
    await clusterOf({ a: '3.6.0', b: '3.6.0', c: '3.6.0' });
    await reaches('a', '3.6');
    await downgrade('a', DowngradeAction.ENABLE, '3.5');
    for (const name of ['a', 'b', 'c']) await reaches(name, '3.5');
    for (const name of ['a', 'b', 'c']) {
      await cluster.node(name).stop();
      await (await startAs(name, '3.5.30')).ready();
    }
    await cluster.when(() => {
      const { downgradeTarget } = cluster.node('a').port.state.versions;
      return downgradeTarget === undefined ? true : undefined;
    });
    expect(versionOf('a')).toBe('3.5');
    await cluster.client('b').put('k', 'v');
    await cluster.agreed();
  });

  test('called off, the cluster rises again', async () => {
    await clusterOf({ a: '3.6.0' });
    await reaches('a', '3.6');
    await downgrade('a', DowngradeAction.ENABLE, '3.5');
    await reaches('a', '3.5');
    await downgrade('a', DowngradeAction.CANCEL, '');
    await reaches('a', '3.6');
  });
});

describe('data of a newer format', () => {
  test('is refused by the state', async () => {
    const backend = memoryBackend();
    const state = await ReplicatedState.open(backend);
    state.store.meta.set(VERSIONS_RECORD, new Uint8Array([2, ...utf8('4.0 ')]));
    state.applyEmpty(1, 1);
    await flushStore(state.store);
    await expect(ReplicatedState.open(backend)).rejects.toMatchObject({
      code: 'NEWER_FORMAT',
      message:
        'the state was written in format 2, by a newer version; this one reads formats up to 1',
    });
  });

  test('is refused by the log, with the file and both numbers, and stays as it is', async () => {
    const disk = new MemoryDisk();
    cluster = new Cluster(['a']);
    cluster.addMachine('a', { disk, backends: memoryLevelBackends() });
    await (await cluster.start('a')).stop();
    const folder = 'a.etcd/member/wal';
    const name = (await disk.list(folder)).find((each) => each.endsWith('.wal')) as string;
    const file = await disk.open(`${folder}/${name}`, 'write');
    const head = new Uint8Array(16);
    await file.read(0, head);
    head[8] = 2;
    new DataView(head.buffer).setUint32(12, crc32c(head.subarray(0, 12)), true);
    file.write(0, head);
    await file.sync();
    await file.close();
    await expect(cluster.start('a')).rejects.toMatchObject({
      code: 'NEWER_FORMAT',
      message: expect.stringMatching(
        new RegExp(`format version 2;.* 1.*${name}|${name}.*version 2`),
      ) as string,
    });
    const after = new Uint8Array(16);
    const again = await disk.open(`${folder}/${name}`, 'read');
    await again.read(0, after);
    await again.close();
    expect(after).toEqual(head);
  });
});
