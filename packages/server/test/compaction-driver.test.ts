/** How a member's compactions go on in the background. */
import { concatBytes, type Deferred, deferred, utf8 } from '@etcd-ts/base';
import { type Backend, checkpointStore, flushStore } from '@etcd-ts/mvcc';
import { MemoryDisk } from '@etcd-ts/wal';
import { afterEach, expect, test } from 'vitest';
import { memoryLevelBackends } from '../src/node/level-backends.ts';
import { CompactionDriver } from '../src/services/compaction-driver.ts';
import { Cluster } from './support/cluster.ts';
import { FakeNode } from './services/fake-node.ts';
import { turns } from './services/manual-clock.ts';

let cluster: Cluster | undefined;

afterEach(() => cluster?.close());

/** The name of the record of a put, as the store writes it. */
function recordName(main: number): Uint8Array {
  const number = Buffer.alloc(8);
  number.writeBigUInt64BE(BigInt(main));
  return concatBytes([utf8('k'), number, utf8('_'), Buffer.alloc(8)]);
}

test('what a compaction drops leaves the database although nothing is applied afterwards', async () => {
  const inner = memoryLevelBackends();
  const opened: Backend[] = [];
  const open = async (name: string): Promise<Backend> => {
    const backend = await inner.open(name);
    opened.push(backend);
    return backend;
  };
  // The entry that compacts is written long before the last of the versions is dropped.
  cluster = new Cluster(['a'], { backendBatchIntervalMs: 1 });
  cluster.addMachine('a', { disk: new MemoryDisk(), backends: { ...inner, open } });
  const node = await cluster.start('a');
  const client = node.client();
  const last = 3_001;
  await Promise.all(Array.from({ length: last - 1 }, () => client.put('key', '')));
  await cluster.when(() => opened.at(-1)?.get(recordName(last)));
  await client.compact(last);
  const { appliedIndex } = node.status();
  await cluster.when(() => opened.at(-1)?.get(recordName(last - 1)) === undefined || undefined);
  expect(opened.at(-1)?.get(recordName(last))).toBeDefined();
  expect(node.status().appliedIndex).toBe(appliedIndex);
});

test.each([
  { compactionBatchLimit: 10, compactionSleepIntervalMs: 100 },
  { compactionBatchLimit: 10, compactionSleepIntervalMs: 5_000 },
  { compactionBatchLimit: 500, compactionSleepIntervalMs: 50 },
])('no faster than so many revisions between so long pauses: %o', async (limits) => {
  const node = await FakeNode.start({ limits });
  const value = new Uint8Array(0);
  const request = { value, lease: 0n, prevKv: false, ignoreValue: false, ignoreLease: false };
  for (let i = 0; i < 3_000; i++)
    node.apply({ kind: 'put', request: { ...request, key: utf8('a') } });
  const { state } = node;
  const compactStep = state.compactStep.bind(state);
  let looked = 0;
  state.compactStep = (entriesMax) => {
    looked += entriesMax;
    return compactStep(entriesMax);
  };
  const driver = new CompactionDriver(node);
  node.apply({ kind: 'compact', request: { revision: 3_001, physical: false } });
  const pauses = 4;
  await node.time.advance(pauses * limits.compactionSleepIntervalMs);
  driver.stop();
  expect(looked).toBeGreaterThanOrEqual(pauses * limits.compactionBatchLimit * 0.9);
  expect(looked).toBeLessThanOrEqual((pauses + 1) * limits.compactionBatchLimit);
});

test('a compaction keeps its pace: as many revisions a step as milliseconds have passed, in bounds', async () => {
  const node = await FakeNode.start();
  const value = new Uint8Array(0);
  const request = { value, lease: 0n, prevKv: false, ignoreValue: false, ignoreLease: false };
  for (let i = 0; i < 10_000; i++)
    node.apply({ kind: 'put', request: { ...request, key: utf8('a') } });
  const steps: number[] = [];
  const { state } = node;
  const compactStep = state.compactStep.bind(state);
  state.compactStep = (entriesMax) => {
    steps.push(entriesMax);
    return compactStep(entriesMax);
  };
  const driver = new CompactionDriver(node);
  node.apply({ kind: 'compact', request: { revision: 10_001, physical: false } });
  await node.time.advance(50);
  driver.stop();
  expect(Math.max(...steps)).toBeLessThanOrEqual(2_000);
  expect(steps.reduce((sum, entries) => sum + entries, 0)).toBeLessThanOrEqual(51 * 100);
  expect(state.store.isCompacting).toBe(true);
});

test('a read that holds a compaction up for ten seconds is broken off, a snapshot is not yet', async () => {
  const node = await FakeNode.start();
  const { store } = node.state;
  const driver = new CompactionDriver(node);
  const value = new Uint8Array(0);
  const request = { value, lease: 0n, prevKv: false, ignoreValue: false, ignoreLease: false };
  const put = (): void => void node.apply({ kind: 'put', request: { ...request, key: utf8('a') } });
  put();
  const read = store.hashKv(0);
  const snapshot = store.snapshot();
  put();
  put();
  // The reads need what is below it.
  store.compact(2);
  node.apply({ kind: 'compact', request: { revision: 4, physical: false } });
  await turns();
  await node.time.advance(9_900);
  read.check();
  await node.time.advance(200);
  expect(() => read.check()).toThrow('compacted');
  expect([store.openReadCount, store.isCompactionHeld]).toEqual([1, true]);
  snapshot.close();
  await node.time.advance(100);
  expect(store.isCompacting).toBe(false);
  driver.stop();
});

test('a compaction waits while much is still to be written, and goes on behind that', async () => {
  const node = await FakeNode.start();
  const { store } = node.state;
  const driver = new CompactionDriver(node);
  const value = new Uint8Array(store.writeBehind.dirtyBytesMax / 2);
  const request = { value, lease: 0n, prevKv: false, ignoreValue: false, ignoreLease: false };
  for (let i = 0; i < 2; i++)
    node.apply({ kind: 'put', request: { ...request, key: utf8('a'), value: value.subarray(i) } });
  node.apply({ kind: 'compact', request: { revision: 3, physical: false } });
  await turns();
  await node.time.advance(1_000);
  expect(store.droppedCount).toBe(0);
  await flushStore(store);
  await node.time.advance(100);
  expect([store.droppedCount, store.isCompacting]).toEqual([1, false]);
  driver.stop();
});

test('a compaction that waits for index pages lets them be written, however long that takes', async () => {
  const node = await FakeNode.start();
  const { store } = node.state;
  const driver = new CompactionDriver(node);
  const value = new Uint8Array(0);
  const request = { value, lease: 0n, prevKv: false, ignoreValue: false, ignoreLease: false };
  const put = (): void => void node.apply({ kind: 'put', request: { ...request, key: utf8('a') } });
  const pages = { stepRevisions: 1, pageEntriesMax: 3 };
  put();
  await checkpointStore(store, pages);
  for (let i = 0; i < 10; i++) put();
  node.apply({ kind: 'compact', request: { revision: store.revision, physical: false } });
  const othersHadTheirTurn = deferred<void>();
  const writing = checkpointStore(store, { ...pages, aTurn: () => othersHadTheirTurn.promise });
  await turns();
  await node.time.advance(11_000);
  othersHadTheirTurn.resolve();
  await writing;
  await node.time.advance(1_000);
  driver.stop();
  expect([store.isCompacting, store.droppedCount]).toEqual([false, 10]);
});

test('a compaction that comes while the first index pages are written, of what they do not tell, goes on', async () => {
  const inner = memoryLevelBackends();
  let syncing: Deferred<void> | undefined;
  let hasStarted = false;
  const open = async (name: string): Promise<Backend> => {
    const backend = await inner.open(name);
    return {
      get: (key) => backend.get(key),
      write: (operations) => backend.write(operations),
      iterate: (start, end) => backend.iterate(start, end),
      sizeBytes: () => backend.sizeBytes(),
      compactRange: (start, end) => backend.compactRange(start, end),
      close: () => backend.close(),
      sync: () => {
        if (!hasStarted || syncing !== undefined) return backend.sync();
        syncing = deferred();
        return syncing.promise;
      },
    };
  };
  cluster = new Cluster(['a'], { snapshotCount: 20 });
  cluster.addMachine('a', { disk: new MemoryDisk(), backends: { ...inner, open } });
  const client = (await cluster.start('a')).client();
  hasStarted = true;
  for (let i = 0; i < 20; i++) await client.put('key', '');
  await cluster.when(() => syncing);
  const { revision } = await client.put('key', '');
  const compacted = client.compact(revision, { physical: true });
  // Applied behind the compaction.
  await client.put('key', '');
  syncing?.resolve();
  await expect(compacted).resolves.toBeDefined();
});
