/** Memory for the records of one batch: written one after another into arrays, so that a write makes no garbage. */
import { type Room, SlabSource } from './slab-source.ts';

/** Bytes of a slab that batches share, for most are a record or two: 1 KiB. */
const SMALL_SLAB_BYTES = 1 << 10;
/** Bytes of the largest slabs: 256 KiB. */
const SLAB_BYTES_MAX = 256 << 10;

/** Where the records of one store's batches lie. */
export function recordSource(): SlabSource {
  return new SlabSource(SMALL_SLAB_BYTES, SLAB_BYTES_MAX);
}

/** See the file's head. */
export class RecordSlabs {
  readonly #source: SlabSource;
  readonly #slabs: Uint8Array[] = [];
  /** Slab and place of each record, and its length. */
  readonly #slabOf: number[] = [];
  readonly #starts: number[] = [];
  readonly #lengths: number[] = [];

  /** The records of another batch than those that the source gave room to before. */
  constructor(source: SlabSource) {
    this.#source = source;
    source.beginBatch();
  }

  /** Number of records. */
  get length(): number {
    return this.#starts.length;
  }

  /** Makes room for a record, to be written there at once. */
  reserve(bytes: number): Room {
    const room = this.#source.take(bytes);
    if (this.#slabs.at(-1) !== room.slab) this.#slabs.push(room.slab);
    this.#slabOf.push(this.#slabs.length - 1);
    this.#starts.push(room.start);
    this.#lengths.push(bytes);
    return room;
  }

  /** The i-th record, as a view: a backend may keep it, readers are given copies. */
  view(i: number): Uint8Array {
    const start = this.#starts[i] as number;
    const slab = this.#slabs[this.#slabOf[i] as number] as Uint8Array;
    return slab.subarray(start, start + (this.#lengths[i] as number));
  }
}
