/**
 * A hash of what the store holds now, kept up to date by every write in constant time, so that members can compare
 * theirs at every index.
 *
 * Each live key adds the checksum of its record (key, value, revisions, version, lease), scrambled in two ways; a
 * change takes the old one away and adds the new. Sums do not depend on order, so a store that was loaded, restored or
 * compacted has the hash of one that was not.
 *
 * Not cryptographic. The two halves come from one CRC-32C a key: a single difference goes unseen with 1 : 2^32.
 */
import { crc32c } from '@etcd-ts/base';

/** Where the numbers of a digest are laid out; one digest at a time. */
const NUMBERS = new Float64Array(2);
const NUMBER_BYTES = new Uint8Array(NUMBERS.buffer);

/** Bits of the digest's upper half that a safe integer has no room for. */
const FINGERPRINT_SHIFT = 11;

/** See the file's head. */
export class StateHash {
  #checksums: Uint32Array<ArrayBuffer> = new Uint32Array(1024);
  #first = 0;
  #second = 0;

  /** The slot's key now has the record that lies in bytes [start, end). */
  set(slot: number, bytes: Uint8Array, start = 0, end: number = bytes.length): void {
    this.setChecksum(slot, recordChecksum(bytes, start, end));
  }

  /** The slot's key now has a record of this checksum. */
  setChecksum(slot: number, checksum: number): void {
    if (slot >= this.#checksums.length) this.#grow(slot);
    this.#remove(slot);
    this.#checksums[slot] = checksum;
    this.#first = (this.#first + checksum) >>> 0;
    this.#second = (this.#second + scramble(checksum)) >>> 0;
  }

  /** The checksum of the slot's record; 0 when there is none. */
  checksumOf(slot: number): number {
    return this.#checksums[slot] ?? 0;
  }

  /** The slot's key is gone. */
  delete(slot: number): void {
    this.#remove(slot);
    if (slot < this.#checksums.length) this.#checksums[slot] = 0;
  }

  /** 64 bits: of the keys, and of the numbers that belong to the same state. */
  digest(revision: number, compactRevision: number): bigint {
    const mixed = mix(revision, compactRevision);
    const high = (this.#first ^ mixed) >>> 0;
    const low = (this.#second ^ scramble(mixed)) >>> 0;
    return (BigInt(high) << 32n) | BigInt(low);
  }

  /** The same in the 53 bits of a safe integer. */
  fingerprint(revision: number, compactRevision: number): number {
    const mixed = mix(revision, compactRevision);
    const high = (this.#first ^ mixed) >>> FINGERPRINT_SHIFT;
    return high * 4_294_967_296 + ((this.#second ^ scramble(mixed)) >>> 0);
  }

  #remove(slot: number): void {
    const before = this.#checksums[slot] ?? 0;
    if (before === 0) return;
    this.#first = (this.#first - before) >>> 0;
    this.#second = (this.#second - scramble(before)) >>> 0;
  }

  #grow(slot: number): void {
    const larger = new Uint32Array(Math.max(this.#checksums.length * 2, slot + 1));
    larger.set(this.#checksums);
    this.#checksums = larger;
  }
}

/** What a record in bytes [start, end) adds to the hash: never 0, which stands for no record. */
export function recordChecksum(bytes: Uint8Array, start = 0, end: number = bytes.length): number {
  return crc32c(bytes, 0, start, end) || 1;
}

/** The checksum of two numbers. */
function mix(revision: number, compactRevision: number): number {
  NUMBERS[0] = revision;
  NUMBERS[1] = compactRevision;
  return crc32c(NUMBER_BYTES);
}

/** Spreads the bits of a number over 32. */
function scramble(value: number): number {
  let mixed = Math.imul(value ^ (value >>> 16), 0x45d9_f3b);
  mixed = Math.imul(mixed ^ (mixed >>> 16), 0x45d9_f3b);
  return (mixed ^ (mixed >>> 16)) >>> 0;
}
