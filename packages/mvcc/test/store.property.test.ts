/** The store against the naive model: the same requests, the same answers, whatever happens below. */
import {
  checkTxn,
  flushStore,
  memoryBackend,
  MvccError,
  type MvccStore,
  openStore,
  type RequestOp,
  restoreSnapshot,
  snapshotStore,
  type SteppedRead,
  type TxnRequest,
} from '@etcd-ts/mvcc';
import { ModelRefusal, StoreModel } from '@etcd-ts/mvcc/testing';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { b, del, opDelete, opPut, opRange, opTxn, put, range } from './requests.ts';

/** Few keys, chosen to meet each other: prefixes, the lowest and the highest byte. */
const KEYS = ['\0', 'a', 'a\0', 'aa', 'ab', 'b', 'b\xff', '\xff', '\xff\xff'];
const key = fc.constantFrom(...KEYS);
const rangeEnd = fc.oneof(fc.constantFrom('', '\0'), key);
const value = fc.constantFrom('', 'v', 'w', 'vv');
const lease = fc.constantFrom(0n, 0n, 0n, 7n, -8n, 9n);
const revision = fc.integer({ min: -1, max: 40 });

const putRequest = fc
  .tuple(key, value, lease, fc.boolean(), fc.nat(9))
  .map(([k, v, leaseId, prevKv, ignored]) =>
    put(k, ignored === 0 ? '' : v, {
      prevKv,
      lease: ignored === 1 ? 0n : leaseId,
      ignoreValue: ignored === 0,
      ignoreLease: ignored === 1,
    }),
  );
const deleteRequest = fc.tuple(key, rangeEnd, fc.boolean()).map((args) => del(...args));
const bound = fc.oneof(
  { weight: 3, arbitrary: fc.constant(0) },
  { weight: 1, arbitrary: fc.nat(20) },
);
const rangeRequest = fc
  .tuple(
    key,
    rangeEnd,
    fc.record({
      revision: fc.oneof(fc.constant(0), revision),
      limit: fc.oneof(fc.constant(0), fc.integer({ min: -1, max: 4 })),
      sortOrder: fc.nat(2),
      sortTarget: fc.nat(4),
      keysOnly: fc.boolean(),
      countOnly: fc.nat(5).map((n) => n === 0),
      minModRevision: bound,
      maxModRevision: bound,
      minCreateRevision: bound,
      maxCreateRevision: bound,
    }),
  )
  .map((args) => range(...args));
const compare = fc
  .tuple(key, rangeEnd, fc.nat(4), fc.nat(5), fc.nat(6), fc.nat(8), value, lease)
  .map(([k, end, result, target, union, number, v, leaseId]) => ({
    key: b(k),
    rangeEnd: b(end),
    result,
    target,
    targetUnion: (
      [
        {
          $case: 'version',
          value: number,
        },
        {
          $case: 'createRevision',
          value: number,
        },
        {
          $case: 'modRevision',
          value: number,
        },
        {
          $case: 'value',
          value: b(v),
        },
        {
          $case: 'lease',
          value: leaseId,
        },
      ] as const
    )[union === 6 ? target : union],
  }));

const rangeOp = rangeRequest.map((value): RequestOp => ({
  request: { $case: 'requestRange', value },
}));

const { txn: txnRequest } = fc.letrec<{ txn: TxnRequest; op: RequestOp }>((tie) => ({
  op: fc.oneof(
    { maxDepth: 2 },
    putRequest.map((value): RequestOp => ({ request: { $case: 'requestPut', value } })),
    deleteRequest.map((value): RequestOp => ({ request: { $case: 'requestDeleteRange', value } })),
    rangeOp,
    tie('txn').map((value) => opTxn(value)),
  ),
  txn: fc.record({
    compare: fc.array(compare, { maxLength: 2 }),
    success: fc.array(tie('op'), { maxLength: 4 }),
    failure: fc.array(tie('op'), { maxLength: 3 }),
  }),
}));

/** A transaction that reads, and changes nothing. */
const readRequest = fc.record({
  compare: fc.array(compare, { maxLength: 2 }),
  success: fc.array(rangeOp, { maxLength: 3 }),
  failure: fc.array(rangeOp, { maxLength: 2 }),
});

/** What may happen to a store; the last four change nothing that anybody sees. */
const step = fc.oneof(
  { weight: 6, arbitrary: putRequest.map((request) => ({ kind: 'put', request }) as const) },
  { weight: 2, arbitrary: deleteRequest.map((request) => ({ kind: 'delete', request }) as const) },
  { weight: 6, arbitrary: rangeRequest.map((request) => ({ kind: 'range', request }) as const) },
  { weight: 4, arbitrary: txnRequest.map((request) => ({ kind: 'txn', request }) as const) },
  { weight: 3, arbitrary: readRequest.map((request) => ({ kind: 'txn', request }) as const) },
  { weight: 1, arbitrary: revision.map((at) => ({ kind: 'compact', at }) as const) },
  {
    weight: 1,
    arbitrary: fc
      .constantFrom('compactStep', 'flush', 'reopen', 'copy')
      .map((kind) => ({ kind }) as const),
  },
);
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

/** Attachments as a lessor keeps them: which lease a key belongs to. */
class Leases {
  readonly of = new Map<string, bigint>();
  readonly exists = (id: bigint): boolean => id === 7n || id === -8n;

  attach(id: bigint, attached: string): void {
    expect(this.of.has(attached)).toBe(false);
    this.of.set(attached, id);
  }

  detach(id: bigint, detached: string): void {
    expect(this.of.get(detached)).toBe(id);
    this.of.delete(detached);
  }
}

function outcome(work: () => unknown): unknown {
  try {
    return work();
  } catch (error) {
    if (error instanceof MvccError || error instanceof ModelRefusal)
      return `refused: ${error.code}`;
    throw error;
  }
}

function isRead({ success, failure }: TxnRequest): boolean {
  return [...success, ...failure].every(({ request }) => request?.$case === 'requestRange');
}

class Pair {
  store: MvccStore;
  readonly model = new StoreModel();
  readonly leases = new Leases();
  index = 0;

  constructor(store: MvccStore, leases: Leases) {
    this.store = store;
    this.leases = leases;
    this.model.leases.add(7n).add(-8n);
  }

  async take(each: Step): Promise<void> {
    const { store, model } = this;
    switch (each.kind) {
      case 'put':
        this.same(
          () => store.put(each.request),
          () => model.put(each.request),
        );
        break;
      case 'delete':
        this.same(
          () => store.deleteRange(each.request),
          () => model.deleteRange(each.request),
        );
        break;
      case 'range':
        this.same(
          () => store.range(each.request),
          () => model.range(each.request),
        );
        this.sameInSteps(
          () => store.steppedRange(each.request),
          () => store.range(each.request),
        );
        break;
      case 'txn':
        if (checkTxn(each.request, 128) !== undefined) break;
        if (isRead(each.request)) {
          this.sameInSteps(
            () => store.steppedTxn(each.request),
            () => store.txn(each.request),
          );
        }
        this.same(
          () => store.txn(each.request),
          () => model.txn(each.request),
        );
        break;
      case 'compact':
        this.same(
          () => store.compact(each.at),
          () => model.compact(each.at),
        );
        break;
      default:
        await this.unseen(each.kind);
    }
    store.setApplied(++this.index, 1);
    this.store.check();
    expect(this.store.revision).toBe(this.model.revision);
  }

  same(ours: () => unknown, theirs: () => unknown): void {
    expect(outcome(ours)).toEqual(outcome(theirs));
  }

  sameInSteps(begin: () => SteppedRead<unknown>, inOneGo: () => unknown): void {
    const inSteps = outcome(() => {
      const read = begin();
      try {
        while (!read.step(2, 3));
        return read.result;
      } finally {
        read.close();
      }
    });
    expect(inSteps).toEqual(outcome(inOneGo));
    expect(this.store.openReadCount).toBe(0);
  }

  async unseen(kind: 'compactStep' | 'flush' | 'reopen' | 'copy'): Promise<void> {
    const { store } = this;
    if (kind === 'compactStep') store.compactStep(1);
    if (kind === 'flush' || kind === 'reopen') await flushStore(store);
    const before = store.stateHash();
    const options = { leases: this.leases, hashSeed: 5, valueCacheBytesMax: 0 };
    if (kind === 'reopen') this.store = await openStore(store.backend, options);
    if (kind === 'copy') {
      const backend = memoryBackend();
      await restoreSnapshot(backend, snapshotStore(store).chunks);
      this.store = await openStore(backend, options);
    }
    expect(this.store.stateHash()).toBe(before);
    const leased = this.store.leasedKeys().map((each) => [each.key, each.lease]);
    expect(leased).toEqual([...this.leases.of].toSorted(([a], [c]) => (a < c ? -1 : 1)));
  }
}

test('the store answers every request as the model does, over flushes, restarts, copies and compactions', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 60, size: 'max' }), async (steps) => {
      const leases = new Leases();
      const pair = new Pair(await openStore(memoryBackend(), { leases }), leases);
      for (const each of steps) await pair.take(each);
    }),
    { numRuns: 300 },
  );
});

test('a transaction that deletes a key and then ignores its value is refused before anything is written', async () => {
  const store = await openStore(memoryBackend());
  store.put(put('a'));
  const before = store.stateHash();
  const request = {
    compare: [],
    success: [opPut('b'), opDelete('a', '\0'), opPut('a', '', { ignoreValue: true })],
    failure: [],
  };
  expect(checkTxn(request, 128)).toBe(undefined);
  expect(() => store.txn(request)).toThrow('key not found');
  expect(store.stateHash()).toBe(before);
  expect(store.revision).toBe(2);
  expect(
    store.txn({ ...request, success: [opDelete('a', '\0'), opPut('a'), opRange('a')] }),
  ).toMatchObject({
    revision: 3,
  });
});
