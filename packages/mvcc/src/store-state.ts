/**
 * What the parts of a store share: index, history, values, and how a version is read.
 *
 * Private to this package; the store's parts (writes, ranges, compaction, watches, dumps) are functions and classes
 * over it.
 */
import { assert } from '@etcd-ts/base';
import type { Backend } from './backend.ts';
import { KeyIndex, type VersionRef } from './key-index.ts';
import type { KeyValue } from './key-value.ts';
import type { LeaseAttachments } from './lease-attachments.ts';
import { MetaTable } from './meta-table.ts';
import { decodeRecord } from './record.ts';
import { recordName } from './revision.ts';
import { RevisionLog } from './revision-log.ts';
import { StateHash } from './state-hash.ts';
import { ValueCache } from './value-cache.ts';
import { type AppliedPosition, WriteBehind } from './write-behind.ts';

/** The store's settings, complete. */
export interface StoreConfig {
  readonly leases: LeaseAttachments;
  readonly valueCacheBytesMax: number;
  readonly dirtyBytesMax: number;
  readonly hashSeed: number;
}

/** A reader that goes on at one revision over several turns. Compactions above it wait for its end. */
export interface PinnedRead {
  readonly revision: number;
  /** The pin was broken: whatever it reads from now on may be gone. */
  isCancelled: boolean;
}

/** See the file's head. */
export class StoreState {
  readonly index: KeyIndex;
  readonly log: RevisionLog = new RevisionLog();
  readonly cache: ValueCache;
  readonly dirty: WriteBehind;
  readonly meta: MetaTable;
  readonly hash: StateHash = new StateHash();
  readonly pins: Set<PinnedRead> = new Set();
  readonly backend: Backend;
  readonly leases: LeaseAttachments;
  /** Main revision of the newest transaction; 1 in an empty store. Monotonic. */
  revision = 1;
  /** Reads below it are refused. -1 before the first compaction. Monotonic, ≤ revision. */
  compactRevision = -1;
  /** Through here nothing is left to drop. Monotonic, ≤ compactRevision. */
  compactedRevision = -1;
  applied: AppliedPosition = { index: 0, term: 0 };
  /** Bytes of all records with their names. */
  recordBytes = 0;

  constructor(backend: Backend, config: StoreConfig) {
    this.backend = backend;
    this.leases = config.leases;
    this.index = new KeyIndex(config.hashSeed);
    this.cache = new ValueCache(config.valueCacheBytesMax);
    const dirty = new WriteBehind(config.dirtyBytesMax);
    this.dirty = dirty;
    this.meta = new MetaTable((name, value) => dirty.setMeta(name, value));
  }

  /** The newest version of a live key. */
  readNewest(slot: number): KeyValue {
    const cached = this.cache.get(slot);
    if (cached !== undefined) return cached;
    const kv = this.#read(this.index.mainOf(slot), this.index.subOf(slot));
    this.cache.set(slot, kv);
    return kv;
  }

  /** Some version of a key: a put that the index knows. */
  readVersion(slot: number, ref: VersionRef): KeyValue {
    const isNewest = this.index.mainOf(slot) === ref.main && this.index.subOf(slot) === ref.sub;
    return isNewest ? this.readNewest(slot) : this.#read(ref.main, ref.sub);
  }

  /** The record's bytes. */
  readRecord(main: number, sub: number, tombstone: boolean): Uint8Array {
    const record = this.dirty.find(main, sub) ?? this.backend.get(recordName(main, sub, tombstone));
    assert(record !== undefined, () => `the record of revision ${main}/${sub} is missing`);
    return record;
  }

  #read(main: number, sub: number): KeyValue {
    const kv = decodeRecord(this.readRecord(main, sub, false));
    assert(kv.modRevision === main, () => `record ${main}/${sub} says revision ${kv.modRevision}`);
    return kv;
  }
}
