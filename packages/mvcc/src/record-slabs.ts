/**
 * Memory for records that live and go together: written one after another into large arrays, so that a write makes no
 * garbage.
 *
 * Nobody outside gets a view that outlives the slabs: readers are given copies.
 */
import { EMPTY_BYTES } from '@etcd-ts/base';

/** Bytes of the first slab: 1 KiB. Each one after it is twice as large as the one before, up to the largest. */
const FIRST_SLAB_BYTES = 1 << 10;
/** Bytes of the largest slabs: 256 KiB. A larger record has one of its own. */
const SLAB_BYTES_MAX = 256 << 10;

/** Room for one record: [`start`, `start` + bytes) of `slab`. */
export interface RecordRoom {
  readonly slab: Uint8Array;
  readonly start: number;
}

/**
 * The slab in which there is room. Records that come later go on in it where earlier ones end, also when these are others'
 * and gone: a batch is often a record or two, and an array for each of them costs more than its record. No place is ever
 * given out twice, so a view stays as it is for ever.
 */
export class SlabSource {
  #slab: Uint8Array = EMPTY_BYTES;
  /** Bytes of it that are taken. */
  #end = 0;

  take(bytes: number): RecordRoom {
    if (this.#end + bytes > this.#slab.length) {
      const next = Math.max(FIRST_SLAB_BYTES, 2 * this.#slab.length);
      this.#slab = new Uint8Array(Math.max(bytes, Math.min(next, SLAB_BYTES_MAX)));
      this.#end = 0;
    }
    const start = this.#end;
    this.#end += bytes;
    return { slab: this.#slab, start };
  }
}

/** See the file's head. */
export class RecordSlabs {
  readonly #source: SlabSource;
  readonly #slabs: Uint8Array[] = [];
  /** Slab and place of each record, and its length. */
  readonly #slabOf: number[] = [];
  readonly #starts: number[] = [];
  readonly #lengths: number[] = [];

  constructor(source: SlabSource) {
    this.#source = source;
  }

  /** Number of records. */
  get length(): number {
    return this.#starts.length;
  }

  /** Makes room for a record, to be written there at once. */
  reserve(bytes: number): RecordRoom {
    const room = this.#source.take(bytes);
    if (this.#slabs.at(-1) !== room.slab) this.#slabs.push(room.slab);
    this.#slabOf.push(this.#slabs.length - 1);
    this.#starts.push(room.start);
    this.#lengths.push(bytes);
    return room;
  }

  /** The i-th record, as a view. */
  view(i: number): Uint8Array {
    const start = this.#starts[i] as number;
    const slab = this.#slabs[this.#slabOf[i] as number] as Uint8Array;
    return slab.subarray(start, start + (this.#lengths[i] as number));
  }
}
