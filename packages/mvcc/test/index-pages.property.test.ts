/** A store that is loaded by its index pages, against one that is loaded by its records alone. */
import { deferred, utf8 } from '@etcd-ts/base';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  type Backend,
  type BackendOperation,
  checkpointStore,
  flushStore,
  memoryBackend,
  type MvccStore,
  openStore,
  snapshotStore,
} from '@etcd-ts/mvcc';
import { readIndexHead } from '../src/index-checkpoint.ts';
import { IndexPageError, readPage } from '../src/index-page.ts';

const INDEX = 0x69;
/** So small that a short history has many pages, and pages of several generations. */
const SMALL = { stepRevisions: 1, pageEntriesMax: 3 };

/** Every lease exists. */
const OPTIONS = {
  leases: { exists: () => true, attach: () => undefined, detach: () => undefined },
};

/** Remembers every batch: what a crash leaves are the first ones, at least the synced. */
class Medium {
  readonly batches: (readonly BackendOperation[])[] = [];
  synced = 0;

  open(inner: Backend = memoryBackend()): Backend {
    return {
      get: (key) => inner.get(key),
      iterate: (start, end) => inner.iterate(start, end),
      sizeBytes: () => inner.sizeBytes(),
      compactRange: (start, end) => inner.compactRange(start, end),
      close: () => inner.close(),
      write: async (operations) => {
        const batch = [...operations].map(({ key, value }) => ({
          key: key.slice(),
          value: value?.slice(),
        }));
        await inner.write(batch);
        this.batches.push(batch);
      },
      sync: async () => {
        this.synced = this.batches.length;
      },
    };
  }

  /** What is there when the first `count` batches made it. */
  async after(count: number, keeps: (key: Uint8Array) => boolean = () => true): Promise<Backend> {
    const backend = memoryBackend();
    for (const batch of this.batches.slice(0, count)) {
      await backend.write(batch.filter(({ key }) => keeps(key)));
    }
    return backend;
  }
}

type Call =
  | readonly ['put', number, number]
  | readonly ['delete', number, number]
  | readonly ['txn', number, number]
  | readonly ['compact', number, number]
  | readonly ['step', number, number]
  | readonly ['flush', number, number]
  | readonly ['checkpoint', number, number];

const call: fc.Arbitrary<Call> = fc.tuple(
  fc.constantFrom(
    ...(['put', 'put', 'put', 'delete', 'txn', 'compact', 'step', 'flush', 'checkpoint'] as const),
  ),
  fc.nat(7),
  fc.nat(5),
);

const put = (key: number, value: number) => ({
  key: utf8(`key-${key}`),
  value: utf8(`value ${value}`),
  lease: value === 5 ? -1n : 0n,
  prevKv: false,
  ignoreValue: false,
  ignoreLease: false,
});

async function perform(store: MvccStore, [kind, a, b]: Call): Promise<void> {
  switch (kind) {
    case 'put':
      store.put(put(a, b));
      break;
    case 'delete':
      store.deleteRange({ key: utf8(`key-${a}`), rangeEnd: utf8('key-7'), prevKv: false });
      break;
    case 'txn':
      store.txn({
        compare: [],
        success: [a, a + 1].map((key) => ({
          request: { $case: 'requestPut' as const, value: put(key, b) },
        })),
        failure: [],
      });
      break;
    case 'compact':
      if (store.revision - a > store.compactRevision) store.compact(store.revision - a);
      break;
    case 'step':
      store.compactStep(1 + b);
      return;
    case 'flush':
      return flushStore(store);
    case 'checkpoint':
      return checkpointStore(store, SMALL);
  }
  store.setApplied(store.applied.index + 1, 1);
}

async function snapshotOf(store: MvccStore): Promise<string> {
  const snapshot = snapshotStore(store);
  const parts: Buffer[] = [];
  for await (const chunk of snapshot.chunks) parts.push(Buffer.from(chunk));
  return Buffer.concat(parts).toString('hex');
}

async function factsOf(store: MvccStore): Promise<unknown> {
  if (store.wantsCheckpoint) await checkpointStore(store, SMALL);
  while (store.compactStep(100));
  const { revision, compactRevision, keyCount, applied, sizeBytes } = store;
  const hash = store.stateHash();
  const leased = [...store.leasedKeys()].map(String);
  const snapshot = await snapshotOf(store);
  return { revision, compactRevision, keyCount, applied, sizeBytes, hash, leased, snapshot };
}

test('both hold the same after any history, any crash, and whatever is written then', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(call, { maxLength: 60, size: 'max' }),
      fc.array(call, { maxLength: 10 }),
      fc.nat(),
      async (history, more, cut) => {
        const medium = new Medium();
        const store = await openStore(medium.open(), OPTIONS);
        for (const each of history) await perform(store, each);
        const count = medium.synced + (cut % (medium.batches.length - medium.synced + 1));
        const indexed = await openStore(await medium.after(count), OPTIONS);
        const plain = await openStore(await medium.after(count, isRecord), OPTIONS);
        expect(await factsOf(indexed)).toEqual(await factsOf(plain));
        for (const each of more) {
          await perform(indexed, each);
          await perform(plain, each);
        }
        expect(await factsOf(indexed)).toEqual(await factsOf(plain));
      },
    ),
    { numRuns: 400 },
  );
});

/** A store of so many keys with pages, in a backend of its own. */
async function filled(keys: number): Promise<{ backend: Backend; medium: Medium }> {
  const medium = new Medium();
  const backend = medium.open();
  const store = await openStore(backend, OPTIONS);
  for (let i = 0; i < keys; i++) store.put(put(i, i % 5));
  store.setApplied(1, 1);
  await checkpointStore(store, SMALL);
  return { backend, medium };
}

/** What a load without pages reads. */
function isRecord(key: Uint8Array): boolean {
  return key[0] !== INDEX;
}

/** A store whose keys were all deleted, but for one that came after; without pages. */
async function deleted(): Promise<{ medium: Medium; store: MvccStore }> {
  const medium = new Medium();
  const store = await openStore(medium.open(), OPTIONS);
  for (let i = 0; i < 5; i++) store.put(put(i, 1));
  for (let i = 0; i < 5; i++) {
    store.deleteRange({ key: utf8(`key-${i}`), rangeEnd: new Uint8Array(0), prevKv: false });
  }
  store.put(put(5, 1));
  store.setApplied(1, 1);
  return { medium, store };
}

describe('index pages', () => {
  test('are used: what only records could tell is not missed', async () => {
    const { backend, medium } = await filled(20);
    expect(readIndexHead(backend)).toMatchObject({ pages: 7, entries: 20, through: 21 });
    const records = medium.batches[0]?.filter(({ key }) => key[0] === 0x6b) ?? [];
    await backend.write(records.map(({ key }) => ({ key, value: undefined })));
    expect((await openStore(backend, OPTIONS)).keyCount).toBe(20);
  });

  test('that are missing, damaged or without a head leave the load to the records', async () => {
    const { medium } = await filled(20);
    const sound = await openStore(await medium.after(Infinity), OPTIONS);
    const names = medium.batches.flat().filter(({ key }) => key[0] === INDEX);
    expect(names.length).toBe(8);
    for (const { key, value } of names) {
      const missing = await medium.after(Infinity);
      await missing.write([{ key, value: undefined }]);
      expect((await openStore(missing, OPTIONS)).stateHash()).toBe(sound.stateHash());
      const damaged = await medium.after(Infinity);
      const bytes = value?.slice() ?? new Uint8Array(0);
      bytes[bytes.length >> 1] = (bytes[bytes.length >> 1] as number) ^ 1;
      await damaged.write([{ key, value: bytes }]);
      expect((await openStore(damaged, OPTIONS)).stateHash()).toBe(sound.stateHash());
    }
  });

  test('that a compaction did not wait for do not count: they know nothing of what it dropped', async () => {
    const { medium, store } = await deleted();
    const [hasPage, goesOn] = [deferred<void>(), deferred<void>()];
    const aTurn = () => {
      hasPage.resolve();
      return goesOn.promise;
    };
    const writing = checkpointStore(store, { ...SMALL, aTurn });
    await hasPage.promise;
    store.compact(store.revision);
    store.cancelReads();
    while (store.compactStep(100));
    goesOn.resolve();
    await writing;
    await flushStore(store);
    const reopened = await openStore(await medium.after(Infinity), OPTIONS);
    const plain = await openStore(await medium.after(Infinity, isRecord), OPTIONS);
    expect(reopened.keyCount).toBe(1);
    expect(await factsOf(reopened)).toEqual(await factsOf(plain));
  });

  test('leave out what a compaction has begun to drop: its key is forgotten already', async () => {
    const { medium, store } = await deleted();
    store.compact(store.revision);
    expect(store.compactStep(1)).toBe(true);
    await checkpointStore(store, SMALL);
    const reopened = await openStore(await medium.after(Infinity), OPTIONS);
    const plain = await openStore(await medium.after(Infinity, isRecord), OPTIONS);
    expect(reopened.keyCount).toBe(1);
    expect(await factsOf(reopened)).toEqual(await factsOf(plain));
  });

  test('that could not be read are not written over: a crash in the middle of new ones is harmless', async () => {
    const { backend, medium } = await filled(150);
    const page = medium.batches.flat().find(({ key }) => key.length > 1 && key[0] === INDEX);
    await backend.write([{ key: page?.key ?? new Uint8Array(0), value: undefined }]);
    const store = await openStore(backend, OPTIONS);
    for (let i = 0; i < 9; i++) store.put(put(i % 3, 1));
    store.compact(store.revision);
    while (store.compactStep(100));
    store.setApplied(2, 1);
    await flushStore(store);
    const first = medium.batches.length;
    await checkpointStore(store, SMALL);
    expect(medium.batches.length).toBeGreaterThan(first + 1);
    for (let count = first; count <= medium.batches.length; count++) {
      const reopened = await openStore(await medium.after(count), OPTIONS);
      reopened.check();
      expect(await factsOf(reopened)).toEqual(await factsOf(store));
    }
  });

  test('that tell mostly of what was compacted are written anew, and the old ones go', async () => {
    const medium = new Medium();
    const backend = medium.open();
    const store = await openStore(backend, OPTIONS);
    const options = { stepRevisions: 1, pageEntriesMax: 1_000 };
    for (let round = 0; round < 12; round++) {
      for (let i = 0; i < 10_000; i++) store.put(put(1, i % 5));
      store.setApplied(store.applied.index + 1, 1);
      await checkpointStore(store, options);
      store.compact(store.revision);
      expect(store.compactStep(100_000)).toBe(false);
      await checkpointStore(store, options);
      while (store.compactStep(100_000));
    }
    const head = readIndexHead(backend);
    expect(head?.generation).toBe(2);
    expect(head?.entries).toBeLessThan(60_000);
    let pages = 0;
    const iterator = backend.iterate(new Uint8Array([INDEX, 0]), new Uint8Array([INDEX + 1]));
    for (let page; (page = await iterator.nextPage(100)).length > 0;) pages += page.length;
    await iterator.close();
    expect(pages).toBe(head?.pages);
    await flushStore(store);
    expect((await openStore(backend, OPTIONS)).stateHash()).toBe(store.stateHash());
  });

  test('any bit of which has turned are refused', async () => {
    const { medium } = await filled(5);
    const page = medium.batches.flat().find(({ key }) => key.length > 1 && key[0] === INDEX)?.value;
    const bytes = page ?? new Uint8Array(0);
    expect(readPage(bytes, () => undefined)).toBe(3);
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      const damaged = bytes.slice();
      damaged[bit >> 3] = (damaged[bit >> 3] as number) ^ (1 << (bit & 7));
      expect(() => readPage(damaged, () => undefined)).toThrow(IndexPageError);
    }
  });
});
