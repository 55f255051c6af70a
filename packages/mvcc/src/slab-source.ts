/**
 * Room in arrays for small things that come one after another: an array for each of them would cost more than it holds.
 *
 * What always holds: no place is given out twice, so whoever keeps a view of one has it as it is for ever; and a view that
 * is kept keeps no more of other batches' bytes than one small array.
 */
import { EMPTY_BYTES } from '@etcd-ts/base';

/** [`start`, `start` + what was asked for) of `slab`. */
export interface Room {
  readonly slab: Uint8Array;
  readonly start: number;
}

/** See the file's head. */
export class SlabSource {
  readonly #smallBytes: number;
  readonly #maxBytes: number;
  #slab: Uint8Array = EMPTY_BYTES;
  /** Bytes of it that are taken. */
  #end = 0;
  #nextBytes: number;

  /**
   * @param smallBytes Of an array in which several batches may lie.
   * @param maxBytes Of the largest array: within a batch each is twice as large as the one before, up to that.
   */
  constructor(smallBytes: number, maxBytes: number) {
    this.#smallBytes = smallBytes;
    this.#maxBytes = maxBytes;
    this.#nextBytes = smallBytes;
  }

  /** What comes now is of another batch: it goes on where the last one ended, unless that is in a large array. */
  beginBatch(): void {
    this.#nextBytes = this.#smallBytes;
    if (this.#slab.length <= this.#smallBytes) return;
    this.#slab = EMPTY_BYTES;
    this.#end = 0;
  }

  /** Room for so many bytes; more than an array has room for get one of their own. */
  take(bytes: number): Room {
    if (this.#end + bytes > this.#slab.length) {
      this.#slab = new Uint8Array(Math.max(bytes, this.#nextBytes));
      this.#nextBytes = Math.min(this.#maxBytes, 2 * this.#nextBytes);
      this.#end = 0;
    }
    const start = this.#end;
    this.#end += bytes;
    return { slab: this.#slab, start };
  }
}
