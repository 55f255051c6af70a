/**
 * Names of many records, written one after another into arrays: a database takes views of those for half of what it costs
 * to hand over small arrays of their own.
 */
import { recordNameBytes, writeRecordName } from './revision.ts';
import { SlabSource } from './slab-source.ts';

/** Bytes of a small array: room for a dozen names. */
const SMALL_SLAB_BYTES = 256;
/** Bytes of the largest arrays: room for some hundred names. */
const SLAB_BYTES_MAX = 8 << 10;

/** See the file's head. */
export class RecordNames {
  readonly #source: SlabSource = new SlabSource(SMALL_SLAB_BYTES, SLAB_BYTES_MAX);

  /** The names that come now are of another batch. */
  beginBatch(): void {
    this.#source.beginBatch();
  }

  /** The name of a revision's record, as `recordName` makes it; the view stays as it is for ever. */
  make(main: number, sub: number, tombstone: boolean): Uint8Array {
    const bytes = recordNameBytes(tombstone);
    const { slab, start } = this.#source.take(bytes);
    const name = slab.subarray(start, start + bytes);
    writeRecordName(name, main, sub, tombstone);
    return name;
  }
}
