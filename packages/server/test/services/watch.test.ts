import { utf8 } from '@etcd-ts/base';
import type { WatchResponse } from '@etcd-ts/protocol';
import { describe, expect, test } from 'vitest';
import { memoryBackend, restoreSnapshot, snapshotStore } from '@etcd-ts/mvcc';
import { WatchStream } from '../../src/services/watch/watch-stream.ts';
import { CatchUp } from '../../src/services/watch/catch-up.ts';
import { events, harness } from './harness.ts';
import { turns } from './manual-clock.ts';

const ALL = { rangeEnd: new Uint8Array([0]) };
const NOPUT = 0;
const NODELETE = 1;

describe('creating watchers', () => {
  test('every create is answered once, in order, before any event, with the current revision', async () => {
    const { put, watch } = await harness();
    await put('a');
    const client = watch();
    client.create('a', { startRevision: 1 });
    client.create('b');
    const heard = [await client.next(), await client.next(), await client.next()];
    expect(heard.map(({ created, watchId }) => [created, watchId])).toEqual([
      [true, 0n],
      [true, 1n],
      [false, 0n],
    ]);
    expect(heard[0]?.header?.revision).toBe(2);
  });

  test('ids are chosen from 0 upwards, past those in use, and never twice', async () => {
    const { watch } = await harness();
    const client = watch();
    client.create('a', { watchId: 1n });
    client.create('a');
    client.create('a');
    client.cancel(2n);
    client.create('a');
    const ids = (await client.until())
      .filter(({ created }) => created)
      .map(({ watchId }) => watchId);
    expect(ids).toEqual([1n, 0n, 2n, 3n]);
  });

  test.each([
    ['an empty range', { rangeEnd: utf8('a') }, 'mvcc: watcher range is empty'],
    [
      'a negative start revision',
      { startRevision: -1 },
      'etcdserver: mvcc: required revision has been compacted',
    ],
    ['an id in use', { watchId: 5n }, 'mvcc: duplicate watch ID provided on the WatchStream'],
  ])('%s is refused in the stream, which goes on', async (_, more, cancelReason) => {
    const { watch, put } = await harness();
    const client = watch();
    client.create('b', { watchId: 5n });
    await client.next();
    client.create('b', more);
    expect(await client.next()).toMatchObject({
      watchId: -1n,
      created: true,
      canceled: true,
      cancelReason,
      header: { revision: 1 },
    });
    await put('b');
    expect(events(await client.next())).toEqual(['put b@2']);
  });

  test('one watcher too many for the stream is refused', async () => {
    const { watch } = await harness({ maxWatchersPerStream: 1 });
    const client = watch();
    client.create('a');
    client.create('a');
    expect(await client.next()).toMatchObject({ created: true, canceled: false });
    expect(await client.next()).toMatchObject({
      watchId: -1n,
      canceled: true,
      cancelReason: 'etcdserver: too many watchers on one stream, limit 1',
    });
  });

  test('an empty key watches the key of one zero byte', async () => {
    const { watch, put } = await harness();
    const client = watch();
    client.create('');
    await client.next();
    await put('\0');
    await put('a');
    await put('\0');
    expect(events(await client.next())).toEqual(['put \0@2']);
    expect(events(await client.next())).toEqual(['put \0@4']);
  });

  test('requests without a variant are passed over', async () => {
    const { watch } = await harness();
    const client = watch();
    client.call.send({ requestUnion: undefined });
    client.create('a');
    expect(await client.next()).toMatchObject({ created: true, watchId: 0n });
  });
});

describe('events', () => {
  test('of one revision come in one response, in the order of the operations', async () => {
    const { watch, txn } = await harness();
    const client = watch();
    client.create('', ALL);
    await client.next();
    await txn({ success: ['c', 'a', 'b'].map((key) => putOp(key)) });
    const response = await client.next();
    expect(events(response)).toEqual(['put c@2', 'put a@2', 'put b@2']);
    expect(response.header?.revision).toBe(2);
  });

  test('of the past carry the current revision in the header', async () => {
    const { watch, put } = await harness();
    for (let i = 0; i < 5; i++) await put('a');
    const client = watch();
    client.create('a', { startRevision: 2 });
    await client.next();
    const response = await client.next();
    expect(response.header?.revision).toBe(6);
    expect(events(response)).toEqual([2, 3, 4, 5, 6].map((revision) => `put a@${revision}`));
  });

  test('of the past come at most 1000 revisions at a time, and none is left out or repeated', async () => {
    const { watch, node } = await harness();
    for (let i = 0; i < 2_500; i++) {
      node.apply({ kind: 'put', request: putRequest('a') });
    }
    const client = watch();
    client.create('a', { startRevision: 2 });
    await client.next();
    const revisions: number[] = [];
    while (revisions.length < 2_500) {
      const response = await client.next();
      expect(response.events.length).toBeLessThanOrEqual(1_000);
      for (const { kv } of response.events) revisions.push(kv?.modRevision ?? 0);
    }
    expect(revisions).toEqual(Array.from({ length: 2_500 }, (_, i) => i + 2));
  });

  test('before a start revision in the future are not delivered', async () => {
    const { watch, put } = await harness();
    const client = watch();
    client.create('a', { startRevision: 4 });
    await client.next();
    for (let i = 0; i < 4; i++) await put('a');
    expect(events(await client.next())).toEqual(['put a@4']);
    expect(events(await client.next())).toEqual(['put a@5']);
  });

  test('that a filter drops leave no empty response behind', async () => {
    const { watch, put, del } = await harness();
    const client = watch();
    client.create('a', { filters: [NOPUT] });
    client.create('a', { filters: [NODELETE] });
    await client.until();
    await put('a');
    await del('a');
    expect(await client.next()).toMatchObject({ watchId: 1n });
    expect(await client.next()).toMatchObject({ watchId: 0n });
    expect(await client.until()).toEqual([]);
  });

  test('have what was there before, when asked for; a create has nothing', async () => {
    const { watch, put, del } = await harness();
    const client = watch();
    client.create('a', { prevKv: true });
    await client.next();
    await put('a', '1');
    await put('a', '2');
    await del('a');
    const previous = [await client.next(), await client.next(), await client.next()].map(
      ({ events: [event] }) => event?.prevKv?.modRevision,
    );
    expect(previous).toEqual([undefined, 2, 3]);
  });

  test('go on after the client half-closed', async () => {
    const { watch, put } = await harness();
    const client = watch();
    client.create('a');
    await client.next();
    client.call.end();
    await turns();
    await put('a');
    expect(events(await client.next())).toEqual(['put a@2']);
  });

  test('larger than the limit come in marked fragments that put together are the whole', async () => {
    const { watch, txn } = await harness({ maxRequestBytes: 1_000 });
    const client = watch();
    client.create('', { ...ALL, fragment: true });
    client.create('', ALL);
    await client.until();
    const keys = ['a', 'b', 'c', 'd', 'e'];
    await txn({ success: keys.map((key) => putOp(key, 'x'.repeat(200_000))) });
    const heard = [];
    while (heard.flatMap(({ events: all }) => all).length < 10) heard.push(await client.next());
    const parts = heard.filter(({ watchId }) => watchId === 0n);
    expect(parts.map(({ fragment, events: all }) => [fragment, all.length])).toEqual([
      [true, 2],
      [true, 2],
      [false, 1],
    ]);
    expect(parts.flatMap(events)).toEqual(keys.map((key) => `put ${key}@2`));
    expect(heard.filter(({ watchId }) => watchId === 1n)).toHaveLength(1);
  });
});

test('every response has a header, whatever it says', async () => {
  const { watch, put, compact } = await harness();
  for (let i = 0; i < 4; i++) await put('a');
  await compact(4, false);
  const client = watch();
  client.create('a', { startRevision: 4 });
  client.create('a', { startRevision: 2 });
  client.create('a', { startRevision: -1 });
  client.create('a', { startRevision: 99 });
  client.create('a', { watchId: 0n });
  client.progress();
  client.cancel(2n);
  client.cancel(1n);
  client.progress();
  await put('a');
  const heard = await client.until();
  const kinds = heard.map(({ created, canceled, events: told, watchId }) =>
    [created ? 'created' : '', canceled ? 'canceled' : '', told.length, watchId].join(' '),
  );
  expect(new Set(kinds).size).toBeGreaterThan(6);
  expect(heard.map(({ header }) => header?.clusterId)).toEqual(heard.map(() => 0xc1n));
});

describe('cancelling', () => {
  test('a known watcher is answered without a reason, an unknown one not at all', async () => {
    const { watch, put } = await harness();
    const client = watch();
    client.create('a');
    client.cancel(7n);
    client.cancel(0n);
    const [, canceled, ...rest] = await client.until();
    expect(canceled).toMatchObject({ watchId: 0n, canceled: true, cancelReason: '' });
    expect(rest).toEqual([]);
    await put('a');
    expect(await client.until()).toEqual([]);
  });

  test('a watch below the compact revision is created, then cancelled with it, at header revision 0', async () => {
    const { watch, put, compact } = await harness();
    for (let i = 0; i < 4; i++) await put('a');
    await compact(4, false);
    const client = watch();
    client.create('a', { startRevision: 3 });
    expect(await client.next()).toMatchObject({ created: true, canceled: false, watchId: 0n });
    expect(await client.next()).toMatchObject({
      canceled: true,
      watchId: 0n,
      compactRevision: 4,
      cancelReason: '',
      header: { revision: 0 },
    });
  });

  test('an id that a compaction ended stays taken until its cancel, which is answered again', async () => {
    const { watch, put, compact } = await harness();
    for (let i = 0; i < 4; i++) await put('a');
    await compact(4, false);
    const client = watch();
    client.create('a', { startRevision: 3, watchId: 9n });
    await client.next();
    await client.next();
    client.create('a', { watchId: 9n });
    expect(await client.next()).toMatchObject({ created: true, canceled: true, watchId: -1n });
    client.cancel(9n);
    expect(await client.next()).toMatchObject({ canceled: true, watchId: 9n });
    client.create('a', { watchId: 9n });
    expect(await client.next()).toMatchObject({ created: true, canceled: false, watchId: 9n });
  });

  test('a watch at the compact revision is legal', async () => {
    const { watch, put, compact } = await harness();
    for (let i = 0; i < 4; i++) await put('a');
    await compact(4, false);
    const client = watch();
    client.create('a', { startRevision: 4 });
    await client.next();
    expect(events(await client.next())).toEqual(['put a@4', 'put a@5']);
  });

  test('ending the call frees every watcher of the stream', async () => {
    const { watch, node } = await harness();
    const client = watch();
    client.create('a');
    client.create('b', { progressNotify: true });
    await client.until();
    expect(node.state.store.hub.counts.synced).toBe(2);
    client.call.cancel();
    await turns();
    expect(node.state.store.hub.counts).toEqual({ synced: 0, behind: 0, parked: 0 });
    expect(node.time.pendingTimers).toBe(0);
  });
});

describe('progress', () => {
  test('on request is answered once, for the whole stream, when all watchers are synced', async () => {
    const { watch, put } = await harness();
    const client = watch();
    client.create('a');
    client.create('b');
    await client.until();
    await put('c');
    client.progress();
    expect(await client.next()).toMatchObject({
      watchId: -1n,
      created: false,
      canceled: false,
      events: [],
      header: { revision: 2 },
    });
    expect(await client.until()).toEqual([]);
  });

  test('on request is silent without watchers, and while one of them waits for the future', async () => {
    const { watch } = await harness();
    const client = watch();
    client.progress();
    expect(await client.until()).toEqual([]);
    client.create('a');
    client.create('a', { startRevision: 10 });
    client.progress();
    expect(await client.until()).toHaveLength(2);
  });

  test('on request is silent while a watcher that a compaction ended was not cancelled', async () => {
    const { watch, put, compact } = await harness();
    for (let i = 0; i < 4; i++) await put('a');
    await compact(4, false);
    const client = watch();
    client.create('a', { startRevision: 2 });
    client.create('a');
    while ((await client.next()).compactRevision === 0);
    await client.until();
    client.progress();
    expect(await client.until()).toEqual([]);
    client.cancel(0n);
    client.progress();
    expect((await client.until()).map(({ watchId }) => watchId)).toEqual([0n, -1n]);
  });

  test('comes by itself to idle watchers that asked for it, once an interval', async () => {
    const { watch, put, node } = await harness({ watchProgressNotifyIntervalMs: 1_000 });
    const client = watch();
    client.create('a', { progressNotify: true });
    client.create('b', { progressNotify: true });
    client.create('b');
    await client.until();
    await put('a');
    expect(await client.next()).toMatchObject({ watchId: 0n });
    await node.time.advance(1_100);
    expect(await client.until()).toMatchObject([
      { watchId: 1n, events: [], header: { revision: 2 } },
    ]);
    await node.time.advance(1_100);
    expect((await client.until()).map(({ watchId }) => watchId)).toEqual([0n, 1n]);
  });
});

test('streams that began at different moments are not told of progress in chorus', async () => {
  const { watch, node } = await harness({ watchProgressNotifyIntervalMs: 1_000 });
  const clients = [watch(), watch()];
  for (const client of clients) {
    client.create('a', { progressNotify: true });
    await client.until();
    await node.time.advance(60);
  }
  const told = async () => {
    const heard = await Promise.all(clients.map((client) => client.until()));
    return heard.map(({ length }) => length);
  };
  await node.time.advance(900);
  expect(await told()).toEqual([1, 0]);
  await node.time.advance(99);
  expect(await told()).toEqual([0, 0]);
  await node.time.advance(1);
  expect(await told()).toEqual([0, 1]);
});

describe('slow clients', () => {
  function stalled() {
    const state = { isFull: true, heard: [] as WatchResponse[], waiting: [] as (() => void)[] };
    const responses = {
      send: (response: WatchResponse) => {
        state.heard.push(response);
        return !state.isFull;
      },
      drained: () =>
        new Promise<void>((resolve) => {
          state.waiting.push(resolve);
        }),
    };
    return { state, responses };
  }

  test('have their watchers parked without a buffer, and catch up without gap or repetition', async () => {
    const { node, put } = await harness();
    const { state, responses } = stalled();
    const catchUp = new CatchUp(node);
    const stream = new WatchStream({
      node,
      catchUp,
      responses,
      refusal: () => Promise.resolve(undefined),
    });
    const create = { key: utf8('a'), rangeEnd: new Uint8Array(0), startRevision: 0 };
    void stream.handle({ requestUnion: { $case: 'createRequest', value: createRequest(create) } });
    for (let i = 0; i < 50; i++) await put('a');
    await turns();
    expect(state.heard).toHaveLength(1);
    expect(node.state.store.hub.counts.parked).toBe(1);
    state.isFull = false;
    for (const resume of state.waiting) resume();
    await turns(20);
    expect(state.heard.flatMap(events)).toEqual(
      Array.from({ length: 50 }, (_, i) => `put a@${i + 2}`),
    );
    expect(node.state.store.hub.counts).toEqual({ synced: 1, behind: 0, parked: 0 });
    stream.close();
  });

  test('are not listened to either, until they have read', async () => {
    const { node } = await harness();
    const { state, responses } = stalled();
    const catchUp = new CatchUp(node);
    const refusal = () => Promise.resolve(undefined);
    const stream = new WatchStream({ node, catchUp, responses, refusal });
    const create = { key: utf8('a'), rangeEnd: new Uint8Array(0), startRevision: 0 };
    let hasHandled = false;
    const handling = stream
      .handle({ requestUnion: { $case: 'createRequest', value: createRequest(create) } })
      .then(() => (hasHandled = true));
    await turns();
    expect([state.heard.length, hasHandled]).toEqual([1, false]);
    state.isFull = false;
    for (const resume of state.waiting) resume();
    await handling;
    stream.close();
  });

  test('are told of no progress meanwhile, which would wait for them without end', async () => {
    const { node } = await harness({ watchProgressNotifyIntervalMs: 1_000 });
    const { state, responses } = stalled();
    const catchUp = new CatchUp(node);
    const refusal = () => Promise.resolve(undefined);
    const stream = new WatchStream({ node, catchUp, responses, refusal });
    const create = { key: utf8('a'), rangeEnd: new Uint8Array(0), startRevision: 0 };
    const value = { ...createRequest(create), progressNotify: true };
    void stream.handle({ requestUnion: { $case: 'createRequest', value } });
    await turns();
    for (let i = 0; i < 5; i++) await node.time.advance(1_100);
    expect(state.heard.map(({ created }) => created)).toEqual([true]);
    state.isFull = false;
    for (const resume of state.waiting) resume();
    await turns();
    await node.time.advance(1_100);
    expect(state.heard.map(({ created }) => created)).toEqual([true, false]);
    stream.close();
  });
});

test('a stream that ended leaves nothing behind: no watcher, timer or listener', async () => {
  const { node, watch } = await harness();
  const observe = node.state.observe.bind(node.state);
  let listeners = 0;
  node.state.observe = (listener) => {
    const stop = observe(listener);
    listeners += 1;
    return () => {
      listeners -= 1;
      stop();
    };
  };
  const client = watch();
  client.create('a', { progressNotify: true });
  await client.next();
  expect([listeners, node.time.pendingTimers]).toEqual([1, 1]);
  client.call.cancel();
  await turns();
  expect([listeners, node.time.pendingTimers]).toEqual([0, 0]);
  expect(node.state.store.hub.counts.synced).toBe(0);
});

test('a snapshot that replaces the state lets every watcher go on where it stood', async () => {
  const { node, put, watch } = await harness();
  const client = watch();
  client.create('a');
  await client.next();
  await put('a');
  expect(events(await client.next())).toEqual(['put a@2']);

  // The same history on another member, two entries further.
  const ahead = await harness();
  for (let i = 0; i < 3; i++) await ahead.put('a');
  const backend = memoryBackend();
  await restoreSnapshot(backend, snapshotStore(ahead.node.state.store).chunks);
  await node.state.replace(backend);
  expect(events(await client.next())).toEqual(['put a@3', 'put a@4']);
  await put('a');
  expect(events(await client.next())).toEqual(['put a@5']);
});

test('a snapshot at the revision that a watcher has reached leaves it synced: progress is told', async () => {
  const { node, put, watch } = await harness();
  const client = watch();
  client.create('a');
  await put('a');
  await client.until();
  const ahead = await harness();
  await ahead.put('a');
  await ahead.grant(7n, 60);
  const backend = memoryBackend();
  await restoreSnapshot(backend, snapshotStore(ahead.node.state.store).chunks);
  await node.state.replace(backend);
  client.progress();
  expect(await client.until()).toMatchObject([{ watchId: -1n, header: { revision: 2 } }]);
});

function putRequest(key: string, value = '') {
  return {
    key: utf8(key),
    value: utf8(value),
    lease: 0n,
    prevKv: false,
    ignoreValue: false,
    ignoreLease: false,
  };
}

function putOp(key: string, value = '') {
  return { request: { $case: 'requestPut' as const, value: putRequest(key, value) } };
}

function createRequest(some: { key: Uint8Array; rangeEnd: Uint8Array; startRevision: number }) {
  return {
    ...some,
    progressNotify: false,
    filters: [],
    prevKv: false,
    watchId: 0n,
    fragment: false,
  };
}
