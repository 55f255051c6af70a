/**
 * An operator's day with real etcdctl: a member grows to a cluster of three, one is replaced, the lead moves, certificates
 * are exchanged, the database fills up and is emptied, a backup is taken, two members are lost for good, and the cluster
 * is brought back from the one that is left. Clients write all the while, and nothing that they were told is lost.
 */
import { copyFileSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { EtcdError } from '@etcd-ts/client';
import { connect } from '@etcd-ts/client/node';
import { type Authority, issue, makeCertificates } from '../examples/tls/certificates.ts';
import { hasEtcd, realEtcd } from '../tools/peers/real-etcd.ts';
import { build, type Ran, runTool } from './harness/cluster.ts';
import { Member } from './harness/member.ts';
import { freePorts } from '../tools/peers/free-ports.ts';
import { programUnderTest } from './harness/under-test.ts';

const peers = realEtcd();
const QUOTA_BYTES = 24 * 1024 * 1024;

describe.runIf(hasEtcd(peers))("an operator's day", () => {
  const etcdctl = 'missing' in peers ? '' : peers.etcdctl;
  const folder = mkdtempSync(join(tmpdir(), 'etcd-ts-day-'));
  const path = (name: string): string => join(folder, name);
  /** Values that clients were told are written, by key. */
  const acknowledged = new Map<string, string>();
  const running = new Map<string, Member>();
  let learner: string | undefined;
  let authority: Authority;
  let ports: readonly number[];
  let isDayOver = false;
  const writers: Promise<void>[] = [];

  const clientUrl = (i: number): string => `https://127.0.0.1:${ports[2 * i]}`;
  const peerUrl = (i: number): string => `https://127.0.0.1:${ports[2 * i + 1]}`;

  beforeAll(async () => {
    build();
    authority = await makeCertificates(folder);
    ports = await freePorts(8);
  }, 60_000);
  afterAll(async () => {
    isDayOver = true;
    await Promise.all(writers);
    await Promise.all([...running.values()].map((member) => member.kill()));
    rmSync(folder, { recursive: true, force: true });
  });

  /** Starts member `i`; `others` are those that are there already. */
  async function start(i: number, others: readonly number[], ...flags: string[]): Promise<void> {
    const name = `m${i}`;
    const members = [...others, i].map((each) => `m${each}=${peerUrl(each)}`);
    const member = new Member({
      name,
      clientUrl: clientUrl(i),
      peerUrl: peerUrl(i),
      dataDir: path(name),
      command: [
        ...programUnderTest(),
        `--name=${name}`,
        `--data-dir=${path(name)}`,
        `--listen-client-urls=${clientUrl(i)}`,
        `--advertise-client-urls=${clientUrl(i)}`,
        `--listen-peer-urls=${peerUrl(i)}`,
        `--initial-advertise-peer-urls=${peerUrl(i)}`,
        `--initial-cluster=${members.join(',')}`,
        `--initial-cluster-state=${others.length === 0 ? 'new' : 'existing'}`,
        `--cert-file=${path('server.crt')}`,
        `--key-file=${path('server.key')}`,
        '--client-cert-auth',
        `--trusted-ca-file=${path('ca.crt')}`,
        `--peer-cert-file=${path('peer.crt')}`,
        `--peer-key-file=${path('peer.key')}`,
        '--peer-client-cert-auth',
        `--peer-trusted-ca-file=${path('ca.crt')}`,
        `--quota-backend-bytes=${QUOTA_BYTES}`,
        ...flags,
      ],
    });
    running.set(name, member);
    await member.start();
  }

  /** Where requests can go: a learner takes none. */
  const endpoints = (): string =>
    [...running.values()]
      .filter(({ name }) => name !== learner)
      .map((each) => each.clientUrl)
      .join(',');

  function ctl(at: string, ...args: string[]): Promise<Ran> {
    const tls = ['cacert=ca.crt', 'cert=client.crt', 'key=client.key'].map((flag) => {
      const [name, file] = flag.split('=') as [string, string];
      return `--${name}=${path(file)}`;
    });
    return runTool(etcdctl, [`--endpoints=${at}`, ...tls, ...args]);
  }

  /** Runs etcdctl until the cluster lets it: changes of the membership are refused until all is well. */
  async function insist(...args: string[]): Promise<string> {
    let last: Ran | undefined;
    await expect
      .poll(
        async () => {
          last = await ctl(endpoints(), ...args);
          return last.code === 0 ? 'done' : last.stderr;
        },
        { timeout: 60_000, interval: 250 },
      )
      .toBe('done');
    return last!.stdout;
  }

  const idOf = async (i: number): Promise<string> => {
    const { stdout } = await ctl(endpoints(), 'member', 'list');
    const line = stdout.split('\n').find((each) => each.includes(peerUrl(i)));
    return line?.split(',')[0] ?? '';
  };

  /** Adds member `i` as a learner, and makes it a voter as soon as it has caught up. */
  async function grow(i: number, others: readonly number[]): Promise<void> {
    await insist('member', 'add', `m${i}`, '--learner', `--peer-urls=${peerUrl(i)}`);
    learner = `m${i}`;
    await start(i, others);
    await insist('member', 'promote', await idOf(i));
    learner = undefined;
  }

  /** Writes all day long, to whichever member takes it. */
  async function write(writer: string): Promise<void> {
    const tls = {
      ca: readFileSync(path('ca.crt')),
      cert: readFileSync(path('client.crt')),
      key: readFileSync(path('client.key')),
    };
    const all = [0, 1, 2, 3].map(clientUrl);
    const client = connect({ endpoints: all, timeoutMs: 2_000, channel: { tls } });
    for (let n = 0; !isDayOver; n++) {
      const [key, value] = [`day/${writer}/${n}`, `${writer}:${n}`];
      try {
        await client.put(key, value);
        acknowledged.set(key, value);
      } catch (error) {
        // Refused, or its outcome is not known: either way nobody was told that it is written.
        if (!EtcdError.is(error)) throw error;
      }
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    await client.close();
  }

  async function leader(): Promise<number> {
    const { stdout } = await ctl(endpoints(), 'endpoint', 'status', '-w', 'json');
    const all = JSON.parse(stdout) as {
      Endpoint: string;
      Status: { leader: bigint; header: { member_id: bigint } };
    }[];
    const found = all.find(({ Status: { leader: id, header } }) => id === header.member_id);
    return [0, 1, 2, 3].findIndex((i) => clientUrl(i) === found?.Endpoint);
  }

  async function lose(i: number): Promise<void> {
    await running.get(`m${i}`)?.kill();
    running.delete(`m${i}`);
    rmSync(path(`m${i}`), { recursive: true });
  }

  test('ends with everything that was acknowledged', { timeout: 300_000 }, async () => {
    await start(0, []);
    for (const writer of ['a', 'b']) writers.push(write(writer));
    await grow(1, [0]);
    await grow(2, [0, 1]);

    // One is replaced: its disk is gone, another machine takes its place.
    await lose(1);
    await insist('member', 'remove', await idOf(1));
    await grow(3, [0, 2]);
    expect((await ctl(endpoints(), 'member', 'list')).stdout.match(/started/g)).toHaveLength(3);

    // The lead moves.
    const before = await leader();
    const next = [0, 2, 3].find((i) => i !== before)!;
    const moved = await ctl(clientUrl(before), 'move-leader', await idOf(next));
    expect(moved.stdout).toContain('Leadership transferred');
    expect(await leader()).toBe(next);

    // Certificates of the client URLs and of the peers are exchanged while everything runs.
    const here = { hosts: ['127.0.0.1', '::1', 'localhost'] };
    for (const name of ['server', 'peer']) {
      await issue(folder, `${name}-next`, authority, { commonName: `${name}-next`, ...here });
      for (const file of ['key', 'crt']) {
        copyFileSync(path(`${name}-next.${file}`), path(`${name}.${file}`));
      }
    }
    expect(await ctl(endpoints(), 'endpoint', 'health', '--cluster')).toMatchObject({ code: 0 });

    // The database fills up, refuses, and is emptied.
    const filler = 'x'.repeat(1_000_000);
    await expect
      .poll(
        async () =>
          (await runToolWithInput(['put', 'filler'], filler)).stderr.match(
            /database space exceeded/,
          )?.[0],
        { timeout: 60_000, interval: 1 },
      )
      .toBe('database space exceeded');
    expect((await ctl(endpoints(), 'alarm', 'list')).stdout).toContain('NOSPACE');
    await insist('del', 'filler');
    const { stdout } = await ctl(clientUrl(next), 'get', 'day', '-w', 'json');
    const { revision } = (JSON.parse(stdout) as { header: { revision: number } }).header;
    await insist('compact', String(revision), '--physical');
    await insist('defrag');
    await insist('alarm', 'disarm');
    await insist('put', 'filler', 'small');

    // A backup, then the two that do not lead are lost for good; the leader has all that was acknowledged.
    const kept = await leader();
    expect(await ctl(clientUrl(kept), 'snapshot', 'save', path('backup.db'))).toMatchObject({
      code: 0,
    });
    const lost = [0, 2, 3].filter((i) => i !== kept);
    await Promise.all(lost.map(lose));
    await running.get(`m${kept}`)!.stop();
    await start(kept, [], '--force-new-cluster');
    expect((await ctl(clientUrl(kept), 'member', 'list')).stdout.match(/started/g)).toHaveLength(1);
    await running.get(`m${kept}`)!.stop();
    await start(kept, []);
    await grow(lost[0]!, [kept]);
    await grow(lost[1]!, [kept, lost[0]!]);

    isDayOver = true;
    await Promise.all(writers);
    expect(acknowledged.size).toBeGreaterThan(100);
    for (const i of [0, 2, 3]) {
      const all = await ctl(clientUrl(i), 'get', 'day/', '--prefix', '-w', 'json');
      const { kvs } = JSON.parse(all.stdout) as { kvs: { key: string; value: string }[] };
      const text = (base64: string): string => Buffer.from(base64, 'base64').toString();
      const found = new Map(kvs.map(({ key, value }) => [text(key), text(value)]));
      const missing = [...acknowledged].filter(([key, value]) => found.get(key) !== value);
      expect({ member: i, missing }).toEqual({ member: i, missing: [] });
    }
  });

  function runToolWithInput(args: readonly string[], input: string): Promise<Ran> {
    const tls = [
      `--cacert=${path('ca.crt')}`,
      `--cert=${path('client.crt')}`,
      `--key=${path('client.key')}`,
    ];
    return runTool(etcdctl, [`--endpoints=${endpoints()}`, ...tls, ...args], { input });
  }
});
