/**
 * Records of newest versions, by slot, within a bound of bytes, and without an object for each.
 *
 * A ring of large arrays. Records are copied in at the head and copied out when read; when the ring comes round, its
 * oldest array is written over, and what lay there is gone: it is read from the backend again. A record that is read
 * when it is in the older half moves to the head, so that what is read stays.
 *
 * A record is asked for by slot and revision: what the cache holds of an older version never passes for the newest.
 *
 * Invariant: never more than `bytesMax` (at least two segments) of arrays; they are made as they are needed, and the
 * first one grows to its size, so that a small database does not pay for a large one's cache.
 */
import { assert } from '@etcd-ts/base';

/** Bytes of one array of the ring: 1 MiB. A larger record is not cached. */
export const CACHE_SEGMENT_BYTES: number = 1 << 20;

/** Bytes with which the first array begins: 8 KiB. It doubles until it is as large as the others. */
const FIRST_SEGMENT_BYTES = 8 << 10;

/** In front of each record: main revision (8), sub revision (4), length (4). */
const HEAD_BYTES = 16;
const TWO_32 = 0x1_0000_0000;

/** See the file's head. */
export class RecordCache {
  readonly #ring: Uint8Array[] = [];
  readonly #segmentsMax: number;
  /** Where the next record goes: bytes since the beginning of time. */
  #head = 0;
  /** By slot: where its record lies, plus 1, in bytes since the beginning of time; 0 for nowhere. */
  #places: Float64Array<ArrayBuffer> = new Float64Array(1024);

  /** @param bytesMax Rounded down to whole segments, at least two. */
  constructor(bytesMax: number) {
    this.#segmentsMax = Math.max(2, Math.floor(bytesMax / CACHE_SEGMENT_BYTES));
  }

  /** Bytes of the arrays that exist now. */
  get bytes(): number {
    return this.#ring.reduce((sum, segment) => sum + segment.length, 0);
  }

  /** A copy of the slot's record of this revision, or undefined when it is not here. */
  get(slot: number, main: number, sub: number): Uint8Array | undefined {
    const place = (this.#places[slot] ?? 0) - 1;
    const age = this.#ageOf(place);
    if (age >= this.#segmentsMax) return undefined;
    const segment = this.#ring[this.#ringIndexOf(place)] as Uint8Array;
    const at = place % CACHE_SEGMENT_BYTES;
    if (readUint32(segment, at + 4) !== main % TWO_32 || readUint32(segment, at + 8) !== sub) {
      return undefined;
    }
    if (readUint32(segment, at) !== Math.floor(main / TWO_32)) return undefined;
    const start = at + HEAD_BYTES;
    const record = segment.slice(start, start + readUint32(segment, at + 12));
    if (age * 2 >= this.#segmentsMax) this.set(slot, main, sub, record);
    return record;
  }

  /** Takes in a copy of the slot's newest record. */
  set(slot: number, main: number, sub: number, record: Uint8Array): void {
    const bytes = HEAD_BYTES + record.length;
    if (bytes > CACHE_SEGMENT_BYTES) return;
    if (slot >= this.#places.length) this.#grow(slot);
    const left = CACHE_SEGMENT_BYTES - (this.#head % CACHE_SEGMENT_BYTES);
    if (bytes > left) this.#head += left;
    const at = this.#head % CACHE_SEGMENT_BYTES;
    const segment = this.#segmentFor(this.#head, at + bytes);
    writeUint32(segment, at, Math.floor(main / TWO_32));
    writeUint32(segment, at + 4, main % TWO_32);
    writeUint32(segment, at + 8, sub);
    writeUint32(segment, at + 12, record.length);
    segment.set(record, at + HEAD_BYTES);
    this.#places[slot] = this.#head + 1;
    this.#head += bytes;
  }

  /** Forgets the slot: it is to hold another key. */
  delete(slot: number): void {
    if (slot < this.#places.length) this.#places[slot] = 0;
  }

  /** How many segments ago the place was written; the ring's length or more: it is written over. */
  #ageOf(place: number): number {
    if (place < 0) return Infinity;
    const segment = Math.floor(place / CACHE_SEGMENT_BYTES);
    // The head's own segment counts as begun even before its first byte.
    return Math.floor(this.#head / CACHE_SEGMENT_BYTES) - segment;
  }

  #ringIndexOf(place: number): number {
    return Math.floor(place / CACHE_SEGMENT_BYTES) % this.#segmentsMax;
  }

  /** The array of a place that is to be written, with room up to `endBytes`. */
  #segmentFor(place: number, endBytes: number): Uint8Array {
    const i = this.#ringIndexOf(place);
    const segment = this.#ring[i];
    if (segment !== undefined && segment.length >= endBytes) return segment;
    assert(i <= this.#ring.length, () => `segment ${i} of ${this.#ring.length}`);
    let bytes = i === 0 ? (segment?.length ?? FIRST_SEGMENT_BYTES) : CACHE_SEGMENT_BYTES;
    while (bytes < endBytes) bytes *= 2;
    const made = new Uint8Array(bytes);
    if (segment !== undefined) made.set(segment);
    this.#ring[i] = made;
    return made;
  }

  #grow(slot: number): void {
    const larger = new Float64Array(Math.max(this.#places.length * 2, slot + 1));
    larger.set(this.#places);
    this.#places = larger;
  }
}

function writeUint32(into: Uint8Array, at: number, value: number): void {
  into[at] = value >>> 24;
  into[at + 1] = value >>> 16;
  into[at + 2] = value >>> 8;
  into[at + 3] = value;
}

function readUint32(from: Uint8Array, at: number): number {
  const high = from[at] as number;
  const low =
    ((from[at + 1] as number) << 16) | ((from[at + 2] as number) << 8) | (from[at + 3] as number);
  return high * 0x100_0000 + low;
}
