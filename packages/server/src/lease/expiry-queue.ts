/**
 * Deadlines of things that are known by a 64-bit id, earliest first: a binary heap that knows where every id sits, so
 * that a deadline is moved or dropped in O(log n) without leaving a stale entry behind.
 *
 * Invariant: `slots[positions.get(id)].id === id` for every id, and no slot is before its parent.
 */
import { assert, must } from '@etcd-ts/base';

/** One id and its time. */
export interface Deadline {
  readonly id: bigint;
  /** Milliseconds on the monotonic clock of whoever owns the queue. */
  readonly atMs: number;
}

/** Earlier first; equal times by id, so that the order never depends on the history of the heap. */
function isBefore(a: Deadline, b: Deadline): boolean {
  return a.atMs < b.atMs || (a.atMs === b.atMs && a.id < b.id);
}

/** An ordered queue of deadlines with one entry per id. */
export class ExpiryQueue {
  readonly #slots: Deadline[] = [];
  readonly #positions = new Map<bigint, number>();

  /** How many ids have a deadline. */
  get size(): number {
    return this.#slots.length;
  }

  /** The earliest deadline, or undefined when there is none. O(1). */
  peek(): Deadline | undefined {
    return this.#slots[0];
  }

  /** The deadline of an id in milliseconds, or undefined. O(1). */
  get(id: bigint): number | undefined {
    const position = this.#positions.get(id);
    return position === undefined ? undefined : this.#at(position).atMs;
  }

  /** Gives an id a deadline, or moves the one it has. O(log n). */
  set(id: bigint, atMs: number): void {
    assert(Number.isFinite(atMs), () => `deadline of ${id} is not a time: ${atMs}`);
    const deadline: Deadline = { id, atMs };
    const position = this.#positions.get(id);
    if (position === undefined) {
      this.#slots.push(deadline);
      this.#rise(this.#slots.length - 1, deadline);
    } else {
      this.#settle(position, deadline);
    }
  }

  /** Drops an id's deadline. Returns whether it had one. O(log n). */
  delete(id: bigint): boolean {
    const position = this.#positions.get(id);
    if (position === undefined) return false;
    this.#positions.delete(id);
    const last = must(this.#slots.pop(), 'last deadline');
    if (position < this.#slots.length) this.#settle(position, last);
    return true;
  }

  /** Drops everything. */
  clear(): void {
    this.#slots.length = 0;
    this.#positions.clear();
  }

  /** Every id, earliest deadline first. O(n log n); for reports. */
  ordered(): readonly Deadline[] {
    return [...this.#slots].sort((a, b) => (isBefore(a, b) ? -1 : 1));
  }

  #at(position: number): Deadline {
    return must(this.#slots[position], 'deadline');
  }

  #place(position: number, deadline: Deadline): void {
    this.#slots[position] = deadline;
    this.#positions.set(deadline.id, position);
  }

  #settle(position: number, deadline: Deadline): void {
    const parent = (position - 1) >> 1;
    if (position > 0 && isBefore(deadline, this.#at(parent))) this.#rise(position, deadline);
    else this.#sink(position, deadline);
  }

  #rise(from: number, deadline: Deadline): void {
    let position = from;
    while (position > 0) {
      const parent = (position - 1) >> 1;
      const above = this.#at(parent);
      if (!isBefore(deadline, above)) break;
      this.#place(position, above);
      position = parent;
    }
    this.#place(position, deadline);
  }

  #sink(from: number, deadline: Deadline): void {
    const size = this.#slots.length;
    let position = from;
    for (;;) {
      let child = 2 * position + 1;
      if (child >= size) break;
      if (child + 1 < size && isBefore(this.#at(child + 1), this.#at(child))) child++;
      const below = this.#at(child);
      if (!isBefore(below, deadline)) break;
      this.#place(position, below);
      position = child;
    }
    this.#place(position, deadline);
  }
}
