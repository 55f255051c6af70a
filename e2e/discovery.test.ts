/** Members that know nothing of one another meet in real etcd, by the flags of etcd 3.6. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { hasEtcd, realEtcd } from '../tools/peers/real-etcd.ts';
import { build, ETCD_TS, runTool } from './harness/cluster.ts';
import { Member, runToExit } from './harness/member.ts';
import { freePorts } from '../tools/peers/free-ports.ts';
import { Service } from './harness/service.ts';

const peers = realEtcd();

describe.runIf(hasEtcd(peers))('discovery', () => {
  const { etcd, etcdctl } = 'missing' in peers ? { etcd: '', etcdctl: '' } : peers;
  const folder = mkdtempSync(join(tmpdir(), 'etcd-ts-discovery-'));
  let registry: Service;
  let endpoint: string;
  const members: Member[] = [];

  beforeAll(async () => {
    build();
    const [client, peer] = await freePorts(2);
    endpoint = `127.0.0.1:${client}`;
    registry = await Service.start(
      [
        etcd,
        `--data-dir=${join(folder, 'registry')}`,
        `--listen-client-urls=http://${endpoint}`,
        `--advertise-client-urls=http://${endpoint}`,
        `--listen-peer-urls=http://127.0.0.1:${peer}`,
        `--initial-advertise-peer-urls=http://127.0.0.1:${peer}`,
        `--initial-cluster=default=http://127.0.0.1:${peer}`,
      ],
      'ready to serve client requests',
    );
  }, 60_000);
  afterAll(async () => {
    await Promise.all(members.map((member) => member.kill()));
    await registry?.stop('SIGKILL');
    rmSync(folder, { recursive: true, force: true });
  });

  function member(i: number, ports: readonly number[]): Member {
    const clientUrl = `http://127.0.0.1:${ports[2 * i]}`;
    const peerUrl = `http://127.0.0.1:${ports[2 * i + 1]}`;
    const dataDir = join(folder, `m${i}`);
    const command = [
      ...ETCD_TS,
      `--name=m${i}`,
      `--data-dir=${dataDir}`,
      `--listen-client-urls=${clientUrl}`,
      `--advertise-client-urls=${clientUrl}`,
      `--listen-peer-urls=${peerUrl}`,
      `--initial-advertise-peer-urls=${peerUrl}`,
      '--discovery-token=token',
      `--discovery-endpoints=http://${endpoint}`,
    ];
    return new Member({ name: `m${i}`, clientUrl, peerUrl, dataDir, command });
  }

  test(
    'three members meet, and start again without the registry',
    { timeout: 90_000 },
    async () => {
      const size = '/_etcd/registry/token/_config/size';
      await runTool(etcdctl, [`--endpoints=${endpoint}`, 'put', size, '3']);
      const ports = await freePorts(8);
      members.push(...[0, 1, 2].map((i) => member(i, ports)));
      await Promise.all(members.map((each) => each.start()));
      const list = await runTool(etcdctl, [
        `--endpoints=${members[0]!.endpoint}`,
        'member',
        'list',
      ]);
      expect(list.stdout.match(/started, m[012]/g)?.sort()).toEqual([
        'started, m0',
        'started, m1',
        'started, m2',
      ]);
      const late = member(3, ports);
      await expect(late.start()).rejects.toThrow('discovery: cluster is full');
      await registry.stop();
      await members[2]!.stop();
      await members[2]!.start();
    },
  );

  test('a token without its endpoints is refused, with the exit code of etcd', async () => {
    const ran = await runToExit([
      ...ETCD_TS,
      `--data-dir=${join(folder, 'x')}`,
      '--discovery-token=t',
    ]);
    expect(ran.code).toBe(1);
    expect(ran.text).toContain('both --discovery-endpoints and --discovery-token must be set');
  });
});
