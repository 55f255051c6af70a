import { fromUtf8 } from '@etcd-ts/base';
import {
  type Handlers,
  RangeResponse,
  PutResponse,
  DeleteRangeResponse,
  TxnResponse,
  KeyValue,
} from '@etcd-ts/protocol';
import { describe, expect, test } from 'vitest';
import { codeOf, compare, EtcdClient, type Keys, op, toRange } from '../src/index.ts';
import { EagerClock, evenRandom } from './manual-clock.ts';
import { ScriptedChannel } from './scripted-channel.ts';

const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text);

function world(handlers: Handlers): { client: EtcdClient; channel: ScriptedChannel } {
  const channel = new ScriptedChannel(handlers);
  const client = new EtcdClient({
    endpoints: ['a'],
    connect: () => channel,
    clock: new EagerClock(),
    random: evenRandom,
  });
  return { client, channel };
}

const kv = KeyValue.fromPartial({
  key: utf8('k'),
  value: utf8('{"a":1}'),
  createRevision: 2,
  modRevision: 3,
  version: 2,
  lease: 7n,
});

describe('keys', () => {
  const cases: [string, Keys, string, string][] = [
    ['text is one key', 'abc', 'abc', ''],
    ['bytes are one key', utf8('abc'), 'abc', ''],
    ['a prefix ends before the next one', { prefix: 'ab' }, 'ab', 'ac'],
    ['an empty prefix is everything', { prefix: '' }, '\0', '\0'],
    ['from without end is everything from there on', { from: 'b' }, 'b', '\0'],
    ['from and to are a range', { from: 'b', to: 'd' }, 'b', 'd'],
    ['from nothing on is from the first key on', { from: '', to: 'd' }, '\0', 'd'],
    ['all is everything', { all: true }, '\0', '\0'],
  ];
  for (const [claim, keys, key, rangeEnd] of cases) {
    test(claim, () => {
      const range = toRange(keys);
      expect([fromUtf8(range.key), fromUtf8(range.rangeEnd)]).toEqual([key, rangeEnd]);
    });
  }

  test('a prefix of 0xff bytes goes to the end', () => {
    const range = toRange({ prefix: new Uint8Array([0xff, 0xff]) });
    expect(range.rangeEnd).toEqual(new Uint8Array([0]));
  });

  test('an end before which there is no key is refused: on the wire it is one key, or all of them', async () => {
    const { client, channel } = world({});
    for (const to of ['', '\0']) {
      const deleting = client.delete({ from: 'a', to });
      await expect(deleting).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
    }
    expect(channel.calls).toEqual([]);
  });

  test('an empty key is refused before anything is sent', async () => {
    const { client, channel } = world({});
    await expect(client.put('', 'x')).rejects.toMatchObject({ code: 'EMPTY_KEY' });
    await expect(client.get('')).rejects.toMatchObject({ code: 'EMPTY_KEY' });
    expect(channel.calls).toEqual([]);
  });
});

describe('reads and writes', () => {
  test('get gives the one entry, as text, JSON and numbers', async () => {
    const { client } = world({
      'etcdserverpb.KV/Range': () =>
        Promise.resolve(RangeResponse.fromPartial({ kvs: [kv], count: 1 })),
    });
    const entry = await client.get('k');
    expect(entry?.keyText).toBe('k');
    expect(entry?.json()).toEqual({ a: 1 });
    expect([entry?.createRevision, entry?.modRevision, entry?.version, entry?.lease]).toEqual([
      2,
      3,
      2,
      7n,
    ]);
  });

  test('get of an absent key is undefined', async () => {
    const { client } = world({
      'etcdserverpb.KV/Range': () => Promise.resolve(RangeResponse.fromPartial({})),
    });
    expect(await client.get('k')).toBeUndefined();
  });

  test('every option of a range reaches the wire', async () => {
    const { client, channel } = world({
      'etcdserverpb.KV/Range': () =>
        Promise.resolve(
          RangeResponse.fromPartial({ header: { revision: 9 }, more: true, count: 5 }),
        ),
    });
    const result = await client.getAll(
      { prefix: 'p' },
      {
        limit: 2,
        revision: 4,
        sort: { by: 'mod', order: 'descend' },
        serializable: true,
        keysOnly: true,
        minModRevision: 1,
        maxModRevision: 2,
        minCreateRevision: 3,
        maxCreateRevision: 4,
      },
    );
    expect(channel.calls[0]?.request).toEqual({
      key: utf8('p'),
      rangeEnd: utf8('q'),
      limit: 2,
      revision: 4,
      sortOrder: 2,
      sortTarget: 3,
      serializable: true,
      keysOnly: true,
      countOnly: false,
      minModRevision: 1,
      maxModRevision: 2,
      minCreateRevision: 3,
      maxCreateRevision: 4,
    });
    expect([result.count, result.more, result.revision]).toEqual([5, true, 9]);
  });

  test('a limit that is not a whole number is refused with its value', async () => {
    const { client } = world({});
    await expect(client.getAll('k', { limit: 1.5 })).rejects.toThrow(
      'limit is not a whole number: 1.5',
    );
  });

  test('every option of a put reaches the wire, and the previous key comes back', async () => {
    const { client, channel } = world({
      'etcdserverpb.KV/Put': () =>
        Promise.resolve(PutResponse.fromPartial({ header: { revision: 9 }, prevKv: kv })),
    });
    const result = await client.put('k', 'v', { lease: 7n, previous: true, ignoreLease: true });
    expect(channel.calls[0]?.request).toEqual({
      key: utf8('k'),
      value: utf8('v'),
      lease: 7n,
      prevKv: true,
      ignoreValue: false,
      ignoreLease: true,
    });
    expect([result.revision, result.previous?.modRevision]).toEqual([9, 3]);
  });

  test('a deletion gives the count and what was there', async () => {
    const { client } = world({
      'etcdserverpb.KV/DeleteRange': () =>
        Promise.resolve(
          DeleteRangeResponse.fromPartial({ header: { revision: 4 }, deleted: 1, prevKvs: [kv] }),
        ),
    });
    const result = await client.delete({ prefix: 'k' }, { previous: true });
    expect([result.deleted, result.revision, result.previous[0]?.keyText]).toEqual([1, 4, 'k']);
  });

  test('entries are read page by page at the revision of the first page', async () => {
    const all = Array.from({ length: 25 }, (_, i) => `k${String(i).padStart(2, '0')}`);
    const { client, channel } = world({
      'etcdserverpb.KV/Range': ({ key, limit }) => {
        const rest = all.filter((name) => name >= fromUtf8(key));
        const kvs = rest.slice(0, limit).map((name) => KeyValue.fromPartial({ key: utf8(name) }));
        return Promise.resolve(
          RangeResponse.fromPartial({
            header: { revision: 50 + channel.calls.length },
            kvs,
            more: rest.length > limit,
          }),
        );
      },
    });
    const seen: string[] = [];
    for await (const entry of client.entries({ prefix: 'k' }, { pageSize: 10 }))
      seen.push(entry.keyText);
    expect(seen).toEqual(all);
    const revisions = channel.calls.map(
      ({ request }) => (request as { revision: number }).revision,
    );
    expect(revisions).toEqual([0, 51, 51]);
  });
});

describe('a transaction', () => {
  const answer = TxnResponse.fromPartial({
    header: { revision: 6 },
    succeeded: true,
    responses: [
      { response: { $case: 'responsePut', value: { header: { revision: 6 } } } },
      {
        response: {
          $case: 'responseRange',
          value: { header: { revision: 6 }, kvs: [kv], count: 1 },
        },
      },
      { response: { $case: 'responseTxn', value: { succeeded: false, responses: [] } } },
    ],
  });

  test('is what was put together, and gives one result for each operation', async () => {
    const { client, channel } = world({ 'etcdserverpb.KV/Txn': () => Promise.resolve(answer) });
    const inner = client.txn().if(compare.exists('x')).do(op.delete('x'));
    const result = await client
      .txn()
      .if(compare.missing('k'), compare.value('v', '!=', 'old'), compare.lease('l', '=', 5n))
      .do(op.put('k', 'v'), op.get('k'), op.txn(inner))
      .else(op.get('k'))
      .commit();
    expect(result.succeeded).toBe(true);
    expect(result.results.map(({ type }) => type)).toEqual(['put', 'get', 'txn']);
    const request = channel.calls[0]?.request as {
      compare: { targetUnion: unknown; result: number }[];
      success: unknown[];
      failure: unknown[];
    };
    expect(request.compare.map(({ targetUnion }) => targetUnion)).toEqual([
      { $case: 'createRevision', value: 0 },
      { $case: 'value', value: utf8('old') },
      { $case: 'lease', value: 5n },
    ]);
    expect([request.success.length, request.failure.length]).toEqual([3, 1]);
  });

  test('is not changed by what is built on it', () => {
    const { client } = world({});
    const base = client.txn().if(compare.exists('a'));
    base.do(op.put('a', 'b'));
    expect(base.request().success).toEqual([]);
  });

  test('is not a promise', async () => {
    const { client } = world({});
    const txn = client.txn();
    expect(await Promise.resolve(txn)).toBe(txn);
  });
});

test('codeOf tells the code of our errors alone', async () => {
  const { client } = world({});
  const error: unknown = await client.get('').catch((thrown: unknown) => thrown);
  expect(codeOf(error)).toBe('EMPTY_KEY');
  expect(codeOf(new Error('other'))).toBeUndefined();
});
