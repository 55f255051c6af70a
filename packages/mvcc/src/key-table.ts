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
  #hashes: Int32Array<ArrayBuffer> = new Int32Array(FIRST_CAPACITY / 2);
  #places: Int32Array<ArrayBuffer> = new Int32Array(FIRST_CAPACITY).fill(FREE);
  #size = 0;

  constructor(keys: readonly (string | undefined)[], seed: number) {
    this.#keys = keys;
    this.#seed = seed | 0;
  }

  /** The slot of a key, or -1. */
  find(key: Uint8Array): number {
    const hash = this.#hash(key);
    const mask = this.#places.length - 1;
    for (let at = hash & mask; ; at = (at + 1) & mask) {
      const slot = this.#places[at] as number;
      if (slot === FREE) return -1;
      if (this.#hashes[slot] === hash && sameKey(this.#keys[slot], key)) return slot;
    }
  }

  /** Adds a slot whose key is not in the table; `keys[slot]` must hold it already. */
  add(slot: number, key: Uint8Array): void {
    if (slot >= this.#hashes.length) this.#hashes = grown(this.#hashes, slot + 1);
    const hash = this.#hash(key);
    this.#hashes[slot] = hash;
    this.#size++;
    if (this.#size * 2 > this.#places.length) this.#rehash();
    this.#place(slot, hash);
  }

  /** Removes a slot that is in the table. */
  remove(slot: number): void {
    const mask = this.#places.length - 1;
    let at = (this.#hashes[slot] as number) & mask;
    while (this.#places[at] !== slot) {
      assert(this.#places[at] !== FREE, () => `slot ${slot} is not in the key table`);
      at = (at + 1) & mask;
    }
    this.#size--;
    // Whatever probed past the hole moves back into it, so that no probe ends too early.
    let hole = at;
    for (let next = (at + 1) & mask; ; next = (next + 1) & mask) {
      const moved = this.#places[next] as number;
      if (moved === FREE) break;
      const home = (this.#hashes[moved] as number) & mask;
      if (((next - home) & mask) >= ((next - hole) & mask)) {
        this.#places[hole] = moved;
        hole = next;
      }
    }
    this.#places[hole] = FREE;
  }

  #place(slot: number, hash: number): void {
    const mask = this.#places.length - 1;
    let at = hash & mask;
    while (this.#places[at] !== FREE) at = (at + 1) & mask;
    this.#places[at] = slot;
  }

  #rehash(): void {
    const before = this.#places;
    this.#places = new Int32Array(before.length * 2).fill(FREE);
    for (const slot of before) if (slot !== FREE) this.#place(slot, this.#hashes[slot] as number);
  }

  #hash(key: Uint8Array): number {
    let hash = this.#seed ^ key.length;
    for (let i = 0; i < key.length; i++) {
      hash = Math.imul(hash ^ (key[i] as number), 0x0100_0193);
      hash ^= hash >>> 15;
    }
    hash = Math.imul(hash ^ (hash >>> 16), 0x85eb_ca6b);
    hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2_ae35);
    return hash ^ (hash >>> 16);
  }
}

function sameKey(text: string | undefined, key: Uint8Array): boolean {
  if (text === undefined || text.length !== key.length) return false;
  for (let i = 0; i < key.length; i++) if (text.charCodeAt(i) !== key[i]) return false;
  return true;
}

function grown(array: Int32Array, lengthMin: number): Int32Array<ArrayBuffer> {
  const larger = new Int32Array(Math.max(array.length * 2, lengthMin));
  larger.set(array);
  return larger;
}
