/**
 * Real etcdctl 3.5 against three members as processes: the commands of everyday use, on every member.
 */
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { hasEtcd, realEtcd } from '../tools/peers/real-etcd.ts';
import { Cluster, type Ran, runTool } from './harness/cluster.ts';
import type { Member } from './harness/member.ts';
import { programUnderTest } from './harness/under-test.ts';

const peers = realEtcd();

describe.runIf(hasEtcd(peers))('etcdctl against three members', () => {
  const etcdctl = 'missing' in peers ? '' : peers.etcdctl;
  let cluster: Cluster;

  beforeAll(async () => {
    cluster = await Cluster.start({ size: 3, program: programUnderTest() });
  }, 60_000);
  afterAll(async () => {
    await cluster?.dispose();
  });

  /** Runs etcdctl against one member (or all) and expects it to succeed. */
  async function ctl(
    member: Member | 'all',
    args: readonly string[],
    input?: string,
  ): Promise<Ran> {
    const endpoints = member === 'all' ? cluster.endpoints : member.endpoint;
    const ran = await runTool(
      etcdctl,
      [`--endpoints=${endpoints}`, ...args],
      input === undefined ? {} : { input },
    );
    expect({ args, code: ran.code, stderr: ran.stderr }).toMatchObject({ code: 0 });
    return ran;
  }

  async function out(member: Member | 'all', ...args: string[]): Promise<string> {
    return (await ctl(member, args)).stdout;
  }

  /** Runs the claim against each member in turn, with a key space of its own. */
  function onEveryMember(
    claim: string,
    run: (member: Member, prefix: string) => Promise<void>,
  ): void {
    test(claim, { timeout: 60_000 }, async () => {
      for (const member of cluster.members) {
        await run(member, `${claim.replaceAll(/\W+/g, '-')}/${member.name}/`);
      }
    });
  }

  test('endpoint status --cluster draws a table with one leader and equal terms', async () => {
    const table = await out(cluster.members[0]!, 'endpoint', 'status', '--cluster', '-w', 'table');
    const cells = table
      .split('\n')
      .filter((line) => /^[|│]/.test(line))
      .map((row) => row.split(/[|│]/).map((cell) => cell.trim()));
    const [header, ...rows] = cells as [string[], ...string[][]];
    const column = (name: string) => rows.map((row) => row[header.indexOf(name)]);
    expect(rows).toHaveLength(3);
    expect(column('IS LEADER').filter((cell) => cell === 'true')).toHaveLength(1);
    expect(new Set(column('RAFT TERM')).size).toBe(1);
    for (const version of column('VERSION')) expect(version).toMatch(/^3\.\d+\.\d+$/);
  });

  test('endpoint health finds every member healthy', async () => {
    const ran = await ctl('all', ['endpoint', 'health']);
    expect(
      (ran.stdout + ran.stderr).match(/is healthy: successfully committed proposal/g),
    ).toHaveLength(3);
  });

  onEveryMember('member list names all members as started', async (member) => {
    const lines = (await out(member, 'member', 'list')).trim().split('\n');
    expect(lines).toHaveLength(3);
    for (const each of cluster.members) {
      const line = lines.find((text) => text.includes(`, ${each.name}, `));
      expect(line).toMatch(/^[0-9a-f]{1,16}, started, /);
      expect(line).toContain(`, ${each.peerUrl}, ${each.clientUrl}, false`);
    }
  });

  onEveryMember('put and get give back the value', async (member, at) => {
    expect(await out(member, 'put', `${at}k`, 'v')).toBe('OK\n');
    expect(await out(member, 'get', `${at}k`)).toBe(`${at}k\nv\n`);
    expect(await out(member, 'get', `${at}k`, '--print-value-only')).toBe('v\n');
    expect(await out(member, 'get', `${at}absent`)).toBe('');
    expect(await out(member, 'put', `${at}k`, 'w', '--prev-kv')).toBe(`OK\n${at}k\nv\n`);
  });

  onEveryMember('a put through one member is read through every other', async (member, at) => {
    await out(member, 'put', `${at}k`, 'v');
    for (const other of cluster.members) {
      expect(await out(other, 'get', `${at}k`, '--print-value-only')).toBe('v\n');
    }
  });

  onEveryMember('get by prefix, range, limit, order, keys and count', async (member, at) => {
    for (const name of ['c', 'a', 'b', 'd']) await out(member, 'put', `${at}${name}`, `v${name}`);
    const keys = (text: string) =>
      text
        .split('\n')
        .filter((line) => line !== '')
        .map((line) => line.slice(at.length));
    const keysOf = async (...args: string[]) =>
      keys(await out(member, 'get', ...args, '--keys-only'));
    expect(await keysOf(at, '--prefix')).toEqual(['a', 'b', 'c', 'd']);
    expect(await keysOf(`${at}b`, `${at}d`)).toEqual(['b', 'c']);
    expect(await keysOf(at, '--prefix', '--limit=2')).toEqual(['a', 'b']);
    expect(await keysOf(at, '--prefix', '--order=DESCEND')).toEqual(['d', 'c', 'b', 'a']);
    expect(await keysOf(at, '--prefix', '--sort-by=MODIFY', '--order=ASCEND')).toEqual([
      'c',
      'a',
      'b',
      'd',
    ]);
    expect(
      await out(member, 'get', at, '--prefix', '--count-only', '--write-out=fields'),
    ).toContain('"Count" : 4');
    const page = JSON.parse(await out(member, 'get', at, '--prefix', '--limit=2', '-w', 'json'));
    expect(page).toMatchObject({ count: 4, more: true });
    expect(Buffer.from(page.kvs[1].value, 'base64').toString()).toBe('vb');
  });

  onEveryMember('get --rev reads the past, and json carries the revisions', async (member, at) => {
    await out(member, 'put', `${at}k`, 'old');
    const first = JSON.parse(await out(member, 'get', `${at}k`, '-w', 'json'));
    await out(member, 'put', `${at}k`, 'new');
    const rev = first.header.revision as number;
    expect(first.kvs[0]).toMatchObject({ create_revision: rev, mod_revision: rev, version: 1 });
    expect(await out(member, 'get', `${at}k`, `--rev=${rev}`, '--print-value-only')).toBe('old\n');
    const second = JSON.parse(await out(member, 'get', `${at}k`, '-w', 'json'));
    expect(second.kvs[0]).toMatchObject({
      create_revision: rev,
      mod_revision: rev + 1,
      version: 2,
    });
  });

  onEveryMember('del counts what it deleted', async (member, at) => {
    for (const name of ['a', 'b', 'c']) await out(member, 'put', `${at}${name}`, name);
    expect(await out(member, 'del', `${at}a`)).toBe('1\n');
    expect(await out(member, 'del', `${at}a`)).toBe('0\n');
    expect(await out(member, 'del', at, '--prefix', '--prev-kv')).toBe(`2\n${at}b\nb\n${at}c\nc\n`);
    expect(await out(member, 'get', at, '--prefix')).toBe('');
  });

  onEveryMember(
    'txn in its file form takes the branch that its compares choose',
    async (member, at) => {
      await out(member, 'put', `${at}k`, 'v');
      const file = `value("${at}k") = "v"\nversion("${at}k") = "1"\n\nput ${at}won yes\nget ${at}k\n\nput ${at}lost yes\n\n`;
      const won = await ctl(member, ['txn'], file);
      expect(won.stdout).toBe(`SUCCESS\n\nOK\n\n${at}k\nv\n`);
      const lost = await ctl(member, ['txn'], file.replace('= "v"', '= "x"'));
      expect(lost.stdout).toBe('FAILURE\n\nOK\n');
      expect(await out(member, 'get', `${at}lost`, '--print-value-only')).toBe('yes\n');
    },
  );

  onEveryMember('watch --rev delivers the past and then the present', async (member, at) => {
    await out(member, 'put', `${at}k`, 'one');
    const rev = JSON.parse(await out(member, 'get', `${at}k`, '-w', 'json')).kvs[0]
      .mod_revision as number;
    const watch = spawn(
      etcdctl,
      [`--endpoints=${member.endpoint}`, 'watch', at, '--prefix', `--rev=${rev}`],
      {
        env: { ...process.env, ETCDCTL_API: '3' },
      },
    );
    const lines: string[] = [];
    const told = (count: number) =>
      new Promise<void>((resolve) => {
        const look = () => lines.length >= count && resolve();
        reader.on('line', look);
        look();
      });
    const reader = createInterface({ input: watch.stdout });
    reader.on('line', (line) => lines.push(line));
    await told(3);
    await out(member, 'put', `${at}k`, 'two');
    await out(member, 'del', `${at}k`);
    await told(9 - 1);
    watch.kill();
    expect(lines).toEqual([
      'PUT',
      `${at}k`,
      'one',
      'PUT',
      `${at}k`,
      'two',
      'DELETE',
      `${at}k`,
      ...lines.slice(8),
    ]);
  });

  onEveryMember(
    'a lease is granted, attached, kept alive, told and revoked',
    async (member, at) => {
      const granted = await out(member, 'lease', 'grant', '300');
      const id = /^lease ([0-9a-f]+) granted with TTL\(300s\)\n$/.exec(granted)?.[1] ?? granted;
      expect(await out(member, 'put', `--lease=${id}`, `${at}k`, 'v')).toBe('OK\n');
      expect(await out(member, 'lease', 'keep-alive', '--once', id)).toBe(
        `lease ${id} keepalived with TTL(300)\n`,
      );
      expect(await out(member, 'lease', 'timetolive', id, '--keys')).toMatch(
        new RegExp(
          `^lease ${id} granted with TTL\\(300s\\), remaining\\((299|300)s\\), attached keys\\(\\[${at}k\\]\\)\n$`,
        ),
      );
      expect(await out(member, 'lease', 'list')).toContain(id);
      expect(await out(member, 'lease', 'revoke', id)).toBe(`lease ${id} revoked\n`);
      expect(await out(member, 'get', `${at}k`)).toBe('');
      expect(await out(member, 'lease', 'timetolive', id)).toBe(`lease ${id} already expired\n`);
    },
  );

  test('a compaction is refused twice, and everywhere refuses reads below it', async () => {
    const [member] = cluster.members as [Member];
    await out(member, 'put', 'compacted', '1');
    const old = JSON.parse(await out(member, 'get', 'compacted', '-w', 'json')).header
      .revision as number;
    await out(member, 'put', 'compacted', '2');
    expect(await out(member, 'compaction', '--physical', `${old + 1}`)).toBe(
      `compacted revision ${old + 1}\n`,
    );
    for (const each of cluster.members) {
      const endpoints = `--endpoints=${each.endpoint}`;
      const read = await runTool(etcdctl, [endpoints, 'get', 'compacted', `--rev=${old}`]);
      expect(read.code).toBe(1);
      expect(read.stderr).toContain('etcdserver: mvcc: required revision has been compacted');
      const again = await runTool(etcdctl, [endpoints, 'compaction', `${old}`]);
      expect(again.stderr).toContain('etcdserver: mvcc: required revision has been compacted');
      const future = await runTool(etcdctl, [endpoints, 'compaction', '999999999']);
      expect(future.stderr).toContain('etcdserver: mvcc: required revision is a future revision');
    }
  });

  test('bad requests get the errors that etcd gives', async () => {
    const [member] = cluster.members as [Member];
    const fails = async (...args: string[]) =>
      (await runTool(etcdctl, [`--endpoints=${member.endpoint}`, ...args])).stderr;
    expect(await fails('put', '', 'v')).toContain('etcdserver: key is not provided');
    expect(await fails('put', 'k', 'v', '--lease=12345')).toContain(
      'etcdserver: requested lease not found',
    );
    expect(await fails('lease', 'revoke', '12345')).toContain(
      'etcdserver: requested lease not found',
    );
    expect(await fails('get', 'k', '--rev=999999999')).toContain(
      'etcdserver: mvcc: required revision is a future revision',
    );
    const large = await runTool(etcdctl, [`--endpoints=${member.endpoint}`, 'put', 'k'], {
      input: 'x'.repeat(1_600_000),
    });
    expect(large.stderr).toContain('etcdserver: request is too large');
  });
});
