/** The gateway and the gRPC proxy in front of members, driven by real etcdctl. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { connect } from '@etcd-ts/client/node';
import { makeCertificates } from '../examples/tls/certificates.ts';
import { hasEtcd, realEtcd } from '../tools/peers/real-etcd.ts';
import { build, Cluster, ETCD_TS, type Ran, runTool } from './harness/cluster.ts';
import { freePorts } from '../tools/peers/free-ports.ts';
import { Service } from './harness/service.ts';
import { programUnderTest } from './harness/under-test.ts';

const peers = realEtcd();
/** With E2E_PROGRAM=etcd members and proxies are etcd's. */
const program = programUnderTest();
const isOurs = program === ETCD_TS;

describe.runIf(hasEtcd(peers))('proxies', () => {
  const { etcd, etcdctl } = 'missing' in peers ? { etcd: '', etcdctl: '' } : peers;
  const folder = mkdtempSync(join(tmpdir(), 'etcd-ts-proxies-'));
  const services: Service[] = [];
  let cluster: Cluster;
  const path = (name: string): string => join(folder, name);

  beforeAll(async () => {
    if (isOurs) build();
    await makeCertificates(folder);
    cluster = await Cluster.start({ size: 3, program });
  }, 60_000);
  afterAll(async () => {
    await Promise.all(services.map((service) => service.stop('SIGKILL')));
    await cluster?.dispose();
    rmSync(folder, { recursive: true, force: true });
  });

  async function start(kind: 'gateway' | 'grpc-proxy', ...flags: string[]): Promise<string> {
    const [port] = await freePorts(1);
    const address = `127.0.0.1:${port}`;
    const line = kind === 'gateway' ? 'ready to proxy client requests' : 'started gRPC proxy';
    // etcd's proxy asks itself under this address whether it is well.
    const own = kind === 'gateway' ? [] : [`--advertise-client-url=${address}`];
    const command = [...program, kind, 'start', `--listen-addr=${address}`, ...own, ...flags];
    services.push(await Service.start(command, line, { cwd: folder }));
    return address;
  }

  const run = (endpoint: string, ...args: string[]): Promise<Ran> =>
    runTool(etcdctl, [`--endpoints=${endpoint}`, ...args]);
  const members = (): string => cluster.members.map(({ endpoint }) => endpoint).join(',');

  /** Lines that a watch prints, as they come. */
  function watch(
    endpoint: string,
    ...args: string[]
  ): { lines: string[]; stop: () => Promise<void> } {
    const child = spawn(etcdctl, [`--endpoints=${endpoint}`, 'watch', ...args]);
    const lines: string[] = [];
    createInterface({ input: child.stdout }).on('line', (line) => lines.push(line));
    return {
      lines,
      stop: async () => {
        const exited = once(child, 'exit');
        child.kill('SIGKILL');
        await exited;
      },
    };
  }

  test('the gateway forwards to whichever member can be reached', async () => {
    const [dead] = await freePorts(1);
    const address = await start(
      'gateway',
      `--endpoints=127.0.0.1:${dead},${members()}`,
      '--retry-delay=100ms',
    );
    for (let i = 0; i < 5; i++) {
      expect(await run(address, 'put', `gateway/${i}`, 'x')).toMatchObject({ code: 0 });
    }
    expect(
      (await run(members(), 'get', 'gateway/', '--prefix', '--count-only', '-w', 'fields')).stdout,
    ).toMatch(/"Count" : 5/);
    expect(services.at(-1)?.log.some((line) => line.includes('deactivated endpoint'))).toBe(true);
  });

  test('reads, writes, transactions, leases, locks and elections go through the gRPC proxy', async () => {
    const address = await start('grpc-proxy', `--endpoints=${members()}`);
    expect(await run(address, 'put', 'a', '1')).toMatchObject({ code: 0, stdout: 'OK\n' });
    expect((await run(address, 'get', 'a')).stdout).toBe('a\n1\n');
    const txn = await runTool(etcdctl, [`--endpoints=${address}`, 'txn'], {
      input: 'value("a") = "1"\n\nput a 2\nget a\n\nput a 3\n\n',
    });
    expect(txn.stdout).toContain('SUCCESS');
    expect((await run(address, 'get', 'a', '--consistency=s')).stdout).toBe('a\n2\n');
    const grant = await run(address, 'lease', 'grant', '30');
    const lease = /lease (\w+) granted/.exec(grant.stdout)?.[1] ?? '';
    expect(await run(address, 'put', 'leased', 'x', `--lease=${lease}`)).toMatchObject({ code: 0 });
    expect((await run(address, 'lease', 'keep-alive', '--once', lease)).stdout).toContain(
      'TTL(30)',
    );
    expect((await run(address, 'lease', 'timetolive', lease, '--keys')).stdout).toContain('leased');
    await run(address, 'lease', 'revoke', lease);
    expect((await run(address, 'get', 'leased', '--consistency=s')).stdout).toBe('');
    expect((await run(address, 'lock', 'l', 'echo', 'locked')).stdout).toContain('locked');
    // The list holds the proxy alone, so that clients that follow it stay with it.
    const list = (await run(address, 'member', 'list')).stdout.trim().split('\n');
    expect(list).toEqual([expect.stringContaining(address)]);
    expect((await run(address, 'endpoint', 'status')).stdout).toContain('3.');
    expect(await run(address, 'snapshot', 'save', path('snapshot.db'))).toMatchObject({ code: 0 });
  });

  test('watchers of one range share a watcher of the cluster, and each gets every event once', async () => {
    const address = await start('grpc-proxy', `--endpoints=${members()}`);
    const before = await run(members(), 'put', 'w/old', '0', '-w', 'json');
    const { revision } = (JSON.parse(before.stdout) as { header: { revision: number } }).header;
    const clients = Array.from({ length: 5 }, () => connect({ endpoints: [address] }));
    const direct = connect({ endpoints: [cluster.members[0]!.endpoint] });
    const seen = clients.map((): string[] => []);
    const starts = [undefined, undefined, undefined, revision, revision];
    const watchers = clients.map((client, i) =>
      client.watch({ prefix: 'w/' }, starts[i] === undefined ? {} : { startRevision: starts[i] }),
    );
    const reading = watchers.map(async (watcher, i) => {
      for await (const { entry } of watcher) {
        seen[i]!.push(entry.keyText);
        if (entry.keyText === 'w/last') return;
      }
    });
    // The first key is written again and again until all have seen it: then all are watching.
    for (let n = 0; seen.some((keys) => !keys.includes('w/first')); n++) {
      await direct.put('w/first', String(n));
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    for (let i = 0; i < 20; i++) await direct.put(`w/${i}`, 'x');
    if (isOurs) {
      const { stdout } = await runTool('curl', ['-s', `http://${address}/proxy/metrics`]);
      const shown = (name: string): number =>
        Number(new RegExp(`^etcd_grpc_proxy_${name} (\\d+)`, 'm').exec(stdout)?.[1]);
      expect(shown('watchers_coalescing_total')).toBeGreaterThan(0);
      expect(shown('events_coalescing_total')).toBeGreaterThan(0);
    }
    await direct.put('w/last', 'x');
    await Promise.all(reading);
    const expected = [...Array.from({ length: 20 }, (_, i) => `w/${i}`), 'w/last'];
    for (const keys of seen)
      expect(keys.filter((key) => key !== 'w/first' && key !== 'w/old')).toEqual(expected);
    expect(seen.map((keys) => keys.filter((key) => key === 'w/old').length)).toEqual([
      0, 0, 0, 1, 1,
    ]);
    await Promise.all([...clients, direct].map((client) => client.close()));
  });

  test('a namespace holds everything that comes through it', async () => {
    const address = await start('grpc-proxy', `--endpoints=${members()}`, '--namespace=ns/');
    const watched = watch(address, '', '--prefix', '--rev=1');
    await run(address, 'put', 'k', 'v');
    await run(members(), 'put', 'outside', 'x');
    expect((await run(members(), 'get', 'ns/k')).stdout).toBe('ns/k\nv\n');
    expect((await run(address, 'get', '', '--prefix')).stdout).toBe('k\nv\n');
    expect((await run(address, 'get', 'outside')).stdout).toBe('');
    await run(address, 'del', 'k');
    await expect
      .poll(() => watched.lines, { timeout: 20_000 })
      .toEqual(['PUT', 'k', 'v', 'DELETE', 'k', '']);
    await watched.stop();
  });

  test('serializable reads come from the cache until something is written through the proxy', async () => {
    const address = await start('grpc-proxy', `--endpoints=${members()}`);
    await run(address, 'put', 'c', '1');
    await run(address, 'get', 'c');
    await run(members(), 'put', 'c', '2');
    expect((await run(address, 'get', 'c', '--consistency=s')).stdout).toBe('c\n1\n');
    expect((await run(address, 'get', 'c')).stdout).toBe('c\n2\n');
    await run(address, 'put', 'c', '3');
    expect((await run(address, 'get', 'c', '--consistency=s')).stdout).toBe('c\n3\n');
    const metrics = await runTool('curl', ['-s', `http://${address}/proxy/metrics`]);
    expect(metrics.stdout).toMatch(/^etcd_grpc_proxy_cache_hits_total 1$/m);
  });

  test("leasing proxies, etcd's among them, read what any of them has written last", async () => {
    const flags = [`--endpoints=${members()}`, '--experimental-leasing-prefix=leasing/'];
    const ours = [await start('grpc-proxy', ...flags), await start('grpc-proxy', ...flags)];
    const [port] = await freePorts(1);
    const theirs = `127.0.0.1:${port}`;
    const own = [`--listen-addr=${theirs}`, `--advertise-client-url=${theirs}`];
    const command = [etcd, 'grpc-proxy', 'start', ...own, ...flags];
    services.push(await Service.start(command, 'started gRPC proxy', { cwd: folder }));
    const all = [...ours, theirs];
    const read = (key: string): Promise<string[]> =>
      Promise.all(
        all.map(async (address) => (await run(address, 'get', key, '--print-value-only')).stdout),
      );
    await run(members(), 'put', 'shared', 'at first');
    await expect
      .poll(async () => {
        await read('shared');
        return (await run(members(), 'get', 'leasing/shared', '--count-only', '-w', 'fields'))
          .stdout;
      })
      .toContain('"Count" : 1');
    for (let i = 0; i < 6; i++) {
      const value = `${i}`;
      expect(await run(all[i % 3]!, 'put', 'shared', value)).toMatchObject({ code: 0 });
      expect(await read('shared')).toEqual(all.map(() => `${value}\n`));
    }
    expect(await run(ours[0]!, 'del', '', '--prefix')).toMatchObject({ code: 0 });
    expect(await read('shared')).toEqual(all.map(() => ''));
  });

  test('proxies under one prefix list one another as members, and show health and metrics', async () => {
    const [port] = await freePorts(1);
    const metricsUrl = `http://127.0.0.1:${port}`;
    const flags = [`--endpoints=${members()}`, '--resolver-prefix=proxies', '--resolver-ttl=60'];
    const started = [
      await start('grpc-proxy', ...flags, `--metrics-addr=${metricsUrl}`),
      await start('grpc-proxy', ...flags),
    ];
    await expect
      .poll(
        async () => {
          const { stdout } = await run(started[0]!, 'member', 'list');
          return started.map((address) => stdout.includes(address));
        },
        { timeout: 20_000 },
      )
      .toEqual([true, true]);
    for (const page of [
      `http://${started[0]}/health`,
      `http://${started[0]}/proxy/health`,
      `${metricsUrl}/health`,
    ]) {
      expect((await runTool('curl', ['-s', page])).stdout).toBe('{"health":"true","reason":""}');
    }
    const upstream = await runTool('curl', ['-s', `http://${started[0]}/metrics`]);
    expect(upstream.stdout).toMatch(/^etcd_server_has_leader 1$/m);
  });

  test('the proxy goes on when the member that it talks to is lost', async () => {
    const address = await start('grpc-proxy', `--endpoints=${members()}`);
    const watched = watch(address, 'lost');
    await run(address, 'put', 'lost', '0');
    await expect
      .poll(
        async () => {
          await run(address, 'put', 'lost', '0');
          return watched.lines.length;
        },
        { timeout: 20_000 },
      )
      .toBeGreaterThan(0);
    const [first] = cluster.members;
    await first!.kill();
    await expect
      .poll(async () => (await run(address, 'put', 'lost', '1')).code, { timeout: 30_000 })
      .toBe(0);
    await expect.poll(() => watched.lines.at(-1), { timeout: 30_000 }).toBe('1');
    await watched.stop();
    await first!.start();
  });

  test('the proxy shows its own certificate and asks clients for theirs', async () => {
    const flags = [
      `--cert-file=${path('server.crt')}`,
      `--key-file=${path('server.key')}`,
      `--trusted-ca-file=${path('ca.crt')}`,
    ];
    const address = await start('grpc-proxy', `--endpoints=${members()}`, ...flags);
    const own = [
      `--cacert=${path('ca.crt')}`,
      `--cert=${path('client.crt')}`,
      `--key=${path('client.key')}`,
    ];
    expect(await run(`https://${address}`, ...own, 'put', 'tls', '1')).toMatchObject({ code: 0 });
    const none = await run(
      `https://${address}`,
      `--cacert=${path('ca.crt')}`,
      '--command-timeout=1s',
      '--dial-timeout=500ms',
      'put',
      'tls',
      '2',
    );
    expect(none.code).toBe(1);
    expect((await run(members(), 'get', 'tls')).stdout).toBe('tls\n1\n');
    expect(readFileSync(path('ca.crt'), 'utf8')).toContain('CERTIFICATE');
  });
});
