/** What a watcher is given, when, and what a slow one costs. */
import {
  memoryBackend,
  type MvccStore,
  openStore,
  type WatchBatch,
  type Watcher,
} from '@etcd-ts/mvcc';
import { beforeEach, describe, expect, test } from 'vitest';
import { BATCH_REVISIONS_MAX } from '../src/catch-up.ts';
import { b, del, opDelete, opPut, opTxn, put, txn, watch } from './requests.ts';

let store: MvccStore;

beforeEach(async () => {
  store = await openStore(memoryBackend());
});

/** A sink that can be closed. */
class Sink {
  readonly batches: WatchBatch[] = [];
  hasRoom = true;
  offered = 0;

  readonly take = (batch: WatchBatch): boolean => {
    this.offered++;
    if (this.hasRoom) this.batches.push(batch);
    return this.hasRoom;
  };

  /** Events as text: `key@revision`, with `†` for a delete and `<` before the previous value. */
  get events(): string[] {
    return this.batches.flatMap(({ events }) =>
      events.map(({ type, kv, prevKv }) => {
        const before = prevKv === undefined ? '' : `<${Buffer.from(prevKv.value).toString()}`;
        return `${Buffer.from(kv.key).toString('latin1')}@${kv.modRevision}${type === 1 ? '†' : ''}${before}`;
      }),
    );
  }
}

function start(sink: Sink, ...args: Parameters<typeof watch>): Watcher {
  return store.hub.watch(watch(...args), sink.take);
}

function catchUp(entriesPerStep = 10): void {
  for (let i = 0; store.hub.step(entriesPerStep); i++) expect(i).toBeLessThan(10_000);
}

describe('from now on', () => {
  test('events come in the turn of the write, with the new revision in the header', () => {
    const sink = new Sink();
    start(sink, 'a');
    store.put(put('a'));
    expect(sink.batches).toMatchObject([{ revision: 2, compactRevision: 0 }]);
    store.put(put('b'));
    store.deleteRange(del('a'));
    expect(sink.events).toEqual(['a@2', 'a@4†']);
  });

  test('a range is watched from its start to before its end, a from-key one without end', () => {
    const [ranged, open, empty] = [new Sink(), new Sink(), new Sink()];
    start(ranged, 'b', 'd');
    start(open, 'b', '\0');
    start(empty, '');
    for (const key of ['a', 'b', 'c', 'd', '\xff', '\0']) store.put(put(key));
    expect(ranged.events).toEqual(['b@3', 'c@4']);
    expect(open.events).toEqual(['b@3', 'c@4', 'd@5', '\xff@6']);
    expect(empty.events).toEqual(['\0@7']);
  });

  test('a key that nobody watched for long is heard from its first watcher on', () => {
    const [early, late] = [new Sink(), new Sink()];
    start(early, 'other');
    for (let i = 0; i < 3; i++) store.put(put('a'));
    const first = start(late, 'a');
    store.put(put('a'));
    store.txn(txn([], [opPut('a'), opPut('other')]));
    first.cancel();
    store.put(put('a'));
    start(late, 'a');
    store.put(put('a'));
    expect(late.events).toEqual(['a@5', 'a@6', 'a@8']);
    expect(early.events).toEqual(['other@6']);
  });

  test('a key that takes the place of one that was compacted away is heard', () => {
    const sink = new Sink();
    start(sink, 'new');
    store.put(put('old'));
    store.put(put('old'));
    store.deleteRange(del('old'));
    store.put(put('kept'));
    store.compact(5);
    while (store.compactStep(1));
    store.put(put('new'));
    expect(sink.events).toEqual(['new@6']);
  });

  test('all changes of a transaction come in one batch, in the order of its operations', () => {
    const sink = new Sink();
    start(sink, '\0', '\0');
    store.put(put('b'));
    store.txn(txn([], [opPut('z'), opDelete('a', 'c'), opPut('a'), opTxn(txn([], [opPut('m')]))]));
    expect(sink.batches.map(({ events }) => events.length)).toEqual([1, 4]);
    expect(sink.events).toEqual(['b@2', 'z@3', 'b@3†', 'a@3', 'm@3']);
  });

  test('a delete carries key and mod revision alone', () => {
    const sink = new Sink();
    start(sink, 'a');
    store.put(put('a', 'x'));
    store.deleteRange(del('a'));
    const zeros = { createRevision: 0, version: 0, value: b(''), lease: 0n };
    expect(sink.batches[1]?.events).toEqual([
      { type: 1, kv: { key: b('a'), modRevision: 3, ...zeros } },
    ]);
  });

  test('the previous version is what a read before the revision gave; a create has none', () => {
    const sink = new Sink();
    start(sink, '\0', '\0', 0, { prevKv: true });
    store.put(put('a', '1'));
    store.put(put('a', '2'));
    store.txn(txn([], [opTxn(txn([], [opPut('a', '3')])), opTxn(txn([], [opDelete('a')]))]));
    store.put(put('a', '4'));
    expect(sink.events).toEqual(['a@2', 'a@3<1', 'a@4<2', 'a@4†<2', 'a@5']);
  });

  test('filters drop puts or deletes, and a batch that they empty is not sent', () => {
    const [noPut, noDelete] = [new Sink(), new Sink()];
    start(noPut, 'a', '', 0, { noPut: true });
    start(noDelete, 'a', '', 0, { noDelete: true });
    store.put(put('a'));
    store.deleteRange(del('a'));
    expect([noPut.events, noPut.offered]).toEqual([['a@3†'], 1]);
    expect([noDelete.events, noDelete.offered]).toEqual([['a@2'], 1]);
  });

  test('a write that changes nothing is no event', () => {
    const sink = new Sink();
    start(sink, '\0', '\0');
    store.deleteRange(del('a'));
    store.txn(txn([], []));
    expect(sink.offered).toBe(0);
  });

  test('a cancelled watcher gets nothing more, cancelled twice or in the middle of a write', () => {
    const [first, second] = [new Sink(), new Sink()];
    const watcher = start(second, 'a', 'b');
    store.hub.watch(watch('a'), (batch) => {
      watcher.cancel();
      return first.take(batch);
    });
    store.put(put('a'));
    watcher.cancel();
    store.put(put('a'));
    expect([first.events, second.events]).toEqual([['a@2', 'a@3'], []]);
    expect(watcher.state).toBe('ended');
    expect(store.hub.counts).toEqual({ synced: 1, behind: 0, parked: 0 });
  });

  test('a watcher that is cancelled while a transaction is told gets nothing of it', () => {
    const second = new Sink();
    const watcher = start(second, 'a', 'c');
    store.hub.watch(watch('a'), () => {
      watcher.cancel();
      return true;
    });
    store.txn(txn([], [opPut('a'), opPut('b')]));
    expect(second.offered).toBe(0);
  });

  test('many watchers of one key each get their event, and leave one by one', () => {
    const sinks = [new Sink(), new Sink(), new Sink()];
    const watchers = sinks.map((sink) => start(sink, 'a'));
    store.put(put('a'));
    watchers[1]?.cancel();
    store.put(put('a'));
    watchers[0]?.cancel();
    watchers[2]?.cancel();
    store.put(put('a'));
    expect(sinks.map(({ events }) => events)).toEqual([['a@2', 'a@3'], ['a@2'], ['a@2', 'a@3']]);
  });

  test('more watchers of one key than a call may have arguments each get their event', () => {
    let told = 0;
    for (let i = 0; i < 150_000; i++) store.hub.watch(watch('k'), () => (told += 1) > 0);
    store.put(put('k'));
    expect(told).toBe(150_000);
  });
});

describe('from a past revision', () => {
  test.for([
    ['one key', 'a', ''],
    ['a range', 'a', 'b'],
  ])('history comes in steps, then what is new, without gap or repetition: %s', ([, key, end]) => {
    for (let i = 0; i < 50; i++) store.put(put(i % 2 === 0 ? 'a' : 'z'));
    const sink = new Sink();
    const watcher = start(sink, key as string, end as string, 10);
    store.put(put('a'));
    expect(sink.offered).toBe(0);
    store.hub.step(10);
    store.put(put('a'));
    catchUp();
    expect(watcher.state).toBe('synced');
    store.put(put('a'));
    const wanted = [
      ...Array.from({ length: 21 }, (_, i) => `a@${10 + 2 * i}`),
      'a@52',
      'a@53',
      'a@54',
    ];
    expect(sink.events).toEqual(wanted);
  });

  test('a catch-up batch has the store’s revision in its header', () => {
    for (let i = 0; i < 5; i++) store.put(put('a'));
    const sink = new Sink();
    start(sink, 'a', 'b', 2);
    catchUp(1);
    expect(sink.batches.length).toBeGreaterThan(1);
    expect(sink.batches.every(({ revision }) => revision === 6)).toBe(true);
  });

  test.for([
    ['one key', ''],
    ['a range', 'b'],
  ])('a batch has at most a thousand revisions: %s', ([, end]) => {
    for (let i = 0; i < BATCH_REVISIONS_MAX * 2 + 1; i++) store.put(put('a'));
    const sink = new Sink();
    start(sink, 'a', end as string, 2);
    catchUp(1_000_000);
    expect(sink.batches.map(({ events }) => events.length)).toEqual([1000, 1000, 1]);
  });

  test('a batch ends between revisions, however many changes one has', () => {
    const keys = Array.from({ length: 40 }, (_, i) => `k${i}`);
    for (let i = 0; i < 3; i++)
      store.txn(
        txn(
          [],
          keys.map((key) => opPut(key)),
        ),
      );
    const sink = new Sink();
    start(sink, 'k', 'l', 2);
    catchUp(1);
    expect(sink.batches.map(({ events }) => events.length)).toEqual([40, 40, 40]);
  });

  test('a batch of large values ends early', () => {
    for (let i = 0; i < 10; i++) store.put(put('a', 'x'.repeat(1_000_000)));
    const sink = new Sink();
    start(sink, 'a', '', 2);
    start(sink, 'a', 'b', 2);
    catchUp(1_000_000);
    expect(sink.batches.map(({ events }) => events.length)).toEqual([5, 5, 5, 5]);
  });

  test.for([
    ['dropped', 100],
    ['not yet dropped', 0],
  ])('the previous version is left out where its revision is compacted, %s', ([, steps]) => {
    for (let i = 0; i < 4; i++) store.put(put('a', `${i}`));
    store.compact(4);
    for (let i = 0; i < Number(steps); i++) store.compactStep(100);
    const sink = new Sink();
    start(sink, 'a', '', 4, { prevKv: true });
    catchUp();
    expect(sink.events).toEqual(['a@4', 'a@5<2']);
  });

  test('watchers at different places in history each get what is theirs', () => {
    for (let i = 0; i < 30; i++) store.put(put('a'));
    const sinks = [2, 20, 31, 11].map((from) => {
      const sink = new Sink();
      start(sink, 'a', 'b', from);
      return sink;
    });
    catchUp(3);
    expect(sinks.map(({ events }) => [events[0], events.length])).toEqual([
      ['a@2', 30],
      ['a@20', 12],
      ['a@31', 1],
      ['a@11', 21],
    ]);
  });

  test('a delete exactly at the compact revision is still told', () => {
    store.put(put('a'));
    store.deleteRange(del('a'));
    store.put(put('b'));
    store.compact(3);
    while (store.compactStep(100));
    const [key, range] = [new Sink(), new Sink()];
    start(key, 'a', '', 3);
    start(range, 'a', 'z', 3);
    catchUp();
    expect(key.events).toEqual(['a@3†']);
    expect(range.events).toEqual(['a@3†', 'b@4']);
  });
});

describe('from a future revision', () => {
  test('nothing comes before it, and everything from it on', () => {
    const sink = new Sink();
    const watcher = start(sink, 'a', '', 4);
    expect(watcher.nextRevision).toBe(4);
    for (let i = 0; i < 4; i++) store.put(put('a'));
    expect(sink.events).toEqual(['a@4', 'a@5']);
  });

  test('it is still waited for when the watcher was parked, or the store replaced', async () => {
    const sink = new Sink();
    start(sink, 'a', 'b', 5);
    const backend = memoryBackend();
    const replaced = await openStore(backend, { hub: store.hub });
    store = replaced;
    catchUp();
    for (let i = 0; i < 4; i++) store.put(put('a'));
    expect(sink.events).toEqual(['a@5']);
  });
});

describe('a slow sink', () => {
  test('parks its watcher, which holds nothing and goes on where it stood', () => {
    const sink = new Sink();
    const watcher = start(sink, 'a');
    store.put(put('a'));
    sink.hasRoom = false;
    for (let i = 0; i < 100; i++) store.put(put('a'));
    expect([watcher.state, watcher.nextRevision, sink.offered]).toEqual(['parked', 3, 2]);
    expect(store.hub.hasWork).toBe(false);
    sink.hasRoom = true;
    watcher.resume();
    expect(watcher.state).toBe('behind');
    catchUp();
    store.put(put('a'));
    expect(sink.events).toEqual(Array.from({ length: 102 }, (_, i) => `a@${i + 2}`));
  });

  test('does not keep a transaction’s events from the others', () => {
    const [slow, quick] = [new Sink(), new Sink()];
    slow.hasRoom = false;
    start(slow, 'a', 'z');
    start(quick, 'a', 'z');
    store.txn(txn([], [opPut('a'), opPut('b')]));
    expect(quick.events).toEqual(['a@2', 'b@2']);
    expect(store.hub.counts).toEqual({ synced: 1, behind: 0, parked: 1 });
  });

  test('is parked while it catches up, and the others of its cohort go on', () => {
    for (let i = 0; i < 20; i++) store.put(put('a'));
    const [slow, quick] = [new Sink(), new Sink()];
    const watcher = start(slow, 'a', 'b', 2);
    start(quick, 'a', 'b', 2);
    store.hub.step(30);
    slow.hasRoom = false;
    catchUp(30);
    expect(watcher.state).toBe('parked');
    expect(quick.events).toHaveLength(20);
    slow.hasRoom = true;
    watcher.resume();
    catchUp();
    expect(slow.events).toEqual(quick.events);
  });

  test('is served soon, however many others are far behind it and join all the time', () => {
    for (let i = 0; i < 3_000; i++) store.put(put('a'));
    start(new Sink(), 'a', 'b', 2);
    const near = new Sink();
    const watcher = start(near, 'a', 'b', store.revision - 1);
    for (let i = 0; i < 20 && watcher.state === 'behind'; i++) {
      start(new Sink(), 'a', 'b', 2);
      store.hub.step(100);
    }
    expect(watcher.state).toBe('synced');
    expect(near.events).toEqual([`a@${store.revision - 1}`, `a@${store.revision}`]);
  });

  test('that is far behind is served soon, however many others ask for what is new', () => {
    for (let i = 0; i < 300; i++) store.put(put('a'));
    const far = new Sink();
    const watcher = start(far, 'a', 'b', 2);
    for (let i = 0; i < 100 && watcher.state === 'behind'; i++) {
      start(new Sink(), 'a', 'b', store.revision);
      start(new Sink(), 'a', '', store.revision);
      store.hub.step(100);
    }
    expect(watcher.state).toBe('synced');
    expect(far.events).toHaveLength(300);
  });

  test('resuming a watcher that is not parked changes nothing', () => {
    const sink = new Sink();
    const watcher = start(sink, 'a');
    watcher.resume();
    expect(watcher.state).toBe('synced');
    watcher.cancel();
    watcher.resume();
    expect(watcher.state).toBe('ended');
  });
});

describe('a compaction', () => {
  test('ends a watcher that needs what is gone, once, with the compact revision', () => {
    for (let i = 0; i < 5; i++) store.put(put('a'));
    store.compact(4);
    const sink = new Sink();
    const watcher = start(sink, 'a', '', 3);
    catchUp();
    store.put(put('a'));
    catchUp();
    expect(sink.batches).toEqual([{ events: [], revision: 0, compactRevision: 4 }]);
    expect(watcher.state).toBe('ended');
    expect(store.hub.counts).toEqual({ synced: 0, behind: 0, parked: 0 });
  });

  test('at the revision from which a watcher starts takes nothing from it', () => {
    for (let i = 0; i < 5; i++) store.put(put('a'));
    store.compact(4);
    const sink = new Sink();
    start(sink, 'a', '', 4);
    catchUp();
    expect(sink.events).toEqual(['a@4', 'a@5', 'a@6']);
  });

  test('under a parked watcher ends it when its sink has room', () => {
    const sink = new Sink();
    const watcher = start(sink, 'a', 'b');
    sink.hasRoom = false;
    for (let i = 0; i < 5; i++) store.put(put('a'));
    store.compact(4);
    watcher.resume();
    catchUp();
    expect(watcher.state).toBe('parked');
    sink.hasRoom = true;
    watcher.resume();
    catchUp();
    expect(sink.batches).toEqual([{ events: [], revision: 0, compactRevision: 4 }]);
    expect(watcher.state).toBe('ended');
  });

  test('leaves a watcher alone that was quiet below it, also when its sink then has no room', () => {
    const sink = new Sink();
    const watcher = start(sink, 'a');
    for (let i = 0; i < 5; i++) store.put(put('b'));
    store.compact(store.revision);
    sink.hasRoom = false;
    store.put(put('a'));
    expect([watcher.state, watcher.nextRevision]).toEqual(['parked', 7]);
    sink.hasRoom = true;
    watcher.resume();
    catchUp();
    expect(sink.events).toEqual(['a@7']);
  });

  test('leaves a synced watcher alone', () => {
    const sink = new Sink();
    start(sink, 'a');
    store.put(put('a'));
    store.compact(2);
    store.put(put('a'));
    expect(sink.events).toEqual(['a@2', 'a@3']);
  });
});

describe('progress', () => {
  test('is the store’s revision when all watchers are synced', () => {
    const watchers = [start(new Sink(), 'a'), start(new Sink(), 'b', 'c')];
    store.put(put('z'));
    expect(store.hub.progress(watchers)).toBe(2);
  });

  test('is withheld while one is behind or parked, waits for the future, or there is none', () => {
    store.put(put('a'));
    const sink = new Sink();
    const synced = start(new Sink(), 'a');
    expect(store.hub.progress([])).toBe(undefined);
    const behind = start(new Sink(), 'a', '', 2);
    expect(store.hub.progress([synced, behind])).toBe(undefined);
    catchUp();
    expect(store.hub.progress([synced, behind])).toBe(2);
    const future = start(new Sink(), 'a', '', 3);
    expect(store.hub.progress([synced, future])).toBe(undefined);
    store.put(put('b'));
    expect(store.hub.progress([synced, future])).toBe(3);
    const parked = start(sink, 'a');
    sink.hasRoom = false;
    store.put(put('a'));
    expect(store.hub.progress([synced, parked])).toBe(undefined);
    synced.cancel();
    expect(store.hub.progress([synced])).toBe(undefined);
  });
});

test('after the store was replaced by a newer one watchers read on there', async () => {
  const [range, key] = [new Sink(), new Sink()];
  start(range, 'a', 'b');
  start(key, 'a');
  store.put(put('a'));
  const newer = await openStore(memoryBackend(), { hub: store.hub });
  for (let i = 0; i < 4; i++) newer.put(put('a'));
  store = newer;
  catchUp();
  newer.put(put('a'));
  expect(range.events).toEqual(['a@2', 'a@3', 'a@4', 'a@5', 'a@6']);
  expect(key.events).toEqual(range.events);
});

test('a quiet watcher outlives a compaction of the store that replaces its own', async () => {
  const sink = new Sink();
  const watcher = start(sink, 'a');
  for (let i = 0; i < 5; i++) store.put(put('z'));
  const newer = await openStore(memoryBackend(), { hub: store.hub });
  for (let i = 0; i < 7; i++) newer.put(put('z'));
  newer.compact(6);
  store = newer;
  catchUp();
  newer.put(put('a'));
  expect([watcher.state, sink.events]).toEqual(['synced', ['a@9']]);
});

test('one step serves as many watchers as its budget allows', () => {
  for (let i = 0; i < 10; i++) store.put(put('a'));
  const sinks = Array.from({ length: 200 }, () => new Sink());
  for (const sink of sinks) start(sink, 'a', '', 2);
  expect(store.hub.step(100)).toBe(true);
  expect(store.hub.counts.synced).toBeLessThan(10);
  expect(store.hub.step(100_000)).toBe(false);
  expect(sinks.every(({ events }) => events.length === 10)).toBe(true);
});

test('with thousands of watchers a step stays bounded and everyone is served', () => {
  for (let i = 0; i < 100; i++) store.put(put(`k${i % 10}`));
  let events = 0;
  for (let i = 0; i < 2000; i++) {
    store.hub.watch(watch(`k${i % 10}`, i % 2 === 0 ? '' : 'l', 2), (batch) => {
      events += batch.events.length;
      return true;
    });
  }
  catchUp(1000);
  const inRange = (i: number): number => (i % 2 === 0 ? 10 : 10 * (10 - (i % 10)));
  expect(events).toBe(
    Array.from({ length: 2000 }, (_, i) => inRange(i)).reduce((sum, n) => sum + n, 0),
  );
  expect(store.hub.counts.synced).toBe(2000);
});
