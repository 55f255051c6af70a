/**
 * Slots whose key surely nobody watches by its name: most changes concern no watcher of a single key, and find that out
 * with one look at a byte.
 *
 * A slot becomes quiet when a change found no such watcher; it is woken when its key gets one, or when the slot is to
 * hold another key. Not quiet means only that one has to look.
 *
 * Invariant: the key of a quiet slot is watched by nobody in the group of its owner, the hub.
 */

/** See the file's head. One byte a slot. */
export class QuietKeys {
  #quiet: Uint8Array<ArrayBuffer> = new Uint8Array(1024);

  has(slot: number): boolean {
    return this.#quiet[slot] === 1;
  }

  add(slot: number): void {
    if (slot >= this.#quiet.length) this.#grow(slot);
    this.#quiet[slot] = 1;
  }

  wake(slot: number): void {
    if (slot < this.#quiet.length) this.#quiet[slot] = 0;
  }

  #grow(slot: number): void {
    const larger = new Uint8Array(Math.max(this.#quiet.length * 2, slot + 1));
    larger.set(this.#quiet);
    this.#quiet = larger;
  }
}
