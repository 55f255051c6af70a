import { utf8 } from '@etcd-ts/base';
import {
  memoryBackend,
  MvccError,
  openStore,
  type RequestOp,
  type TxnRequest,
} from '@etcd-ts/mvcc';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { firstDifferenceOf } from '../src/checkers/difference.ts';
import { EtcdModel, ModelError } from '../src/model/etcd-model.ts';
import { compareCreate, compareMod, putOp, rangeOp } from '../src/workload/txn-parts.ts';
import { rangeRequest } from '../src/workload/wire.ts';

const key = fc.constantFrom('a', 'b', 'ba', 'c', 'k');
const end = fc.constantFrom('', 'b', 'c', '\0', 'z');
const value = fc.nat(99).map((each) => utf8(`v${each}`));
const rangeArbitrary = fc
  .record({
    key,
    rangeEnd: end.map((each) => utf8(each)),
    limit: fc.integer({ min: 0, max: 3 }),
    revision: fc.integer({ min: -1, max: 12 }),
    sortOrder: fc.nat(2),
    sortTarget: fc.constantFrom(0, 3),
    keysOnly: fc.boolean(),
    countOnly: fc.boolean(),
    minModRevision: fc.constantFrom(0, 0, 3),
    maxCreateRevision: fc.constantFrom(0, 0, 6),
  })
  .map(({ key: from, ...more }) => rangeRequest(from, more));
const deleteArbitrary = fc.record({
  key: key.map((each) => utf8(each)),
  rangeEnd: end.map((each) => utf8(each)),
  prevKv: fc.boolean(),
});
const opArbitrary: fc.Arbitrary<RequestOp> = fc.oneof(
  fc.tuple(key, value).map(([each, written]) => putOp(each, written)),
  key.map((each) => rangeOp(each, { rangeEnd: utf8('z') })),
);
/** No key is put twice: validation, which comes before the store, would refuse it. */
const onePutPerKey = (ops: readonly RequestOp[]): RequestOp[] =>
  ops.filter((op, i) => {
    const put = op.request?.$case === 'requestPut' ? `${op.request.value.key}` : undefined;
    const same = (other: RequestOp): boolean =>
      other.request?.$case === 'requestPut' && `${other.request.value.key}` === put;
    return put === undefined || ops.findIndex(same) === i;
  });
const txnArbitrary: fc.Arbitrary<TxnRequest> = fc.record({
  compare: fc.array(
    fc.oneof(
      fc.tuple(key, fc.nat(8)).map(([each, revision]) => compareMod(each, revision)),
      key.map((each) => compareCreate(each, 0)),
    ),
    { maxLength: 2 },
  ),
  success: fc.array(opArbitrary, { maxLength: 4 }).map(onePutPerKey),
  failure: fc.array(opArbitrary, { maxLength: 3 }).map(onePutPerKey),
});
const stepArbitrary = fc.oneof(
  fc.record({ do: fc.constant('put' as const), op: fc.tuple(key, value) }),
  fc.record({ do: fc.constant('delete' as const), op: deleteArbitrary }),
  fc.record({ do: fc.constant('range' as const), op: rangeArbitrary }),
  fc.record({ do: fc.constant('txn' as const), op: txnArbitrary }),
);

const attempt = (run: () => unknown): unknown => {
  try {
    return run();
  } catch (error) {
    if (error instanceof ModelError || error instanceof MvccError) return error.code;
    throw error;
  }
};

describe('the model and the store, written apart from each other', () => {
  it('give the same answers', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(stepArbitrary, { maxLength: 25 }), async (steps) => {
        const store = await openStore(memoryBackend());
        const model = new EtcdModel();
        for (const step of steps) {
          const [expected, actual] = [model, store].map((side) =>
            attempt((): unknown => {
              switch (step.do) {
                case 'put': {
                  const [name, written] = step.op;
                  const flags = { lease: 0n, prevKv: true, ignoreValue: false, ignoreLease: false };
                  return side.put({ key: utf8(name), value: written, ...flags });
                }
                case 'delete':
                  return side.deleteRange(step.op);
                case 'range':
                  return side.range(step.op);
                case 'txn':
                  return side.txn(step.op);
              }
            }),
          );
          expect(firstDifferenceOf(expected, actual)).toBeUndefined();
          expect(store.revision).toBe(model.revision);
        }
      }),
      { numRuns: 400 },
    );
  });
});
