/**
 * Names of many records, written one after another into large arrays: a database takes views of those for half of what
 * it costs to hand over small arrays of their own.
 */
import { recordNameBytes, writeRecordName } from './revision.ts';

/** Bytes of the first array: room for a dozen names. Each one after it is twice as large, up to the largest. */
const FIRST_SLAB_BYTES = 256;
/** Bytes of the largest arrays: room for some hundred names. */
const SLAB_BYTES_MAX: number = 8 << 10;

/** See the file's head. */
export class RecordNames {
  #slab: Uint8Array = new Uint8Array(0);
  #end = 0;

  /** The name of a revision's record, as `recordName` makes it; the view stays as it is for ever. */
  make(main: number, sub: number, tombstone: boolean): Uint8Array {
    const bytes = recordNameBytes(tombstone);
    if (this.#end + bytes > this.#slab.length) {
      const next = Math.max(FIRST_SLAB_BYTES, 2 * this.#slab.length);
      this.#slab = new Uint8Array(Math.min(next, SLAB_BYTES_MAX));
      this.#end = 0;
    }
    const start = this.#end;
    this.#end += bytes;
    const name = this.#slab.subarray(start, this.#end);
    writeRecordName(name, main, sub, tombstone);
    return name;
  }
}
