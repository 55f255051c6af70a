/** What is refused at the door. The rules of overlapping operations were asked of etcd 3.5.30. */
import {
  checkDeleteRange,
  checkPut,
  checkRange,
  checkTxn,
  checkWatch,
  type RequestOp,
} from '@etcd-ts/mvcc';
import { describe, expect, test } from 'vitest';
import {
  compareMod,
  del,
  opDelete,
  opPut,
  opRange,
  opTxn,
  put,
  range,
  txn,
  watch,
} from './requests.ts';

describe('a single request', () => {
  test('needs a key', () => {
    expect(checkRange(range(''))?.code).toBe('EMPTY_KEY');
    expect(checkPut(put(''))?.code).toBe('EMPTY_KEY');
    expect(checkDeleteRange(del(''))?.message).toBe('key is not provided');
  });

  test('that is sound has no problem', () => {
    const problems = [
      checkRange(range('a', '\0', { sortOrder: 2, sortTarget: 4 })),
      checkPut(put('a')),
      checkDeleteRange(del('a')),
    ];
    expect(problems).toEqual([undefined, undefined, undefined]);
  });

  test('to put may not bring what it wants ignored', () => {
    expect(checkPut(put('a', 'v', { ignoreValue: true }))?.code).toBe('VALUE_PROVIDED');
    expect(checkPut(put('a', 'v', { ignoreLease: true, lease: 1n }))?.code).toBe('LEASE_PROVIDED');
    expect(checkPut(put('a', '', { ignoreValue: true, ignoreLease: true }))).toBe(undefined);
  });

  test.for([
    [3, 0],
    [-1, 0],
    [0, 5],
    [1, -1],
  ])(
    'to sort needs an order and a target that exist: %d, %d',
    ([sortOrder = 0, sortTarget = 0]) => {
      expect(checkRange(range('a', '', { sortOrder, sortTarget }))?.code).toBe(
        'INVALID_SORT_OPTION',
      );
    },
  );

  test('to watch starts at no negative revision, and in a range that holds something', () => {
    expect(checkWatch(watch('a', '', -1))?.message).toBe(
      'mvcc: required revision has been compacted',
    );
    expect(checkWatch(watch('b', 'a'))?.message).toBe('mvcc: watcher range is empty');
    expect(checkWatch(watch('b', 'b'))?.code).toBe('WATCH_EMPTY_RANGE');
    for (const [key, end] of [
      ['b', ''],
      ['b', '\0'],
      ['', ''],
      ['', 'a'],
      ['b', 'c'],
    ] as const) {
      expect(checkWatch(watch(key, end, 5))).toBe(undefined);
    }
  });
});

describe('a transaction', () => {
  const many = (count: number): RequestOp[] =>
    Array.from({ length: count }, (_, i) => opPut(`k${i}`));

  test('has at most as many operations as the limit, in each of its three lists', () => {
    expect(checkTxn(txn([], many(128)), 128)).toBe(undefined);
    for (const request of [
      txn([], many(129)),
      txn([], [], many(129)),
      txn(
        many(129).map((_, i) => compareMod(`${i}`, 0, 0)),
        [],
      ),
    ]) {
      expect(checkTxn(request, 128)?.code).toBe('TOO_MANY_OPS');
    }
  });

  test('leaves its nested ones what its longest list does not use', () => {
    const nested = (count: number): RequestOp => opTxn(txn([], many(count)));
    expect(checkTxn(txn([], [nested(127)]), 128)).toBe(undefined);
    expect(checkTxn(txn([], [nested(128)]), 128)?.code).toBe('TOO_MANY_OPS');
    const longer = [compareMod('a', 0, 0), compareMod('b', 0, 0)];
    expect(checkTxn(txn(longer, [nested(127)]), 128)?.code).toBe('TOO_MANY_OPS');
  });

  test('checks its compares, then the operations of both branches, then what they write twice', () => {
    const twice = [opPut('a'), opPut('a')];
    expect(checkTxn(txn([compareMod('', 0, 0)], [opPut('')]), 128)?.code).toBe('EMPTY_KEY');
    expect(checkTxn(txn([], twice, [opPut('b', 'v', { ignoreValue: true })]), 128)?.code).toBe(
      'VALUE_PROVIDED',
    );
    expect(checkTxn(txn([], [opTxn(txn([], [], [opRange('')]))]), 128)?.code).toBe('EMPTY_KEY');
    expect(checkTxn(txn([], [opTxn(txn([compareMod('', 0, 0)], []))]), 128)?.code).toBe(
      'EMPTY_KEY',
    );
    expect(checkTxn(txn([], twice), 128)?.code).toBe('DUPLICATE_KEY');
    expect(checkTxn(txn([], [], twice), 128)?.message).toBe('duplicate key given in txn request');
  });

  test('refuses an operation without content as a key not found', () => {
    expect(checkTxn(txn([], [{}]), 128)?.message).toBe('key not found');
  });

  const then = (...ops: RequestOp[]): RequestOp => opTxn(txn([], ops));
  const orElse = (...ops: RequestOp[]): RequestOp => opTxn(txn([], [], ops));

  test.for<[string, RequestOp[]]>([
    ['a put twice', [opPut('a'), opPut('a')]],
    ['a put inside a deleted range', [opDelete('a', 'c'), opPut('b')]],
    ['a put before the delete of its range', [opPut('b'), opDelete('a', 'c')]],
    ['a put of a deleted key', [opDelete('a'), opPut('a')]],
    [
      'a put of the key from which all is deleted, deleted alone as well',
      [opDelete('a', '\0'), opDelete('a'), opPut('a')],
    ],
    [
      'two nested puts side by side, though they exclude each other',
      [then(opPut('a')), orElse(opPut('a'))],
    ],
    ['two nested puts that may both happen', [then(opPut('a')), then(opPut('a'))]],
    ['a nested put and one beside it', [then(opPut('a')), opPut('a')]],
    [
      'a nested put inside what its parent deletes, in either order',
      [then(opPut('b')), opDelete('a', 'c')],
    ],
    ['a nested delete, then a nested put', [then(opDelete('a')), then(opPut('a'))]],
    ['a nested delete and a put beside it', [then(opDelete('a')), opPut('a')]],
    ['a put twice, deeply nested', [then(then(opPut('a'), opPut('a')))]],
  ])('refuses %s', ([, ops]) => {
    expect(checkTxn(txn([], ops), 128)?.code).toBe('DUPLICATE_KEY');
    expect(checkTxn(txn([], [], ops), 128)?.code).toBe('DUPLICATE_KEY');
  });

  test.for<[string, RequestOp[]]>([
    ['two deletes of one key', [opDelete('a'), opDelete('a')]],
    ['a put at the end of a deleted range', [opDelete('a', 'c'), opPut('c')]],
    ['a put behind a delete from a key on', [opDelete('a', '\0'), opPut('a'), opPut('b')]],
    [
      'a put beside a delete that ends before it begins',
      [opDelete('b', 'a'), opPut('a'), opPut('b')],
    ],
    [
      'the same put in both branches of a nested transaction',
      [opTxn(txn([], [opPut('a')], [opPut('a')]))],
    ],
    ['a nested put, then a nested delete', [then(opPut('a')), then(opDelete('a'))]],
    ['a range over what is written', [opPut('a'), opRange('a')]],
  ])('allows %s', ([, ops]) => {
    expect(checkTxn(txn([], ops), 128)).toBe(undefined);
  });

  test('may put a key in each of its branches', () => {
    expect(checkTxn(txn([], [opPut('a')], [opPut('a')]), 128)).toBe(undefined);
  });
});
