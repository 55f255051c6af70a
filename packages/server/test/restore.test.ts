/** From a loaded cluster to a backup, and from the backup to members of a new cluster. */
import { concatBytes, toLatin1 } from '@etcd-ts/base';
import { MemoryDisk } from '@etcd-ts/wal';
import { afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { EtcdNode } from '../src/etcd-node.ts';
import { uint64Bytes } from '../src/backup/etcd-buckets.ts';
import { restoreBackup, type RestoreOptions } from '../src/index.ts';
import { memoryLevelBackends } from '../src/node/level-backends.ts';
import { fileOfBytes } from '../src/restore/backup-file.ts';
import { bucketOf, readAll, written } from './bbolt/support.ts';
import { Cluster } from './support/cluster.ts';

/** What was saved, and what the cluster was when it was. */
interface Saved {
  readonly backup: Uint8Array;
  readonly revision: number;
  readonly compactRevision: number;
  readonly clusterId: bigint;
  readonly leaseId: bigint;
}

let saved: Saved;
let cluster: Cluster | undefined;

afterEach(() => cluster?.close());

async function save(node: EtcdNode): Promise<Uint8Array> {
  const call = node.channel().stream('etcdserverpb.Maintenance/Snapshot');
  call.send({});
  const blobs: Uint8Array[] = [];
  for await (const { blob } of call.responses) blobs.push(blob);
  return concatBytes(blobs);
}

/** A cluster with keys, deletes, a compaction, a lease, users, an alarm and a removed member is saved under load. */
beforeAll(async () => {
  const old = new Cluster(['a', 'b', 'c', 'd'], { strictReconfigCheck: false });
  await old.startAll();
  const client = old.client('a');
  for (let i = 0; i < 300; i++) await client.put(`k${i % 40}`, `v${i}`);
  await client.delete('k7');
  await client.compact(200);
  const lease = await client.lease.grant(600);
  await client.put('leased', 'v', { lease: lease.id });
  const channel = old.node('a').channel();
  await channel.unary('etcdserverpb.Auth/RoleAdd', { name: 'r' });
  const removedId = old.node('d').memberId;
  await channel.unary('etcdserverpb.Cluster/MemberRemove', { ID: removedId });
  await channel.unary('etcdserverpb.Maintenance/Alarm', { action: 1, memberID: 5n, alarm: 1 });
  const revision = (await client.get('leased'))!.modRevision;
  await old.agreed();
  const saving = save(old.node('b'));
  await channel.unary('etcdserverpb.Maintenance/Alarm', { action: 2, memberID: 5n, alarm: 1 });
  for (let i = 0; i < 50; i++) await client.put('later', `${i}`);
  saved = {
    backup: await saving,
    revision,
    compactRevision: 200,
    clusterId: old.node('a').clusterId,
    leaseId: lease.id,
  };
  await old.close();
});

/** Restores members with these names, each on a machine of its own; they are not started. */
async function restored(
  names: readonly string[],
  options: Partial<RestoreOptions> = {},
  backup: Uint8Array = saved.backup,
) {
  cluster = new Cluster(names);
  const results = [];
  for (const name of names) {
    const places = { disk: new MemoryDisk(), backends: memoryLevelBackends() };
    results.push(
      await restoreBackup(
        backup,
        {
          name,
          initialCluster: names.map((each) => `${each}=http://${each}:2380`).join(','),
          initialClusterToken: 'restored',
          initialAdvertisePeerUrls: [`http://${name}:2380`],
          ...options,
        },
        places,
      ),
    );
    cluster.addMachine(name, places);
  }
  return { cluster, results };
}

async function startAll(names: readonly string[]): Promise<readonly EtcdNode[]> {
  const options = { initialClusterToken: 'restored' };
  const nodes = await Promise.all(names.map((name) => cluster!.start(name, options)));
  await Promise.all(nodes.map((node) => node.ready()));
  return nodes;
}

/** Ends the alarm that was saved, as an operator would. */
async function lowerAlarm(node: EtcdNode): Promise<void> {
  const lower = { action: 2, memberID: 5n, alarm: 1 };
  await node.channel().unary('etcdserverpb.Maintenance/Alarm', lower);
}

async function expectContent(node: EtcdNode): Promise<void> {
  const client = node.client();
  const { state } = node.port;
  expect((await client.get('k39'))?.text).toBe('v279');
  expect((await client.get('k9'))?.text).toBe('v289');
  expect(await client.get('k7')).toBeUndefined();
  expect(await client.get('later')).toBeUndefined();
  expect((await client.get('leased'))?.modRevision).toBe(saved.revision);
  expect(state.lessor.keysOf(saved.leaseId)).toEqual(['leased']);
  expect(state.auth.roles().map(({ name }) => name)).toEqual(['r']);
  expect(state.alarms.list()).toEqual([{ memberID: 5n, alarm: 1 }]);
}

describe('a backup is restored', () => {
  test('to one member, with its data, revisions and compaction, in a new cluster', async () => {
    const { results } = await restored(['one']);
    expect(results[0]).toMatchObject({
      revision: saved.revision,
      compactRevision: saved.compactRevision,
    });
    const [node] = (await startAll(['one'])) as [EtcdNode];
    await expectContent(node);
    expect(node.clusterId).toBe(results[0]!.clusterId);
    expect(node.clusterId).not.toBe(saved.clusterId);
    expect(node.memberId).toBe(results[0]!.memberId);
    const { membership } = node.port.state;
    expect(membership.members().map(({ name }) => name)).toEqual(['one']);
    expect(membership.removedIds()).toEqual([]);
    await expect(node.client().get('k1', { revision: 150 })).rejects.toMatchObject({
      code: 'COMPACTED',
    });
    expect((await node.client().get('k1', { revision: 250 }))?.text).toBe('v241');
    await lowerAlarm(node);
    const { revision } = await node.client().put('new', 'v');
    expect(revision).toBe(saved.revision + 1);
  });

  test('to three members that are one cluster, take writes, and survive restarts', async () => {
    const names = ['x', 'y', 'z'];
    const { results } = await restored(names);
    expect(new Set(results.map(({ clusterId }) => clusterId)).size).toBe(1);
    const nodes = await startAll(names);
    for (const node of nodes) await expectContent(node);
    await cluster!.agreed();
    await lowerAlarm(nodes[0]!);
    await nodes[1]!.client().put('new', 'v');
    await nodes[2]!.client().lease.revoke(saved.leaseId);
    expect(await nodes[0]!.client().get('leased')).toBeUndefined();
    for (const node of nodes) await node.kill();
    const again = await startAll(names);
    expect((await again[0]!.client().get('new'))?.text).toBe('v');
    await cluster!.agreed();
  });

  test('and a member whose database is then lost gets it from the others', async () => {
    const names = ['x', 'y', 'z'];
    await restored(names);
    const nodes = await startAll(names);
    await nodes[0]!.kill();
    cluster!.loseDatabase('x');
    const [x] = await startAll(['x']);
    await expectContent(x!);
    await cluster!.agreed();
  });

  test('and one that stood at its first entry is not made anew, empty, when its database is lost', async () => {
    const buckets = await readAll(saved.backup.subarray(0, -32));
    const meta = buckets.get('meta')!;
    const at = meta.findIndex(([name]) => toLatin1(name) === 'consistent_index');
    meta[at] = [meta[at]![0], uint64Bytes(1)];
    const early = await written([...buckets].map(([name, rows]) => bucketOf(name, rows)));
    await restored(['one'], { skipHashCheck: true }, early);
    const [node] = (await startAll(['one'])) as [EtcdNode];
    await expectContent(node);
    await node.kill();
    cluster!.loseDatabase('one');
    await expect(startAll(['one'])).rejects.toMatchObject({ code: 'STATE_LOST' });
  });

  test('when a name in the initial cluster leads to the address that is advertised', async () => {
    const options = {
      name: 'one',
      initialCluster: 'one=http://host:2380',
      initialAdvertisePeerUrls: ['http://192.0.2.1:2380'],
    };
    const places = { disk: new MemoryDisk(), backends: memoryLevelBackends() };
    const addresses = (host: string) => Promise.resolve([host === 'host' ? '192.0.2.1' : host]);
    const names = { addresses, resolveSrv: () => Promise.reject(new Error('not asked')) };
    await expect(restoreBackup(saved.backup, options, places)).rejects.toMatchObject({
      code: 'BAD_OPTION',
    });
    const { revision } = await restoreBackup(saved.backup, options, { ...places, names });
    expect(revision).toBe(saved.revision);
  });

  test('with revisions bumped and marked compacted, so that old readers are told', async () => {
    const bumpRevision = 1_000_000;
    const { results } = await restored(['one'], { bumpRevision, markCompacted: true });
    const begins = saved.revision + bumpRevision;
    expect(results[0]).toMatchObject({ revision: begins, compactRevision: begins });
    for (let starts = 0; starts < 2; starts++) {
      const [node] = (await startAll(['one'])) as [EtcdNode];
      const client = node.client();
      expect((await client.get('k39'))?.text).toBe('v279');
      expect((await client.get('k39', { revision: begins }))?.text).toBe('v279');
      await expect(client.get('k39', { revision: begins - 1 })).rejects.toMatchObject({
        code: 'COMPACTED',
      });
      await lowerAlarm(node);
      expect((await client.put('new', 'v')).revision).toBe(begins + 1 + starts);
      await node.kill();
    }
  });
});

describe('a backup is refused', () => {
  const code = (wanted: string) => ({ name: 'RestoreError', code: wanted });

  test('wherever one byte of it was changed', async () => {
    const { backup } = saved;
    const step = Math.max(1, Math.floor(backup.length / 40));
    for (let at = 3; at < backup.length; at += step) {
      const damaged = backup.slice();
      damaged[at]! ^= 0x40;
      await expect(restored(['one'], {}, damaged)).rejects.toMatchObject(code('DAMAGED'));
      // The database has no checksums of its own: a value may have become another, but nothing else goes wrong.
      const unchecked = restored(['one'], { skipHashCheck: true }, damaged);
      await unchecked.catch((error: unknown) => expect(error).toMatchObject(code('DAMAGED')));
    }
  });

  test('without its checksum, unless that is allowed', async () => {
    const bare = saved.backup.subarray(0, -32);
    await expect(restored(['one'], {}, bare)).rejects.toMatchObject({
      ...code('NO_HASH'),
      message: 'snapshot missing hash but --skip-hash-check=false',
    });
    const { results } = await restored(['one'], { skipHashCheck: true }, bare);
    expect(results[0]?.revision).toBe(saved.revision);
  });

  test('when it was cut off, at any page', async () => {
    for (const pages of [0, 1, 5]) {
      const cut = saved.backup.subarray(0, 512 * pages);
      await expect(restored(['one'], {}, cut)).rejects.toMatchObject(code('NO_HASH'));
      const unchecked = restored(['one'], { skipHashCheck: true }, cut);
      await expect(unchecked).rejects.toMatchObject(code('DAMAGED'));
    }
  });

  test('into directories that hold something', async () => {
    const disk = new MemoryDisk();
    await disk.makeDirectory('data/member');
    const options = { dataDir: 'data', name: 'default' };
    const places = { disk, backends: memoryLevelBackends() };
    await expect(restoreBackup(saved.backup, options, places)).rejects.toMatchObject({
      ...code('NOT_EMPTY'),
      message: 'data-dir "data" not empty or could not be read',
    });
  });

  test('into a directory for the log that holds something', async () => {
    const disk = new MemoryDisk();
    await disk.makeDirectory('log/of-another');
    const places = { disk, backends: memoryLevelBackends() };
    await expect(restoreBackup(saved.backup, { walDir: 'log' }, places)).rejects.toMatchObject({
      ...code('NOT_EMPTY'),
      message: 'wal-dir "log" exists',
    });
  });

  test('with a bump that marks nothing, or a mark without a bump', async () => {
    for (const options of [{ bumpRevision: 5 }, { markCompacted: true }]) {
      await expect(restored(['one'], options)).rejects.toMatchObject({
        ...code('BAD_OPTION'),
        message: '--mark-compacted required if --revision-bump > 0',
      });
    }
  });

  test('with a bump beyond the last revision, and is not called damaged', async () => {
    const options = { bumpRevision: Number.MAX_SAFE_INTEGER, markCompacted: true };
    await expect(restored(['one'], options)).rejects.toMatchObject(code('BAD_OPTION'));
  });

  test('by a start, which founds no empty cluster over a restore that was cut short', async () => {
    const bytes = fileOfBytes(saved.backup);
    const places = { disk: new MemoryDisk(), backends: memoryLevelBackends() };
    await new Promise<void>((resolve) => {
      let reads = 0;
      const read = (at: number, length: number): Promise<Uint8Array> => {
        // Metas, the root and one page of each smaller bucket: the keys follow.
        if (++reads < 10) return bytes.read(at, length);
        resolve();
        return new Promise(() => undefined);
      };
      const options = { name: 'one', skipHashCheck: true };
      void restoreBackup({ ...bytes, read }, options, places);
    });
    cluster = new Cluster(['one']);
    cluster.addMachine('one', places);
    await expect(startAll(['one'])).rejects.toMatchObject({ code: 'CORRUPT_DATA' });
  });

  test('and leaves nothing behind', async () => {
    const damaged = saved.backup.slice();
    damaged[damaged.length >> 1]! ^= 1;
    const places = { disk: new MemoryDisk(), backends: memoryLevelBackends() };
    await expect(restoreBackup(damaged, {}, places)).rejects.toThrow();
    expect(await places.backends.list()).toEqual([]);
    // The same places are good for another try.
    expect((await restoreBackup(saved.backup, {}, places)).revision).toBe(saved.revision);
  });
});
