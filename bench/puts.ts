/**
 * npm run bench -- puts [SECONDS]: puts and gets per second for 1, 100 and 1000 callers at a time.
 *
 * Embedded: a member alone on disk, and three members of this one process on disk, each called without a wire. Served:
 * the bin and real etcd 3.5 side by side, each alone on disk, both driven by etcd's own `benchmark`.
 */
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { EtcdClient } from '@etcd-ts/client';
import { EtcdNode, type EtcdNodeOptions } from '@etcd-ts/server';
import { hasEtcd, realEtcd } from '../tools/peers/real-etcd.ts';

const CALLERS = [1, 100, 1000] as const;
const KEYS = 10_000;
const VALUE = 'v'.repeat(128);
/** A program that takes longer than this for its part is given up. */
const LIMIT_MS = 60_000;
const seconds = Number(process.argv[2] ?? 3);
const scratch = mkdtempSync(join(tmpdir(), 'etcd-ts-bench-'));
const root = join(dirname(fileURLToPath(import.meta.url)), '..');

/** One row of the table: name, then puts/s and gets/s for each number of callers. */
type Row = readonly [name: string, ...figures: number[]];

/** Calls per second of so many callers, each of which calls again as soon as it is answered. */
async function rate(
  callers: number,
  call: (caller: number, i: number) => Promise<unknown>,
): Promise<number> {
  const beganMs = performance.now();
  const endMs = beganMs + seconds * 1000;
  let calls = 0;
  const loop = async (caller: number): Promise<void> => {
    while (performance.now() < endMs) {
      calls += 1;
      await call(caller, calls);
    }
  };
  await Promise.all(Array.from({ length: callers }, (_, caller) => loop(caller)));
  return calls / ((performance.now() - beganMs) / 1000);
}

const key = (i: number): string => `key-${String(i % KEYS).padStart(12, '0')}`;

async function embedded(name: string, clients: readonly EtcdClient[]): Promise<Row> {
  const of = (caller: number): EtcdClient => clients[caller % clients.length]!;
  const figures: number[] = [];
  for (const callers of CALLERS) {
    figures.push(await rate(callers, (caller, i) => of(caller).put(key(i), VALUE)));
    figures.push(await rate(callers, (caller, i) => of(caller).get(key(i))));
  }
  return [name, ...figures];
}

async function alone(): Promise<Row> {
  const node = await EtcdNode.start({ dataDir: join(scratch, 'alone') });
  await node.ready();
  const row = await embedded('embedded, 1 member on disk', [node.client()]);
  await node.stop();
  return row;
}

async function three(): Promise<Row> {
  const names = ['a', 'b', 'c'];
  const ports = await freePorts(3);
  const cluster = Object.fromEntries(
    names.map((name, i) => [name, `http://127.0.0.1:${ports[i]}`]),
  );
  const options = (name: string): EtcdNodeOptions => ({
    name,
    dataDir: join(scratch, name),
    initialCluster: cluster,
    listenPeerUrls: [cluster[name]!],
  });
  const nodes = await Promise.all(names.map((name) => EtcdNode.start(options(name))));
  await Promise.all(nodes.map((node) => node.ready()));
  const clients = nodes.map((node) => node.client());
  const row = await embedded('embedded, 3 members in one process on disk', clients);
  for (const node of nodes) await node.stop();
  return row;
}

/** etcd's load generator against one endpoint; requests per second as it prints them. */
async function benchmark(
  program: string,
  endpoint: string,
  callers: number,
  what: readonly string[],
): Promise<number> {
  const total = Math.round(seconds * (callers === 1 ? 500 : 5_000));
  const child = spawn(
    program,
    [
      ...what,
      `--endpoints=${endpoint}`,
      `--clients=${callers}`,
      `--conns=${Math.min(callers, 100)}`,
      `--total=${total}`,
    ],
    { stdio: ['ignore', 'pipe', 'ignore'], timeout: LIMIT_MS },
  );
  let output = '';
  child.stdout.on('data', (part: Buffer) => (output += part.toString()));
  await once(child, 'exit');
  return Number(/Requests\/sec:\s+([\d.]+)/.exec(output)?.[1] ?? Number.NaN);
}

/** A program that serves one member on disk, driven by the load generator. */
async function served(name: string, generator: string, command: readonly string[]): Promise<Row> {
  const [client, peer] = await freePorts(2);
  const child = spawn(
    command[0]!,
    [
      ...command.slice(1),
      `--data-dir=${join(scratch, name.replaceAll(/\W/g, ''))}`,
      `--listen-client-urls=http://127.0.0.1:${client}`,
      `--advertise-client-urls=http://127.0.0.1:${client}`,
      `--listen-peer-urls=http://127.0.0.1:${peer}`,
      `--initial-advertise-peer-urls=http://127.0.0.1:${peer}`,
      `--initial-cluster=default=http://127.0.0.1:${peer}`,
    ],
    { stdio: 'ignore' },
  );
  try {
    await healthy(`http://127.0.0.1:${client}/health`);
    const put = ['put', '--key-size=16', '--val-size=128', `--key-space-size=${KEYS}`];
    const figures: number[] = [];
    for (const callers of CALLERS) {
      figures.push(await benchmark(generator, `127.0.0.1:${client}`, callers, put));
      figures.push(await benchmark(generator, `127.0.0.1:${client}`, callers, ['range', 'key']));
    }
    return [name, ...figures];
  } finally {
    child.kill('SIGKILL');
    await once(child, 'exit');
  }
}

async function healthy(url: string): Promise<void> {
  const endMs = performance.now() + LIMIT_MS;
  while (performance.now() < endMs) {
    const answer = await fetch(url).catch(() => undefined);
    if (answer?.ok === true) return;
    await pause(50);
  }
  throw new Error(`${url} is not healthy after ${LIMIT_MS} ms`);
}

async function freePorts(count: number): Promise<readonly number[]> {
  const servers = Array.from({ length: count }, () => createServer().listen(0, '127.0.0.1'));
  await Promise.all(servers.map((server) => once(server, 'listening')));
  const ports = servers.map((server) => (server.address() as AddressInfo).port);
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports;
}

function print(rows: readonly Row[]): void {
  const heads = CALLERS.flatMap((callers) => [`puts/s ×${callers}`, `gets/s ×${callers}`]);
  console.log(`| | ${heads.join(' | ')} |`);
  console.log(`|---|${heads.map(() => '---:').join('|')}|`);
  for (const [name, ...figures] of rows) {
    console.log(`| ${name} | ${figures.map((figure) => Math.round(figure)).join(' | ')} |`);
  }
}

const rows: Row[] = [];
try {
  rows.push(await alone(), await three());
  const peers = realEtcd('benchmark');
  if (hasEtcd(peers) && peers.benchmark !== undefined) {
    execFileSync('npx', ['tsc', '-b', 'packages/server'], { cwd: root });
    const bin = [process.execPath, join(root, 'packages/server/bin/etcd-ts.js')];
    rows.push(await served('etcd-ts over gRPC, 1 member', peers.benchmark, bin));
    rows.push(await served('etcd 3.5 over gRPC, 1 member', peers.benchmark, [peers.etcd]));
  }
} finally {
  rmSync(scratch, { recursive: true, force: true });
}
print(rows);
