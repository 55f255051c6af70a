/** Reads in steps: what they see while others write, what holds them up, what breaks them. Options: the property test. */
import {
  memoryBackend,
  type MvccStore,
  openStore,
  type RangeResult,
  type SteppedRead,
} from '@etcd-ts/mvcc';
import fc from 'fast-check';
import { beforeEach, describe, expect, test } from 'vitest';
import { SteppedSort } from '../src/stepped-sort.ts';
import { all, compareMod, compareValue, del, opRange, put, range, txn } from './requests.ts';

let store: MvccStore;

/** Revisions: b 2, a 3, c 4, a 5 (again), d 6. */
beforeEach(async () => {
  store = await openStore(memoryBackend());
  for (const text of ['b3', 'a9', 'c2', 'a1', 'd0']) store.put(put(text.charAt(0), text.slice(1)));
});

const keys = ({ kvs }: RangeResult): string =>
  kvs.map(({ key }) => Buffer.from(key).toString()).join('');

/** Everything that others can do to what is being read. */
function disturb(): void {
  store.put(put('b', 'later'));
  store.deleteRange(del('d'));
  store.put(put('aa'));
  store.deleteRange(del('a'));
  store.put(put('a', 'new'));
}

/** Reads to the end, with a disturbance after each of the first steps. */
function read<T>(stepped: SteppedRead<T>, between: () => void = disturb): T {
  try {
    for (let steps = 0; !stepped.step(1, 1000); steps++) if (steps < 3) between();
    return stepped.result;
  } finally {
    stepped.close();
  }
}

describe('a range in steps', () => {
  test('gives what the range gave when it began, sorted by whatever it is', () => {
    for (let sortTarget = 0; sortTarget <= 4; sortTarget++) {
      for (let sortOrder = 0; sortOrder <= 2; sortOrder++) {
        for (const more of [{}, { limit: 2 }, { keysOnly: true }, { minModRevision: 4 }]) {
          const request = all({ sortTarget, sortOrder, ...more });
          const whole = store.range(request);
          expect(read(store.steppedRange(request))).toEqual(whole);
        }
      }
    }
  });

  test('handles no more entries in a step than it was told', () => {
    for (let i = 0; i < 2000; i++) store.put(put(`key${i % 7}${i}`, String(i % 10)));
    const request = all({ sortTarget: 4, sortOrder: 2, keysOnly: true });
    const stepped = store.steppedRange(request);
    let steps = 0;
    while (!stepped.step(100, 1 << 20)) steps++;
    // Read once, merged in two rounds of four runs, emptied once.
    expect(steps).toBeGreaterThan(4 * 20);
    expect(stepped.result).toEqual(store.range(request));
    stepped.close();
  });

  test('that is broken says why, whatever it is doing', () => {
    const request = all({ sortTarget: 4, sortOrder: 1 });
    const [reading, other] = [store.steppedRange(request), store.steppedRange(request)];
    reading.step(1, 1);
    expect(store.endReads()).toBe(2);
    expect(() => reading.step(1, 1)).toThrow(expect.objectContaining({ code: 'CLOSED' }));
    expect(() => other.step(1, 1)).toThrow('the store was closed while it was read');
  });
});

describe('a transaction in steps', () => {
  const past = (revision: number) => opRange('\0', '\0', { revision });

  test('sees in all its compares and ranges the store as it was when it began', () => {
    const request = txn(
      [compareMod('\0', 2, 7, '\0'), compareValue('a', 0, '1'), compareValue('c', 0, '2', 'd')],
      [opRange('\0', '\0'), past(4), opRange('d'), opRange('x', 'z')],
    );
    const whole = store.txn(request);
    expect(whole.succeeded).toBe(true);
    expect(read(store.steppedTxn(request))).toEqual(whole);
  });

  test('takes the other branch when one key of a range does not hold, and tells its own revision', () => {
    const request = txn([compareValue('a', 3, '1', 'e')], [], [opRange('a', 'c')]);
    const result = read(store.steppedTxn(request));
    expect([result.succeeded, result.revision]).toEqual([false, 6]);
    const [first] = result.responses;
    expect(first?.$case === 'responseRange' && keys(first.value)).toBe('ab');
    expect(store.revision).toBeGreaterThan(6);
  });

  test('holds up a compaction above the oldest revision that a branch reads', () => {
    const stepped = store.steppedTxn(txn([], [past(0), past(4)], [past(2)]));
    store.compact(4);
    expect([store.compactStep(100), store.isCompactionHeld]).toEqual([false, true]);
    const result = read(stepped, () => undefined);
    expect(
      result.responses.map((each) => each.$case === 'responseRange' && keys(each.value)),
    ).toEqual(['abcd', 'abc']);
    expect(store.compactStep(100)).toBe(false);
    expect([store.compactedRevision, store.openReadCount]).toEqual([4, 0]);
  });

  test('judges the revisions of its ranges by what was compacted when it began', () => {
    store.compact(4);
    const below = store.steppedTxn(txn([], [past(3)]));
    expect(() => read(below)).toThrow(expect.objectContaining({ code: 'COMPACTED' }));
    const ahead = store.steppedTxn(txn([], [past(store.revision + 1)]));
    expect(() => read(ahead)).toThrow(expect.objectContaining({ code: 'FUTURE_REVISION' }));
    const now = store.steppedTxn(txn([], [past(4)]));
    store.compact(6);
    expect(read(now, () => undefined).responses).toHaveLength(1);
    expect(store.openReadCount).toBe(0);
  });

  test('that is broken says COMPACTED, also before the range that needs what is gone', () => {
    const stepped = store.steppedTxn(txn([], [past(0), past(4)]));
    stepped.step(1, 1);
    store.compact(6);
    store.cancelReads();
    expect(() => read(stepped)).toThrow(expect.objectContaining({ code: 'COMPACTED' }));
  });
});

test('who waits for the readers of a store hears of it when the last one ends', () => {
  const [first, second] = [store.steppedRange(range('a', 'z')), store.hashKv(0)];
  const heard: string[] = [];
  store.whenUnread(() => heard.push('unread'));
  first.close();
  first.close();
  expect(heard).toEqual([]);
  second.close();
  expect(heard).toEqual(['unread']);
  store.whenUnread(() => heard.push('at once'));
  expect(heard).toEqual(['unread', 'at once']);
});

test('a sort in steps is the stable sort of the whole, cut', () => {
  const items = fc.array(fc.nat(20), { maxLength: 3000, size: 'max' });
  fc.assert(
    fc.property(
      items,
      fc.option(fc.integer({ min: 1, max: 700 })),
      fc.nat(99),
      (values, keep, n) => {
        const compare = (a: readonly [number, number], b: readonly [number, number]): number =>
          a[0] - b[0];
        const all = values.map((value, at) => [value, at] as const);
        const keepMax = keep ?? Infinity;
        const sort = new SteppedSort(compare, keepMax);
        for (const each of all) sort.add(each);
        while (!sort.step(n + 1));
        expect(sort.sorted).toEqual(all.toSorted(compare).slice(0, keepMax));
        expect(sort.size).toBe(all.length);
      },
    ),
    { numRuns: 100 },
  );
});
