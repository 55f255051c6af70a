/**
 * Builds a store's memory from what is in its backend: blobs first, then revisions in order, those that index pages tell
 * of from there and the others from their records.
 *
 * A compaction that had not finished is pending again, and drops the same versions as it would have.
 *
 * Above the compact revision no revision and no change of one may be missing: a batch that the medium has lost while it
 * kept a later one (a power cut, for nothing here is synced) is found out, and such a backend is not served.
 */
import { assert } from '@etcd-ts/base';
import type { BackendEntry } from './backend.ts';
import {
  bytesNumber,
  bytesPosition,
  META_APPLIED,
  META_COMPACT,
  META_COMPACTED,
  META_SKIPPED,
} from './meta-table.ts';
import type { PageEntry } from './index-page.ts';
import type { VersionRef } from './key-index.ts';
import { recordFields, scanRecord } from './record.ts';
import { isTombstoneName, recordMain, recordSub } from './revision.ts';
import type { StoreState } from './store-state.ts';
import { recordBytes } from './write-txn.ts';

/** See the file's head. */
export class StoreLoader {
  readonly #state: StoreState;
  #last: VersionRef = { main: 0, sub: 0 };
  readonly #fields = recordFields();
  #isFromPages = false;

  /** @param state Fresh, over the backend whose records follow. */
  constructor(state: StoreState) {
    this.#state = state;
    state.index.beginLoad();
  }

  /** A blob. */
  meta(entry: BackendEntry): void {
    this.#state.meta.load(entry[0], entry[1]);
  }

  /** All blobs are in; records follow. */
  endMeta(): void {
    const { meta } = this.#state;
    this.#state.applied = bytesPosition(meta.get(META_APPLIED));
    this.#state.compactRevision = bytesNumber(meta.get(META_COMPACT));
    this.#state.compactedRevision = bytesNumber(meta.get(META_COMPACTED));
    const skippedTo = bytesNumber(meta.get(META_SKIPPED));
    const { compactRevision } = this.#state;
    assert(
      skippedTo <= compactRevision,
      () => `jumped to revision ${skippedTo}, but compacted through ${compactRevision} only`,
    );
    this.#state.revision = Math.max(this.#state.revision, skippedTo);
  }

  /** A revision's record. They must come in order. */
  record(entry: BackendEntry): void {
    const [name, record] = entry;
    const state = this.#state;
    const main = recordMain(name);
    const sub = recordSub(name);
    const tombstone = isTombstoneName(name);
    const fields = scanRecord(record, this.#fields);
    const { keyStart, keyEnd, modRevision } = fields;
    assert(keyEnd > keyStart, () => `the record of revision ${main}/${sub} has no key`);
    const found = state.index.find(record, keyStart, keyEnd);
    const slot = found < 0 ? state.index.addKey(record, keyStart, keyEnd) : found;
    const ref = { main, sub };
    this.#checkNext(ref);
    if (tombstone) {
      state.index.delete(slot, ref);
      state.hash.delete(slot);
    } else {
      assert(modRevision === main, () => `record ${main}/${sub} says revision ${modRevision}`);
      state.index.put(slot, ref, fields.createRevision, fields.version, fields.lease);
      state.hash.set(slot, record);
    }
    const bytes = recordBytes(record.length, tombstone);
    state.log.append(main, sub, slot, tombstone, bytes);
    state.recordBytes += bytes;
    state.revision = Math.max(state.revision, main);
  }

  /** An entry of an index page, in place of a revision's record. They must come in order, before the first record. */
  indexed(entry: PageEntry, page: Uint8Array): void {
    const state = this.#state;
    const { main, sub, isDelete, bytes, keyStart, keyEnd, checksum } = entry;
    const found = state.index.find(page, keyStart, keyEnd);
    const slot = found < 0 ? state.index.addKey(page, keyStart, keyEnd) : found;
    const ref = { main, sub };
    this.#checkNext(ref);
    this.#isFromPages = true;
    if (isDelete) {
      state.index.delete(slot, ref);
      state.hash.delete(slot);
    } else {
      state.index.put(slot, ref, entry.createRevision, entry.version, entry.lease);
      if (checksum !== 0) state.hash.setChecksum(slot, checksum);
    }
    state.log.append(main, sub, slot, isDelete, bytes);
    state.recordBytes += bytes;
    state.revision = Math.max(state.revision, main);
  }

  /** Pages still hold what was compacted since they were written. */
  #dropCompacted(): void {
    const { index, log, compactedRevision } = this.#state;
    log.filter({ main: 0, sub: 0 }, compactedRevision, Number.POSITIVE_INFINITY, (entry) => {
      const { slot, bytes } = entry;
      if (index.has(slot, entry) && !index.compact(slot, compactedRevision)) {
        if (index.has(slot, entry)) return true;
      }
      this.#state.recordBytes -= bytes;
      return false;
    });
  }

  #checkNext({ main, sub }: VersionRef): void {
    const { revision, compactRevision } = this.#state;
    if (main <= compactRevision) return;
    const isNextChange = main === this.#last.main && sub === this.#last.sub + 1;
    const isNextRevision = main === Math.max(revision, compactRevision) + 1 && sub === 0;
    assert(
      isNextChange || isNextRevision,
      () => `record ${main}/${sub} follows ${this.#last.main}/${this.#last.sub}: some are missing`,
    );
    this.#last = { main, sub };
  }

  /** All records are in. */
  end(): void {
    const { index, revision, compactRevision } = this.#state;
    if (this.#isFromPages) this.#dropCompacted();
    index.endLoad();
    assert(
      compactRevision <= revision,
      () => `compacted through ${compactRevision}, but the last record is of ${revision}`,
    );
  }
}
