/**
 * Finds the slot of a key by its bytes, without making a string of them.
 *
 * Open addressing with linear probing over a power-of-two table of slots. The hash is seeded, so that keys which
 * collide on purpose cannot be prepared without the seed; it stays in memory and never reaches replicated state.
 *
 * Invariants: a slot is in the table at most once; the table is at most half full, so that a probe ends.
 */
import { assert } from '@etcd-ts/base';

const FREE = -1;
const FIRST_CAPACITY = 1024;

/** See the file's head. */
export class KeyTable {
  readonly #seed: number;
  /** The key of each slot, by slot; undefined where the slot is unused. Owned by the index. */
  readonly #keys: readonly (string | undefined)[];
  /** Two numbers a place: the slot, and its key's hash, so that most other keys are told apart without a look. */
  #places: Int32Array<ArrayBuffer> = freePlaces(FIRST_CAPACITY);
  #size = 0;

  constructor(keys: readonly (string | undefined)[], seed: number) {
    this.#keys = keys;
    this.#seed = seed | 0;
  }

  /** The slot of the key in bytes [start, end), or -1. */
  find(bytes: Uint8Array, start = 0, end: number = bytes.length): number {
    const hash = this.#hash(bytes, start, end);
    const places = this.#places;
    const mask = places.length - 2;
    for (let at = (hash << 1) & mask; ; at = (at + 2) & mask) {
      const slot = places[at] as number;
      if (slot === FREE) return -1;
      if (places[at + 1] !== hash) continue;
      if (sameKey(this.#keys[slot], bytes, start, end)) return slot;
    }
  }

  /** Adds a slot whose key, bytes [start, end), is not in the table; `keys[slot]` must hold it already. */
  add(slot: number, bytes: Uint8Array, start = 0, end: number = bytes.length): void {
    this.#size++;
    if (this.#size * 4 > this.#places.length) this.#rehash();
    place(this.#places, slot, this.#hash(bytes, start, end));
  }

  /** Removes a slot that is in the table, by its key. */
  remove(slot: number, key: Uint8Array): void {
    const places = this.#places;
    const mask = places.length - 2;
    let hole = (this.#hash(key, 0, key.length) << 1) & mask;
    while (places[hole] !== slot) {
      assert(places[hole] !== FREE, () => `slot ${slot} is not in the key table`);
      hole = (hole + 2) & mask;
    }
    this.#size--;
    // Whatever probed past the hole moves back into it, so that no probe ends too early.
    for (let next = (hole + 2) & mask; places[next] !== FREE; next = (next + 2) & mask) {
      const home = ((places[next + 1] as number) << 1) & mask;
      if (((next - home) & mask) < ((next - hole) & mask)) continue;
      places[hole] = places[next] as number;
      places[hole + 1] = places[next + 1] as number;
      hole = next;
    }
    places[hole] = FREE;
  }

  #rehash(): void {
    const before = this.#places;
    this.#places = freePlaces(before.length);
    for (let at = 0; at < before.length; at += 2) {
      const slot = before[at] as number;
      if (slot !== FREE) place(this.#places, slot, before[at + 1] as number);
    }
  }

  #hash(bytes: Uint8Array, start: number, end: number): number {
    let hash = this.#seed ^ (end - start);
    for (let i = start; i < end; i++) {
      hash = Math.imul(hash ^ (bytes[i] as number), 0x0100_0193);
      hash ^= hash >>> 15;
    }
    hash = Math.imul(hash ^ (hash >>> 16), 0x85eb_ca6b);
    hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2_ae35);
    return hash ^ (hash >>> 16);
  }
}

function sameKey(text: string | undefined, bytes: Uint8Array, start: number, end: number): boolean {
  if (text === undefined || text.length !== end - start) return false;
  for (let i = start; i < end; i++) if (text.charCodeAt(i - start) !== bytes[i]) return false;
  return true;
}

function freePlaces(count: number): Int32Array<ArrayBuffer> {
  return new Int32Array(count * 2).fill(FREE);
}

function place(places: Int32Array, slot: number, hash: number): void {
  const mask = places.length - 2;
  let at = (hash << 1) & mask;
  while (places[at] !== FREE) at = (at + 2) & mask;
  places[at] = slot;
  places[at + 1] = hash;
}
