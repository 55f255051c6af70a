/**
 * npm run bench -- recovery [FOLDER [fill]]: a member with 1,000,000 keys of 16 bytes and values of 128, as the program `etcd-ts`
 * and as real etcd 3.5 with the same data: killed, started again, timed until it serves; its memory and disk; and what
 * taking a snapshot does to puts.
 *
 * FOLDER keeps the data, so that a later run need not fill it again; without it the data is gone afterwards. `fill` behind
 * it only makes the data.
 */
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, mkdirSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { connect } from '@etcd-ts/client/node';
import { hasEtcd, realEtcd } from '../tools/peers/real-etcd.ts';
import { type Program, Running } from './recovery/program.ts';
import { median } from './beside/median.ts';

const KEYS = 1_000_000;
const KEY_BYTES = 16;
const VALUE_BYTES = 128;
const STARTS = 5;
/** What a program does for itself after a start has settled by then. */
const SETTLE_MS = 3_000;
/** Puts are timed for so long beside nothing. */
const CALM_MS = 8_000;
/** Puts at a time. */
const CALLERS = 8;
const MIB = 1024 * 1024;

const root = join(dirname(fileURLToPath(import.meta.url)), '..');

interface Figures {
  readonly name: string;
  readonly startMs: readonly number[];
  readonly residentBytes: number;
  readonly peakBytes: number;
  readonly diskBytes: number;
  readonly calmP99Ms: number;
  readonly snapshotP99Ms: number;
  readonly snapshotMs: number;
}

/** Fills a data directory, unless an earlier run did. */
async function fill(program: Program, benchmark: string): Promise<void> {
  if (existsSync(program.dataDir)) return;
  const filling = { ...program, dataDir: `${program.dataDir}.filling` };
  rmSync(filling.dataDir, { recursive: true, force: true });
  const running = await Running.start(filling);
  const child = spawn(
    benchmark,
    [
      'put',
      `--endpoints=${running.endpoint}`,
      '--sequential-keys',
      `--key-size=${KEY_BYTES}`,
      `--val-size=${VALUE_BYTES}`,
      `--key-space-size=${KEYS}`,
      `--total=${KEYS}`,
      '--clients=1000',
      '--conns=100',
    ],
    { stdio: 'ignore' },
  );
  await once(child, 'exit');
  // Whatever is written behind is written now.
  await pause(SETTLE_MS);
  await running.kill('SIGKILL');
  renameSync(filling.dataDir, program.dataDir);
}

function diskBytes(folder: string): number {
  const output = execFileSync('du', ['-s', '--block-size=1', folder], { encoding: 'utf8' });
  return Number(output.split('\t')[0]);
}

function p99(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length * 0.99)] ?? Number.NaN;
}

/** Latencies of puts, in milliseconds, until told to end. */
function puts(endpoint: string): { end: () => Promise<readonly number[]> } {
  const client = connect({ endpoints: [endpoint] });
  const latencies: number[] = [];
  let isRunning = true;
  const value = 'v'.repeat(VALUE_BYTES);
  const caller = async (number: number): Promise<void> => {
    for (let i = 0; isRunning; i++) {
      const beganMs = performance.now();
      await client.put(`put-${number}-${i % 1000}`, value);
      latencies.push(performance.now() - beganMs);
    }
  };
  const callers = Array.from({ length: CALLERS }, (_, number) => caller(number));
  return {
    end: async () => {
      isRunning = false;
      await Promise.all(callers);
      await client.close();
      return latencies;
    },
  };
}

async function besideSnapshot(
  endpoint: string,
  etcdctl: string,
  folder: string,
): Promise<Pick<Figures, 'calmP99Ms' | 'snapshotP99Ms' | 'snapshotMs'>> {
  const warm = puts(endpoint);
  await pause(SETTLE_MS);
  await warm.end();
  const calm = puts(endpoint);
  await pause(CALM_MS);
  const calmP99Ms = p99(await calm.end());
  const file = join(memoryFolder(folder), `snapshot-${process.pid}.db`);
  const beside = puts(endpoint);
  const beganMs = performance.now();
  const child = spawn(etcdctl, [`--endpoints=${endpoint}`, 'snapshot', 'save', file], {
    stdio: 'ignore',
  });
  await once(child, 'exit');
  const snapshotMs = performance.now() - beganMs;
  const snapshotP99Ms = p99(await beside.end());
  if (!existsSync(file)) throw new Error('no snapshot was taken');
  rmSync(file, { force: true });
  return { calmP99Ms, snapshotP99Ms, snapshotMs };
}

/** Whoever takes the snapshot must not write it to the disk that the log is on: its sync would be what is measured. */
function memoryFolder(otherwise: string): string {
  return existsSync('/dev/shm') ? '/dev/shm' : otherwise;
}

async function start(program: Program): Promise<number> {
  const running = await Running.start(program);
  await running.kill('SIGKILL');
  return running.startMs;
}

async function measure(
  program: Program,
  startMs: readonly number[],
  etcdctl: string,
  folder: string,
): Promise<Figures> {
  const size = diskBytes(program.dataDir);
  const running = await Running.start(program);
  try {
    await pause(SETTLE_MS);
    const residentBytes = running.residentBytes();
    const peakBytes = running.peakResidentBytes();
    const beside = await besideSnapshot(running.endpoint, etcdctl, folder);
    return { name: program.name, startMs, residentBytes, peakBytes, diskBytes: size, ...beside };
  } finally {
    await running.kill('SIGTERM');
  }
}

function print(figures: readonly Figures[]): void {
  console.log(
    '| | start, s (median, min-max) | resident, MB | peak, MB | disk, MB | put p99, ms | beside a snapshot, ms | snapshot, s |',
  );
  console.log('|---|---:|---:|---:|---:|---:|---:|---:|');
  for (const { name, startMs, residentBytes, peakBytes, diskBytes: disk, ...p } of figures) {
    const seconds = [median(startMs), Math.min(...startMs), Math.max(...startMs)].map((ms) =>
      (ms / 1000).toFixed(2),
    );
    const megabytes = [residentBytes, peakBytes, disk].map((bytes) => Math.round(bytes / MIB));
    const cells = [
      name,
      `${seconds[0]} (${seconds[1]}-${seconds[2]})`,
      ...megabytes,
      p.calmP99Ms.toFixed(2),
      `${p.snapshotP99Ms.toFixed(2)} (${(p.snapshotP99Ms / p.calmP99Ms).toFixed(2)}x)`,
      (p.snapshotMs / 1000).toFixed(1),
    ];
    console.log(`| ${cells.join(' | ')} |`);
  }
}

const peers = realEtcd('benchmark');
if (!hasEtcd(peers) || peers.benchmark === undefined || peers.etcdctl === undefined) {
  throw new Error('real etcd, etcdctl and benchmark are needed');
}
execFileSync('npx', ['tsc', '-b', 'packages/server'], { cwd: root });
const kept = process.argv[2];
const folder = kept ?? mkdtempSync(join(tmpdir(), 'etcd-ts-bench-'));
mkdirSync(folder, { recursive: true });
const programs: readonly Program[] = [
  {
    name: 'etcd-ts',
    command: [process.execPath, join(root, 'packages/server/bin/etcd-ts.js')],
    dataDir: join(folder, 'etcd-ts'),
  },
  { name: 'etcd 3.5', command: [peers.etcd], dataDir: join(folder, 'etcd') },
];
try {
  for (const program of programs) await fill(program, peers.benchmark);
  if (process.argv[3] === 'fill') process.exit(0);
  const starts = programs.map((): number[] => []);
  for (let i = 0; i < STARTS; i++) {
    for (const [at, program] of programs.entries()) starts[at]?.push(await start(program));
  }
  const figures: Figures[] = [];
  for (const [at, program] of programs.entries()) {
    figures.push(await measure(program, starts[at] ?? [], peers.etcdctl, folder));
  }
  print(figures);
} finally {
  if (kept === undefined) rmSync(folder, { recursive: true, force: true });
}
