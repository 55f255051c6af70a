/**
 * The databases of one machine: batches are atomic and in order, become visible when their write completes, and survive
 * a killed process; a power loss keeps the synced ones and any number of those that followed, in order.
 */
import { assert, fromLatin1, toLatin1 } from '@etcd-ts/base';
import {
  type Backend,
  type BackendEntry,
  type BackendIterator,
  type BackendOperation,
  PAGE_BYTES_MAX,
} from '@etcd-ts/mvcc';
import type { BackendStore } from '@etcd-ts/server';
import type { SimProcess } from '../world/process.ts';
import type { RandomStream } from '../world/random.ts';
import type { PassPoint } from '../cluster/crash-points.ts';
import type { DiskTimes } from './sim-disk.ts';

type Content = Map<string, Uint8Array>;

/** An operation as the medium keeps it: the key as text, made once. */
interface Change {
  readonly key: string;
  readonly value: Uint8Array | undefined;
}

/** Synced batches that the image carries along before it folds them into what is durable. */
const MAX_UNFOLDED_BATCHES = 1_024;

/** One database on the medium. */
export class DatabaseImage {
  readonly visible: Content = new Map();
  /** What survives a power loss, but for {@link #batches}: nobody asks for it before there is one. */
  readonly #durable: Content = new Map();
  /** Batches since `#durable` was brought up to date, the synced ones first. */
  #batches: (readonly Change[])[] = [];
  #syncedCount = 0;
  isOpen = false;

  get(key: Uint8Array): Uint8Array | undefined {
    return this.visible.get(toLatin1(key))?.slice();
  }

  apply(batch: readonly Change[]): void {
    applyBatch(this.visible, batch);
    this.#batches.push(batch);
  }

  sync(): void {
    this.#syncedCount = this.#batches.length;
    if (this.#syncedCount >= MAX_UNFOLDED_BATCHES) this.#fold(this.#syncedCount);
  }

  copy(): DatabaseImage {
    const copy = new DatabaseImage();
    copy.apply(Array.from(this.visible, ([key, value]) => ({ key, value })));
    copy.sync();
    return copy;
  }

  losePower(random: RandomStream): void {
    const unsyncedCount = this.#batches.length - this.#syncedCount;
    this.#fold(this.#syncedCount + random.below(unsyncedCount + 1));
    this.visible.clear();
    for (const [key, value] of this.#durable) this.visible.set(key, value);
    this.isOpen = false;
  }

  /** Makes so many batches durable, and forgets the others. */
  #fold(count: number): void {
    for (let i = 0; i < count; i++)
      applyBatch(this.#durable, this.#batches[i] as readonly Change[]);
    this.#batches = [];
    this.#syncedCount = 0;
  }
}

/** All databases of a machine. Survives its processes. */
export class DatabasesImage {
  readonly databases: Map<string, DatabaseImage> = new Map();

  losePower(random: RandomStream): void {
    for (const database of this.databases.values()) database.losePower(random);
  }

  /** A copy, as the process sees it. */
  copy(): DatabasesImage {
    const copy = new DatabasesImage();
    for (const [name, database] of this.databases) copy.databases.set(name, database.copy());
    return copy;
  }
}

/** What a process's view of the databases needs. */
export interface SimBackendsOptions {
  readonly image: DatabasesImage;
  readonly process: SimProcess;
  readonly random: RandomStream;
  readonly times: DiskTimes;
  /** Told of the points at which the process may be made to end. */
  readonly pass?: PassPoint;
}

/** The {@link BackendStore} of one process. */
export class SimBackends implements BackendStore {
  readonly #options: SimBackendsOptions;

  constructor(options: SimBackendsOptions) {
    this.#options = options;
  }

  async list(): Promise<readonly string[]> {
    await this.#elapse('list');
    return [...this.#options.image.databases.keys()].sort((a, b) => (a < b ? -1 : 1));
  }

  async open(name: string): Promise<Backend> {
    await this.#elapse('open');
    const { image, process } = this.#options;
    let database = image.databases.get(name);
    if (database === undefined) {
      database = new DatabaseImage();
      image.databases.set(name, database);
    }
    assert(!database.isOpen, () => `database ${name} is open already`);
    const backend = new SimBackend(database, this.#options);
    database.isOpen = true;
    process.onKill(() => backend.abandon());
    this.#options.pass?.('databaseOpened');
    return backend;
  }

  async remove(name: string): Promise<void> {
    await this.#elapse('remove');
    const { databases } = this.#options.image;
    assert(databases.get(name)?.isOpen !== true, () => `database ${name} is open`);
    databases.delete(name);
    this.#options.pass?.('databaseRemoved');
  }

  #elapse(kind: string): Promise<void> {
    return elapse(this.#options, kind, this.#options.times.meanReadUs);
  }
}

class SimBackend implements Backend {
  readonly #image: DatabaseImage;
  readonly #options: SimBackendsOptions;
  /** Batches on their way, in order. */
  readonly #onTheWay: (readonly Change[])[] = [];
  #lastWrite: Promise<void> = Promise.resolve();
  #isClosed = false;

  constructor(image: DatabaseImage, options: SimBackendsOptions) {
    this.#image = image;
    this.#options = options;
  }

  get(key: Uint8Array): Uint8Array | undefined {
    this.#assertOpen();
    return this.#image.get(key);
  }

  write(operations: Iterable<BackendOperation>): Promise<void> {
    this.#assertOpen();
    const batch: Change[] = [];
    for (const { key, value } of operations) {
      batch.push({ key: toLatin1(key), value: value?.slice() });
    }
    this.#onTheWay.push(batch);
    this.#lastWrite = this.#lastWrite.then(async () => {
      await elapse(this.#options, 'batch', this.#options.times.meanReadUs);
      this.#options.pass?.('batch');
      // What died with the process is judged where it is abandoned.
      if (this.#isClosed) return new Promise<void>(() => undefined);
      this.#onTheWay.shift();
      this.#image.apply(batch);
      this.#options.pass?.('batched');
      return undefined;
    });
    return this.#lastWrite;
  }

  async sync(): Promise<void> {
    this.#assertOpen();
    await this.#lastWrite;
    this.#options.pass?.('databaseSync');
    await elapse(this.#options, 'backend-sync', this.#options.times.meanSyncUs);
    this.#image.sync();
    this.#options.pass?.('databaseSynced');
  }

  iterate(start: Uint8Array, end: Uint8Array): BackendIterator {
    this.#assertOpen();
    const [from, to] = [toLatin1(start), toLatin1(end)];
    const keys = [...this.#image.visible.keys()].filter((key) => key >= from && key < to).sort();
    const values = new Map(keys.map((key) => [key, this.#image.visible.get(key)] as const));
    let at = 0;
    return {
      nextPage: async (entriesMax) => {
        await elapse(this.#options, 'page', this.#options.times.meanReadUs);
        const page: BackendEntry[] = [];
        let bytes = 0;
        while (at < keys.length && page.length < entriesMax && bytes < PAGE_BYTES_MAX) {
          const key = keys[at++] as string;
          const value = values.get(key) as Uint8Array;
          page.push([fromLatin1(key), value.slice()]);
          bytes += key.length + value.length;
        }
        return page;
      },
      close: async () => undefined,
    };
  }

  async sizeBytes(): Promise<number> {
    let bytes = 0;
    for (const [key, value] of this.#image.visible) bytes += key.length + value.length;
    return bytes;
  }

  async compactRange(): Promise<void> {
    await elapse(this.#options, 'compact-range', this.#options.times.meanReadUs);
  }

  async close(): Promise<void> {
    await this.#lastWrite;
    this.#isClosed = true;
    this.#image.isOpen = false;
  }

  /** The process died: of the batches on their way some are there, each as a whole, and none without those before it. */
  abandon(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    const kept = this.#options.random.below(this.#onTheWay.length + 1);
    for (const batch of this.#onTheWay.slice(0, kept)) this.#image.apply(batch);
    this.#image.isOpen = false;
  }

  /** A process that died in the middle of a turn may still ask; nothing that it does leaves a mark. */
  #assertOpen(): void {
    assert(!this.#isClosed || !this.#options.process.isAlive, 'the database is closed');
  }
}

function elapse(options: SimBackendsOptions, kind: string, meanUs: number): Promise<void> {
  return new Promise((resolve) => {
    options.process.schedule(1 + options.random.exponential(meanUs), kind, resolve);
  });
}

function applyBatch(content: Content, batch: readonly Change[]): void {
  for (const { key, value } of batch) {
    if (value === undefined) content.delete(key);
    else content.set(key, value);
  }
}
