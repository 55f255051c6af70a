import type * as mvcc from '@etcd-ts/mvcc';
import { expectTypeOf, test } from 'vitest';
import type * as wire from '../src/index.ts';

test('decoded requests go into the store as they are', () => {
  expectTypeOf<wire.RangeRequest>().toExtend<mvcc.RangeRequest>();
  expectTypeOf<wire.PutRequest>().toExtend<mvcc.PutRequest>();
  expectTypeOf<wire.DeleteRangeRequest>().toExtend<mvcc.DeleteRangeRequest>();
  expectTypeOf<wire.TxnRequest>().toExtend<mvcc.TxnRequest>();
  expectTypeOf<wire.Compare>().toExtend<mvcc.Compare>();
});

test('keys and events of the store go onto the wire as they are', () => {
  expectTypeOf<mvcc.KeyValue>().toExtend<wire.KeyValue>();
  expectTypeOf<mvcc.Event>().toExtend<wire.Event>();
});
