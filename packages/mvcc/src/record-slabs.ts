/**
 * Memory for records that live and go together: written one after another into large arrays, so that a write makes no
 * garbage.
 *
 * Nobody outside gets a view that outlives the slabs: readers are given copies.
 */

/** Bytes of the first slab: 1 KiB. Each one after it is twice as large as the one before, up to the largest. */
const FIRST_SLAB_BYTES = 1 << 10;
/** Bytes of the largest slabs: 256 KiB. A larger record has one of its own. */
const SLAB_BYTES_MAX = 256 << 10;

/** See the file's head. */
export class RecordSlabs {
  readonly #slabs: Uint8Array[] = [];
  /** Slab and place of each record, and its length. */
  readonly #slabOf: number[] = [];
  readonly #starts: number[] = [];
  readonly #lengths: number[] = [];
  /** Bytes of the newest slab that are taken; and how many it has. */
  #end = 0;
  #size = 0;

  /** Number of records. */
  get length(): number {
    return this.#starts.length;
  }

  /** Makes room for a record, to be written at [`start`, `start + bytes`) of the slab returned. */
  reserve(bytes: number): { readonly slab: Uint8Array; readonly start: number } {
    if (this.#end + bytes > this.#size) this.#addSlab(bytes);
    const slab = this.#slabs[this.#slabs.length - 1] as Uint8Array;
    const start = this.#end;
    this.#end += bytes;
    this.#slabOf.push(this.#slabs.length - 1);
    this.#starts.push(start);
    this.#lengths.push(bytes);
    return { slab, start };
  }

  #addSlab(bytes: number): void {
    const next = Math.min(SLAB_BYTES_MAX, Math.max(FIRST_SLAB_BYTES, 2 * this.#size));
    this.#size = Math.max(next, bytes);
    this.#slabs.push(new Uint8Array(this.#size));
    this.#end = 0;
  }

  /** The i-th record, as a view. */
  view(i: number): Uint8Array {
    const start = this.#starts[i] as number;
    const slab = this.#slabs[this.#slabOf[i] as number] as Uint8Array;
    return slab.subarray(start, start + (this.#lengths[i] as number));
  }
}
