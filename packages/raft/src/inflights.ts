import type { LogIndex } from './entry.ts';

/**
 * The appends on their way to one follower: a window bounded by messages and by bytes (thesis §10.2.1).
 *
 * Each append is remembered by the index of its last entry; an acknowledgement of an index frees every
 * append up to it. The last message may go over the byte limit: one append always fits an empty window.
 *
 * Invariant: indexes ascend strictly; count ≤ maxMessages.
 */
export class Inflights {
  readonly #maxMessages: number;
  /** 0 for no limit. */
  readonly #maxBytes: number;
  /** A ring that grows as needed up to the limit; `#start` is the oldest. */
  #indexes: LogIndex[] = [];
  #sizes: number[] = [];
  #start = 0;
  #count = 0;
  #bytes = 0;

  constructor(maxMessages: number, maxBytes: number) {
    this.#maxMessages = maxMessages;
    this.#maxBytes = maxBytes;
  }

  get count(): number {
    return this.#count;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** True when no append with entries may be added. */
  get isFull(): boolean {
    return (
      this.#count >= this.#maxMessages || (this.#maxBytes !== 0 && this.#bytes >= this.#maxBytes)
    );
  }

  /** Records an append whose last entry is `index`. Only while not full. */
  add(index: LogIndex, bytes: number): void {
    if (this.#count === this.#indexes.length) this.#grow();
    const at = (this.#start + this.#count) % this.#indexes.length;
    this.#indexes[at] = index;
    this.#sizes[at] = bytes;
    this.#count++;
    this.#bytes += bytes;
  }

  /** Frees every append through `index`. */
  freeThrough(index: LogIndex): void {
    while (this.#count > 0 && (this.#indexes[this.#start] ?? 0) <= index) {
      this.#bytes -= this.#sizes[this.#start] ?? 0;
      this.#start = (this.#start + 1) % this.#indexes.length;
      this.#count--;
    }
  }

  /** Forgets every append: the peer is probed again, or gets a snapshot. */
  reset(): void {
    this.#start = 0;
    this.#count = 0;
    this.#bytes = 0;
  }

  /** The state as text, for `keyOf`. */
  get key(): string {
    const indexes: LogIndex[] = [];
    for (let i = 0; i < this.#count; i++) {
      indexes.push(this.#indexes[(this.#start + i) % this.#indexes.length] ?? 0);
    }
    return indexes.join();
  }

  clone(): Inflights {
    const copy = new Inflights(this.#maxMessages, this.#maxBytes);
    copy.#indexes = [...this.#indexes];
    copy.#sizes = [...this.#sizes];
    copy.#start = this.#start;
    copy.#count = this.#count;
    copy.#bytes = this.#bytes;
    return copy;
  }

  #grow(): void {
    const indexes: LogIndex[] = [];
    const sizes: number[] = [];
    for (let i = 0; i < this.#count; i++) {
      const at = (this.#start + i) % this.#indexes.length;
      indexes.push(this.#indexes[at] ?? 0);
      sizes.push(this.#sizes[at] ?? 0);
    }
    const capacity = Math.max(1, Math.min(this.#maxMessages, this.#count * 2));
    while (indexes.length < capacity) {
      indexes.push(0);
      sizes.push(0);
    }
    this.#indexes = indexes;
    this.#sizes = sizes;
    this.#start = 0;
  }
}
