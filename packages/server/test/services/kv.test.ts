import { memberId, utf8 } from '@etcd-ts/base';
import { Compare, RequestOp } from '@etcd-ts/protocol';
import type { RangeResponse, TxnResponse } from '@etcd-ts/protocol';
import { describe, expect, test } from 'vitest';
import { failure, harness, keysOf, op, valueIs } from './harness.ts';
import { turns } from './manual-clock.ts';
import { SURROUNDINGS } from './surroundings.ts';

const ALL = { rangeEnd: new Uint8Array([0]) };
const NO_LEADER = memberId(0n);
const EQUAL = 0;
const NOT_EQUAL = 3;
const MOD = 3;
const DESCEND = 2;
const VALUE = 4;

describe('headers', () => {
  test('a put, delete or txn is answered with the revision at which it wrote', async () => {
    const { put, del, txn } = await harness();
    expect((await put('a')).header?.revision).toBe(2);
    expect((await del('a')).header?.revision).toBe(3);
    expect((await txn({ success: [op.put('a'), op.put('b')] })).header?.revision).toBe(4);
  });

  test('a range is answered with the current revision, never the requested one', async () => {
    const { put, range } = await harness();
    await put('a', '1');
    await put('a', '2');
    const answer = await range('a', { revision: 2 });
    expect(answer.header?.revision).toBe(3);
    expect(answer.kvs[0]?.modRevision).toBe(2);
  });

  test('every header names cluster, member and term', async () => {
    const { put, node } = await harness();
    expect((await put('a')).header).toEqual({
      clusterId: node.clusterId,
      memberId: node.memberId,
      revision: 2,
      raftTerm: 2,
    });
  });

  test('operations of a txn carry the old revision before the first write, the new one after it', async () => {
    const { txn } = await harness();
    const { responses } = await txn({
      success: [op.range('a'), op.put('a'), op.range('a'), op.del('zz')],
    });
    expect(responses.map(({ response }) => response?.value.header)).toEqual(
      [1, 2, 2, 2].map((revision) => ({ clusterId: 0n, memberId: 0n, revision, raftTerm: 0 })),
    );
  });

  test('a nested txn has an empty header', async () => {
    const { txn } = await harness();
    const { responses } = await txn({ success: [op.txn({ success: [op.put('a')] })] });
    expect(responses[0]?.response?.value.header).toEqual({
      clusterId: 0n,
      memberId: 0n,
      revision: 0,
      raftTerm: 0,
    });
  });
});

describe('revisions', () => {
  test('a delete of nothing, an empty txn, a compaction and a lease grant do not bump the revision', async () => {
    const { put, del, txn, compact, grant, range } = await harness();
    await put('a');
    expect((await del('nothing')).header?.revision).toBe(2);
    expect((await txn({})).header?.revision).toBe(2);
    await compact(2);
    expect((await grant(7n, 10)).header?.revision).toBe(2);
    expect((await range('a')).header?.revision).toBe(2);
  });

  test('an empty txn succeeds', async () => {
    const { txn } = await harness();
    expect(await txn({})).toMatchObject({ succeeded: true, responses: [] });
  });

  test('a negative revision means current in a range; in a txn it is compacted once anything is', async () => {
    const { put, range, txn, compact } = await harness();
    await put('a');
    expect((await txn({ success: [op.range('a', { revision: -1 })] })).succeeded).toBe(true);
    await compact(1);
    expect((await range('a', { revision: -1 })).count).toBe(1);
    expect(await failure(txn({ success: [op.range('a', { revision: -1 })] }))).toBe('COMPACTED');
  });

  test('a txn that reads at its own new revision reads in the future', async () => {
    const { txn } = await harness();
    const request = { success: [op.put('a'), op.range('a', { revision: 2 })] };
    expect(await failure(txn(request))).toBe('FUTURE_REV');
  });
});

describe('ranges', () => {
  test('count ignores the limit and the revision filters, more reflects the limit alone', async () => {
    const { put, range } = await harness();
    for (const key of ['a', 'b', 'c']) await put(key);
    expect(await range('a', { ...ALL, limit: 2 })).toMatchObject({ count: 3, more: true });
    expect(await range('a', { ...ALL, minModRevision: 4 })).toMatchObject({
      count: 3,
      more: false,
    });
  });

  test('a sort target without order sorts ascending, after the limit was taken in key order', async () => {
    const { put, range } = await harness();
    await put('c');
    await put('b');
    await put('a');
    const answer = await range('a', { ...ALL, sortTarget: MOD, limit: 1 });
    expect(keysOf(answer)).toEqual(['b']);
  });

  test('an unknown sort target or order is an invalid sort option', async () => {
    const { range } = await harness();
    expect(await failure(range('a', { sortTarget: 9 }))).toBe('INVALID_SORT_OPTION');
    expect(await failure(range('a', { sortOrder: 9 }))).toBe('INVALID_SORT_OPTION');
  });

  test('a range larger than a slice is read whole, in order, at one revision', async () => {
    const { put, range } = await harness();
    for (let i = 0; i < 2_500; i++) await put(`k${String(i).padStart(5, '0')}`);
    const reading = range('k', ALL);
    // The first of its three slices is read.
    await turns(1);
    await put('k99999');
    const answer = await reading;
    expect(answer.count).toBe(2_500);
    expect(answer.header?.revision).toBe(2_501);
    expect(keysOf(answer)).toEqual([...keysOf(answer)].sort());
    expect(new Set(keysOf(answer)).size).toBe(2_500);
  });

  test.each([
    ['a count of the past', { revision: 18_000, countOnly: true }],
    ['a page of the past', { revision: 18_000, limit: 1 }],
  ])('%s, which has to look at every key, gives others their turn', async (_, more) => {
    const { range, node } = await harness();
    const none = { lease: 0n, prevKv: false, ignoreValue: false, ignoreLease: false };
    for (let i = 0; i < 20_000; i++) {
      const key = utf8(`k${String(i).padStart(5, '0')}`);
      node.apply({ kind: 'put', request: { key, value: new Uint8Array(0), ...none } });
    }
    let answer: RangeResponse | undefined;
    const reading = range('k', { ...ALL, ...more }).then((response) => (answer = response));
    await turns(1);
    expect(answer).toBeUndefined();
    await reading;
    expect(answer?.count).toBe(17_999);
  });

  test('a large range that is sorted backwards and cut has what a small one has', async () => {
    const { put, range } = await harness();
    for (let i = 0; i < 1_200; i++) await put(`k${String(i).padStart(5, '0')}`);
    const answer = await range('k', { ...ALL, sortOrder: DESCEND, limit: 1_100 });
    expect(answer).toMatchObject({ count: 1_200, more: true });
    expect(keysOf(answer)[0]).toBe('k01199');
    expect(answer.kvs).toHaveLength(1_100);
  });

  test('a linearizable read waits for the barrier, a serializable one does not', async () => {
    const { put, range, node } = await harness();
    await put('a');
    await range('a', { serializable: true });
    expect(node.barriers).toBe(0);
    await range('a');
    expect(node.barriers).toBe(1);
  });

  test('a serializable read works without a leader, a linearizable one does not', async () => {
    const { put, range, node } = await harness();
    await put('a');
    node.setStatus({ leader: NO_LEADER, isLeader: false });
    expect((await range('a', { serializable: true })).count).toBe(1);
    expect(await failure(range('a'))).toBe('NO_LEADER');
  });
});

describe('range streams', () => {
  test('send all keys in order, with header, count and more on the last message alone', async () => {
    const { put, channel } = await harness();
    for (let i = 0; i < 25; i++) await put(`k${String(i).padStart(2, '0')}`);
    const call = channel.stream('etcdserverpb.KV/RangeStream');
    call.send({ ...rangeAll() });
    const messages = [];
    for await (const { rangeResponse } of call.responses) messages.push(rangeResponse!);
    expect(messages.flatMap(keysOf)).toHaveLength(25);
    expect(messages[0]?.kvs).toHaveLength(10);
    expect(
      messages.slice(0, -1).every(({ header, count }) => header === undefined && count === 0),
    ).toBe(true);
    expect(messages.at(-1)).toMatchObject({ count: 25, more: false, header: { revision: 26 } });
  });
});

describe('transactions', () => {
  test('without writes they need no entry', async () => {
    const { put, txn, node } = await harness();
    await put('a');
    await txn({ compare: [valueIs('a', EQUAL, '')], success: [op.range('a')] });
    expect(node.proposed.map(({ kind }) => kind)).toEqual(['put']);
  });

  test('of large ranges and compares gives others their turn, and sees one revision', async () => {
    const { put, del, txn } = await harness();
    for (let i = 0; i < 1_500; i++) await put(`k${String(i).padStart(4, '0')}`, String(i % 7));
    const compare = [{ ...valueIs('k', NOT_EQUAL, '7'), ...ALL }];
    const sorted = op.range('k', { ...ALL, sortOrder: DESCEND, sortTarget: VALUE, limit: 1_400 });
    const past = op.range('k', { ...ALL, revision: 800, countOnly: true });
    let answer: TxnResponse | undefined;
    const reading = txn({ compare, success: [sorted, op.range('k', ALL), past] }).then(
      (response) => (answer = response),
    );
    await turns(1);
    await put('k0000', '7');
    await del('k0001');
    expect(answer).toBeUndefined();
    await reading;
    expect(answer).toMatchObject({ succeeded: true, header: { revision: 1_501 } });
    const [first, second, third] = (answer?.responses ?? []).map(({ response }) =>
      response?.$case === 'responseRange' ? response.value : undefined,
    );
    expect(first).toMatchObject({ count: 1_500, more: true });
    expect(first?.kvs).toHaveLength(1_400);
    expect(first?.kvs[0]?.value).toEqual(utf8('6'));
    expect([second?.kvs.length, third?.count]).toEqual([1_500, 799]);
    expect(second?.kvs[0]?.value).toEqual(utf8('0'));
  });

  test('of large ranges are refused like small ones', async () => {
    const { put, txn } = await harness();
    await put('a');
    const future = op.range('a', { ...ALL, revision: 9 });
    expect(await failure(txn({ success: [op.range('a', ALL), future] }))).toBe('FUTURE_REV');
    const other = txn({ compare: [valueIs('a', NOT_EQUAL, '')], success: [future] });
    expect((await other).succeeded).toBe(false);
  });

  test('that only read serializably need no barrier; with one linearizable range they do', async () => {
    const { txn, node } = await harness();
    await txn({ success: [op.range('a', { serializable: true })] });
    expect(node.barriers).toBe(0);
    await txn({ success: [op.range('a', { serializable: true })], failure: [op.range('b')] });
    expect(node.barriers).toBe(1);
  });

  test('a nested txn makes it a write, even when it only reads', async () => {
    const { txn, node } = await harness();
    await txn({ success: [op.txn({ success: [op.range('a')] })] });
    expect(node.proposed.map(({ kind }) => kind)).toEqual(['txn']);
  });

  test('a value compare on an absent key is false, even NOT_EQUAL; others compare with zero', async () => {
    const { txn } = await harness();
    expect((await txn({ compare: [valueIs('a', NOT_EQUAL, 'x')] })).succeeded).toBe(false);
    const version = (value: number) =>
      Compare.fromPartial({
        key: utf8('a'),
        target: 0,
        targetUnion: { $case: 'version', value },
      });
    expect((await txn({ compare: [version(0)] })).succeeded).toBe(true);
    expect((await txn({ compare: [version(1)] })).succeeded).toBe(false);
  });

  test('an unknown result operator is true', async () => {
    const { txn } = await harness();
    const compare = Compare.fromPartial({ key: utf8('a'), target: 0, result: 9 });
    expect((await txn({ compare: [compare] })).succeeded).toBe(true);
  });

  test.each([
    ['two puts of one key', [op.put('a'), op.put('a')], 'DUPLICATE_KEY'],
    [
      'a put inside a deleted range',
      [op.del('a', { rangeEnd: utf8('c') }), op.put('b')],
      'DUPLICATE_KEY',
    ],
    ['sibling nested puts', [nest(op.put('a')), nest(op.put('a'))], 'DUPLICATE_KEY'],
    ['a nested delete, then a nested put', [nest(op.del('a')), nest(op.put('a'))], 'DUPLICATE_KEY'],
    ['an operation without a variant', [RequestOp.fromPartial({})], 'KEY_NOT_FOUND'],
  ])('%s is refused', async (_, success, code) => {
    const { txn } = await harness();
    expect(await failure(txn({ success }))).toBe(code);
  });

  test.each([
    ['two deletes of one key', [op.del('a'), op.del('a')]],
    ['a nested put, then a nested delete', [nest(op.put('a')), nest(op.del('a'))]],
  ])('%s is accepted', async (_, success) => {
    const { txn } = await harness();
    expect((await txn({ success })).succeeded).toBe(true);
  });

  test('the same key in both branches is fine', async () => {
    const { txn } = await harness();
    expect((await txn({ success: [op.put('a')], failure: [op.put('a')] })).succeeded).toBe(true);
  });

  test('a nested txn has what the parent left of the operation limit', async () => {
    const { txn } = await harness({ maxTxnOps: 4 });
    const puts = (count: number) => Array.from({ length: count }, (_, i) => op.put(`k${i}`));
    expect((await txn({ success: [nest(...puts(3))] })).succeeded).toBe(true);
    expect(await failure(txn({ success: [nest(...puts(4))] }))).toBe('TOO_MANY_OPS');
    expect(await failure(txn({ success: puts(5) }))).toBe('TOO_MANY_OPS');
  });

  test('a refused operation undoes the whole transaction', async () => {
    const { txn, range } = await harness();
    const success = [op.put('a'), op.put('b', '', { lease: 99n })];
    expect(await failure(txn({ success }))).toBe('LEASE_NOT_FOUND');
    expect(await range('a')).toMatchObject({ count: 0, header: { revision: 1 } });
  });
});

test('a put by what a key has now is refused when the same txn deleted it, and nothing is changed', async () => {
  const { put, txn, range } = await harness();
  await put('b', '1');
  // A delete from a key on is not seen to overlap, in etcd's check.
  const success = [op.put('a'), op.del('b', ALL), nest(op.put('b', '', { ignoreValue: true }))];
  expect(await failure(txn({ success }))).toBe('KEY_NOT_FOUND');
  expect(await range('a', ALL)).toMatchObject({ count: 1, header: { revision: 2 } });
});

describe('compaction', () => {
  test('of revision 0 works once on a fresh store', async () => {
    const { compact } = await harness();
    await compact(0);
    expect(await failure(compact(0))).toBe('COMPACTED');
  });

  test('at the current revision is legal, and reads at it go on', async () => {
    const { put, compact, range } = await harness();
    await put('a', '1');
    await put('a', '2');
    await compact(3);
    expect((await range('a', { revision: 3 })).count).toBe(1);
    expect(await failure(range('a', { revision: 2 }))).toBe('COMPACTED');
    expect(await failure(compact(3))).toBe('COMPACTED');
    expect(await failure(compact(4))).toBe('FUTURE_REV');
  });

  test('physical compaction is answered when the records are gone', async () => {
    const { put, compact, node } = await harness();
    for (let i = 0; i < 1_500; i++) await put('a');
    let isDone = false;
    const done = compact(1_501).then(() => {
      isDone = true;
    });
    // Microtasks alone: the proposal is applied, no step was made.
    for (let i = 0; i < 20; i++) await Promise.resolve();
    expect(node.state.store.compactRevision).toBe(1_501);
    expect(isDone).toBe(false);
    await turns();
    await node.time.advance(1_000);
    await done;
    expect(node.state.store.compactedRevision).toBe(1_501);
  });

  test('a compaction that a restart interrupted goes on', async () => {
    const { put, node, services } = await harness();
    for (let i = 0; i < 1_500; i++) await put('a');
    services.stop();
    node.apply({ kind: 'compact', request: { revision: 1_501, physical: false } });
    expect(node.state.store.compactedRevision).toBeLessThan(1_501);
    const { Services } = await import('../../src/services/services.ts');
    const again = new Services(node, SURROUNDINGS);
    await turns();
    await node.time.advance(1_000);
    expect(node.state.store.compactedRevision).toBe(1_501);
    again.stop();
  });
});

function nest(...success: RequestOp[]): RequestOp {
  return op.txn({ success });
}

function rangeAll() {
  return {
    key: utf8('k'),
    rangeEnd: new Uint8Array([0]),
    limit: 0,
    revision: 0,
    sortOrder: 0,
    sortTarget: 0,
    serializable: false,
    keysOnly: false,
    countOnly: false,
    minModRevision: 0,
    maxModRevision: 0,
    minCreateRevision: 0,
    maxCreateRevision: 0,
  };
}
