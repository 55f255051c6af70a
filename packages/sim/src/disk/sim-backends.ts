/**
 * The databases of one machine: batches are atomic and in order, become visible when their write completes, and survive
 * a killed process; a power loss keeps the synced ones and any number of those that followed, in order.
 */
import { assert, EMPTY_BYTES, fromLatin1, must, toLatin1 } from '@etcd-ts/base';
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
import { type PackedValue, PackedValues, valueOf } from './packed-values.ts';
import type { DiskTimes } from './sim-disk.ts';

/** An operation as the medium keeps it: the key as text, made once. */
interface Change extends PackedValue {
  readonly key: string;
  /** The key goes: there is no value. */
  readonly isDelete: boolean;
}

/** The last put of each key. */
type Content = Map<string, Change>;

/** Synced batches that the image carries along before it folds them into what is durable. */
const MAX_UNFOLDED_BATCHES = 1_024;

/** One database on the medium. */
export class DatabaseImage {
  readonly visible: Content = new Map();
  readonly #values: PackedValues = new PackedValues();
  /** What survives a power loss, but for {@link #batches}: nobody asks for it before there is one. */
  readonly #durable: Content = new Map();
  /** Batches since `#durable` was brought up to date, the synced ones first. */
  #batches: (readonly Change[])[] = [];
  #syncedCount = 0;
  isOpen = false;

  get(key: Uint8Array): Uint8Array | undefined {
    const put = this.visible.get(toLatin1(key));
    return put && valueOf(put);
  }

  /** What the operations ask for, as it is kept: their arrays are their owner's. */
  changesOf(operations: Iterable<BackendOperation>): readonly Change[] {
    const values = this.#values;
    const changes: Change[] = [];
    for (const { key, value } of operations) {
      const start = values.add(value ?? EMPTY_BYTES);
      const end = start + (value?.length ?? 0);
      const isDelete = value === undefined;
      changes.push({ key: toLatin1(key), isDelete, slab: values.slab, start, end });
    }
    return changes;
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
    copy.apply([...this.visible.values()]);
    copy.sync();
    return copy;
  }

  losePower(random: RandomStream): void {
    const unsyncedCount = this.#batches.length - this.#syncedCount;
    this.#fold(this.#syncedCount + random.below(unsyncedCount + 1));
    this.visible.clear();
    for (const [key, put] of this.#durable) this.visible.set(key, put);
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
    const batch = this.#image.changesOf(operations);
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
    const puts = keys.map((key) => must(this.#image.visible.get(key), 'put'));
    let at = 0;
    return {
      nextPage: async (entriesMax) => {
        await elapse(this.#options, 'page', this.#options.times.meanReadUs);
        const page: BackendEntry[] = [];
        let bytes = 0;
        while (at < puts.length && page.length < entriesMax && bytes < PAGE_BYTES_MAX) {
          const put = puts[at++] as Change;
          const value = valueOf(put);
          page.push([fromLatin1(put.key), value]);
          bytes += put.key.length + value.length;
        }
        return page;
      },
      close: async () => undefined,
    };
  }

  async sizeBytes(): Promise<number> {
    let bytes = 0;
    for (const { key, start, end } of this.#image.visible.values())
      bytes += key.length + end - start;
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
  for (const change of batch) {
    if (change.isDelete) content.delete(change.key);
    else content.set(change.key, change);
  }
}
