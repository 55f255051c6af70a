/** Three members with mutual authentication everywhere, driven by real etcdctl; and everybody who is to stay outside. */
import { copyFileSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { connect } from '@etcd-ts/client/node';
import { type Authority, issue, makeCertificates, revoke } from '../examples/tls/certificates.ts';
import { hasEtcd, realEtcd } from '../tools/peers/real-etcd.ts';
import { Cluster, type Ran, runTool } from './harness/cluster.ts';
import { Member } from './harness/member.ts';
import { freePorts } from '../tools/peers/free-ports.ts';
import { programUnderTest } from './harness/under-test.ts';

const peers = realEtcd();

describe.runIf(hasEtcd(peers))('three members with mutual TLS', () => {
  const etcdctl = 'missing' in peers ? '' : peers.etcdctl;
  const certs = mkdtempSync(join(tmpdir(), 'etcd-ts-certs-'));
  const path = (name: string): string => join(certs, name);
  let authority: Authority;
  let cluster: Cluster;

  const tlsFlags = (): string[] => [
    `--cert-file=${path('server.crt')}`,
    `--key-file=${path('server.key')}`,
    '--client-cert-auth',
    `--trusted-ca-file=${path('ca.crt')}`,
    `--client-crl-file=${path('revoked.crl')}`,
    `--peer-cert-file=${path('peer.crt')}`,
    `--peer-key-file=${path('peer.key')}`,
    '--peer-client-cert-auth',
    `--peer-trusted-ca-file=${path('ca.crt')}`,
    `--peer-crl-file=${path('revoked.crl')}`,
    '--peer-cert-allowed-cn=peer',
  ];

  beforeAll(async () => {
    authority = await makeCertificates(certs);
    cluster = await Cluster.start({
      size: 3,
      scheme: 'https',
      program: programUnderTest(),
      flags: tlsFlags(),
    });
  }, 60_000);
  afterAll(async () => {
    await cluster?.dispose();
    rmSync(certs, { recursive: true, force: true });
  });

  const as = (name: string, ca = 'ca'): string[] => [
    `--cacert=${path(`${ca}.crt`)}`,
    `--cert=${path(`${name}.crt`)}`,
    `--key=${path(`${name}.key`)}`,
  ];

  function ctl(who: readonly string[], ...args: string[]): Promise<Ran> {
    return runTool(etcdctl, [`--endpoints=${cluster.endpoints}`, ...who, ...args]);
  }

  /** Whoever is refused only finds out by waiting: etcdctl tries again and again. */
  function isRefused(who: readonly string[], ...args: string[]): Promise<boolean> {
    return ctl([...who, '--dial-timeout=500ms', '--command-timeout=1s'], ...args).then(
      ({ code, stderr }) => code === 1 && stderr.includes('deadline exceeded'),
    );
  }

  test('etcdctl with a good certificate reads, writes, watches the members and their health', async () => {
    expect(await ctl(as('client'), 'put', 'a', '1')).toMatchObject({ code: 0, stdout: 'OK\n' });
    expect((await ctl(as('client'), 'get', 'a')).stdout).toBe('a\n1\n');
    const health = await ctl(as('client'), 'endpoint', 'health', '--cluster');
    expect((health.stdout + health.stderr).match(/https:\/\/\S+ is healthy/g)).toHaveLength(3);
    const list = await ctl(as('client'), 'member', 'list');
    expect(list.stdout.match(/started.*https:\/\/127/g)).toHaveLength(3);
  });

  test.each([
    ['without a certificate', (): string[] => [`--cacert=${path('ca.crt')}`]],
    ['of another authority', (): string[] => as('wrong-ca')],
    ['that has expired', (): string[] => as('expired')],
    ['that is revoked', (): string[] => as('revoked')],
    ['that does not trust the server', (): string[] => as('client', 'other-ca')],
  ])('a client %s is refused', async (_, who) => {
    expect(await isRefused(who(), 'put', 'intruder', 'was here')).toBe(true);
    expect((await ctl(as('client'), 'get', 'intruder')).stdout).toBe('');
  });

  test('HTTP is served over the same port: pages, gateway, and nothing in the clear', async () => {
    const { clientUrl } = cluster.members[0] as Member;
    const curl = (...args: string[]): Promise<Ran> =>
      runTool('curl', ['-sS', '--cacert', path('ca.crt'), ...args]);
    const own = ['--cert', path('client.crt'), '--key', path('client.key')];
    for (const version of ['--http1.1', '--http2']) {
      const health = await curl(version, ...own, `${clientUrl}/health`);
      const body = JSON.stringify({ key: Buffer.from('a').toString('base64') });
      const range = await curl(version, ...own, '-d', body, `${clientUrl}/v3/kv/range`);
      expect({ version, health: health.stdout, range: JSON.parse(range.stdout) }).toMatchObject({
        version,
        health: '{"health":"true","reason":""}',
        range: { count: '1' },
      });
    }
    expect((await curl(`${clientUrl}/health`)).code).not.toBe(0);
    expect((await curl(`${clientUrl.replace('https', 'http')}/health`)).code).not.toBe(0);
  });

  test('our own client shows its certificate', async () => {
    const client = connect({
      endpoints: cluster.members.map(({ clientUrl }) => clientUrl),
      channel: {
        tls: {
          ca: readFileSync(path('ca.crt')),
          cert: readFileSync(path('client.crt')),
          key: readFileSync(path('client.key')),
        },
      },
    });
    await client.put('ours', 'too');
    expect((await client.get('ours'))?.text).toBe('too');
    await client.close();
  });

  test.each(['wrong-ca', 'expired-peer', 'revoked-peer', 'wrong-cn'])(
    'a member with the peer certificate %s is refused by the others, and they log it',
    async (name) => {
      const rejections = (): number =>
        cluster.members
          .flatMap(({ log }) => log)
          .filter((line) => line.includes('rejected connection on peer endpoint')).length;
      const before = rejections();
      const [clientPort, peerPort] = await freePorts(2);
      const peerUrl = `https://127.0.0.1:${peerPort}`;
      const added = await ctl(as('client'), 'member', 'add', name, `--peer-urls=${peerUrl}`);
      const memberId = /Member\s+(\w+) added/.exec(added.stdout)?.[1] ?? '';
      const initial = [
        ...cluster.members.map((each) => `${each.name}=${each.peerUrl}`),
        `${name}=${peerUrl}`,
      ];
      const [program, ...words] = programUnderTest();
      const clientUrl = `https://127.0.0.1:${clientPort}`;
      const dataDir = join(cluster.folder, name);
      const member = new Member({
        name,
        clientUrl,
        peerUrl,
        dataDir,
        command: [
          program as string,
          ...words,
          `--name=${name}`,
          `--data-dir=${dataDir}`,
          `--listen-client-urls=${clientUrl}`,
          `--advertise-client-urls=${clientUrl}`,
          `--listen-peer-urls=${peerUrl}`,
          `--initial-advertise-peer-urls=${peerUrl}`,
          `--initial-cluster=${initial.join(',')}`,
          '--initial-cluster-state=existing',
          ...tlsFlags(),
          `--peer-cert-file=${path(`${name}.crt`)}`,
          `--peer-key-file=${path(`${name}.key`)}`,
          `--peer-cert-allowed-cn=`,
        ],
      });
      await expect(member.start()).rejects.toThrow(/cannot fetch cluster info|before it served/);
      expect(rejections()).toBeGreaterThan(before);
      await ctl(as('client'), 'member', 'remove', memberId);
    },
    60_000,
  );

  test(
    'the common name of a certificate is a user, over gRPC alone',
    { timeout: 60_000 },
    async () => {
      const own = as('client');
      const root = [...own, '--user=root:secret'];
      for (const args of [
        ['user', 'add', 'root:secret'],
        ['user', 'grant-role', 'root', 'root'],
        ['user', 'add', 'client', '--no-password'],
        ['role', 'add', 'some'],
        ['role', 'grant-permission', 'some', 'readwrite', 'mine/', '--prefix'],
        ['user', 'grant-role', 'client', 'some'],
        ['auth', 'enable'],
      ]) {
        expect({ args, ...(await ctl(own, ...args)) }).toMatchObject({ args, code: 0 });
      }
      expect(await ctl(own, 'put', 'mine/a', '1')).toMatchObject({ code: 0 });
      expect((await ctl(own, 'put', 'theirs', '1')).stderr).toContain('permission denied');
      expect(await ctl(root, 'put', 'theirs', '1')).toMatchObject({ code: 0 });
      const { clientUrl } = cluster.members[0] as Member;
      const body = JSON.stringify({ key: Buffer.from('mine/a').toString('base64') });
      const files = [
        '--cacert',
        path('ca.crt'),
        '--cert',
        path('client.crt'),
        '--key',
        path('client.key'),
      ];
      for (const version of ['--http1.1', '--http2']) {
        const ran = await runTool('curl', [
          '-s',
          version,
          ...files,
          '-d',
          body,
          `${clientUrl}/v3/kv/range`,
        ]);
        expect(ran.stdout).toBe(
          'CommonName of client sending a request against gateway will be ignored and not used as expected\n',
        );
      }
      expect(await ctl(root, 'auth', 'disable')).toMatchObject({ code: 0 });
    },
  );

  test('certificates and the list of revoked ones are exchanged without a restart', async () => {
    await issue(certs, 'next', authority, { commonName: 'next', usage: 'client' });
    expect(await ctl(as('next'), 'put', 'b', '1')).toMatchObject({ code: 0 });
    const gone = await issue(certs, 'gone', authority, { commonName: 'gone', usage: 'client' });
    expect(await ctl(as('gone'), 'put', 'b', '2')).toMatchObject({ code: 0 });
    await revoke(path('revoked.crl'), authority, [gone]);
    expect(await isRefused(as('gone'), 'put', 'b', '3')).toBe(true);
    // A new server certificate that is not for this host: whoever checks it sees at once that it is in use.
    await issue(certs, 'elsewhere', authority, { commonName: 'server', hosts: ['192.0.2.1'] });
    for (const file of ['crt', 'key']) {
      copyFileSync(path(`server.${file}`), path(`kept.${file}`));
      copyFileSync(path(`elsewhere.${file}`), path(`server.${file}`));
    }
    expect(await isRefused(as('client'), 'get', 'b')).toBe(true);
    for (const file of ['crt', 'key']) copyFileSync(path(`kept.${file}`), path(`server.${file}`));
    expect(await ctl(as('client'), 'get', 'b')).toMatchObject({ code: 0, stdout: 'b\n2\n' });
  });
});
