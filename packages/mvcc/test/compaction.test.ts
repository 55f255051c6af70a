/** What a compaction refuses, keeps and drops, in steps, and over a restart. */
import { flushStore, memoryBackend, type MvccStore, openStore } from '@etcd-ts/mvcc';
import fc from 'fast-check';
import { beforeEach, describe, expect, test } from 'vitest';
import { LOG_CHUNK_ENTRIES } from '../src/revision-log.ts';
import { RECORDS_END, RECORDS_START } from '../src/revision.ts';
import { all, del, put, range } from './requests.ts';

let store: MvccStore;

beforeEach(async () => {
  store = await openStore(memoryBackend());
});

/** Names of the records in the backend, as main/sub, a delete with †. */
async function records(from: MvccStore = store): Promise<string[]> {
  await flushStore(from);
  const iterator = from.backend.iterate(RECORDS_START, RECORDS_END);
  const names: string[] = [];
  for (let page; (page = await iterator.nextPage(100)).length > 0;) {
    for (const [name] of page) names.push(`${name[8]}${name.length === 19 ? '†' : ''}`);
  }
  await iterator.close();
  return names;
}

function compactAll(revision: number): void {
  store.compact(revision);
  while (store.compactStep(1));
}

describe('the compact revision', () => {
  test('is -1 at first, so that a fresh store can be compacted at 0 once', () => {
    expect(store.compactRevision).toBe(-1);
    store.compact(0);
    expect(() => store.compact(0)).toThrow(expect.objectContaining({ code: 'COMPACTED' }));
  });

  test('rises to the current revision at most, and never stands or falls', () => {
    store.put(put('a'));
    expect(() => store.compact(3)).toThrow(expect.objectContaining({ code: 'FUTURE_REVISION' }));
    store.compact(2);
    for (const revision of [2, 1, -5]) {
      expect(() => store.compact(revision)).toThrow(expect.objectContaining({ code: 'COMPACTED' }));
    }
    expect(store.compactRevision).toBe(2);
  });

  test('holds at once, before anything is dropped', () => {
    for (let i = 0; i < 3; i++) store.put(put('a'));
    store.compact(3);
    expect(() => store.range(range('a', '', { revision: 2 }))).toThrow('compacted');
    expect([store.isCompacting, store.compactedRevision]).toEqual([true, -1]);
  });
});

describe('what is dropped', () => {
  test('is every version that a newer one at or below the revision hides', async () => {
    for (let i = 0; i < 4; i++) store.put(put('a'));
    store.put(put('b'));
    compactAll(4);
    expect(await records()).toEqual(['4', '5', '6']);
    expect(store.range(range('a', '', { revision: 4 })).kvs[0]).toMatchObject({
      modRevision: 4,
      version: 3,
    });
  });

  test('is a delete below the revision with all before it, but not one exactly at it', async () => {
    store.put(put('a'));
    store.deleteRange(del('a'));
    store.put(put('b'));
    compactAll(3);
    expect(await records()).toEqual(['3†', '4']);
    compactAll(4);
    expect(await records()).toEqual(['4']);
  });

  test('leaves the size of what stays', async () => {
    for (let i = 0; i < 10; i++) store.put(put('a', 'x'.repeat(100)));
    const before = store.sizeBytes;
    compactAll(11);
    const metas = store.meta.bytes;
    expect(store.sizeBytes - metas).toBe(before / 10);
    await flushStore(store);
    const loaded = await openStore(store.backend);
    expect(loaded.sizeBytes - loaded.meta.bytes).toBe(before / 10);
  });

  test('may be a key altogether; it then begins anew', () => {
    store.put(put('a'));
    store.deleteRange(del('a'));
    store.put(put('b'));
    compactAll(4);
    store.put(put('c'));
    store.put(put('a'));
    expect(store.range(range('a')).kvs[0]).toMatchObject({ createRevision: 6, version: 1 });
    expect(store.range(all({ revision: 5 })).count).toBe(2);
    store.check();
  });
});

describe('steps', () => {
  test('each look at a bounded number of revisions while writes go on', () => {
    const count = LOG_CHUNK_ENTRIES * 3;
    for (let i = 0; i < count; i++) store.put(put('a'));
    store.compact(count);
    let steps = 0;
    while (store.compactStep(100)) {
      steps++;
      store.put(put('a'));
    }
    // Revisions 2 to `count`, and the last step says that there is no more.
    expect(steps).toBe(Math.ceil((count - 1) / 100) - 1);
    expect(store.compactedRevision).toBe(count);
    store.check();
  });

  test('of a compaction that comes in the middle of another follow it', () => {
    for (let i = 0; i < LOG_CHUNK_ENTRIES * 2; i++) store.put(put(`k${i % 10}`));
    store.compact(LOG_CHUNK_ENTRIES * 2);
    store.compactStep(1);
    store.put(put('k0'));
    store.compact(store.revision);
    const passed: number[] = [];
    while (store.compactStep(1)) passed.push(store.compactedRevision);
    expect(passed).toContain(LOG_CHUNK_ENTRIES * 2);
    expect([store.compactedRevision, store.isCompacting]).toEqual([store.revision, false]);
    expect(store.range(all()).count).toBe(10);
  });

  test('that were not made before a restart are made after it, with the same outcome', async () => {
    const write = fc.tuple(fc.constantFrom('a', 'b', 'c'), fc.boolean());
    const run = fc.asyncProperty(
      fc.array(write, { minLength: 1, maxLength: 40 }),
      fc.nat(40),
      fc.nat(2),
      async (writes, at, flushes) => {
        store = await openStore(memoryBackend());
        for (const [key, deletes] of writes) {
          if (deletes) store.deleteRange(del(key));
          else store.put(put(key));
        }
        const revision = Math.min(at, store.revision);
        store.compact(revision);
        if (flushes > 0) await flushStore(store);
        if (flushes > 1) store.compactStep(1);
        await flushStore(store);
        const restarted = await openStore(store.backend);
        expect(restarted.stateHash()).toBe(store.stateHash());
        while (restarted.compactStep(1));
        while (store.compactStep(1));
        expect(restarted.compactedRevision).toBe(revision);
        expect(await records(restarted)).toEqual(await records());
        restarted.check();
      },
    );
    await fc.assert(run, { numRuns: 200 });
  });
});
