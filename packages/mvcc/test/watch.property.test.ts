/** Watchers against the model: whatever happens, each is given exactly what the history says. */
import { type Event, memoryBackend, type MvccStore, openStore, type Watcher } from '@etcd-ts/mvcc';
import { StoreModel } from '@etcd-ts/mvcc/testing';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { keyRange, rangeHas } from '../src/key-range.ts';
import { del, opDelete, opPut, put, txn, watch } from './requests.ts';

const key = fc.constantFrom('a', 'b', 'c', 'ca', 'd');
const rangeEnd = fc.constantFrom('', '', '\0', 'c', 'd', 'e');
/** Operations of a transaction, no key twice. */
const ops = fc
  .uniqueArray(fc.tuple(key, rangeEnd, fc.boolean()), { maxLength: 4, selector: ([k]) => k })
  .map((each) => each.map(([k, end, puts]) => (puts ? opPut(k, end) : opDelete(k, end))));
const watchArgs = fc.record({
  key,
  rangeEnd,
  start: fc.integer({ min: -6, max: 3 }),
  prevKv: fc.boolean(),
  noPut: fc.nat(4).map((n) => n === 0),
  noDelete: fc.nat(4).map((n) => n === 0),
});
const step = fc.oneof(
  {
    weight: 5,
    arbitrary: fc
      .tuple(key, fc.constantFrom('x', 'y'))
      .map((args) => ({ kind: 'put', args }) as const),
  },
  {
    weight: 2,
    arbitrary: fc.tuple(key, rangeEnd).map((args) => ({ kind: 'delete', args }) as const),
  },
  {
    weight: 2,
    arbitrary: ops.map((each) => ({ kind: 'txn', ops: each }) as const),
  },
  { weight: 3, arbitrary: watchArgs.map((args) => ({ kind: 'watch', args }) as const) },
  {
    weight: 3,
    arbitrary: fc
      .integer({ min: 1, max: 20 })
      .map((entries) => ({ kind: 'step', entries }) as const),
  },
  {
    weight: 2,
    arbitrary: fc
      .tuple(fc.nat(10), fc.boolean())
      .map(([who, hasRoom]) => ({ kind: 'room', who, hasRoom }) as const),
  },
  { weight: 1, arbitrary: fc.nat(10).map((who) => ({ kind: 'cancel', who }) as const) },
  {
    weight: 1,
    arbitrary: fc.integer({ min: 1, max: 6 }).map((back) => ({ kind: 'compact', back }) as const),
  },
);

type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

interface Watched {
  readonly watcher: Watcher;
  readonly from: number;
  readonly args: typeof watchArgs extends fc.Arbitrary<infer T> ? T : never;
  readonly got: Event[];
  hasRoom: boolean;
  endedBy: 'nobody' | 'owner' | number;
}

class World {
  readonly model = new StoreModel();
  readonly watched: Watched[] = [];
  readonly store: MvccStore;
  constructor(store: MvccStore) {
    this.store = store;
  }

  take(each: Step): void {
    const { store, model, watched } = this;
    switch (each.kind) {
      case 'put':
        model.put(put(...each.args));
        store.put(put(...each.args));
        break;
      case 'delete':
        model.deleteRange(del(...each.args));
        store.deleteRange(del(...each.args));
        break;
      case 'txn':
        model.txn(txn([], each.ops));
        store.txn(txn([], each.ops));
        break;
      case 'watch':
        this.watch(each.args);
        break;
      case 'step':
        store.hub.step(each.entries);
        break;
      case 'compact':
        this.compact(store.revision - each.back);
        break;
      case 'room':
        this.room(watched[each.who], each.hasRoom);
        break;
      case 'cancel':
        this.cancel(watched[each.who]);
    }
  }

  compact(at: number): void {
    if (at <= Math.max(0, this.store.compactRevision)) return;
    this.store.compact(at);
    while (this.store.compactStep(1));
  }

  room(one: Watched | undefined, hasRoom: boolean): void {
    if (one === undefined) return;
    one.hasRoom = hasRoom;
    if (hasRoom) one.watcher.resume();
  }

  cancel(one: Watched | undefined): void {
    one?.watcher.cancel();
    if (one?.endedBy === 'nobody') one.endedBy = 'owner';
  }

  checkAll(): void {
    const horizon = this.store.compactRevision < 0 ? 0 : this.store.revision;
    for (const it of this.watched) this.check(it, horizon);
  }

  watch(args: Watched['args']): void {
    const { store } = this;
    const { prevKv, noPut, noDelete } = args;
    const start = args.start === 0 ? 0 : Math.max(1, store.revision + args.start);
    const watched: Watched = {
      watcher: store.hub.watch(
        watch(args.key, args.rangeEnd, start, { prevKv, noPut, noDelete }),
        (batch) => {
          if (!watched.hasRoom) return false;
          expect(watched.endedBy).toBe('nobody');
          if (batch.compactRevision > 0) watched.endedBy = batch.compactRevision;
          else expect(batch.revision).toBe(store.revision);
          const last = watched.got.at(-1)?.kv.modRevision ?? 0;
          for (const { kv } of batch.events) expect(kv.modRevision).toBeGreaterThan(last);
          watched.got.push(...batch.events);
          return true;
        },
      ),
      from: start === 0 ? store.revision + 1 : start,
      args,
      got: [],
      hasRoom: true,
      endedBy: 'nobody',
    };
    this.watched.push(watched);
  }

  /** Everything due was given, nothing else, in order, whole revisions; the rest comes later. */
  check({ watcher, from, args, got, endedBy }: Watched, horizon: number): void {
    const range = keyRange(Buffer.from(args.key, 'latin1'), Buffer.from(args.rangeEnd, 'latin1'));
    const due = this.model
      .eventsFrom(from, (each) => rangeHas(range, each))
      .filter(({ type }) => (type === 0 ? !args.noPut : !args.noDelete))
      .filter(({ kv }) => kv.modRevision < watcher.nextRevision);
    const shown = (events: readonly Event[]): unknown[] =>
      events.map((event) => this.shown(event, args.prevKv, horizon));
    expect(shown(got)).toEqual(shown(due));
    if (watcher.state === 'synced')
      expect(watcher.nextRevision).toBeGreaterThan(this.store.revision);
    if (typeof endedBy === 'number') expect(watcher.nextRevision).toBeLessThan(endedBy);
  }

  /** Previous versions may be gone when a compaction has come between; they are compared where they cannot be. */
  shown({ type, kv, prevKv }: Event, wantsPrev: boolean, horizon: number): unknown {
    return wantsPrev && kv.modRevision > horizon ? { type, kv, prevKv } : { type, kv };
  }
}

test('each watcher is given exactly its events, in order, in whole revisions, however slow it is', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 80, size: 'max' }), async (steps) => {
      const world = new World(await openStore(memoryBackend()));
      for (const each of steps) {
        world.take(each);
        world.checkAll();
      }
      for (const it of world.watched) {
        it.hasRoom = true;
        it.watcher.resume();
      }
      while (world.store.hub.step(5));
      world.checkAll();
      for (const { watcher, endedBy } of world.watched) {
        expect(watcher.state).toBe(endedBy === 'nobody' ? 'synced' : 'ended');
      }
    }),
    { numRuns: 200 },
  );
});
