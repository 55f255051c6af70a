/** Reading, option by option, as etcd does it. The model covers their combinations. */
import {
  flushStore,
  memoryBackend,
  type MvccStore,
  openStore,
  type RangeResult,
} from '@etcd-ts/mvcc';
import { beforeEach, describe, expect, test } from 'vitest';
import { all, b, del, put, range } from './requests.ts';

let store: MvccStore;

/** Revisions: b 2, a 3, c 4, a 5 (again), d 6. */
beforeEach(async () => {
  store = await openStore(memoryBackend());
  for (const [key, value] of [
    ['b', '3'],
    ['a', '9'],
    ['c', '2'],
    ['a', '1'],
    ['d', '0'],
  ] as const) {
    store.put(put(key, value));
  }
});

const keys = ({ kvs }: RangeResult): string =>
  kvs.map(({ key }) => Buffer.from(key).toString()).join('');

describe('a range', () => {
  test('of a key that is not there is empty with count 0', () => {
    expect(store.range(range('x'))).toEqual({ revision: 6, kvs: [], more: false, count: 0 });
  });

  test('that ends before it begins is empty, not an error', () => {
    expect(store.range(range('c', 'a'))).toEqual({ revision: 6, kvs: [], more: false, count: 0 });
  });

  test('counts all its keys, whatever the limit and the filters', () => {
    expect(store.range(all({ limit: 2 }))).toMatchObject({ count: 4, more: true });
    expect(keys(store.range(all({ limit: 2 })))).toBe('ab');
    expect(store.range(all({ minModRevision: 6 }))).toMatchObject({ count: 4, more: false });
    expect(keys(store.range(all({ minModRevision: 6 })))).toBe('d');
  });

  test('is limited only by a positive limit', () => {
    expect(keys(store.range(all({ limit: -5 })))).toBe('abcd');
    expect(store.range(all({ limit: 4 }))).toMatchObject({ more: false });
    expect(keys(store.range(all({ limit: Number.MAX_SAFE_INTEGER })))).toBe('abcd');
  });

  test('of counts alone has no keys, and never more', () => {
    expect(store.range(all({ countOnly: true, limit: 1 }))).toEqual({
      revision: 6,
      kvs: [],
      more: false,
      count: 4,
    });
    expect(store.range(range('a', '', { countOnly: true }))).toMatchObject({ kvs: [], count: 1 });
  });

  test('of keys alone has everything but values', () => {
    const found = store.range(range('a', '', { keysOnly: true }));
    const kv = {
      key: b('a'),
      createRevision: 3,
      modRevision: 5,
      version: 2,
      value: b(''),
      lease: 0n,
    };
    expect(found.kvs).toEqual([kv]);
    expect(
      store.range(all({ keysOnly: true, revision: 3 })).kvs.map(({ value }) => value.length),
    ).toEqual([0, 0]);
    expect(store.range(range('a')).kvs[0]?.value).toEqual(b('1'));
  });

  test('of keys alone sorts by the values that it leaves out', () => {
    expect(keys(store.range(all({ keysOnly: true, sortTarget: 4, sortOrder: 1 })))).toBe('dacb');
  });

  test.for([
    [0, 1, 'abcd'],
    [0, 2, 'dcba'],
    [1, 2, 'abcd'],
    [2, 1, 'bacd'],
    [3, 1, 'bcad'],
    [3, 2, 'dacb'],
    [4, 2, 'bcad'],
  ] as const)('sorted by target %d in order %d gives %s', ([sortTarget, sortOrder, wanted]) => {
    expect(keys(store.range(all({ sortTarget, sortOrder })))).toBe(wanted);
  });

  test('with a sort target and no order sorts what the limit took in key order', () => {
    expect(keys(store.range(all({ sortTarget: 3, limit: 1 })))).toBe('b');
    expect(keys(store.range(all({ sortTarget: 3, sortOrder: 1, limit: 1 })))).toBe('b');
    expect(keys(store.range(all({ sortTarget: 4, limit: 2 })))).toBe('ac');
    expect(keys(store.range(all({ sortTarget: 4, sortOrder: 1, limit: 2 })))).toBe('da');
  });

  test('filters before it limits; bounds are inclusive', () => {
    const found = store.range(all({ minModRevision: 4, maxModRevision: 5, limit: 1 }));
    expect([keys(found), found.more, found.count]).toEqual(['a', true, 4]);
    expect(keys(store.range(all({ minCreateRevision: 3, maxCreateRevision: 4 })))).toBe('ac');
    expect(keys(store.range(all({ maxModRevision: 2 })))).toBe('b');
  });

  test('at a past revision sees what was then, with the current revision in the header', () => {
    const found = store.range(all({ revision: 3 }));
    expect([keys(found), found.revision, found.count]).toEqual(['ab', 6, 2]);
    expect(store.range(range('a', '', { revision: 4 })).kvs[0]).toMatchObject({
      modRevision: 3,
      version: 1,
    });
    expect(store.range(range('a', '', { revision: 2 })).count).toBe(0);
  });

  test('at revision 0 or below reads the current one; above it is refused', () => {
    expect(store.range(all({ revision: -7 })).count).toBe(4);
    expect(() => store.range(all({ revision: 7 }))).toThrow(
      'mvcc: required revision is a future revision',
    );
    expect(() => store.range(all({ revision: 7 }))).toThrow(
      expect.objectContaining({ code: 'FUTURE_REVISION' }),
    );
  });

  test('below the compact revision is refused, at it is not', () => {
    store.compact(4);
    expect(store.range(all({ revision: 4 })).count).toBe(3);
    expect(() => store.range(all({ revision: 3 }))).toThrow(
      'mvcc: required revision has been compacted',
    );
  });

  test('finds a key made again with version 1 and a new create revision', () => {
    store.deleteRange(del('a'));
    expect(store.range(range('a')).count).toBe(0);
    store.put(put('a'));
    expect(store.range(range('a')).kvs[0]).toMatchObject({
      createRevision: 8,
      modRevision: 8,
      version: 1,
    });
    expect(store.range(range('a', '', { revision: 6 })).kvs[0]).toMatchObject({ version: 2 });
  });

  test('reads the same from the buffer, the caches and the backend', async () => {
    const before = store.range(all()).kvs;
    await flushStore(store);
    expect(store.range(all()).kvs).toEqual(before);
    const loaded = await openStore(store.backend, { valueCacheBytesMax: 0 });
    expect(loaded.range(all()).kvs).toEqual(before);
    expect(loaded.range(all()).kvs).toEqual(before);
  });
});

describe('a range plan', () => {
  test('of very many keys leaves in the cache what is read again', async () => {
    for (let i = 0; i < 9_000; i++) store.put(put(`k${String(i).padStart(4, '0')}`, 'v'));
    await flushStore(store);
    let gets = 0;
    const { backend } = store;
    const counted = new Proxy(backend, {
      get: (target, name) => {
        if (name === 'get') gets += 1;
        const member: unknown = Reflect.get(target, name, target);
        return typeof member === 'function' ? member.bind(target) : member;
      },
    });
    const loaded = await openStore(counted, { valueCacheBytesMax: 6 << 20 });
    const read = (key: string): number => {
      const before = gets;
      loaded.range(range(key));
      return gets - before;
    };
    expect([read('k8888'), read('k8888')]).toEqual([1, 0]);
    const plan = loaded.rangePlan(all());
    while (plan.next(64, 1 << 20) !== undefined);
    plan.close();
    expect([read('k8888'), read('k0100'), read('k7000')]).toEqual([0, 0, 1]);
  });

  test('gives in slices, at its revision, what the range gave when it was made', () => {
    const whole = store.range(all());
    const plan = store.rangePlan(all());
    const kvs = [...(plan.next(1, 1000) ?? [])];
    store.put(put('b', 'later'));
    store.deleteRange(del('d'));
    store.put(put('aa'));
    for (let slice; (slice = plan.next(1, 1000)) !== undefined;) kvs.push(...slice);
    plan.close();
    expect(kvs).toEqual(whole.kvs);
    expect([plan.count, plan.headerRevision]).toEqual([whole.count, whole.revision]);
  });

  test('of keys alone gives no values, of the past neither', () => {
    const plan = store.rangePlan(all({ keysOnly: true, revision: 4 }));
    expect(plan.next(100, 1000)?.map(({ value }) => value.length)).toEqual([0, 0, 0]);
    plan.close();
  });

  test('ends a slice by bytes', () => {
    const plan = store.rangePlan(all());
    expect(plan.next(100, 1)).toHaveLength(1);
    plan.close();
  });

  test('of a past revision counts everything, also behind its limit', () => {
    const request = all({ revision: 4, limit: 1 });
    const plan = store.rangePlan(request);
    while (plan.next(1, 1000) !== undefined);
    plan.close();
    expect(plan.count).toBe(3);
  });

  test('of the current revision stops at its limit and knows the count at once', () => {
    const plan = store.rangePlan(all({ limit: 1 }));
    expect(plan.count).toBe(4);
    expect(plan.next(100, 1000)).toHaveLength(2);
    expect(plan.next(100, 1000)).toBe(undefined);
    plan.close();
  });

  test('holds a compaction above it up until it is closed', () => {
    const plan = store.rangePlan(all({ revision: 4 }));
    store.compact(6);
    expect([store.compactStep(100), store.isCompactionHeld, store.compactedRevision]).toEqual([
      false,
      true,
      -1,
    ]);
    expect(plan.next(100, 1000)).toHaveLength(3);
    plan.close();
    plan.close();
    store.compactStep(100);
    expect([store.isCompactionHeld, store.compactedRevision]).toEqual([false, 6]);
  });

  test('does not hold up a compaction at or below it', () => {
    const plan = store.rangePlan(all({ revision: 4 }));
    store.compact(4);
    store.compactStep(100);
    expect(store.compactedRevision).toBe(4);
    plan.close();
  });

  test('that is broken says COMPACTED', () => {
    const plan = store.rangePlan(all({ revision: 4 }));
    const newest = store.rangePlan(all());
    store.compact(6);
    expect(store.cancelReads()).toBe(1);
    expect(() => plan.next(1, 1)).toThrow(expect.objectContaining({ code: 'COMPACTED' }));
    expect(newest.next(100, 1000)).toHaveLength(4);
    newest.close();
  });

  test('is refused like its range', () => {
    expect(() => store.rangePlan(all({ revision: 7 }))).toThrow(
      expect.objectContaining({ code: 'FUTURE_REVISION' }),
    );
  });
});
