/** `etcdctl snapshot save` from three loaded processes, restored to one and to three new ones. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type EtcdClient, EtcdError } from '@etcd-ts/client';
import { connect } from '@etcd-ts/client/node';
import { restoreBackupFile } from '@etcd-ts/server';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { hasEtcd, realEtcd } from '../tools/peers/real-etcd.ts';
import { Cluster, runTool } from './harness/cluster.ts';
import { Load } from './harness/load.ts';
import type { Member } from './harness/member.ts';

const peers = realEtcd();
const KEYS = 2_000;
const TOKEN = 'e2e';

describe.runIf(hasEtcd(peers))('a backup of processes', () => {
  let old: Cluster;
  let file = '';
  let revision = 0;
  let compacted = 0;

  beforeAll(async () => {
    old = await Cluster.start({ size: 3 });
    const client = connectTo(old.members);
    for (let i = 0; i < KEYS; i += 100) {
      const batch = Array.from({ length: 100 }, (_, j) => client.put(`k${i + j}`, `v${i + j}`));
      await Promise.all(batch);
    }
    compacted = (await client.delete('k0')).revision;
    await client.compact(compacted);
    revision = (await client.put('last', 'before the backup')).revision;
    const load = new Load(old.members, { writers: 2, readers: 0 });
    file = join(old.folder, 'backup.db');
    const { etcdctl } = peers as { etcdctl: string };
    const { endpoint } = old.members[1] as Member;
    const saved = await runTool(etcdctl, [`--endpoints=${endpoint}`, 'snapshot', 'save', file]);
    expect(saved).toMatchObject({ code: 0, stdout: `Snapshot saved at ${file}\n` });
    await load.stop();
    await client.close();
    await Promise.all(old.members.map((member) => member.kill()));
  }, 90_000);
  afterAll(() => old?.dispose());

  function connectTo(members: readonly Member[]): EtcdClient {
    return connect({ endpoints: members.map(({ endpoint }) => endpoint), timeoutMs: 20_000 });
  }

  /** Lays out new members, restores the backup to each, and starts them. */
  async function restored(size: number, bumpRevision = 0): Promise<Cluster> {
    const cluster = await Cluster.create({ size });
    const initialCluster = cluster.members.map((m) => `${m.name}=${m.peerUrl}`).join(',');
    for (const { name, dataDir, peerUrl } of cluster.members) {
      await restoreBackupFile(file, {
        name,
        dataDir,
        initialCluster,
        initialClusterToken: TOKEN,
        initialAdvertisePeerUrls: [peerUrl],
        ...(bumpRevision > 0 ? { bumpRevision, markCompacted: true } : {}),
      });
    }
    await Promise.all(cluster.members.map((member) => member.start()));
    return cluster;
  }

  async function expectContent(client: EtcdClient): Promise<void> {
    expect(await client.get('k0')).toBeUndefined();
    expect((await client.get('k1999'))?.text).toBe('v1999');
    expect(await client.get('last')).toMatchObject({ modRevision: revision });
    const past = client.get('k1', { revision: compacted - 1 });
    await expect(past).rejects.toMatchObject({ code: 'COMPACTED' });
  }

  for (const size of [1, 3]) {
    test(
      `is restored to ${size} new ${size === 1 ? 'member' : 'members'}`,
      { timeout: 90_000 },
      async () => {
        const cluster = await restored(size);
        try {
          const client = connectTo(cluster.members);
          await expectContent(client);
          expect((await client.get('k1', { revision: compacted }))?.text).toBe('v1');
          const { revision: next } = await client.put('new', 'v');
          expect(next).toBeGreaterThan(revision);
          expect(await client.cluster.members()).toHaveLength(size);
          for (const member of cluster.members) await member.kill();
          await Promise.all(cluster.members.map((member) => member.start()));
          await expectContent(client);
          expect((await client.get('new'))?.modRevision).toBe(next);
          await client.close();
        } finally {
          await cluster.dispose();
        }
      },
    );
  }

  test('tells those who saw the old cluster go on', { timeout: 60_000 }, async () => {
    const cluster = await restored(1, 1_000_000);
    try {
      const client = connectTo(cluster.members);
      expect((await client.get('last'))?.text).toBe('before the backup');
      const { revision: now } = await client.put('new', 'v');
      expect(now).toBeGreaterThan(revision + 1_000_000);
      const watcher = client.watch('k', { startRevision: revision + 5 });
      const hearing = (async () => {
        for await (const _ of watcher);
      })();
      await expect(hearing).rejects.toBeInstanceOf(EtcdError);
      await client.close();
    } finally {
      await cluster.dispose();
    }
  });

  test('is refused when a byte of it was changed', async () => {
    const bytes = readFileSync(file);
    bytes[bytes.length >> 1]! ^= 1;
    const damaged = join(old.folder, 'damaged.db');
    writeFileSync(damaged, bytes);
    const dataDir = join(old.folder, 'from-damaged');
    await expect(restoreBackupFile(damaged, { dataDir })).rejects.toMatchObject({
      name: 'RestoreError',
      code: 'DAMAGED',
    });
  });
});
