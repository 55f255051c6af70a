/**
 * Values packed one after another into large arrays: a small array of its own costs ten times the bytes of most values,
 * and every collection carries it on.
 *
 * What always holds: no place is given out twice, so a value stays as it is for as long as somebody holds it.
 */

/** Bytes of the first array; each one after it is twice as large, up to the largest. */
const FIRST_SLAB_BYTES = 1 << 10;
const SLAB_BYTES_MAX = 64 << 10;

/** A value: [`start`, `end`) of `slab`. */
export interface PackedValue {
  readonly slab: Uint8Array;
  readonly start: number;
  readonly end: number;
}

/** See the head of this file. */
export class PackedValues {
  #slab: Uint8Array = new Uint8Array(0);
  #end = 0;

  /** Copies a value in. Gives where it starts in `slab`. */
  add(value: Uint8Array): number {
    if (this.#end + value.length > this.#slab.length) {
      const next = Math.min(SLAB_BYTES_MAX, Math.max(FIRST_SLAB_BYTES, 2 * this.#slab.length));
      this.#slab = new Uint8Array(Math.max(next, value.length));
      this.#end = 0;
    }
    const start = this.#end;
    this.#slab.set(value, start);
    this.#end += value.length;
    return start;
  }

  /** Where the value lies that was added last. */
  get slab(): Uint8Array {
    return this.#slab;
  }
}

/** A copy of a value. */
export function valueOf({ slab, start, end }: PackedValue): Uint8Array {
  return slab.slice(start, end);
}
