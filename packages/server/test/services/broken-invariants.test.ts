import { InvariantError, utf8 } from '@etcd-ts/base';
import { EtcdError, LockRequest, RangeRequest } from '@etcd-ts/protocol';
import { describe, expect, test } from 'vitest';
import { failure, harness } from './harness.ts';

const BROKEN = new InvariantError('two and two are five');
const REQUEST = RangeRequest.fromPartial({ key: utf8('a') });

describe('a broken invariant', () => {
  test('halts the node, and whoever ran into it is answered', async () => {
    const h = await harness();
    h.node.beforeBarrier = () => Promise.reject(BROKEN);
    expect(await failure(h.range('a'))).toBe('UNKNOWN');
    expect(h.node.halts).toEqual([BROKEN]);
  });

  test('halts the node out of a stream', async () => {
    const h = await harness();
    h.node.beforeBarrier = () => Promise.reject(BROKEN);
    const call = h.channel.stream('etcdserverpb.KV/RangeStream', {});
    call.send(REQUEST);
    call.end();
    const reading = (async () => {
      for await (const _ of call.responses);
    })();
    expect(await failure(reading)).toBe('UNKNOWN');
    expect(h.node.halts).toEqual([BROKEN]);
  });

  test('halts the node also as the cause of what a recipe answers', async () => {
    const h = await harness();
    h.node.beforeApply = () => Promise.reject(BROKEN);
    const lock = LockRequest.fromPartial({ name: utf8('l'), lease: 7n });
    expect(await failure(h.channel.unary('v3lockpb.Lock/Lock', lock))).toBe('UNKNOWN');
    expect(h.node.halts).toEqual([BROKEN]);
  });
});

test('a failure of any other kind leaves the node alone', async () => {
  const h = await harness();
  h.node.beforeBarrier = () => Promise.reject(new EtcdError('NO_LEADER'));
  expect(await failure(h.range('a'))).toBe('NO_LEADER');
  h.node.beforeBarrier = () => Promise.reject(new TypeError('not one of ours'));
  expect(await failure(h.range('a'))).toBe('UNKNOWN');
  expect(h.node.halts).toEqual([]);
});
