/** What is being read while a snapshot from the leader replaces the database, or while the member stops. */
import { type Deferred, deferred } from '@etcd-ts/base';
import {
  type Backend,
  hashStore,
  memoryBackend,
  type MvccStore,
  type RangeRequest,
  restoreSnapshot,
  snapshotStore,
} from '@etcd-ts/mvcc';
import { RangeRequest as Range, TxnRequest } from '@etcd-ts/protocol';
import { EMPTY_CONF_STATE } from '../src/apply/conf-state-record.ts';
import { MemoryDisk } from '@etcd-ts/wal';
import { afterEach, describe, expect, test } from 'vitest';
import { ReplicatedState } from '../src/apply/replicated-state.ts';
import type { BackendStore } from '../src/env.ts';
import { memoryLevelBackends } from '../src/node/level-backends.ts';
import { Databases } from '../src/state/databases.ts';
import { Cluster } from './support/cluster.ts';
import { ManualClock, turns } from './services/manual-clock.ts';

const KEYS = 300;

/** Databases in memory that refuse everything once they are closed, and the names of those that are there. */
class StrictBackends implements BackendStore {
  readonly #names = new Set<string>();
  /** Names of those that are open. */
  readonly opened = new Set<string>();

  list(): Promise<readonly string[]> {
    return Promise.resolve([...this.#names].sort());
  }

  open(name: string): Promise<Backend> {
    this.#names.add(name);
    this.opened.add(name);
    const backend = memoryBackend();
    const close = backend.close.bind(backend);
    const closed = (): Promise<void> => {
      this.opened.delete(name);
      return close();
    };
    return Promise.resolve(Object.assign(backend, { close: closed }));
  }

  remove(name: string): Promise<void> {
    this.#names.delete(name);
    return Promise.resolve();
  }
}

function everything(more: Partial<RangeRequest> = {}): RangeRequest {
  return Range.fromPartial({ key: new Uint8Array([0]), rangeEnd: new Uint8Array([0]), ...more });
}

function putAll(state: ReplicatedState, keys: number): void {
  for (let i = 0; i < keys; i++) {
    const request = { key: Buffer.from(`k${i}`), value: Buffer.from(`v${state.appliedIndex}`) };
    const flags = { lease: 0n, prevKv: false, ignoreValue: false, ignoreLease: false };
    state.apply({
      index: state.appliedIndex + 1,
      term: 1,
      command: { kind: 'put', request: { ...request, ...flags } },
    });
  }
}

/** A member with a snapshot of a later state at hand, nothing of its own in memory. */
async function aboutToBeReplaced(): Promise<{
  readonly state: ReplicatedState;
  readonly databases: Databases;
  readonly backends: StrictBackends;
  readonly clock: ManualClock;
  readonly old: MvccStore;
  readonly install: () => Promise<void>;
}> {
  const backends = new StrictBackends();
  const clock = new ManualClock();
  const source = await ReplicatedState.open(memoryBackend());
  putAll(source, KEYS);
  const database = {
    name: 'db-0000000000000000',
    backend: await backends.open('db-0000000000000000'),
  };
  const databases = new Databases({ store: backends, clock }, database);
  const first = snapshotStore(source.store);
  await restoreSnapshot(database.backend, first.chunks);
  const state = await ReplicatedState.open(database.backend, { valueCacheBytesMax: 0 });
  putAll(source, KEYS);
  const meta = { index: source.appliedIndex, term: 1, confState: EMPTY_CONF_STATE };
  await databases.receive(meta, snapshotStore(source.store).chunks);
  const install = (): Promise<void> => databases.install(meta, state);
  return { state, databases, backends, clock, old: state.store, install };
}

describe('what reads the database that a snapshot replaces', () => {
  test('reads on to its end, at the revision at which it began; the database goes then', async () => {
    const { state, backends, old, install } = await aboutToBeReplaced();
    const wanted = old.range(everything({ sortTarget: 4, sortOrder: 2 }));
    const hashed = (await hashStore(old, 0)).hash;
    const range = old.steppedRange(everything({ sortTarget: 4, sortOrder: 2 }));
    const txn = old.steppedTxn(
      TxnRequest.fromPartial({
        success: [{ request: { $case: 'requestRange', value: everything() } }],
      }) as never,
    );
    range.step(10, 1000);
    const gate = deferred<void>();
    let steps = 0;
    const hashing = hashStore(old, 0, () => (steps++ === 0 ? gate.promise : undefined));
    await turns(2);
    await install();
    expect(state.store).not.toBe(old);
    expect(await backends.list()).toHaveLength(2);
    while (!range.step(10, 1000));
    expect(range.result).toEqual(wanted);
    range.close();
    while (!txn.step(10, 1000));
    expect(txn.result.responses[0]).toMatchObject({ value: { count: KEYS } });
    txn.close();
    expect(await backends.list()).toHaveLength(2);
    gate.resolve();
    expect((await hashing).hash).toBe(hashed);
    await turns(2);
    expect(await backends.list()).toEqual(['db-0000000000000258']);
  });

  test('is broken off when it takes too long, and may be tried again', async () => {
    const { backends, clock, old, install } = await aboutToBeReplaced();
    const range = old.steppedRange(everything());
    range.step(10, 1000);
    const gate = deferred<void>();
    let steps = 0;
    const hashing = hashStore(old, 0, () => (steps++ === 0 ? gate.promise : undefined));
    await turns(2);
    await install();
    await clock.advance(59_000);
    expect(range.step(10, 1000)).toBe(false);
    await clock.advance(1_000);
    expect(await backends.list()).toEqual(['db-0000000000000258']);
    expect(() => range.step(10, 1000)).toThrow(expect.objectContaining({ code: 'CLOSED' }));
    gate.resolve();
    await expect(hashing).rejects.toMatchObject({ code: 'CLOSED' });
    expect(clock.pendingTimers).toBe(0);
  });

  test('hears of it when the member stops, whichever database it reads', async () => {
    const { state, databases, clock, old, install } = await aboutToBeReplaced();
    const before = old.steppedRange(everything());
    await install();
    const now = state.store.steppedRange(everything());
    const gate = deferred<void>();
    let steps = 0;
    const hashing = hashStore(state.store, 0, () => (steps++ === 0 ? gate.promise : undefined));
    await turns(2);
    await databases.close(state);
    for (const read of [before, now]) {
      expect(() => read.step(10, 1000)).toThrow(expect.objectContaining({ code: 'CLOSED' }));
    }
    gate.resolve();
    await expect(hashing).rejects.toMatchObject({ code: 'CLOSED' });
    expect(clock.pendingTimers).toBe(0);
  });
});

/** Databases in memory of which the first, when its gate is shut, gives no page before it opens. */
class GatedPages implements BackendStore {
  readonly #inner = memoryLevelBackends();
  #gate: Promise<void> | undefined;
  #first = '';
  waiting = 0;

  shut(): () => void {
    const { promise, resolve } = deferred<void>();
    this.#gate = promise;
    return resolve;
  }

  list(): Promise<readonly string[]> {
    return this.#inner.list();
  }

  remove(name: string): Promise<void> {
    return this.#inner.remove(name);
  }

  async open(name: string): Promise<Backend> {
    if (this.#first === '') this.#first = name;
    const inner = await this.#inner.open(name);
    if (name !== this.#first) return inner;
    return {
      get: (key) => inner.get(key),
      sizeBytes: () => inner.sizeBytes(),
      compactRange: (start, end) => inner.compactRange(start, end),
      close: () => inner.close(),
      sync: () => inner.sync(),
      write: (operations) => inner.write(operations),
      iterate: (start, end) => {
        const pages = inner.iterate(start, end);
        return {
          close: () => pages.close(),
          nextPage: async (entriesMax) => {
            this.waiting += 1;
            await this.#gate;
            this.waiting -= 1;
            return pages.nextPage(entriesMax);
          },
        };
      },
    };
  }
}

describe('a snapshot that is still being taken in when the member stops', () => {
  /** Takes one in whose content ends when the gate opens, or breaks off with it. */
  async function received(): Promise<{
    readonly gate: Deferred<void>;
    readonly taken: Promise<void>;
    readonly closed: Promise<void>;
    readonly backends: StrictBackends;
  }> {
    const backends = new StrictBackends();
    const backend = await backends.open('db-0000000000000000');
    const state = await ReplicatedState.open(backend);
    const current = { name: 'db-0000000000000000', backend };
    const databases = new Databases({ store: backends, clock: new ManualClock() }, current);
    const source = await ReplicatedState.open(memoryBackend());
    putAll(source, KEYS);
    const gate = deferred<void>();
    async function* content(): AsyncGenerator<Uint8Array> {
      yield* snapshotStore(source.store).chunks;
      await gate.promise;
    }
    const meta = { index: source.appliedIndex, term: 1, confState: EMPTY_CONF_STATE };
    const taken = databases.receive(meta, content());
    taken.catch(() => undefined);
    await turns(5);
    return { gate, taken, closed: databases.close(state), backends };
  }

  test('is broken off, and its database is gone before the others are closed', async () => {
    const { gate, taken, closed, backends } = await received();
    await turns(5);
    expect(backends.opened.size).toBe(2);
    gate.reject(new Error('the member is stopping'));
    await closed;
    await expect(taken).rejects.toThrow('the member is stopping');
    expect(backends.opened.size).toBe(0);
    expect(await backends.list()).toEqual(['db-0000000000000000']);
  });

  test('is closed with the others when it comes to its end', async () => {
    const { gate, taken, closed, backends } = await received();
    gate.resolve();
    await closed;
    await taken;
    expect(backends.opened.size).toBe(0);
  });
});

describe('through a member', () => {
  let cluster: Cluster;
  afterEach(() => cluster.close());

  test('HashKV that a snapshot overtakes gives the hash of its revision', async () => {
    const options = { snapshotCount: 20, snapshotCatchUpEntries: 2 };
    cluster = new Cluster(['a', 'b', 'c'], options);
    const backends = new GatedPages();
    cluster.addMachine('c', { disk: new MemoryDisk(), backends });
    await cluster.startAll();
    const behind = cluster.node('c');
    const others = [cluster.node('a'), cluster.node('b')];
    const client = others[0]!.client();
    for (let i = 0; i < 50; i++) await client.put(`k${i}`, 'before');
    await cluster.agreed();
    for (const other of others) cluster.network.cut(other.memberId, behind.memberId);
    await cluster.when(() => others.find((node) => node.status().isLeader));
    for (let i = 0; i < 100; i++) await client.put(`k${i}`, 'after');

    const open = backends.shut();
    const hashing = behind.client().maintenance.hashKV(0);
    await cluster.when(() => (backends.waiting > 0 ? true : undefined));
    cluster.network.heal();
    await cluster.agreed();
    open();
    const found = await hashing;
    const wanted = await client.maintenance.hashKV(found.hashRevision);
    expect([found.hash, found.hashRevision]).toEqual([wanted.hash, 51]);
  });
});
