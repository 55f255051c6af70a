/** Backups go from etcd-ts to etcd and from etcd to etcd-ts, and etcd's tools make no difference between them. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { restoreBackupFile } from '@etcd-ts/server';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { hasEtcd, realEtcd, type RealEtcd } from '../tools/peers/real-etcd.ts';
import { Cluster, ETCD_TS, type Ran, runTool } from './harness/cluster.ts';
import type { Member } from './harness/member.ts';

const peers = realEtcd();
const TOKEN = 'e2e';
const ROOT = '--user=root:secret';

/** What a cluster was when it was saved. */
interface Saved {
  readonly file: string;
  readonly lease: string;
  readonly hashKv: string;
}

describe.runIf(hasEtcd(peers))('a backup', () => {
  const { etcd, etcdctl, etcdutl } = peers as RealEtcd;
  const clusters: Cluster[] = [];
  afterAll(() => Promise.all(clusters.map((cluster) => cluster.dispose())));

  async function ctl({ endpoint }: Member, ...args: readonly string[]): Promise<string> {
    const { code, stdout, stderr } = await runTool(etcdctl, [`--endpoints=${endpoint}`, ...args]);
    if (code !== 0) throw new Error(`etcdctl ${args.join(' ')}: ${stderr}`);
    return stdout.trim();
  }

  function memberOf(cluster: Cluster): Member {
    clusters.push(cluster);
    return cluster.members[0] as Member;
  }

  /** HashKV of all that there is, and what it covers. */
  async function hashKv(member: Member): Promise<string> {
    const text = await ctl(member, ROOT, 'endpoint', 'hashkv', '-w', 'json');
    const [{ HashKV }] = JSON.parse(text) as [{ HashKV: Record<string, unknown> }];
    return JSON.stringify([HashKV['hash'], HashKV['compact_revision']]);
  }

  /** Fills a member with some of everything, and saves it. */
  async function fillAndSave(program: readonly string[]): Promise<Saved> {
    const cluster = await Cluster.start({ size: 1, program });
    const member = memberOf(cluster);
    const puts = Array.from({ length: 100 }, (_, i) => `put k${i} "value ${i}"\n`).join('');
    for (let round = 0; round < 3; round++) {
      const input = `\n${puts}\ndel k3\n\n`;
      await runTool(etcdctl, [`--endpoints=${member.endpoint}`, 'txn'], { input });
    }
    const large = [`--endpoints=${member.endpoint}`, 'put', 'large'];
    await runTool(etcdctl, large, { input: 'x'.repeat(200_000) });
    await ctl(member, 'del', 'k5');
    await ctl(member, 'compact', '3');
    const lease = /lease (\w+) granted/.exec(await ctl(member, 'lease', 'grant', '6000'))![1]!;
    await ctl(member, 'put', 'leased', 'v', `--lease=${lease}`);
    await ctl(member, 'role', 'add', 'reader');
    await ctl(member, 'role', 'grant-permission', 'reader', 'read', 'k1', 'k2');
    await ctl(member, 'user', 'add', 'ada:lovelace');
    await ctl(member, 'user', 'grant-role', 'ada', 'reader');
    await ctl(member, 'user', 'add', 'root:secret');
    await ctl(member, 'user', 'grant-role', 'root', 'root');
    await ctl(member, 'auth', 'enable');
    await ctl(member, ROOT, 'alarm', 'list');
    const file = join(cluster.folder, 'backup.db');
    await ctl(member, ROOT, 'snapshot', 'save', file);
    const saved = { file, lease, hashKv: await hashKv(member) };
    await member.stop();
    return saved;
  }

  /** Everything that was saved is there, and the member takes writes. */
  async function expectContent(member: Member, { lease, hashKv: wanted }: Saved): Promise<void> {
    expect(await hashKv(member)).toBe(wanted);
    expect(await ctl(member, ROOT, 'get', 'k99')).toBe('k99\nvalue 99');
    expect((await ctl(member, ROOT, 'get', 'large')).length).toBeGreaterThan(200_000);
    expect(await ctl(member, ROOT, 'get', 'k5')).toBe('');
    const toLive = await ctl(member, ROOT, 'lease', 'timetolive', lease, '--keys');
    expect(toLive).toMatch(/granted with TTL\(6000s\).*attached keys\(\[leased\]\)/);
    expect(await ctl(member, '--user=ada:lovelace', 'get', 'k1')).toBe('k1\nvalue 1');
    await expect(ctl(member, '--user=ada:lovelace', 'get', 'k5')).rejects.toThrow(
      'permission denied',
    );
    await expect(ctl(member, '--user=ada:wrong', 'get', 'k1')).rejects.toThrow(
      'authentication failed',
    );
    await ctl(member, ROOT, 'put', 'new', 'v');
    await ctl(member, ROOT, 'lease', 'revoke', lease);
    expect(await ctl(member, ROOT, 'get', 'leased')).toBe('');
    expect((await ctl(member, ROOT, 'member', 'list')).split('\n')).toHaveLength(1);
  }

  /** etcd's own restore, into the folder of a member that does not run. */
  function restoreByTool(tool: string, file: string, member: Member): Promise<Ran> {
    return runTool(tool, [
      'snapshot',
      'restore',
      file,
      `--name=${member.name}`,
      `--data-dir=${member.dataDir}`,
      `--initial-cluster=${member.name}=${member.peerUrl}`,
      `--initial-advertise-peer-urls=${member.peerUrl}`,
      `--initial-cluster-token=${TOKEN}`,
    ]);
  }

  /** Our restore, as above. */
  async function restoreOurs(
    file: string,
    { name, dataDir, peerUrl }: Member,
    bumpRevision = 0,
  ): Promise<void> {
    await restoreBackupFile(file, {
      name,
      dataDir,
      initialCluster: `${name}=${peerUrl}`,
      initialClusterToken: TOKEN,
      initialAdvertisePeerUrls: [peerUrl],
      ...(bumpRevision > 0 ? { bumpRevision, markCompacted: true } : {}),
    });
  }

  let ours: Saved;
  let theirs: Saved;
  beforeAll(async () => {
    [ours, theirs] = await Promise.all([fillAndSave(ETCD_TS), fillAndSave([etcd])]);
  }, 60_000);

  test('of the same commands has the same revision and number of keys', async () => {
    const status = async (tool: string, { file }: Saved): Promise<Record<string, number>> => {
      const { stdout } = await runTool(tool, ['snapshot', 'status', file, '-w', 'json']);
      return JSON.parse(stdout) as Record<string, number>;
    };
    const [a, b] = [await status(etcdutl, ours), await status(etcdutl, theirs)];
    expect(a['revision']).toBe(b['revision']);
    // etcd 3.6 says in one key more which version's form the content has.
    expect(a['totalKey']).toBe(b['totalKey']! + 1);
    expect(a['totalSize']).toBe(readFileSync(ours.file).length - 32);
    expect(await status(etcdctl, ours)).toEqual(a);
  });

  test(
    'of etcd-ts is restored by etcdutl and etcdctl, and etcd serves it',
    { timeout: 60_000 },
    async () => {
      for (const tool of [etcdutl, etcdctl]) {
        const cluster = await Cluster.create({ size: 1, program: [etcd] });
        const member = memberOf(cluster);
        expect(await restoreByTool(tool, ours.file, member)).toMatchObject({ code: 0 });
        await member.start();
        await expectContent(member, ours);
        await member.stop();
        await member.start();
        expect(await ctl(member, ROOT, 'get', 'new')).toBe('new\nv');
        await member.kill();
      }
    },
  );

  test('of etcd is restored, and etcd-ts serves it', { timeout: 60_000 }, async () => {
    const member = memberOf(await Cluster.create({ size: 1 }));
    await restoreOurs(theirs.file, member);
    await member.start();
    await expectContent(member, theirs);
    await member.kill();
  });

  test('of etcd-ts with bumped revisions says so to etcd', { timeout: 60_000 }, async () => {
    const member = memberOf(await Cluster.create({ size: 1 }));
    await restoreOurs(ours.file, member, 1_000_000);
    await member.start();
    const file = join(member.dataDir, 'again.db');
    await ctl(member, ROOT, 'snapshot', 'save', file);
    await member.kill();
    const { stdout } = await runTool(etcdutl, ['snapshot', 'status', file, '-w', 'json']);
    const { revision } = JSON.parse(stdout) as { revision: number };
    expect(revision).toBeGreaterThan(1_000_000);
    const real = memberOf(await Cluster.create({ size: 1, program: [etcd] }));
    expect(await restoreByTool(etcdutl, file, real)).toMatchObject({ code: 0 });
    await real.start();
    const put = await ctl(real, ROOT, 'put', 'next', 'v', '-w', 'json');
    expect((JSON.parse(put) as { header: { revision: number } }).header.revision).toBe(
      revision + 1,
    );
    await expect(ctl(real, ROOT, 'get', 'k1', `--rev=${revision - 5}`)).rejects.toThrow(
      'required revision has been compacted',
    );
    await real.kill();
  });

  test('that was damaged is refused by both in the same words', async () => {
    for (const { file } of [ours, theirs]) {
      const cluster = await Cluster.create({ size: 1, program: [etcd] });
      const { folder } = cluster;
      const member = memberOf(cluster);
      const bytes = readFileSync(file);
      bytes[bytes.length >> 1]! ^= 1;
      const damaged = join(folder, 'damaged.db');
      writeFileSync(damaged, bytes);
      const { code, stderr } = await restoreByTool(etcdutl, damaged, member);
      expect(code).not.toBe(0);
      const words = /expected sha256 .*, got .*/;
      expect(stderr).toMatch(words);
      const dataDir = join(folder, 'ours');
      await expect(restoreBackupFile(damaged, { dataDir })).rejects.toThrow(words);
    }
  });
});
