import { utf8 } from '@etcd-ts/base';
import {
  DeleteRangeRequest,
  EtcdError,
  Event,
  PutRequest,
  RangeRequest,
  RangeResponse,
  TxnRequest,
  TxnResponse,
  WatchCreateRequest,
  WatchResponse,
} from '@etcd-ts/protocol';
import { describe, expect, test } from 'vitest';
import { Backends } from '../../src/proxy/backends.ts';
import { Namespace } from '../../src/proxy/namespace.ts';
import { proxiedKv } from '../../src/proxy/proxied-kv.ts';
import { MAX_CACHED_BYTES, MAX_CACHED_RANGES, RangeCache } from '../../src/proxy/range-cache.ts';
import { type Receiver, WatchBroadcast } from '../../src/proxy/watch-broadcast.ts';

/** A transaction that writes a key when it fails, in a transaction inside. */
function inEitherBranch(key: string): TxnRequest {
  const put = PutRequest.fromPartial({ key: utf8(key) });
  const inside = TxnRequest.fromPartial({
    success: [{ request: { $case: 'requestPut', value: put } }],
  });
  return TxnRequest.fromPartial({
    failure: [{ request: { $case: 'requestTxn', value: inside } }],
  });
}

describe('backends', () => {
  const backend = (address: string, priority = 0, weight = 0) => ({ address, priority, weight });

  test('without weights they take turns, those out of reach left out', () => {
    const [a, b, c] = ['a', 'b', 'c'].map((name) => backend(name));
    const backends = new Backends([a!, b!, c!]);
    const round = () => Array.from({ length: 4 }, () => backends.pick(() => 0)?.address);
    expect(round()).toEqual(['b', 'c', 'a', 'b']);
    expect(backends.deactivate(b!)).toBe(true);
    expect(backends.deactivate(b!)).toBe(false);
    expect(new Set(round())).toEqual(new Set(['a', 'c']));
    backends.activate(b!);
    expect(new Set(round())).toEqual(new Set(['a', 'b', 'c']));
  });

  test('a worse priority is used only when no better one can be reached', () => {
    const [good, bad] = [backend('good', 1), backend('bad', 2)];
    const backends = new Backends([bad, good]);
    expect(backends.pick(() => 0)).toBe(good);
    backends.deactivate(good);
    expect(backends.pick(() => 0)).toBe(bad);
    backends.deactivate(bad);
    expect(backends.pick(() => 0)).toBeUndefined();
    expect(backends.inactive).toEqual([bad, good]);
  });

  test('with weights each gets its share', () => {
    const backends = new Backends([backend('a', 0, 1), backend('b', 0, 3), backend('c')]);
    const draws = [0, 0.24, 0.25, 0.99].map((draw) => backends.pick(() => draw)?.address);
    expect(draws).toEqual(['a', 'a', 'b', 'b']);
  });
});

describe('the cache of ranges', () => {
  const request = (key: string, rangeEnd = '', more = {}) =>
    RangeRequest.fromPartial({ key: utf8(key), rangeEnd: utf8(rangeEnd), ...more });
  const answer = RangeResponse.fromPartial({ count: 1 });

  test('a linearizable answer serves the same serializable request, and no other', () => {
    const cache = new RangeCache();
    cache.add(request('a'), answer);
    expect(cache.get(request('a', '', { serializable: true }))).toBe(answer);
    expect(cache.get(request('a', '', { limit: 1 }))).toBeUndefined();
    expect(cache.get(request('b'))).toBeUndefined();
    expect([cache.hits, cache.misses, cache.size]).toEqual([1, 2, 1]);
  });

  test.each([
    ['a', '', 'a', '', true],
    ['a', '', 'b', '', false],
    ['a', 'c', 'b', '', true],
    ['a', 'c', 'c', '', false],
    ['a', '\0', 'z', '', true],
    ['b', '\0', 'a', '', false],
    ['b', '', 'a', 'c', true],
    ['c', '', 'a', 'c', false],
    ['a', 'c', 'b', 'd', true],
    ['a', 'b', 'b', 'c', false],
    ['m', 'z', 'a', '\0', true],
  ])('[%j, %j) is forgotten by a change of [%j, %j): %j', (key, end, from, to, isForgotten) => {
    const cache = new RangeCache();
    cache.add(request(key, end), answer);
    cache.invalidate(utf8(from), utf8(to));
    expect(cache.size).toBe(isForgotten ? 0 : 1);
  });

  test('answers as of a revision stay until that revision is compacted', () => {
    const cache = new RangeCache();
    cache.add(request('a', '', { revision: 5 }), answer);
    cache.invalidate(utf8('a'), utf8(''));
    cache.compact(5);
    expect(cache.size).toBe(1);
    cache.compact(6);
    expect(cache.size).toBe(0);
  });

  test('an answer that was asked for before a change is not kept', () => {
    const cache = new RangeCache();
    const { changes } = cache;
    cache.invalidate(utf8('other'), utf8(''));
    cache.add(request('a'), answer, changes);
    expect(cache.size).toBe(0);
    cache.add(request('a'), answer, cache.changes);
    expect(cache.size).toBe(1);
  });

  test.each([
    ['a put', 'etcdserverpb.KV/Put', PutRequest.fromPartial({ key: utf8('a') })],
    ['a delete', 'etcdserverpb.KV/DeleteRange', DeleteRangeRequest.fromPartial({ key: utf8('a') })],
    ['either branch of a transaction', 'etcdserverpb.KV/Txn', inEitherBranch('a')],
  ] as const)('%s that failed may have been done all the same', async (_, method, write) => {
    const cache = new RangeCache();
    const unary = (): Promise<never> => Promise.reject(new EtcdError('TIMEOUT'));
    const handlers = proxiedKv({
      upstream: { unary } as never,
      namespace: new Namespace(utf8('')),
      cache,
      ordersReads: false,
    });
    for (const key of ['a', 'b']) cache.add(request(key), answer);
    const handler = handlers[method] as (write: unknown, context: unknown) => Promise<unknown>;
    await expect(handler(write, {})).rejects.toMatchObject({ code: 'TIMEOUT' });
    expect(cache.get(request('a'))).toBeUndefined();
    expect(cache.get(request('b'))).toBe(answer);
  });

  test('keys and values have a limit in bytes, and an answer that is larger is not kept', () => {
    const cache = new RangeCache();
    const large = (bytes: number) =>
      RangeResponse.fromPartial({ kvs: [{ key: utf8('k'), value: new Uint8Array(bytes - 1) }] });
    const half = large(MAX_CACHED_BYTES / 2);
    for (const key of ['a', 'b', 'c']) cache.add(request(key), half);
    expect([cache.size, cache.bytes]).toEqual([2, MAX_CACHED_BYTES]);
    expect(cache.get(request('a'))).toBeUndefined();
    cache.add(request('d'), large(MAX_CACHED_BYTES + 1));
    expect([cache.size, cache.bytes]).toEqual([2, MAX_CACHED_BYTES]);
    cache.add(request('b'), answer);
    expect([cache.size, cache.bytes]).toEqual([2, MAX_CACHED_BYTES / 2]);
    cache.clear();
    expect(cache.bytes).toBe(0);
  });

  test('the least recently used goes first', () => {
    const cache = new RangeCache();
    for (let i = 0; i < MAX_CACHED_RANGES; i++) cache.add(request(`k${i}`), answer);
    cache.get(request('k0'));
    cache.add(request('new'), answer);
    expect(cache.size).toBe(MAX_CACHED_RANGES);
    expect(cache.get(request('k0'))).toBe(answer);
    expect(cache.get(request('k1'))).toBeUndefined();
  });
});

describe('a namespace', () => {
  const inside = new Namespace(utf8('ns/'));
  const interval = (key: string, rangeEnd: string) => {
    const found = inside.interval({ key: utf8(key), rangeEnd: utf8(rangeEnd) });
    return [found.key, found.rangeEnd].map((bytes) => new TextDecoder().decode(bytes));
  };

  test('from a key on means up to the end of the prefix, and no key stays none', () => {
    expect(interval('a', '')).toEqual(['ns/a', '']);
    expect(interval('a', 'b')).toEqual(['ns/a', 'ns/b']);
    expect(interval('a', '\0')).toEqual(['ns/a', 'ns0']);
    expect(interval('\0', '\0')).toEqual(['ns/\0', 'ns0']);
    expect(interval('', 'b')[0]).toBe('');
  });

  test('is put on every key of a transaction, also of one inside, and taken off its answers', () => {
    const request = TxnRequest.fromPartial({
      compare: [{ key: utf8('c') }],
      success: [
        { request: { $case: 'requestPut', value: { key: utf8('p') } } },
        {
          request: {
            $case: 'requestTxn',
            value: {
              failure: [
                {
                  request: {
                    $case: 'requestDeleteRange',
                    value: { key: utf8('d'), rangeEnd: utf8('\0') },
                  },
                },
              ],
            },
          },
        },
      ],
    });
    const text = new TextDecoder().decode(TxnRequest.encode(inside.txn(request)));
    expect(text.match(/ns[/0][a-z]?/g)).toEqual(['ns/c', 'ns/p', 'ns/d', 'ns0']);
    const response = TxnResponse.fromPartial({
      responses: [
        { response: { $case: 'responseRange', value: { kvs: [{ key: utf8('ns/k') }] } } },
      ],
    });
    const op = inside.txnAnswer(response).responses[0]?.response;
    expect(op?.$case === 'responseRange' && op.value.kvs[0]?.key).toEqual(utf8('k'));
  });
});

describe('a broadcast', () => {
  const header = (revision: number) => ({ clusterId: 1n, memberId: 1n, revision, raftTerm: 1 });
  const events = (...revisions: number[]) =>
    WatchResponse.fromPartial({
      header: header(revisions.at(-1) ?? 0),
      events: revisions.map((modRevision) =>
        Event.fromPartial({ kv: { key: utf8('k'), modRevision } }),
      ),
    });
  const receiver = (toldRevision: number): Receiver & { seen: number[] } => {
    const seen: number[] = [];
    return {
      seen,
      toldRevision,
      made: () => undefined,
      ended: () => undefined,
      tell: (response) => seen.push(...response.events.map(({ kv }) => kv?.modRevision ?? 0)),
    };
  };
  const live = (revision: number): WatchBroadcast => {
    const broadcast = new WatchBroadcast(WatchCreateRequest.fromPartial({ key: utf8('k') }));
    broadcast.made(header(revision));
    return broadcast;
  };

  test('tells each receiver every revision behind its start, once', () => {
    const broadcast = live(10);
    const [now, later] = [receiver(10), receiver(12)];
    broadcast.join(now);
    broadcast.join(later);
    broadcast.take(events(11, 12, 13));
    broadcast.take(events(14));
    expect([now.seen, later.seen]).toEqual([
      [11, 12, 13, 14],
      [13, 14],
    ]);
  });

  test('whoever wants what was passed on already does not fit', () => {
    const broadcast = live(10);
    expect([0, 10, 11, 50].map((start) => broadcast.fits(start))).toEqual([
      true,
      false,
      true,
      true,
    ]);
    const past = new WatchBroadcast(WatchCreateRequest.fromPartial({ startRevision: 3 }));
    past.made(header(10));
    expect(past.fits(0)).toBe(false);
    past.take(events(4, 9));
    expect(past.fits(0)).toBe(false);
    past.progressed(10);
    expect(past.fits(0)).toBe(true);
  });

  test('receivers that move to one that is not as far are told nothing twice', () => {
    const [main, past] = [
      live(10),
      new WatchBroadcast(WatchCreateRequest.fromPartial({ startRevision: 3 })),
    ];
    past.made(header(10));
    const moving = receiver(2);
    past.receivers.add(moving);
    past.take(events(5, 11));
    main.absorb(past);
    main.take(events(11, 12));
    expect(moving.seen).toEqual([5, 11, 12]);
    expect(past.receivers.size).toBe(0);
  });
});
