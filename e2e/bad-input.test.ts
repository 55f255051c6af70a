/**
 * What an operator gets wrong: a clear message that names the value, an exit code that is not zero, and the data as it
 * was.
 */
import {
  cpSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, describe, expect, test } from 'vitest';
import { connect } from '@etcd-ts/client/node';
import { build, Cluster, ETCD_TS } from './harness/cluster.ts';
import { type Member, runToExit } from './harness/member.ts';
import { freePorts } from '../tools/peers/free-ports.ts';

const scratch = mkdtempSync(join(tmpdir(), 'etcd-ts-bad-'));
const clusters: Cluster[] = [];

afterEach(async () => {
  for (const cluster of clusters.splice(0)) await cluster.dispose();
});
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

async function started(size: number): Promise<Cluster> {
  const cluster = await Cluster.start({ size });
  clusters.push(cluster);
  return cluster;
}

async function put(member: Member, key: string, value: string): Promise<void> {
  const client = connect({ endpoints: [member.endpoint] });
  await client.put(key, value);
  await client.close();
}

async function get(member: Member, key: string): Promise<string | undefined> {
  const client = connect({ endpoints: [member.endpoint] });
  const entry = await client.get(key);
  await client.close();
  return entry?.text;
}

describe('flags', () => {
  const bad: readonly (readonly [flags: string[], code: number, says: string])[] = [
    [['--foo'], 2, 'flag provided but not defined: -foo'],
    [['--foo=1'], 2, 'flag provided but not defined: -foo'],
    [['--heartbeat-interval=abc'], 2, 'invalid value "abc" for flag -heartbeat-interval'],
    [['--name'], 2, 'flag needs an argument: -name'],
    [['--initial-cluster-state=bogus'], 2, 'invalid value "bogus"'],
    [['--log-level=bogus'], 2, 'bogus'],
    [['--listen-client-urls=ftp://127.0.0.1:1'], 2, 'ftp://127.0.0.1:1'],
    [['--listen-client-urls=http://127.0.0.1'], 2, 'http://127.0.0.1'],
    [['extra'], 1, "'extra' is not a valid flag"],
    [
      ['--heartbeat-interval=100', '--election-timeout=200'],
      1,
      '--election-timeout[200ms] should be at least as 5 times as --heartbeat-interval[100ms]',
    ],
    [
      ['--listen-client-urls=http://127.0.0.1:1234'],
      1,
      '--advertise-client-urls is required when --listen-client-urls is set explicitly',
    ],
    [
      ['--initial-cluster=x=http://127.0.0.1:2380'],
      1,
      `couldn't find local name "default" in the initial cluster configuration`,
    ],
    [
      ['--initial-cluster=default=http://127.0.0.1:9999'],
      1,
      '--initial-cluster has default=http://127.0.0.1:9999 but missing from --initial-advertise-peer-urls=http://localhost:2380',
    ],
  ];
  for (const [flags, code, says] of bad) {
    test(`${flags.join(' ')} is refused before anything touches the disk`, async () => {
      build();
      const dataDir = join(scratch, 'never');
      const ran = await runToExit([...ETCD_TS, `--data-dir=${dataDir}`, ...flags]);
      expect(ran.code).toBe(code);
      expect(ran.lines.map((line) => String(line['error'])).join('\n') + ran.text).toContain(says);
      expect(existsSync(dataDir)).toBe(false);
    });
  }
});

test(
  'a data directory in use is refused by name, and its owner goes on',
  { timeout: 60_000 },
  async () => {
    const [owner] = (await started(1)).members as [Member];
    await put(owner, 'k', 'v');
    const [client, peer] = await freePorts(2);
    const ran = await runToExit([
      ...ETCD_TS,
      `--data-dir=${owner.dataDir}`,
      `--listen-client-urls=http://127.0.0.1:${client}`,
      `--advertise-client-urls=http://127.0.0.1:${client}`,
      `--listen-peer-urls=http://127.0.0.1:${peer}`,
    ]);
    expect(ran.code).toBe(1);
    expect(String(ran.lines.at(-1)?.['error'])).toMatch(
      new RegExp(`${owner.dataDir}.*process ${owner.pid}`),
    );
    expect(await get(owner, 'k')).toBe('v');
  },
);

test('a peer or client address that is taken is refused by name', { timeout: 60_000 }, async () => {
  const [owner] = (await started(1)).members as [Member];
  const [client, peer] = await freePorts(2);
  const dataDir = join(scratch, 'taken');
  const run = (clientUrl: string, peerUrl: string) =>
    runToExit([
      ...ETCD_TS,
      `--data-dir=${dataDir}`,
      `--listen-client-urls=${clientUrl}`,
      `--advertise-client-urls=${clientUrl}`,
      `--listen-peer-urls=${peerUrl}`,
      `--initial-advertise-peer-urls=${peerUrl}`,
      `--initial-cluster=default=${peerUrl}`,
    ]);
  for (const [clientUrl, peerUrl, taken] of [
    [`http://127.0.0.1:${client}`, owner.peerUrl, owner.peerUrl],
    [owner.clientUrl, `http://127.0.0.1:${peer}`, owner.clientUrl],
  ] as const) {
    const ran = await run(clientUrl, peerUrl);
    expect(ran.code).toBe(1);
    const address = taken.replace('http://', '');
    expect(ran.lines.at(-1)?.['error']).toContain(
      `listen tcp ${address}: bind: address already in use`,
    );
  }
});

test(
  "another cluster's data directory is refused by both names, and stays as it is",
  { timeout: 120_000 },
  async () => {
    const other = await started(1);
    const [owner] = other.members as [Member];
    await put(owner, 'k', 'of the other cluster');
    await owner.stop();
    const cluster = await started(3);
    const [first, , third] = cluster.members as [Member, Member, Member];
    await put(first, 'k', 'of this cluster');
    await third.kill();
    rmSync(third.dataDir, { recursive: true });
    cpSync(owner.dataDir, third.dataDir, { recursive: true });
    await expect(third.start()).rejects.toThrow(/ended with 1 before it served/);
    const { error } = JSON.parse(third.log.at(-1) as string) as { error: string };
    expect(error).toContain(`belongs to member`);
    expect(error).toContain(`"m1" at ${owner.peerUrl}`);
    expect(error).toContain(`not to "m3" at ${third.peerUrl}`);
    expect(await get(first, 'k')).toBe('of this cluster');
    await owner.start();
    expect(await get(owner, 'k')).toBe('of the other cluster');
  },
);

test('a log whose end is torn off is repaired, and says where', { timeout: 60_000 }, async () => {
  const [member] = (await started(1)).members as [Member];
  for (let i = 0; i < 20; i++) await put(member, `k${i}`, 'v'.repeat(100));
  await member.kill();
  const folder = join(member.dataDir, 'member', 'wal');
  const segment = join(
    folder,
    readdirSync(folder)
      .filter((name) => name.endsWith('.wal'))
      .sort()
      .at(-1) as string,
  );
  const bytes = readFileSync(segment);
  const written = bytes.findLastIndex((byte) => byte !== 0) + 1;
  truncateSync(segment, written - 5);
  await member.start();
  const line = member.log.find((text) => text.includes(segment));
  expect(JSON.parse(line ?? '{}')).toMatchObject({ level: 'warn' });
  for (let i = 0; i < 19; i++) expect(await get(member, `k${i}`)).toBe('v'.repeat(100));
});

test(
  'a log that is broken in its middle is refused with file and offset, and left as it is',
  { timeout: 60_000 },
  async () => {
    const [member] = (await started(1)).members as [Member];
    for (let i = 0; i < 20; i++) await put(member, `k${i}`, 'v'.repeat(100));
    await member.stop();
    const folder = join(member.dataDir, 'member', 'wal');
    const segment = join(
      folder,
      readdirSync(folder)
        .filter((name) => name.endsWith('.wal'))
        .sort()[0] as string,
    );
    const bytes = readFileSync(segment);
    const at = bytes.indexOf('v'.repeat(100));
    bytes[at] = 'w'.charCodeAt(0);
    writeFileSync(segment, bytes);
    await expect(member.start()).rejects.toThrow(/ended with 1 before it served/);
    expect(member.log.at(-1)).toContain(segment);
    expect(member.log.at(-1)).toMatch(/at byte \d+/);
    expect(readFileSync(segment).equals(bytes)).toBe(true);
  },
);
