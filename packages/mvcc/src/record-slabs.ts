/**
 * Memory for records that live and go together: written one after another into large arrays, so that a write makes no
 * garbage.
 *
 * Nobody outside gets a view that outlives the slabs: readers are given copies.
 */

/** Bytes of one slab: 256 KiB. A larger record has one of its own. */
const SLAB_BYTES = 256 << 10;

/** See the file's head. */
export class RecordSlabs {
  readonly #slabs: Uint8Array[] = [];
  /** Slab and place of each record, and its length. */
  readonly #slabOf: number[] = [];
  readonly #starts: number[] = [];
  readonly #lengths: number[] = [];
  #end: number = SLAB_BYTES;

  /** Number of records. */
  get length(): number {
    return this.#starts.length;
  }

  /** Makes room for a record, to be written at [`start`, `start + bytes`) of the slab returned. */
  reserve(bytes: number): { readonly slab: Uint8Array; readonly start: number } {
    if (this.#end + bytes > SLAB_BYTES) {
      this.#slabs.push(new Uint8Array(Math.max(SLAB_BYTES, bytes)));
      this.#end = 0;
    }
    const slab = this.#slabs[this.#slabs.length - 1] as Uint8Array;
    const start = this.#end;
    this.#end += bytes;
    this.#slabOf.push(this.#slabs.length - 1);
    this.#starts.push(start);
    this.#lengths.push(bytes);
    return { slab, start };
  }

  /** The i-th record, as a view. */
  view(i: number): Uint8Array {
    const start = this.#starts[i] as number;
    const slab = this.#slabs[this.#slabOf[i] as number] as Uint8Array;
    return slab.subarray(start, start + (this.#lengths[i] as number));
  }
}
