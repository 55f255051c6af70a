/** What puts a million keys in order at once, against a sort that compares. */
import { fromLatin1 } from '@etcd-ts/base';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { BTree } from '../src/btree.ts';
import { KeyIndex } from '../src/key-index.ts';
import { sortedByKey } from '../src/key-sort.ts';

/** Keys that begin alike, end early, and differ late. */
const key = fc
  .tuple(
    fc.constantFrom('', '/registry/pods/', '/registry/', '\0\0\0', 'ab'),
    fc.array(fc.constantFrom('\0', '\x01', 'a', 'b', '\x7f', '\x80', '\xff'), { maxLength: 12 }),
  )
  .map(([prefix, rest]) => prefix + rest.join(''));
const keys = fc.uniqueArray(key, { maxLength: 400, size: 'max' });
const byText = (one: string, two: string): number => (one < two ? -1 : 1);

describe('the sort of keys', () => {
  test('gives the order of their bytes, whatever they begin with', () => {
    fc.assert(
      fc.property(keys, (given) => {
        const sorted = [...sortedByKey(given)].map((place) => given[place]);
        expect(sorted).toEqual([...given].sort(byText));
      }),
    );
  });

  test('tells keys apart that differ only in zeros at their end, and in their last byte', () => {
    const given = Array.from({ length: 1_500 }, (_, i) => `x${'\0'.repeat(1_500 - i)}`);
    given.push(
      ...Array.from({ length: 256 }, (_, i) => 'y'.repeat(1_200) + String.fromCharCode(255 - i)),
    );
    const sorted = [...sortedByKey(given)].map((place) => given[place]);
    expect(sorted).toEqual([...given].sort(byText));
  });
});

test('a tree that is built at once is one that was filled one by one, and goes on as one', () => {
  fc.assert(
    fc.property(fc.nat(8_000), fc.nat(400), (size, more) => {
      const text = (i: number): string => i.toString(36).padStart(6, '0');
      const weights: number[] = [];
      const tree = new BTree((value) => weights[value] ?? 0);
      for (let i = 0; i < size; i++) weights.push(i % 3 === 0 ? 0 : 1);
      tree.build(
        size,
        (i) => text(2 * i),
        (i) => i,
      );
      tree.check();
      expect(tree.size).toBe(size);
      for (let i = 0; i < more; i++) {
        weights.push(1);
        tree.insert(text(2 * i + 1), weights.length - 1);
      }
      tree.check();
      const seen: string[] = [];
      tree.scan('', undefined, (each) => {
        seen.push(each);
        return true;
      });
      expect(seen).toHaveLength(size + more);
      expect(seen).toEqual([...seen].sort(byText));
      const sum = weights.reduce((total, weight) => total + weight, 0);
      expect(tree.weightOf('', undefined)).toBe(sum);
    }),
    { numRuns: 30 },
  );
});

test('a key index that is loaded in mass answers as one that was not', () => {
  const change = fc.tuple(key, fc.boolean());
  fc.assert(
    fc.property(fc.array(change, { maxLength: 300, size: 'max' }), (changes) => {
      const [loaded, plain] = [new KeyIndex(1), new KeyIndex(1)];
      loaded.beginLoad();
      for (const [at, [text, isDelete]] of changes.entries()) {
        const bytes = fromLatin1(`..${text}.`);
        for (const index of [loaded, plain]) {
          const end = bytes.length - 1;
          const found = index.find(bytes, 2, end);
          const slot = found < 0 ? index.addKey(bytes, 2, end) : found;
          const ref = { main: at + 2, sub: 0 };
          if (isDelete) index.delete(slot, ref);
          else index.put(slot, ref, at + 2, 1, BigInt(at));
        }
      }
      loaded.endLoad();
      loaded.check();
      const all = { start: '', end: undefined };
      expect(loaded.countLive(all)).toBe(plain.countLive(all));
      const scan = (index: KeyIndex): string[] => {
        const seen: string[] = [];
        index.scan(all, (slot) => {
          seen.push(`${index.keyOf(slot)} ${index.mainOf(slot)} ${index.leaseOf(slot)}`);
          return true;
        });
        return seen;
      };
      expect(scan(loaded)).toEqual(scan(plain));
    }),
  );
});
