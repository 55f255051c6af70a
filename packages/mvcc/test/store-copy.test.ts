/** A store's content, taken out while writes go on, and filled into another backend. */
import {
  copyStore,
  fillBackend,
  flushStore,
  memoryBackend,
  MvccError,
  type MvccStore,
  openStore,
  type StoreCopy,
} from '@etcd-ts/mvcc';
import { expect, test } from 'vitest';
import { all, b, del, opPut, put, txn } from './requests.ts';

async function filled(): Promise<MvccStore> {
  const store = await openStore(memoryBackend());
  for (let i = 0; i < 300; i++) store.put(put(`k${i % 7}`, `value ${i}`));
  store.deleteRange(del('k3'));
  store.txn(txn([], [opPut('x'), opPut('y')]));
  store.meta.set('members', b('m'));
  store.setApplied(77, 5);
  return store;
}

async function fill(copy: StoreCopy): Promise<MvccStore> {
  const { applied, compactRevision, blobs } = copy;
  const backend = memoryBackend();
  await fillBackend(backend, {
    applied,
    compactRevision,
    compactedRevision: compactRevision,
    records: copy.records(),
    revision: () => copy.revision,
    blobs: () => blobs,
  });
  copy.close();
  const store = await openStore(backend);
  store.check();
  return store;
}

test('a copy is the store as it was at the call, and fills a store that is its equal', async () => {
  const store = await filled();
  await flushStore(store);
  store.put(put('unflushed'));
  const { revision } = store;
  const hash = store.stateHash();
  const copy = copyStore(store);
  store.put(put('later'));
  store.meta.set('members', b('later'));
  const copied = await fill(copy);
  expect([copied.revision, copied.stateHash()]).toEqual([revision, hash]);
  expect(copied.applied).toEqual({ index: 77, term: 5 });
  expect(copied.meta.get('members')).toEqual(b('m'));
});

test('a copy knows its lengths beforehand, whatever was flushed, or is still to be dropped', async () => {
  const store = await filled();
  const lengths = async (): Promise<number> => {
    const copy = copyStore(store);
    const measured: number[] = [];
    await copy.measure((nameBytes, recordBytes) => measured.push(nameBytes, recordBytes));
    const read: number[] = [];
    for await (const entries of copy.records()) {
      for (const [name, record] of entries) read.push(name.length, record.length);
    }
    copy.close();
    expect(measured).toEqual(read);
    return read.length;
  };
  const whole = await lengths();
  store.compact(200);
  store.compactStep(3);
  const compacted = await lengths();
  await flushStore(store);
  while (store.compactStep(100));
  expect(compacted).toBeLessThan(whole);
  expect(await lengths()).toBe(compacted);
});

test('a compaction waits for a copy, and breaks it when it would not wait', async () => {
  const store = await filled();
  const copy = copyStore(store);
  store.compact(200);
  store.compactStep(1_000);
  expect(store.isCompactionHeld).toBe(true);
  store.cancelReads();
  const reading = (async () => {
    for await (const _ of copy.records());
  })();
  await expect(reading).rejects.toBeInstanceOf(MvccError);
  await expect(copy.measure(() => undefined)).rejects.toMatchObject({ code: 'COMPACTED' });
});

test('a revision that was jumped to outlives the copy', async () => {
  const store = await filled();
  const kvs = store.range(all()).kvs.length;
  store.skipTo(5_000);
  const copy = copyStore(store);
  expect(copy.hasJumped).toBe(true);
  const copied = await fill(copy);
  expect([copied.revision, copied.compactRevision]).toEqual([5_000, 5_000]);
  expect(copied.range(all()).kvs).toHaveLength(kvs);
  copied.put(put('next'));
  expect(copied.revision).toBe(5_001);
  expect(copyStore(copied).hasJumped).toBe(false);
});

test('records end early when they are large', async () => {
  const store = await openStore(memoryBackend());
  for (let i = 0; i < 20; i++) store.put(put(`k${i}`, 'x'.repeat(100_000)));
  const copy = copyStore(store);
  for await (const entries of copy.records()) expect(entries.length).toBeLessThanOrEqual(2);
});
