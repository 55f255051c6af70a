/**
 * Builds a store's memory from the records in its backend: blobs first, then revisions in order.
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
    index.endLoad();
    assert(
      compactRevision <= revision,
      () => `compacted through ${compactRevision}, but the last record is of ${revision}`,
    );
  }
}
