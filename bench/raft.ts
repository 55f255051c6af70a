/**
 * The speed of `@etcd-ts/raft` alone: cores in one process on one core, no I/O, 16-byte payloads.
 *
 *     npm run bench -- raft
 *
 * Profile it: node --cpu-prof --import tsx bench/raft.ts
 */
import { cpus } from 'node:os';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { majorityReached } from '@etcd-ts/raft';
import { Loop } from './raft/loop.ts';
import { median } from './beside/median.ts';

const ROUNDS = 7;
const ROUND_MS = 150;

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

/** Median nanoseconds of one call, of several rounds of calls. */
function nanoseconds(run: (count: number) => void): number {
  let count = 1;
  for (let elapsed = 0; elapsed < ROUND_MS / 4;) {
    count *= 2;
    const start = performance.now();
    run(count);
    elapsed = performance.now() - start;
  }
  const times: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const start = performance.now();
    run(count * 4);
    times.push(((performance.now() - start) * 1e6) / (count * 4));
  }
  return median(times);
}

/** Bytes that one call allocates: the heap's growth while nothing is collected. */
function allocatedBytes(count: number, run: (count: number) => void): number {
  run(count);
  const grown: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    collectGarbage();
    const before = process.memoryUsage().heapUsed;
    run(count);
    grown.push((process.memoryUsage().heapUsed - before) / count);
  }
  return Math.max(0, median(grown));
}

function benchCommits(): void {
  console.log('committed and applied on all nodes, entries per second');
  console.log('  nodes      1 in flight   64 in flight  256 in flight 4096 in flight');
  for (const size of [1, 3, 5]) {
    const columns = [1, 64, 256, 4096].map((inFlight) => {
      const loop = new Loop(size);
      loop.commit(20_000, inFlight);
      const ns = nanoseconds((count) => loop.commit(count * inFlight, inFlight)) / inFlight;
      return Math.round(1e9 / ns)
        .toLocaleString('en')
        .padStart(15);
    });
    console.log(`  ${size}     ${columns.join('')}`);
  }
}

function benchQuorum(): void {
  console.log('one quorum commit, nanoseconds');
  for (const voters of [1, 3, 5, 7, 9, 11]) {
    const matches = Array.from({ length: voters }, (_, i) => 1000 - ((i * 7) % 11));
    let sum = 0;
    const ns = nanoseconds((count) => {
      for (let i = 0; i < count; i++) sum += majorityReached([...matches]);
    });
    console.log(
      `  ${String(voters).padStart(2)} voters ${ns.toFixed(0).padStart(6)}${sum < 0 ? '!' : ''}`,
    );
  }
}

function benchTicks(): void {
  const loop = new Loop(3);
  const follower = loop.nodes[1]!.core;
  follower.setElectionTimeout(Number.MAX_SAFE_INTEGER);
  const tick = { type: 'tick' } as const;
  const run = (count: number): void => {
    for (let i = 0; i < count; i++) follower.step(tick);
  };
  console.log(
    `one idle tick: ${nanoseconds(run).toFixed(0)} ns, ${allocatedBytes(1_000_000, run).toFixed(2)} bytes allocated`,
  );
}

function benchAllocation(): void {
  const loop = new Loop(3);
  const bytes = allocatedBytes(16_384, (count) => loop.commit(count, 256));
  console.log(`one committed entry, 3 nodes, 256 in flight: ${bytes.toFixed(0)} bytes allocated`);
}

console.log(
  `${cpus()[0]?.model ?? 'unknown processor'}, ${cpus().length} cores, Node ${process.version}`,
);
benchCommits();
benchQuorum();
benchTicks();
benchAllocation();
