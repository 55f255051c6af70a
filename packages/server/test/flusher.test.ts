import { type Backend, memoryBackend, openStore, readApplied } from '@etcd-ts/mvcc';
import { expect, test } from 'vitest';
import { Flusher } from '../src/state/flusher.ts';
import { ManualClock } from '../src/testing/manual-clock.ts';

const PUT = {
  key: new Uint8Array([1]),
  value: new Uint8Array([2]),
  lease: 0n,
  prevKv: false,
  ignoreValue: false,
  ignoreLease: false,
};

async function make(backend: Backend = memoryBackend()) {
  const clock = new ManualClock();
  let syncs = 0;
  const store = await openStore({
    ...bound(backend),
    sync: () => {
      syncs += 1;
      return backend.sync();
    },
  });
  const failures: Error[] = [];
  const flusher = new Flusher({
    clock,
    intervalMs: 100,
    maxEntries: 3,
    store: () => store,
    failed: (error) => failures.push(error),
  });
  const apply = (): void => {
    store.put(PUT);
    store.setApplied(store.applied.index + 1, 1);
    flusher.applied(1);
  };
  const written = (): number => readApplied(backend)?.index ?? 0;
  return { apply, clock, failures, flusher, syncs: () => syncs, written };
}

test('what was applied is written when the interval has passed, and not before', async () => {
  const { apply, clock, written } = await make();
  apply();
  await clock.pass(99);
  expect(written()).toBe(0);
  await clock.pass(1);
  expect(written()).toBe(1);
  expect(clock.timers).toBe(0);
});

test('a full batch is written at once', async () => {
  const { apply, clock, written } = await make();
  for (let i = 0; i < 3; i++) apply();
  await clock.settle();
  expect(written()).toBe(3);
});

test('what is applied while a batch is on its way is written after it', async () => {
  const inner = memoryBackend();
  const gates: (() => void)[] = [];
  const slow: Backend = {
    ...bound(inner),
    write: async (operations) => {
      await new Promise<void>((resolve) => gates.push(resolve));
      await inner.write(operations);
    },
  };
  const { apply, clock, written } = await make(slow);
  for (let i = 0; i < 3; i++) apply();
  await clock.settle();
  for (let i = 0; i < 3; i++) apply();
  await clock.settle();
  expect(gates).toHaveLength(1);
  gates[0]!();
  await clock.settle();
  expect([written(), gates.length]).toEqual([3, 2]);
  gates[1]!();
  await clock.settle();
  expect(written()).toBe(6);
});

test('a checkpoint is written and synced, and nothing else is done meanwhile', async () => {
  const { apply, clock, flusher, syncs, written } = await make();
  apply();
  const seen: number[] = [];
  const all = [
    flusher.checkpoint(),
    flusher.exclusively(async () => void seen.push(written(), syncs())),
  ];
  await clock.settle();
  expect(await Promise.all(all)).toEqual([true, true]);
  expect(seen).toEqual([1, 1]);
});

test('the first failure is the last thing that happens', async () => {
  const inner = memoryBackend();
  let writes = 0;
  const broken: Backend = {
    ...bound(inner),
    write: () => {
      writes += 1;
      return Promise.reject(new Error('EIO'));
    },
  };
  const { apply, clock, failures, flusher } = await make(broken);
  apply();
  expect(await flusher.flush()).toBe(false);
  apply();
  expect(await flusher.flush()).toBe(false);
  await clock.pass(1_000);
  expect(failures.map(({ cause }) => (cause as Error).message)).toEqual(['EIO']);
  expect(writes).toBe(1);
});

test('after the end nothing new begins', async () => {
  const { apply, clock, flusher, written } = await make();
  apply();
  await flusher.end();
  await clock.pass(1_000);
  expect(await flusher.flush()).toBe(false);
  expect(written()).toBe(0);
});

function bound(backend: Backend): Backend {
  return {
    get: (key) => backend.get(key),
    write: (operations) => backend.write(operations),
    sync: () => backend.sync(),
    iterate: (start, end) => backend.iterate(start, end),
    sizeBytes: () => backend.sizeBytes(),
    compactRange: (start, end) => backend.compactRange(start, end),
    close: () => backend.close(),
  };
}
