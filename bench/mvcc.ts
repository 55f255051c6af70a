/**
 * The speed of `@etcd-ts/mvcc` alone: in process, one core, values on disk (classic-level) unless it says memory.
 *
 *     npm run bench -- mvcc            every section, each in its own process
 *     npm run bench -- mvcc apply      one section: apply, reads, memory, watch, compact, load, snapshot
 *
 * Profile a section: node --cpu-prof --import tsx bench/mvcc.ts apply
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate as aTurn } from 'node:timers/promises';
import {
  checkpointStore,
  flushStore,
  hashStore,
  memoryBackend,
  type MvccStore,
  openStore,
  type PutRequest,
  type RangeRequest,
  snapshotStore,
  type TxnRequest,
} from '@etcd-ts/mvcc';
import { openClassicBackend } from '@etcd-ts/mvcc/node';
import { waitedForProcessorMs } from './beside/processor.ts';

const SECTIONS: Readonly<Record<string, () => Promise<void>>> = {
  apply: benchApply,
  reads: benchReads,
  memory: benchMemory,
  watch: benchWatch,
  compact: benchCompaction,
  load: benchLoad,
  snapshot: benchSnapshot,
};

const KEY_BYTES = 16;
const VALUE_BYTES = 128;
const MILLION = 1_000_000;
const NONE = new Uint8Array(0);
const value = new Uint8Array(VALUE_BYTES).fill(0x76);

function keyOf(i: number): Uint8Array {
  return Buffer.from(`key-${String(i).padStart(KEY_BYTES - 4, '0')}`, 'latin1');
}

/** Makes the key of number i in place, so that making keys is not what is measured. */
function setKey(key: Uint8Array, i: number): void {
  let rest = i;
  for (let at = KEY_BYTES - 1; at >= 4; at--) {
    key[at] = 0x30 + (rest % 10);
    rest = (rest / 10) | 0;
  }
}

function put(key: Uint8Array): PutRequest {
  return { key, value, lease: 0n, prevKv: false, ignoreValue: false, ignoreLease: false };
}

function range(key: Uint8Array, rangeEnd: Uint8Array = NONE): RangeRequest {
  return {
    key,
    rangeEnd,
    limit: 0,
    revision: 0,
    sortOrder: 0,
    sortTarget: 0,
    serializable: false,
    keysOnly: false,
    countOnly: false,
    minModRevision: 0,
    maxModRevision: 0,
    minCreateRevision: 0,
    maxCreateRevision: 0,
  };
}

/** A fixed sequence of numbers below `bound` that visits them in no order. */
function scattered(bound: number): () => number {
  let at = 0;
  return () => (at = (at + 7_368_787) % bound);
}

function report(what: string, reached: string, target = ''): void {
  console.log(`${what.padEnd(62)} ${reached.padStart(16)}  ${target}`);
}

function perSecond(count: number, ms: number): string {
  return `${Math.round((count / ms) * 1000).toLocaleString('en-US')}/s`;
}

/** Rate by the clock, and by processor time, which the machine's other work touches less. */
function rates(count: number, started: number, startedCpu: NodeJS.CpuUsage): string {
  const ms = performance.now() - started;
  const cpuMs = process.cpuUsage(startedCpu).user / 1000;
  return `${perSecond(count, ms)} (processor ${perSecond(count, cpuMs)})`;
}

function percentile(sorted: Float64Array, share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
}

async function inFolder(work: (folder: string) => Promise<void>): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'etcd-ts-bench-'));
  try {
    await work(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Entries in a batch, as a node's default. */
const BATCH_ENTRIES = 10_000;

/** Applies puts as a node does: entry by entry, in turns, a batch written behind when there are enough. */
async function applyPuts(store: MvccStore, count: number, next: () => number): Promise<number> {
  const key = Buffer.from(keyOf(0));
  const request = put(key);
  const started = performance.now();
  let flushing: Promise<void> | undefined;
  for (let i = 1; i <= count; i++) {
    setKey(key, next());
    store.put(request);
    store.setApplied(store.applied.index + 1, 1);
    if (i % BATCH_ENTRIES === 0) {
      await flushing;
      flushing = flushStore(store);
    }
    if (i % 256 === 0) await aTurn();
  }
  await flushing;
  await flushStore(store);
  return performance.now() - started;
}

async function filled(folder: string, keys: number): Promise<MvccStore> {
  const store = await openStore(await openClassicBackend(folder));
  let i = 0;
  await applyPuts(store, keys, () => i++);
  return store;
}

async function benchApply(): Promise<void> {
  for (const [keys, target] of [
    [100_000, '≥ 200,000/s'],
    [MILLION, '≥ 150,000/s'],
  ] as const) {
    await inFolder(async (folder) => {
      const store = await filled(folder, keys);
      const next = scattered(keys);
      const name = keys.toLocaleString('en-US');
      const ms = await applyPuts(store, 200_000, next);
      report(`puts, ${name} keys, written behind to disk`, perSecond(200_000, ms));
      const key = Buffer.from(keyOf(0));
      const request = put(key);
      const started = performance.now();
      const cpu = process.cpuUsage();
      for (let i = 0; i < 100_000; i++) {
        setKey(key, next());
        store.put(request);
      }
      report(`puts, ${name} keys, apply alone`, rates(100_000, started, cpu), target);
      if (keys === 100_000) benchTxn(store, next);
      benchStateHash(store);
      await flushStore(store);
      await store.backend.close();
    });
  }
}

function benchTxn(store: MvccStore, next: () => number): void {
  const started = performance.now();
  const cpu = process.cpuUsage();
  for (let i = 0; i < 100_000; i++) {
    const key = keyOf(next());
    const request: TxnRequest = {
      compare: [
        {
          result: 1,
          target: 2,
          key,
          rangeEnd: NONE,
          targetUnion: { $case: 'modRevision', value: 0 },
        },
      ],
      success: [{ request: { $case: 'requestPut', value: put(key) } }],
      failure: [],
    };
    store.txn(request);
  }
  report(
    'transactions of one compare and one put, 100,000 keys',
    rates(100_000, started, cpu),
    '≥ 120,000/s',
  );
}

function benchStateHash(store: MvccStore): void {
  let mixed = 0n;
  const started = performance.now();
  for (let i = 0; i < 100_000; i++) mixed ^= store.stateHash();
  const ns = ((performance.now() - started) / 100_000) * 1e6;
  report('the state hash, asked after any entry', `${ns.toFixed(0)} ns${mixed < 0n ? '!' : ''}`);
}

async function benchReads(): Promise<void> {
  const store = await openStore(memoryBackend());
  const keys = 100_000;
  for (let i = 0; i < keys; i++) store.put(put(keyOf(i)));
  const next = scattered(keys);
  const key = Buffer.from(keyOf(0));
  const request = range(key);
  let bytes = 0;
  for (let round = 0; round < 2; round++) {
    const started = performance.now();
    const cpu = process.cpuUsage();
    for (let i = 0; i < MILLION; i++) {
      setKey(key, next());
      bytes += store.range(request).kvs[0]?.value.length ?? 0;
    }
    if (round > 0)
      report('point reads, 100,000 keys', rates(MILLION, started, cpu), '≥ 1,000,000/s');
  }
  const thousand = range(keyOf(5000), keyOf(6000));
  for (let i = 0; i < 200; i++) bytes += store.range(thousand).kvs.length;
  const started = performance.now();
  for (let i = 0; i < 200; i++) bytes += store.range(thousand).kvs.length;
  const ms = (performance.now() - started) / 200;
  report('a range of 1000 keys', `${ms.toFixed(3)} ms`, '< 1 ms');
  if (bytes === 0) throw new Error('nothing was read');
}

async function benchMemory(): Promise<void> {
  await inFolder(async (folder) => {
    const before = process.memoryUsage().rss;
    const store = await filled(folder, MILLION);
    await new Promise((resolve) => setTimeout(resolve, 1000));
    const { rss, heapUsed, external, arrayBuffers } = process.memoryUsage();
    const mb = (bytes: number): string => `${Math.round(bytes / 1e6)} MB`;
    report('resident, 1,000,000 keys of 16 B with values of 128 B on disk', mb(rss), '≤ 550 MB');
    report(
      '  of it: the process before, heap, array buffers',
      [before, heapUsed, arrayBuffers].map(mb).join(', '),
    );
    report('  external', mb(external));
    const requests = scattered(MILLION);
    const started = performance.now();
    for (let i = 0; i < 100_000; i++) store.range(range(keyOf(requests())));
    report(
      'point reads, 1,000,000 keys, most from disk',
      perSecond(100_000, performance.now() - started),
    );
    await store.backend.close();
  });
}

async function benchWatch(): Promise<void> {
  const keys = 10_000;
  // Two stores without watchers: how much they differ is how much a difference says.
  const stores = await Promise.all([1, 2, 3].map(() => openStore(memoryBackend())));
  const [, watched] = stores;
  for (const store of stores) for (let i = 0; i < keys * 2; i++) store.put(put(keyOf(i)));
  globalThis.gc?.();
  const before = process.memoryUsage().heapUsed;
  for (let i = 0; i < keys; i++) {
    const request = { key: keyOf(i), rangeEnd: NONE, startRevision: 0 };
    watched?.hub.watch({ ...request, prevKv: false, noPut: false, noDelete: false }, () => true);
  }
  globalThis.gc?.();
  const bytes = (process.memoryUsage().heapUsed - before) / keys;
  const times: number[][] = stores.map(() => []);
  for (let round = 0; round < 90; round++) {
    for (let i = 0; i < stores.length; i++) {
      const turn = (i + round) % stores.length;
      const store = stores[turn];
      if (store !== undefined) times[turn]?.push(putsOfOthers(store, keys));
    }
  }
  const [first = 1, more = 1, second = 1] = times.map(
    (each) => each.sort((a, b) => a - b)[each.length >> 1] ?? 1,
  );
  const percent = (part: number, whole: number): string => ((part / whole - 1) * 100).toFixed(1);
  const control = percent(Math.max(first, second), Math.min(first, second));
  report(
    '10,000 watchers of distinct keys: a put of another key',
    `${percent(more, (first + second) / 2)} % more`,
    `< 5 % (without watchers ${control} % apart)`,
  );
  report('  memory of each', `${Math.round(bytes)} B`, '≤ 1 kB');
  await benchFanOut();
}

/** Processor time of puts of the second half of the keys, in microseconds each. */
function putsOfOthers(store: MvccStore, keys: number): number {
  const key = Buffer.from(keyOf(0));
  const request = put(key);
  const started = process.cpuUsage();
  for (let i = 0; i < 5000; i++) {
    setKey(key, keys + ((i * 7919) % keys));
    store.put(request);
  }
  return process.cpuUsage(started).user / 5000;
}

async function benchFanOut(): Promise<void> {
  const store = await openStore(memoryBackend());
  let events = 0;
  for (let i = 0; i < 1000; i++) {
    const request = { key: Buffer.from('key-'), rangeEnd: Buffer.from('key.'), startRevision: 0 };
    store.hub.watch({ ...request, prevKv: true, noPut: false, noDelete: false }, (batch) => {
      events += batch.events.length;
      return true;
    });
  }
  for (let i = 0; i < 1000; i++) store.put(put(keyOf(i)));
  events = 0;
  const started = performance.now();
  for (let i = 0; i < 10_000; i++) store.put(put(keyOf(i % 1000)));
  report(
    '1,000 watchers of one prefix',
    perSecond(events, performance.now() - started),
    '≥ 1,000,000/s',
  );
}

async function benchCompaction(): Promise<void> {
  await inFolder(async (folder) => {
    const store = await filled(folder, 10_000);
    const next = scattered(10_000);
    await applyPuts(store, MILLION, next);
    store.compact(store.revision);
    const steps: number[] = [];
    const work = (): boolean => {
      const started = performance.now();
      const hasMore = store.compactStep(64);
      steps.push(performance.now() - started);
      return hasMore;
    };
    const { normal, during, unpreempted } = await besidePuts(store, next, work);
    steps.sort((a, b) => a - b);
    const step = (share: number): string =>
      `${(steps[Math.floor(steps.length * share)] ?? 0).toFixed(2)} ms`;
    report(
      'compacting 1,000,000 revisions: a step, median and p99',
      `${step(0.5)}, ${step(0.99)}`,
      '< 5 ms',
    );
    const ratio = percentile(during, 0.99) / percentile(normal, 0.99);
    report('  p99 of a put beside it, to the normal one', `${ratio.toFixed(2)} x`, '< 2 x');
    const us = (sorted: Float64Array): string =>
      [0.5, 0.9, 0.99, 0.999]
        .map((p) => `${(percentile(sorted, p) * 1000).toFixed(0)} µs`)
        .join(', ');
    report('  p50, p90, p99, p99.9 of a put: normal', us(normal));
    report('  beside it', us(during));
    const [calm, busy] = [unpreempted.normal, unpreempted.during];
    const own = percentile(busy, 0.99) / percentile(calm, 0.99);
    report('  but for turns that waited for a processor', `${own.toFixed(2)} x`, '< 2 x');
    report('  without those turns: normal', us(calm));
    report('  beside it', us(busy));
    const share = (some: Float64Array, all: Float64Array): string =>
      `${((1 - some.length / all.length) * 100).toFixed(2)} %`;
    const shares = [share(calm, normal), share(busy, during)].join(', ');
    report('  puts in turns that waited for one: normal, beside it', shares);
    await flushStore(store);
    await store.backend.close();
  });
}

/** Latencies in ms, ascending. */
interface Latencies {
  readonly normal: Float64Array;
  readonly during: Float64Array;
}

/** Puts of a turn. */
const TURN_PUTS = 20;
/** A turn that waited for a processor for less did not wait. */
const WAITED_MS = 0.02;

/**
 * Latencies of puts, in turns of twenty that arrive together, with and without other work between the turns: block by
 * block, so that both meet the same machine, until the work is done. `unpreempted`: those of turns in which the thread
 * did not wait for a processor.
 */
async function besidePuts(
  store: MvccStore,
  next: () => number,
  work: () => boolean,
): Promise<Latencies & { readonly unpreempted: Latencies }> {
  const samples: [number[], number[]] = [[], []];
  const unpreempted: [number[], number[]] = [[], []];
  let flushing: Promise<void> | undefined;
  let hasMore = true;
  for (let turn = 0; hasMore; turn++) {
    const works = Math.floor(turn / 50) % 2 === 1;
    const kind = works ? 1 : 0;
    const waitedMs = waitedForProcessorMs();
    const arrived = performance.now();
    if (works) hasMore = work();
    for (let k = 0; k < TURN_PUTS; k++) {
      store.put(put(keyOf(next())));
      samples[kind].push(performance.now() - arrived);
    }
    if (waitedForProcessorMs() - waitedMs < WAITED_MS) {
      unpreempted[kind].push(...samples[kind].slice(-TURN_PUTS));
    }
    // Not in step with the blocks, so that neither kind meets more of the writing than the other.
    if (turn % 97 === 0) {
      await flushing;
      flushing = flushStore(store);
    }
    await aTurn();
  }
  await flushing;
  return { ...ascending(samples), unpreempted: ascending(unpreempted) };
}

function ascending([normal, during]: readonly [number[], number[]]): Latencies {
  return { normal: Float64Array.from(normal).sort(), during: Float64Array.from(during).sort() };
}

async function benchLoad(): Promise<void> {
  await inFolder(async (folder) => {
    const first = await filled(folder, MILLION);
    await first.backend.close();
    const plain = await reopened(folder, 'load, 1,000,000 keys, from the records');
    await checkpointStore(plain);
    await plain.backend.close();
    const store = await reopened(folder, 'load, 1,000,000 keys, from index pages');
    const hashed = performance.now();
    const longest = await longestTurnDuring(() => hashStore(store, 0, () => aTurn()));
    report('HashKV, 1,000,000 keys', `${(performance.now() - hashed).toFixed(0)} ms`);
    report('  the longest turn of the loop meanwhile', `${longest.toFixed(2)} ms`, '< 5 ms');
    await store.backend.close();
  });
}

async function reopened(folder: string, what: string): Promise<MvccStore> {
  const backend = await openClassicBackend(folder);
  const started = performance.now();
  const startedCpu = process.cpuUsage();
  const store = await openStore(backend);
  const { user, system } = process.cpuUsage(startedCpu);
  const ms = (performance.now() - started).toFixed(0);
  report(what, `${ms} ms (processor ${((user + system) / 1000).toFixed(0)} ms)`, '< 3,000 ms');
  return store;
}

/** The longest time, in milliseconds, for which the event loop was held while the work ran. */
async function longestTurnDuring(work: () => Promise<unknown>): Promise<number> {
  let isDone = false;
  const working = work().finally(() => (isDone = true));
  let longest = 0;
  for (let before = performance.now(); !isDone;) {
    await aTurn();
    const now = performance.now();
    longest = Math.max(longest, now - before);
    before = now;
  }
  await working;
  return longest;
}

async function benchSnapshot(): Promise<void> {
  await inFolder(async (folder) => {
    const store = await filled(folder, MILLION);
    let bytes = 0;
    let ms = 0;
    let isReading = false;
    let isDone = false;
    const chunks = snapshotStore(store).chunks[Symbol.asyncIterator]();
    const read = async (): Promise<void> => {
      const started = performance.now();
      const chunk = await chunks.next();
      ms += performance.now() - started;
      bytes += chunk.done === true ? 0 : chunk.value.length;
      isDone = chunk.done === true;
      isReading = false;
    };
    // The next chunk is asked for when the last one has come; puts do not wait for it.
    const work = (): boolean => {
      if (!isReading && !isDone) {
        isReading = true;
        void read();
      }
      return !isDone;
    };
    const { normal, during } = await besidePuts(store, scattered(MILLION), work);
    report(
      'snapshot of 1,000,000 keys beside puts',
      `${ms.toFixed(0)} ms, ${Math.round(bytes / 1e6)} MB`,
    );
    const ratio = percentile(during, 0.99) / percentile(normal, 0.99);
    report('  p99 of a put beside it, to the normal one', `${ratio.toFixed(2)} x`, '< 2 x');
    await flushStore(store);
    await store.backend.close();
  });
}

const wanted = process.argv[2];
if (wanted !== undefined) {
  const section = SECTIONS[wanted];
  if (section === undefined)
    throw new Error(`no section ${wanted}: ${Object.keys(SECTIONS).join(', ')}`);
  await section();
} else {
  for (const name of Object.keys(SECTIONS)) {
    const options = ['--expose-gc', ...process.execArgv, process.argv[1] ?? '', name];
    const { status } = spawnSync(process.execPath, options, { stdio: 'inherit' });
    if (status !== 0) process.exit(status ?? 1);
  }
}
