/** Puts, deletes and transactions, claim by claim. The model covers their combinations. */
import { memoryBackend, type MvccStore, openStore } from '@etcd-ts/mvcc';
import { beforeEach, describe, expect, test } from 'vitest';
import {
  all,
  b,
  compareMod,
  compareValue,
  del,
  opDelete,
  opPut,
  opRange,
  opTxn,
  put,
  range,
  txn,
} from './requests.ts';

let store: MvccStore;
const attached = new Map<string, bigint>();
/** A lease of which one half is zero. */
const WIDE = 1n << 40n;

beforeEach(async () => {
  attached.clear();
  const leases = {
    exists: (id: bigint) => id === 7n || id === WIDE,
    attach: (id: bigint, key: string) => void attached.set(key, id),
    detach: (_: bigint, key: string) => void attached.delete(key),
  };
  store = await openStore(memoryBackend(), { leases });
});

describe('revisions', () => {
  test('a new store is at revision 1, the first write makes 2', () => {
    expect(store.revision).toBe(1);
    expect(store.put(put('a'))).toEqual({ revision: 2 });
  });

  test('a delete that matches nothing, an empty transaction and a compaction make none', () => {
    store.put(put('a'));
    expect(store.deleteRange(del('b'))).toEqual({ revision: 2, deleted: 0, prevKvs: [] });
    expect(store.txn(txn([], []))).toEqual({ revision: 2, succeeded: true, responses: [] });
    store.compact(2);
    expect(store.revision).toBe(2);
  });

  test('a put of the same value makes one', () => {
    store.put(put('a'));
    store.put(put('a'));
    expect(store.range(range('a')).kvs[0]).toMatchObject({ modRevision: 3, version: 2 });
  });
});

describe('a put', () => {
  test('gives the previous version when asked and there is one', () => {
    expect(store.put(put('a', '1', { prevKv: true }))).toEqual({ revision: 2 });
    expect(store.put(put('a', '2', { prevKv: true })).prevKv).toMatchObject({
      value: b('1'),
      modRevision: 2,
    });
    expect(store.put(put('a', '3')).prevKv).toBe(undefined);
  });

  test('keeps the value with ignoreValue, the lease with ignoreLease', () => {
    store.put(put('a', '1', { lease: 7n }));
    store.put(put('a', '', { ignoreValue: true, ignoreLease: true }));
    expect(store.range(range('a')).kvs[0]).toMatchObject({ value: b('1'), lease: 7n, version: 2 });
    store.put(put('a', '2', { ignoreLease: true }));
    expect(store.range(range('a')).kvs[0]).toMatchObject({ value: b('2'), lease: 7n });
  });

  test.for([[{ ignoreValue: true }], [{ ignoreLease: true }]])(
    'with %o needs the key',
    ([flag]) => {
      expect(() => store.put(put('a', '', flag))).toThrow(
        expect.objectContaining({ code: 'KEY_NOT_FOUND' }),
      );
      store.put(put('a'));
      store.deleteRange(del('a'));
      expect(() => store.put(put('a', '', flag))).toThrow('key not found');
      expect(store.revision).toBe(3);
    },
  );

  test('with a lease that does not exist is refused, before a missing key is', () => {
    const request = put('a', '', { lease: 8n, ignoreValue: true });
    expect(() => store.put(request)).toThrow(expect.objectContaining({ code: 'LEASE_NOT_FOUND' }));
    expect(() => store.txn(txn([], [opPut('a', '', { lease: 8n, ignoreValue: true })]))).toThrow(
      'key not found',
    );
    expect(store.revision).toBe(1);
  });

  test('attaches its key, and detaches it when the lease goes or the key is deleted', () => {
    store.put(put('a', '1', { lease: 7n }));
    store.put(put('b', '1', { lease: 7n }));
    expect([...attached]).toEqual([
      ['a', 7n],
      ['b', 7n],
    ]);
    expect(store.leasedKeys()).toEqual([
      { key: 'a', lease: 7n },
      { key: 'b', lease: 7n },
    ]);
    store.put(put('a', '2'));
    store.deleteRange(del('b'));
    expect(attached.size).toBe(0);
    expect(store.leasedKeys()).toEqual([]);
  });

  test('keeps a lease whose lower half is zero', () => {
    store.put(put('a', '1', { lease: WIDE }));
    expect(store.leasedKeys()).toEqual([{ key: 'a', lease: WIDE }]);
    store.put(put('a', '', { ignoreValue: true, ignoreLease: true }));
    expect(store.range(range('a', '', { keysOnly: true })).kvs[0]?.lease).toBe(WIDE);
    store.deleteRange(del('a'));
    expect(attached.size).toBe(0);
  });

  test('copies its bytes: the caller may go on writing to them', () => {
    const key = b('a');
    const value = b('x'.repeat(100));
    store.put({ ...put('a'), key, value });
    key.fill(0);
    value.fill(0);
    expect(store.range(range('a')).kvs[0]).toMatchObject({
      key: b('a'),
      value: b('x'.repeat(100)),
    });
  });
});

describe('a delete', () => {
  test('gives what it deleted in key order', () => {
    for (const key of ['c', 'a', 'b']) store.put(put(key, key));
    const result = store.deleteRange(del('a', '\0', true));
    expect(result).toMatchObject({ revision: 5, deleted: 3 });
    expect(result.prevKvs.map(({ value }) => value)).toEqual([b('a'), b('b'), b('c')]);
    expect(store.range(all()).count).toBe(0);
  });

  test('of a key by its name tells whether it was there', () => {
    store.put(put('a'));
    const write = store.beginWrite();
    expect([write.deleteKey('a'), write.deleteKey('a'), write.deleteKey('b')]).toEqual([
      true,
      false,
      false,
    ]);
    expect(write.end()).toBe(3);
  });
});

describe('a transaction', () => {
  test('is one revision; operations before its first write report the old one', () => {
    store.put(put('a'));
    const result = store.txn(
      txn([], [opRange('a'), opDelete('x'), opPut('b'), opRange('b'), opDelete('x')]),
    );
    expect(result.revision).toBe(3);
    expect(result.responses.map(({ value }) => value.revision)).toEqual([2, 2, 3, 3, 3]);
    expect(result.responses[3]?.value).toMatchObject({ count: 1 });
  });

  test('leaves the revision of a nested answer 0', () => {
    const result = store.txn(txn([], [opTxn(txn([compareMod('a', 1, 5)], [], [opPut('a')]))]));
    expect(result.responses).toMatchObject([
      {
        $case: 'responseTxn',
        value: { revision: 0, succeeded: false, responses: [{ value: { revision: 2 } }] },
      },
    ]);
  });

  test('evaluates every compare, nested ones too, on the state before it', () => {
    const nested = opTxn(txn([compareMod('a', 0, 0)], [opPut('b', 'absent before')]));
    store.txn(txn([], [opPut('a'), nested]));
    expect(store.range(range('b')).count).toBe(1);
  });

  test('with compares needs all of them, and none is true', () => {
    store.put(put('a', 'x'));
    expect(store.txn(txn([compareMod('a', 0, 2), compareMod('a', 0, 3)], [])).succeeded).toBe(
      false,
    );
    expect(store.txn(txn([], [])).succeeded).toBe(true);
  });

  test('compares an absent key as zeros, but its value never holds, not even as unequal', () => {
    const holds = (compare: Parameters<typeof txn>[0][number]): boolean =>
      store.txn(txn([compare], [])).succeeded;
    expect(holds(compareMod('a', 0, 0))).toBe(true);
    expect(holds(compareMod('a', 3, 0))).toBe(false);
    expect(holds(compareMod('a', 1, -1))).toBe(true);
    expect([0, 1, 2, 3].map((result) => holds(compareValue('a', result, 'x')))).toEqual([
      false,
      false,
      false,
      false,
    ]);
  });

  test('compares a range by every key in it, an empty one as one absent key', () => {
    store.put(put('a'));
    store.put(put('b'));
    const holds = (compare: Parameters<typeof txn>[0][number]): boolean =>
      store.txn(txn([compare], [])).succeeded;
    expect(holds(compareMod('a', 1, 1, 'c'))).toBe(true);
    expect(holds(compareMod('a', 1, 2, 'c'))).toBe(false);
    expect(holds(compareMod('x', 0, 0, 'z'))).toBe(true);
    expect(holds(compareValue('x', 3, 'v', 'z'))).toBe(false);
    expect(holds(compareValue('a', 0, 'v', '\0'))).toBe(true);
  });

  test('takes an operator it does not know for true, a target it does not know for equal', () => {
    store.put(put('a'));
    const compare = { ...compareMod('a', 0, 99), target: 9 };
    expect(store.txn(txn([compare], [])).succeeded).toBe(true);
    expect(store.txn(txn([{ ...compare, result: 3 }], [])).succeeded).toBe(false);
    expect(store.txn(txn([{ ...compareMod('a', 77, 99) }], [])).succeeded).toBe(true);
  });

  test('compares values as bytes, numbers as signed, and a union of another target as zero', () => {
    store.put(put('a', 'b'));
    const holds = (compare: Parameters<typeof txn>[0][number]): boolean =>
      store.txn(txn([compare], [])).succeeded;
    expect(holds(compareValue('a', 1, 'a\xff'))).toBe(true);
    expect(holds(compareValue('a', 2, 'b\0'))).toBe(true);
    expect(holds(compareMod('a', 1, -5))).toBe(true);
    expect(holds({ ...compareMod('a', 1, 99), targetUnion: { $case: 'version', value: 99 } })).toBe(
      true,
    );
    const { targetUnion: _, ...without } = compareMod('a', 1, 0);
    expect(holds(without)).toBe(true);
  });

  test.for([
    ['a lease', opPut('z', 'v', { lease: 8n }), 'LEASE_NOT_FOUND'],
    ['a key to keep', opPut('z', '', { ignoreValue: true }), 'KEY_NOT_FOUND'],
    ['a past', opRange('a', '', { revision: 1 }), 'COMPACTED'],
    ['a negative past', opRange('a', '', { revision: -1 }), 'COMPACTED'],
    ['a future', opRange('a', '', { revision: 4 }), 'FUTURE_REVISION'],
  ] as const)('that lacks %s writes nothing of what comes before', ([, op, code]) => {
    store.put(put('a'));
    store.put(put('a'));
    store.compact(2);
    const before = store.stateHash();
    for (const ops of [
      [opPut('b'), op],
      [opPut('b'), opTxn(txn([], [op]))],
    ]) {
      expect(() => store.txn(txn([], ops))).toThrow(expect.objectContaining({ code }));
    }
    expect([store.revision, store.stateHash()]).toEqual([3, before]);
  });

  test('is checked on the branch it takes alone', () => {
    const bad = [opPut('z', 'v', { lease: 8n }), opRange('a', '', { revision: 100 })];
    expect(store.txn(txn([], [opPut('a')], bad)).revision).toBe(2);
  });

  test('in a fresh store reads at -1 as at the current revision, since nothing was compacted yet', () => {
    expect(store.txn(txn([], [opRange('a', '', { revision: -1 })])).revision).toBe(1);
    expect(() => store.txn(txn([], [opRange('a', '', { revision: -2 })]))).toThrow('compacted');
  });

  test('that deletes from a key on may put one of those keys', () => {
    store.put(put('b', 'old'));
    store.txn(txn([], [opDelete('a', '\0'), opPut('b', 'new')]));
    expect(store.range(range('b')).kvs[0]).toMatchObject({
      value: b('new'),
      version: 1,
      createRevision: 3,
    });
    expect(store.range(range('b', '', { revision: 2 })).kvs[0]).toMatchObject({ value: b('old') });
  });

  test('is closed to a second one, and ends once', () => {
    const write = store.beginWrite();
    expect(() => store.beginWrite()).toThrow('open already');
    expect(() => store.takeFlush()).toThrow('inside a write transaction');
    write.end();
    expect(() => write.end()).toThrow('ended twice');
    expect(() => write.put(put('a'))).toThrow('after its end');
  });
});
