/** Key-value pairs that a history keeps once. */
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Event, KeyValue } from '@etcd-ts/mvcc';
import { SharedKeyValues } from '../src/history/shared-key-values.ts';
import type { OperationResponse } from '../src/history/operation.ts';

/** Few of each, so that pairs differ in one thing, or in nothing. */
const few = fc.constantFrom(1, 2);
const bytes = few.map((byte) => new Uint8Array([byte]));
const pair: fc.Arbitrary<KeyValue> = fc.record({
  key: bytes,
  createRevision: few,
  modRevision: few,
  version: few,
  value: fc.oneof(bytes, fc.constant(new Uint8Array(0))),
  lease: few.map(BigInt),
});
const pairs = fc.array(pair, { maxLength: 4 });
const maybePair = fc.option(pair, { nil: undefined });
const rest = { revision: few, more: fc.boolean(), count: few, deleted: few };
const { revision, more, count, deleted } = rest;
const range = fc.record({ revision, kvs: pairs, more, count });
const put = fc.record({ revision, prevKv: maybePair });
const deletion = fc.record({ revision, deleted, prevKvs: pairs });
const operations = fc.array(
  fc.oneof(
    range.map((value) => ({ $case: 'responseRange' as const, value })),
    put.map((value) => ({ $case: 'responsePut' as const, value })),
    deletion.map((value) => ({ $case: 'responseDeleteRange' as const, value })),
  ),
  { maxLength: 3 },
);
const txn = fc.record({ revision, succeeded: fc.boolean(), responses: operations });
const nested = txn.map((value) => ({
  ...value,
  responses: [...value.responses, { $case: 'responseTxn' as const, value }],
}));
const response: fc.Arbitrary<OperationResponse> = fc.oneof(
  range.map((result) => ({ kind: 'range' as const, result })),
  put.map((result) => ({ kind: 'put' as const, result })),
  deletion.map((result) => ({ kind: 'deleteRange' as const, result })),
  nested.map((result) => ({ kind: 'txn' as const, result })),
  revision.map((at) => ({ kind: 'compact' as const, revision: at })),
);
const event: fc.Arbitrary<Event> = fc.record({
  type: fc.constantFrom(0, 1),
  kv: pair,
  prevKv: maybePair,
});

describe('shared key-value pairs', () => {
  it('change nothing of what was told', () => {
    const told = fc.array(fc.tuple(response, fc.array(event, { maxLength: 3 })), { maxLength: 20 });
    fc.assert(
      fc.property(told, (history) => {
        const shared = new SharedKeyValues();
        for (const [asWasTold, events] of history) {
          const before = structuredClone([asWasTold, events]);
          expect([shared.response(asWasTold), shared.events(events)]).toEqual(before);
        }
      }),
    );
  });

  it('are the same object for all who were told of one', () => {
    const shared = new SharedKeyValues();
    const make = (): KeyValue => ({
      key: new Uint8Array([1]),
      createRevision: 2,
      modRevision: 3,
      version: 2,
      value: new Uint8Array([7]),
      lease: 0n,
    });
    const [seen] = shared.events([{ type: 0, kv: make() }]);
    const list = shared.response({
      kind: 'range',
      result: { revision: 3, kvs: [make()], more: false, count: 1 },
    });
    expect(list.kind === 'range' && list.result.kvs[0]).toBe(seen?.kv);
  });
});
