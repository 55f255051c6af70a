/**
 * Tells most keys that are not in a set from those that are, for the price of one look at a small table.
 *
 * A counting filter over the end of the key: what shares a place with a key of the set passes too, and is then looked
 * for in earnest. Never says no to a key of the set.
 */

const PLACES = 1 << 16;
/** A place that was this full stays taken for ever: it then says yes needlessly, which is harmless. */
const COUNT_MAX = 0xffff;
/** Characters looked at, from the end, where keys of one kind differ. */
const TAIL_LENGTH = 8;

/** See the file's head. 136 KiB, of which a question touches 8. */
export class KeyFilter {
  /** One bit a place: its count is not 0. Small, so that it stays in the processor's nearest cache. */
  readonly #taken: Uint32Array<ArrayBuffer> = new Uint32Array(PLACES / 32);
  readonly #counts: Uint16Array<ArrayBuffer> = new Uint16Array(PLACES);

  add(key: string): void {
    const place = placeOf(key);
    const count = this.#counts[place] as number;
    if (count < COUNT_MAX) this.#counts[place] = count + 1;
    this.#taken[place >>> 5] = (this.#taken[place >>> 5] as number) | (1 << (place & 31));
  }

  /** The key must have been added. */
  delete(key: string): void {
    const place = placeOf(key);
    const count = this.#counts[place] as number;
    if (count < COUNT_MAX) this.#counts[place] = count - 1;
    if (count === 1) {
      this.#taken[place >>> 5] = (this.#taken[place >>> 5] as number) & ~(1 << (place & 31));
    }
  }

  /** False: the key is not in the set. */
  mayHave(key: string): boolean {
    const place = placeOf(key);
    return (((this.#taken[place >>> 5] as number) >>> (place & 31)) & 1) === 1;
  }
}

function placeOf(key: string): number {
  let hash = key.length;
  for (let i = Math.max(0, key.length - TAIL_LENGTH); i < key.length; i++) {
    hash = Math.imul(hash ^ key.charCodeAt(i), 0x0100_0193);
  }
  return (hash ^ (hash >>> 16)) & (PLACES - 1);
}
