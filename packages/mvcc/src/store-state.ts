/**
 * What the parts of a store share: index, history, values, and how a version is read.
 *
 * Private to this package; the store's parts (writes, ranges, compaction, watches, dumps) are functions and classes
 * over it.
 */
import { assert } from '@etcd-ts/base';
import type { Backend } from './backend.ts';
import type { IndexHead } from './index-checkpoint.ts';
import { KeyIndex, type VersionRef } from './key-index.ts';
import type { KeyValue } from './key-value.ts';
import type { LeaseAttachments } from './lease-attachments.ts';
import { MetaTable } from './meta-table.ts';
import { decodeRecord } from './record.ts';
import { QuietKeys } from './quiet-keys.ts';
import { ReadPins } from './read-pins.ts';
import { RecordCache } from './record-cache.ts';
import { recordName } from './revision.ts';
import { RevisionLog } from './revision-log.ts';
import { StateHash } from './state-hash.ts';
import { ValueCache } from './value-cache.ts';
import { type AppliedPosition, type FlushBatch, WriteBehind } from './write-behind.ts';

/** Of the bytes for values, how much goes to recent records; the rest to decoded versions that are read again. */
const RECENT_SHARE = 1 / 3;

/** The store's settings, complete. */
export interface StoreConfig {
  readonly leases: LeaseAttachments;
  readonly valueCacheBytesMax: number;
  readonly dirtyBytesMax: number;
  readonly hashSeed: number;
}

/** See the file's head. */
export class StoreState {
  readonly index: KeyIndex;
  readonly log: RevisionLog = new RevisionLog();
  /** Records that were written lately. */
  readonly recent: RecordCache;
  /** Versions that were read lately. */
  readonly hot: ValueCache;
  /** For the hub. */
  readonly quiet: QuietKeys = new QuietKeys();
  readonly dirty: WriteBehind;
  readonly meta: MetaTable;
  readonly hash: StateHash = new StateHash();
  readonly pins: ReadPins = new ReadPins();
  readonly backend: Backend;
  readonly leases: LeaseAttachments;
  /** Main revision of the newest transaction; 1 in an empty store. Monotonic. */
  revision = 1;
  /** Reads below it are refused. -1 before the first compaction. Monotonic, ≤ revision. */
  compactRevision = -1;
  /** Through here nothing is left to drop. Monotonic, ≤ compactRevision. */
  compactedRevision = -1;
  applied: AppliedPosition = { index: 0, term: 0 };
  /** The index pages in the backend; undefined when there are none that can be used. */
  indexHead: IndexHead | undefined;
  /** The generation of pages in the backend that could not be used; 0: there were none. */
  lostGeneration = 0;
  /** The revision through which the pages are known to survive a power cut; -1: none. */
  durableIndexThrough = -1;
  /** Bytes of all records with their names. */
  recordBytes = 0;

  constructor(backend: Backend, config: StoreConfig) {
    this.backend = backend;
    this.leases = config.leases;
    this.index = new KeyIndex(config.hashSeed);
    this.recent = new RecordCache(config.valueCacheBytesMax * RECENT_SHARE);
    this.hot = new ValueCache(config.valueCacheBytesMax * (1 - RECENT_SHARE));
    const dirty = new WriteBehind(config.dirtyBytesMax);
    this.dirty = dirty;
    this.meta = new MetaTable((name, value) => dirty.setMeta(name, value));
  }

  /**
   * The newest version of a live key. Shared: never to be written to.
   *
   * @param keeps Whether it is cached, being read again.
   */
  readNewest(slot: number, keeps = true): KeyValue {
    const hot = this.hot.get(slot);
    if (hot !== undefined) return hot;
    const main = this.index.mainOf(slot);
    const sub = this.index.subOf(slot);
    const recent = this.recent.get(slot, main, sub);
    const kv = this.#decode(recent ?? this.readRecord(main, sub, false), main);
    if (keeps) this.hot.set(slot, kv);
    return kv;
  }

  /** Some version of a key: a put that the index knows. Shared: never to be written to. */
  readVersion(slot: number, ref: VersionRef): KeyValue {
    const { main, sub } = ref;
    if (this.#isNewest(slot, main, sub)) return this.readNewest(slot);
    return this.#decode(
      this.recent.get(slot, main, sub) ?? this.readRecord(main, sub, false),
      main,
    );
  }

  /** A copy of the record's bytes. */
  readRecord(main: number, sub: number, tombstone: boolean): Uint8Array {
    const record = this.dirty.find(main, sub) ?? this.backend.get(recordName(main, sub, tombstone));
    assert(record !== undefined, () => `the record of revision ${main}/${sub} is missing`);
    return record;
  }

  /** The slot was freed: it is to hold another key. */
  forget(slot: number): void {
    this.recent.delete(slot);
    this.quiet.wake(slot);
  }

  /** A batch has been written: its newest versions go to the cache, for they will not be found here any more. */
  cacheWritten(batch: FlushBatch): void {
    this.dirty.written(batch, (slot, main, sub, record) => {
      if (this.#isNewest(slot, main, sub)) this.recent.set(slot, main, sub, record);
    });
  }

  #isNewest(slot: number, main: number, sub: number): boolean {
    return this.index.mainOf(slot) === main && this.index.subOf(slot) === sub;
  }

  #decode(record: Uint8Array, main: number): KeyValue {
    const kv = decodeRecord(record);
    assert(kv.modRevision === main, () => `record of ${main} says revision ${kv.modRevision}`);
    return kv;
  }
}
