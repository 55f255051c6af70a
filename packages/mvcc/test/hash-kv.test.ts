/** HashKV to the bit: the expected values were given by etcd 3.5.30 for the same history. */
import { flushStore, hashStore, memoryBackend, type MvccStore, openStore } from '@etcd-ts/mvcc';
import { expect, test } from 'vitest';
import { del, opDelete, opPut, opRange, put, range, txn } from './requests.ts';

const ETCD_BY_REVISION: readonly (readonly [revision: number, hash: number])[] = [
  [1, 1084519789],
  [2, 2587454935],
  [3, 3259597905],
  [4, 4275444170],
  [5, 3638610643],
  [6, 1210074319],
  [7, 496782729],
  [8, 896068062],
  [9, 1998892537],
  [10, 2213016779],
];

/** After each compaction, and a restart: hashes at the compact revision, the next one and the last. */
const ETCD_AFTER_COMPACTION: readonly (readonly [compact: number, hashes: readonly number[]])[] = [
  [3, [3616994315, 3903906366, 3892000084]],
  [5, [3510420862, 1652758721, 2330602864]],
  [7, [118101594, 889962116, 1803210211]],
];

async function storeWithHistory(): Promise<MvccStore> {
  const leases = { exists: () => true, attach: () => undefined, detach: () => undefined };
  const store = await openStore(memoryBackend(), { leases });
  store.put(put('a', '1'));
  store.put(put('a', '2', { lease: 7n }));
  store.put(put('b\xff\0', 'x'.repeat(200)));
  store.txn(txn([], [opPut('c', '1'), opPut('d', '2'), opDelete('a'), opRange('a')]));
  store.put(put('a', ''));
  store.deleteRange(del('a', 'c'));
  store.put(put('e', 'v', { lease: 7n }));
  store.txn(txn([], [opDelete('a', '\0'), opPut('c', '9'), opPut('d', '8')]));
  store.put(put('z', 'v'));
  return store;
}

function hashAt(store: MvccStore, revision: number, entriesPerStep = 3): number {
  const scan = store.hashKv(revision);
  while (!scan.step(entriesPerStep));
  scan.close();
  return scan.hash;
}

test('hashes by revision are those of etcd', async () => {
  const store = await storeWithHistory();
  for (const [revision, hash] of ETCD_BY_REVISION) expect(hashAt(store, revision)).toBe(hash);
  expect(hashAt(store, 0)).toBe(2213016779);
});

test('a negative revision hashes nothing, as in etcd', async () => {
  expect(hashAt(await storeWithHistory(), -1)).toBe(1084519789);
});

test.for([
  ['not yet dropped', async (store: MvccStore) => store],
  [
    'half dropped',
    async (store: MvccStore) => {
      store.compactStep(1);
      return store;
    },
  ],
  [
    'dropped and loaded again',
    async (store: MvccStore) => {
      while (store.compactStep(1));
      await flushStore(store);
      return openStore(store.backend);
    },
  ],
] as const)('hashes after compactions are those of etcd: %s', async ([, and]) => {
  let store = await storeWithHistory();
  for (const [compact, hashes] of ETCD_AFTER_COMPACTION) {
    store.compact(compact);
    store = await and(store);
    const revisions = [compact, compact + 1, 10];
    expect(revisions.map((revision) => hashAt(store, revision))).toEqual(hashes);
    expect(store.hashKv(0).compactRevision).toBe(compact);
  }
});

test('a key that one transaction deletes and puts again outlives a compaction at that revision', async () => {
  // etcd 3.5.30 drops the record and keeps the index entry: the next read of the key stops the server.
  const store = await storeWithHistory();
  store.compact(9);
  while (store.compactStep(1));
  expect(store.range(range('c')).kvs).toMatchObject([{ modRevision: 9, version: 1 }]);
  const expected = hashAt(store, 10);
  await flushStore(store);
  const loaded = await openStore(store.backend);
  expect(loaded.range(range('d')).kvs).toMatchObject([{ modRevision: 9, version: 1 }]);
  expect(hashAt(loaded, 10)).toBe(expected);
});

test('records read ahead give the same hash, whatever of them is in the database', async () => {
  const store = await storeWithHistory();
  for (const [revision, hash] of ETCD_BY_REVISION) {
    expect((await hashStore(store, revision)).hash).toBe(hash);
  }
  await flushStore(store);
  store.put(put('later'));
  store.deleteRange(del('z'));
  const through = store.revision;
  const expected = hashAt(store, through);
  for (const [revision, hash] of ETCD_BY_REVISION) {
    expect((await hashStore(store, revision)).hash).toBe(hash);
  }
  expect(await hashStore(store, 0)).toEqual({
    hash: expected,
    hashRevision: through,
    compactRevision: -1,
  });
  store.compact(7);
  const compacted = hashAt(store, through);
  expect((await hashStore(store, through)).hash).toBe(compacted);
  // The deletes of what is dropped are not in the database yet.
  while (store.compactStep(1));
  expect((await hashStore(store, through)).hash).toBe(compacted);
  await flushStore(store);
  expect((await hashStore(store, through)).hash).toBe(compacted);
  await expect(hashStore(store, 6)).rejects.toMatchObject({ code: 'COMPACTED' });
});

test('a hash goes on at its revision while puts and compactions come', async () => {
  const store = await storeWithHistory();
  const scan = store.hashKv(10);
  scan.step(2);
  store.put(put('a', 'later'));
  store.compact(8);
  expect(store.compactStep(1000)).toBe(false);
  expect(store.isCompactionHeld).toBe(true);
  while (!scan.step(1));
  expect(scan.hash).toBe(2213016779);
  scan.close();
  expect(store.isCompactionHeld).toBe(false);
  while (store.compactStep(1000));
  expect(store.compactedRevision).toBe(8);
});

test('a hash that a compaction did not wait for says COMPACTED', async () => {
  const store = await storeWithHistory();
  const scan = store.hashKv(5);
  store.compact(7);
  expect(store.cancelReads()).toBe(1);
  expect(() => scan.step(1)).toThrow(expect.objectContaining({ code: 'COMPACTED' }));
});

test('revisions that are compacted or in the future are refused', async () => {
  const store = await storeWithHistory();
  store.compact(5);
  expect(() => store.hashKv(4)).toThrow(expect.objectContaining({ code: 'COMPACTED' }));
  expect(() => store.hashKv(11)).toThrow(expect.objectContaining({ code: 'FUTURE_REVISION' }));
});

test('the hash is not given before it is complete', async () => {
  const scan = (await storeWithHistory()).hashKv(0);
  expect(() => scan.hash).toThrow('before it is done');
  scan.close();
});
