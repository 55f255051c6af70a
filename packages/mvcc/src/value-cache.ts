/**
 * Decoded newest versions of the keys that are read, by slot, within a bound of bytes.
 *
 * Overflow: the value that was not read for longest goes (second chance: a queue in which whatever was
 * read since it was queued goes round once more). What is evicted is read from the backend again.
 *
 * Invariant: `bytes` ≤ `bytesMax` after every call.
 */
import type { KeyValue } from './key-value.ts';

/** What an entry costs beside its key and value: the object, its views and their buffer. Measured, rounded up. */
export const CACHE_ENTRY_OVERHEAD_BYTES = 480;

/** See the file's head. */
export class ValueCache {
  readonly bytesMax: number;
  readonly #values: (KeyValue | undefined)[] = [];
  /** 1: in the queue. 2: read since it was queued. */
  #marks: Uint8Array<ArrayBuffer> = new Uint8Array(1024);
  /** Slots, oldest first, from `#head` on. */
  #queue: number[] = [];
  #head = 0;
  #bytes = 0;

  constructor(bytesMax: number) {
    this.bytesMax = bytesMax;
  }

  /** Bytes held now, overhead included. */
  get bytes(): number {
    return this.#bytes;
  }

  /** The newest version of the slot's key, when it is here. */
  get(slot: number): KeyValue | undefined {
    const kv = this.#values[slot];
    if (kv !== undefined) this.#marks[slot] = 3;
    return kv;
  }

  /** Takes in the newest version of the slot's key. */
  set(slot: number, kv: KeyValue): void {
    this.delete(slot);
    const bytes = costOf(kv);
    if (bytes > this.bytesMax) return;
    while (slot >= this.#values.length) this.#values.push(undefined);
    if (slot >= this.#marks.length) this.#growMarks(slot);
    this.#values[slot] = kv;
    this.#bytes += bytes;
    if (this.#marks[slot] === 0) {
      this.#marks[slot] = 1;
      this.#queue.push(slot);
    }
    while (this.#bytes > this.bytesMax) this.#evictOne();
  }

  /** Forgets the slot's value: there is a newer version. */
  delete(slot: number): void {
    const kv = this.#values[slot];
    if (kv === undefined) return;
    this.#bytes -= costOf(kv);
    this.#values[slot] = undefined;
  }

  #evictOne(): void {
    const slot = this.#queue[this.#head++] as number;
    if (this.#head > 4096 && this.#head * 2 > this.#queue.length) {
      this.#queue = this.#queue.slice(this.#head);
      this.#head = 0;
    }
    if (this.#values[slot] !== undefined && this.#marks[slot] === 3) {
      this.#marks[slot] = 1;
      this.#queue.push(slot);
      return;
    }
    this.#marks[slot] = 0;
    this.delete(slot);
  }

  #growMarks(slot: number): void {
    const larger = new Uint8Array(Math.max(this.#marks.length * 2, slot + 1));
    larger.set(this.#marks);
    this.#marks = larger;
  }
}

function costOf(kv: KeyValue): number {
  return kv.key.length + kv.value.length + CACHE_ENTRY_OVERHEAD_BYTES;
}
