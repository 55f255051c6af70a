/** Each clever structure against a plain one: the same calls, the same answers, and its invariants after each. */
import { fromLatin1 } from '@etcd-ts/base';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { BTree, NODE_ENTRIES_MAX } from '../src/btree.ts';
import { IntervalTree } from '../src/interval-tree.ts';
import { KeyIndex } from '../src/key-index.ts';
import { KeyTable } from '../src/key-table.ts';
import { type KeyRange, rangeHas } from '../src/key-range.ts';
import { CACHE_SEGMENT_BYTES, RecordCache } from '../src/record-cache.ts';
import { LOG_CHUNK_ENTRIES, RevisionLog } from '../src/revision-log.ts';
import { CACHE_ENTRY_OVERHEAD_BYTES, ValueCache } from '../src/value-cache.ts';
import { WatcherGroup } from '../src/watcher-group.ts';

const byNumber = (one: number, two: number): number => one - two;

const key = fc.oneof(
  fc.nat(400).map((n) => n.toString(36)),
  fc.constantFrom('', '\0', 'a', 'a\0', '\xff', '\xff\xff'),
);
const range: fc.Arbitrary<KeyRange> = fc.record({
  start: key,
  end: fc.option(key, { nil: undefined, freq: 4 }),
});

describe('the B-tree', () => {
  test('finds, counts and scans as a sorted array does', () => {
    const call = fc.tuple(fc.constantFrom('add', 'add', 'add', 'delete', 'flip'), key);
    fc.assert(
      fc.property(
        fc.array(call, { maxLength: 600, size: 'max' }),
        fc.array(range, { maxLength: 5 }),
        (calls, ranges) => {
          const weights: number[] = [];
          const tree = new BTree((value) => weights[value] ?? 0);
          const plain = new Map<string, number>();
          for (const [kind, each] of calls) {
            const value = plain.get(each);
            if (kind === 'add' && value === undefined) {
              plain.set(each, weights.length);
              weights.push(weights.length % 3 === 0 ? 0 : 1);
              tree.insert(each, weights.length - 1);
            } else if (value !== undefined && kind !== 'add') {
              const before = weights[value] ?? 0;
              weights[value] = kind === 'delete' ? 0 : 1 - before;
              tree.addWeight(each, weights[value] - before);
              if (kind === 'delete') {
                tree.delete(each);
                plain.delete(each);
              }
            }
            expect(tree.get(each)).toBe(plain.get(each));
          }
          tree.check();
          expect(tree.size).toBe(plain.size);
          for (const each of ranges) expectScan(tree, plain, weights, each);
          expectScan(tree, plain, weights, { start: '', end: undefined });
        },
      ),
      { numRuns: 150 },
    );
  });

  test('stays right while thousands of keys come in order, and leave in another', () => {
    const tree = new BTree(() => 0);
    const count = NODE_ENTRIES_MAX * 100;
    const name = (i: number): string => String(i).padStart(6, '0');
    for (let i = 0; i < count; i++) tree.insert(name(i), i);
    tree.check();
    for (let i = 0; i < count; i++) tree.delete(name((i * 7919) % count));
    tree.check();
    expect(tree.size).toBe(0);
    tree.insert('again', 1);
    expect(tree.get('again')).toBe(1);
  });

  test('refuses a key twice, and a delete of a key that is not there', () => {
    const tree = new BTree(() => 0);
    tree.insert('a', 1);
    expect(() => tree.insert('a', 2)).toThrow('in the tree already');
    expect(() => tree.delete('b')).toThrow('not in the tree');
  });
});

function expectScan(
  tree: BTree,
  plain: ReadonlyMap<string, number>,
  weights: readonly number[],
  { start, end }: KeyRange,
): void {
  const wanted = [...plain]
    .filter(([each]) => rangeHas({ start, end }, each))
    .toSorted(([a], [b]) => (a < b ? -1 : 1));
  const found: [string, number][] = [];
  tree.scan(start, end, (each, value) => {
    found.push([each, value]);
    return found.length < 100;
  });
  expect(found).toEqual(wanted.slice(0, 100));
  const weight = wanted.reduce((sum, [, value]) => sum + (weights[value] ?? 0), 0);
  expect(tree.weightOf(start, end)).toBe(weight);
}

test('the key table finds what a map finds, whatever the seed', () => {
  const call = fc.tuple(fc.boolean(), key);
  fc.assert(
    fc.property(fc.array(call, { maxLength: 400, size: 'max' }), fc.integer(), (calls, seed) => {
      const keys: (string | undefined)[] = [];
      const table = new KeyTable(keys, seed);
      const plain = new Map<string, number>();
      for (const [adds, each] of calls) {
        const slot = plain.get(each);
        if (adds && slot === undefined) {
          plain.set(each, keys.length);
          keys.push(each);
          table.add(keys.length - 1, fromLatin1(each));
        } else if (!adds && slot !== undefined) {
          table.remove(slot, fromLatin1(each));
          keys[slot] = undefined;
          plain.delete(each);
        }
      }
      for (const [, each] of calls)
        expect(table.find(fromLatin1(each))).toBe(plain.get(each) ?? -1);
    }),
    { numRuns: 150 },
  );
});

test('the key table grows, and finds every one of many keys', () => {
  const keys = Array.from({ length: 5000 }, (_, i) => `key ${i}`);
  const table = new KeyTable(keys, 1);
  keys.forEach((each, slot) => table.add(slot, fromLatin1(each)));
  keys.forEach((each, slot) => expect(table.find(fromLatin1(each))).toBe(slot));
  expect(table.find(fromLatin1('key 5000'))).toBe(-1);
});

test('the interval tree gives the items of every range that holds a key', () => {
  const call = fc.tuple(fc.integer({ min: 0, max: 2 }), range, fc.nat(3));
  fc.assert(
    fc.property(
      fc.array(call, { maxLength: 200, size: 'max' }),
      fc.array(key, { maxLength: 20 }),
      (calls, keys) => {
        const tree = new IntervalTree<number>();
        const plain = new Map<string, { range: KeyRange; item: number }>();
        for (const [kind, each, item] of calls) {
          const name = JSON.stringify([each, item]);
          if (kind > 0) {
            tree.add(each, item);
            plain.set(name, { range: each, item });
          } else {
            expect(tree.delete(each, item)).toBe(plain.delete(name));
          }
        }
        tree.check();
        expect(tree.size).toBe(plain.size);
        for (const each of keys) {
          const found: number[] = [];
          tree.collect(each, found);
          const wanted = [...plain.values()]
            .filter(({ range: its }) => rangeHas(its, each))
            .map(({ item }) => item);
          expect(found.toSorted(byNumber)).toEqual(wanted.toSorted(byNumber));
          expect(tree.has(each)).toBe(wanted.length > 0);
        }
        expect([...tree].toSorted(byNumber)).toEqual(
          [...plain.values()].map(({ item }) => item).toSorted(byNumber),
        );
      },
    ),
    { numRuns: 200 },
  );
});

test('a watcher group finds who watches a key', () => {
  const watcher = fc.record({ range, single: fc.boolean() });
  fc.assert(
    fc.property(
      fc.array(watcher, { maxLength: 80, size: 'max' }),
      fc.array(fc.nat(79)),
      fc.array(key),
      (all, gone, keys) => {
        const group = new WatcherGroup<{ range: KeyRange; key: string | undefined }>();
        const plain = new Set(
          all.map(({ range: its, single }) => ({
            range: its,
            key: single ? its.start : undefined,
          })),
        );
        for (const each of plain) group.add(each);
        const members = [...plain];
        for (const i of gone) {
          const each = members[i];
          if (each !== undefined && plain.delete(each)) group.delete(each);
        }
        expect(group.size).toBe(plain.size);
        expect(new Set(group)).toEqual(plain);
        for (const each of [...keys, ...members.map(({ range: its }) => its.start)]) {
          const found: { range: KeyRange; key: string | undefined }[] = [];
          group.collectByKey(each, found);
          group.collectByRange(each, found);
          const wanted = [...plain].filter((its) =>
            its.key === undefined ? rangeHas(its.range, each) : its.key === each,
          );
          expect(found).toHaveLength(wanted.length);
          expect(new Set(found)).toEqual(new Set(wanted));
        }
      },
    ),
    { numRuns: 100 },
  );
});

test('the revision log keeps what a filtered array keeps', () => {
  const gap = fc.integer({ min: 1, max: 3 });
  const filter = fc.tuple(
    fc.integer({ min: 2, max: 7 }),
    fc.double({ min: 0, max: 1, noNaN: true }),
    fc.constantFrom(7, 100, LOG_CHUNK_ENTRIES, LOG_CHUNK_ENTRIES + 1, LOG_CHUNK_ENTRIES * 2),
  );
  fc.assert(
    fc.property(
      fc.array(gap, { minLength: 5, maxLength: 30 }),
      fc.array(filter, { maxLength: 4 }),
      (gaps, filters) => {
        const log = new RevisionLog();
        let plain: { main: number; sub: number; slot: number; tombstone: boolean }[] = [];
        let main = 1;
        for (let i = 0; i < LOG_CHUNK_ENTRIES * 2.5; i++) {
          const sub = i % 5;
          if (sub === 0) main += gaps[i % gaps.length] ?? 1;
          plain.push({ main, sub, slot: i, tombstone: i % 4 === 0 });
          log.append(main, sub, i, i % 4 === 0, i);
        }
        for (const [divisor, share, steps] of filters) {
          const through = Math.floor(main * share);
          const keep = (entry: { slot: number }): boolean => entry.slot % divisor === 0;
          let from: { main: number; sub: number } | undefined = { main: 0, sub: 0 };
          while (from !== undefined) from = log.filter(from, through, steps, keep);
          plain = plain.filter((entry) => entry.main > through || keep(entry));
        }
        log.check();
        expect(log.size).toBe(plain.length);
        for (const start of [0, 1, Math.floor(main / 2), main, main + 1]) {
          const found: unknown[] = [];
          log.forEachFrom(start, 2, ({ main: at, sub, slot, tombstone }) => {
            found.push({ main: at, sub, slot, tombstone });
            return found.length < 50;
          });
          const wanted = plain.filter(
            (entry) => entry.main > start || (entry.main === start && entry.sub >= 2),
          );
          expect(found).toEqual(wanted.slice(0, 50));
        }
      },
    ),
    { numRuns: 15 },
  );
});

describe('the key index', () => {
  const change = fc.tuple(fc.constantFrom('a', 'b', 'c'), fc.boolean(), fc.nat(2));

  test('answers as a list of versions does, through compactions', () => {
    fc.assert(
      fc.property(
        fc.array(change, { maxLength: 40, size: 'max' }),
        fc.array(fc.nat(45), { maxLength: 4 }),
        (changes, compactions) => {
          const index = new KeyIndex(3);
          const plain = new Map<string, { main: number; sub: number; live: boolean }[]>();
          let main = 1;
          let sub = 0;
          for (const [text, isDelete, gap] of changes) {
            sub = gap === 0 ? sub + 1 : 0;
            main += gap;
            const versions = plain.get(text) ?? [];
            plain.set(text, versions);
            const wasLive = versions.at(-1)?.live === true;
            if (isDelete && !wasLive) continue;
            versions.push({ main, sub, live: !isDelete });
            const found = index.find(fromLatin1(text));
            const slot = found < 0 ? index.addKey(fromLatin1(text)) : found;
            if (isDelete) index.delete(slot, { main, sub });
            else
              index.put(
                slot,
                { main, sub },
                wasLive ? index.createOf(slot) : main,
                index.versionOf(slot) + 1,
                0n,
              );
          }
          index.check();
          let compacted = 0;
          for (const revision of compactions) {
            compacted = Math.max(compacted, Math.min(revision, main));
            for (const text of plain.keys()) {
              const slot = index.find(fromLatin1(text));
              if (slot >= 0) index.compact(slot, compacted);
            }
          }
          index.check();
          for (const [text, versions] of plain) {
            const slot = index.find(fromLatin1(text));
            for (let at = Math.max(1, compacted); at <= main; at++) {
              const newest = versions.findLast((version) => version.main <= at);
              const wanted =
                newest?.live === true ? { main: newest.main, sub: newest.sub } : undefined;
              expect(slot < 0 ? undefined : index.at(slot, at)).toEqual(wanted);
            }
            const last = versions.at(-1);
            const isGone = last === undefined || (!last.live && last.main < compacted);
            expect(slot < 0).toBe(isGone);
          }
        },
      ),
      { numRuns: 400 },
    );
  });

  test('gives a freed slot to another key, with nothing of the old one', () => {
    const index = new KeyIndex(0);
    const first = index.addKey(fromLatin1('a'));
    index.put(first, { main: 2, sub: 0 }, 2, 1, 5n);
    index.delete(first, { main: 3, sub: 0 });
    expect(index.compact(first, 3)).toBe(false);
    expect(index.compact(first, 4)).toBe(true);
    expect(index.find(fromLatin1('a'))).toBe(-1);
    const second = index.addKey(fromLatin1('b'));
    expect(second).toBe(first);
    expect([index.isLive(second), index.hasLease(second), index.mainOf(second)]).toEqual([
      false,
      false,
      0,
    ]);
  });
});

describe('the caches', () => {
  test('of records gives back what is newest, and never holds more than its arrays', () => {
    const cache = new RecordCache(3 * CACHE_SEGMENT_BYTES);
    const record = (i: number): Uint8Array => new Uint8Array(100_000).fill(i);
    for (let i = 0; i < 100; i++) {
      cache.set(i, i + 2, 0, record(i));
      const found = cache.get(i, i + 2, 0);
      expect([found?.length, found?.[0], found?.at(-1)]).toEqual([100_000, i, i]);
      expect(cache.bytes).toBeLessThanOrEqual(3 * CACHE_SEGMENT_BYTES);
    }
    expect(cache.get(0, 2, 0)).toBe(undefined);
  });

  test('of records tells an older version from the newest', () => {
    const cache = new RecordCache(0);
    cache.set(1, 2 ** 40, 3, new Uint8Array([1]));
    expect(cache.get(1, 2 ** 40, 4)).toBe(undefined);
    expect(cache.get(1, 2 ** 40 + 1, 3)).toBe(undefined);
    expect(cache.get(1, 2 ** 41, 3)).toBe(undefined);
    expect(cache.get(1, 2 ** 40, 3)).toEqual(new Uint8Array([1]));
    cache.delete(1);
    expect(cache.get(1, 2 ** 40, 3)).toBe(undefined);
  });

  test('of records gives nothing from a place that was written over, whatever now looks like it', () => {
    const cache = new RecordCache(2 * CACHE_SEGMENT_BYTES);
    const large = new Uint8Array(0.6 * CACHE_SEGMENT_BYTES);
    cache.set(0, 2, 0, new Uint8Array([1]));
    cache.set(1, 3, 0, large);
    cache.set(1, 4, 0, large);
    expect(cache.get(0, 2, 0)).toEqual(new Uint8Array([1]));
    const again = new RecordCache(2 * CACHE_SEGMENT_BYTES);
    again.set(0, 2, 0, new Uint8Array([1]));
    again.set(1, 3, 0, large);
    again.set(1, 4, 0, large);
    again.set(1, 2, 0, large);
    expect(again.get(0, 2, 0)).toBe(undefined);
  });

  test('of records keeps what is read while the rest goes', () => {
    const cache = new RecordCache(4 * CACHE_SEGMENT_BYTES);
    cache.set(0, 2, 0, new Uint8Array([7]));
    for (let i = 1; i < 200; i++) {
      cache.set(i, 2, 0, new Uint8Array(100_000));
      expect(cache.get(0, 2, 0)).toEqual(new Uint8Array([7]));
    }
  });

  test('of versions stays within its bound and keeps what is read', () => {
    const entryBytes = 100 + CACHE_ENTRY_OVERHEAD_BYTES;
    const cache = new ValueCache(10 * entryBytes);
    const kv = (i: number): Parameters<ValueCache['set']>[1] => ({
      key: new Uint8Array(10).fill(i),
      value: new Uint8Array(90),
      createRevision: 1,
      modRevision: 1,
      version: 1,
      lease: 0n,
    });
    cache.set(0, kv(0));
    for (let i = 1; i < 1000; i++) {
      cache.set(i, kv(i));
      expect(cache.bytes).toBeLessThanOrEqual(10 * entryBytes);
      expect(cache.get(0)).toEqual(kv(0));
    }
    expect(cache.get(500)).toBe(undefined);
    cache.delete(0);
    expect(cache.get(0)).toBe(undefined);
    cache.set(0, { ...kv(0), value: new Uint8Array(20 * entryBytes) });
    expect(cache.get(0)).toBe(undefined);
  });
});
