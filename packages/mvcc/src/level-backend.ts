/**
 * A backend over any abstract-level database that has a synchronous get: memory-level, classic-level and their kin.
 */
import { assert } from '@etcd-ts/base';
import {
  type Backend,
  type BackendEntry,
  type BackendIterator,
  type BackendOperation,
  PAGE_BYTES_MAX,
} from './backend.ts';

const BYTES = { keyEncoding: 'view', valueEncoding: 'view' } as const;
type Bytes = typeof BYTES;

/** What is used of an abstract-level database (3.x), whatever its own types of keys and values. */
export interface LevelDatabase {
  readonly supports: { readonly additionalMethods: Readonly<Record<string, boolean>> };
  getSync(key: Uint8Array, options: Bytes): Uint8Array | undefined;
  batch(): LevelBatch;
  iterator(options: LevelIteratorOptions): LevelIterator;
  close(): Promise<void>;
}

/** What is used of a chained batch. */
export interface LevelBatch {
  put(key: Uint8Array, value: Uint8Array, options: Bytes): unknown;
  del(key: Uint8Array, options: Bytes): unknown;
  /** @param options `sync`: durable when it resolves; databases in memory know nothing of it. */
  write(options?: { readonly sync: boolean }): Promise<void>;
}

/** What is used of an iterator. */
export interface LevelIterator {
  nextv(size: number): Promise<(readonly [Uint8Array, Uint8Array])[]>;
  close(): Promise<void>;
}

/** What is asked of an iterator; the last two are hints that some databases know. */
export interface LevelIteratorOptions extends Bytes {
  readonly gte: Uint8Array;
  readonly lt: Uint8Array;
  readonly highWaterMarkBytes: number;
  readonly fillCache: boolean;
}

/** A name that no record has. */
const NO_KEY: Uint8Array = new Uint8Array([0xff]);

/** Operations handed to the database between two looks at whether the turn is over. */
const OPERATIONS_PER_LOOK = 32;

/** Bounds how long the event loop is held while a large batch is built. */
export interface LoopTurns {
  /** True when what is left has to wait for another turn. */
  readonly isOver: boolean;
  /** Resolves in a later turn, when everybody else had theirs. */
  next(): Promise<void>;
}

/** Settings of {@link levelBackend}. */
export interface LevelBackendOptions {
  /** Lets the event loop turn while a large batch is built. @defaultValue no turns: the batch is built at once */
  readonly turns?: LoopTurns;
  /** Told of the bytes of every batch that was written. */
  readonly written?: ((bytes: number) => void) | undefined;
}

/**
 * Makes a backend of an open database, which from then on belongs to it: it is closed with the backend.
 *
 * @throws InvariantError when the database has no synchronous get.
 */
export function levelBackend(database: LevelDatabase, options: LevelBackendOptions = {}): Backend {
  assert(typeof database.getSync === 'function', 'the database has no getSync');
  return new LevelBackend(database, options);
}

class LevelBackend implements Backend {
  readonly #database: LevelDatabase;
  readonly #turns: LoopTurns | undefined;
  readonly #written: ((bytes: number) => void) | undefined;
  /** Batches take effect in the order of the calls, also when one is built over several turns. */
  #last: Promise<void> | undefined;

  constructor(database: LevelDatabase, { turns, written }: LevelBackendOptions) {
    this.#database = database;
    this.#turns = turns;
    this.#written = written;
  }

  get(key: Uint8Array): Uint8Array | undefined {
    return this.#database.getSync(key, BYTES);
  }

  write(operations: Iterable<BackendOperation>): Promise<void> {
    this.#last = this.#writeAfter(this.#last, operations);
    return this.#last;
  }

  async sync(): Promise<void> {
    await this.#last;
    // LevelDB writes what it holds in memory to a synced file before it compacts; a synced batch alone would not cover
    // a log file that it has left for a newer one.
    if (hasCompactRange(this.#database)) {
      await this.#database.compactRange(NO_KEY, NO_KEY, BYTES);
      return;
    }
    const batch = this.#database.batch();
    batch.del(NO_KEY, BYTES);
    await batch.write({ sync: true });
  }

  iterate(start: Uint8Array, end: Uint8Array): BackendIterator {
    const options = {
      ...BYTES,
      gte: start,
      lt: end,
      highWaterMarkBytes: PAGE_BYTES_MAX,
      fillCache: false,
    };
    return new LevelPages(this.#database.iterator(options));
  }

  async sizeBytes(): Promise<number> {
    const start = new Uint8Array(0);
    const end = new Uint8Array(32).fill(0xff);
    if (hasApproximateSize(this.#database))
      return this.#database.approximateSize(start, end, BYTES);
    let bytes = 0;
    const iterator = this.iterate(start, end);
    for (let page; (page = await iterator.nextPage(1000)).length > 0;) {
      for (const [key, value] of page) bytes += key.length + value.length;
    }
    await iterator.close();
    return bytes;
  }

  async compactRange(start: Uint8Array, end: Uint8Array): Promise<void> {
    if (hasCompactRange(this.#database)) await this.#database.compactRange(start, end, BYTES);
  }

  close(): Promise<void> {
    return this.#database.close();
  }

  async #writeAfter(
    last: Promise<void> | undefined,
    operations: Iterable<BackendOperation>,
  ): Promise<void> {
    await last;
    await this.#write(operations);
  }

  async #write(operations: Iterable<BackendOperation>): Promise<void> {
    const batch = this.#database.batch();
    let handed = 0;
    let bytes = 0;
    for (const { key, value } of operations) {
      bytes += key.length + (value?.length ?? 0);
      if (value === undefined) batch.del(key, BYTES);
      else batch.put(key, value, BYTES);
      if (++handed % OPERATIONS_PER_LOOK !== 0 || this.#turns?.isOver !== true) continue;
      await this.#turns.next();
    }
    await batch.write();
    this.#written?.(bytes);
  }
}

/** Cuts pages by bytes itself, for not every database does. */
class LevelPages implements BackendIterator {
  readonly #iterator: LevelIterator;
  #read: readonly BackendEntry[] = [];
  #at = 0;

  constructor(iterator: LevelIterator) {
    this.#iterator = iterator;
  }

  async nextPage(entriesMax: number): Promise<readonly BackendEntry[]> {
    if (this.#at >= this.#read.length) {
      this.#read = await this.#iterator.nextv(entriesMax);
      this.#at = 0;
    }
    const start = this.#at;
    const most = Math.min(this.#read.length, start + entriesMax);
    for (let bytes = 0; this.#at < most && bytes < PAGE_BYTES_MAX; this.#at++) {
      const entry = this.#read[this.#at];
      if (entry !== undefined) bytes += entry[0].length + entry[1].length;
    }
    const isWhole = start === 0 && this.#at === this.#read.length;
    return isWhole ? this.#read : this.#read.slice(start, this.#at);
  }

  close(): Promise<void> {
    return this.#iterator.close();
  }
}

interface Sized {
  approximateSize(start: Uint8Array, end: Uint8Array, options: Bytes): Promise<number>;
}

interface Compacting {
  compactRange(start: Uint8Array, end: Uint8Array, options: Bytes): Promise<void>;
}

function hasApproximateSize(database: LevelDatabase): database is LevelDatabase & Sized {
  return database.supports.additionalMethods['approximateSize'] === true;
}

function hasCompactRange(database: LevelDatabase): database is LevelDatabase & Compacting {
  return database.supports.additionalMethods['compactRange'] === true;
}
