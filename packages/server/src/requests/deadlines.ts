import { assert } from '@etcd-ts/base';
import { MAX_TIMER_MS } from '@etcd-ts/protocol';
import type { Clock, Timer } from '../clock.ts';

/** How late a deadline may be noticed, in milliseconds. */
export const DEADLINE_GRAIN_MS = 50;

/** Something that ends when its time is up. */
export interface Expiring {
  /** Called once, at or after the deadline, unless it was removed before. */
  expire(): void;
}

/**
 * Deadlines of many requests on one timer: whatever ends within the same {@link DEADLINE_GRAIN_MS} shares a slot.
 *
 * Adding and removing cost O(1); a timer is made for the first slot alone. It may fire in vain, when that slot has become
 * empty or is further away than timers go; an idle wheel has no timer.
 */
export class Deadlines {
  readonly #clock: Clock;
  /** By slot number (deadline / grain, rounded up). Invariant: no slot is empty. */
  readonly #slots = new Map<number, Set<Expiring>>();
  readonly #slotOf = new Map<Expiring, number>();
  #timer: Timer | undefined;
  #armedFor = Number.POSITIVE_INFINITY;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get size(): number {
    return this.#slotOf.size;
  }

  /** Lets `item` expire in `delayMs` from now, rounded up to the grain. */
  add(item: Expiring, delayMs: number): void {
    assert(!this.#slotOf.has(item), 'the item has a deadline already');
    const slot = Math.ceil((this.#clock.monotonicMs() + delayMs) / DEADLINE_GRAIN_MS);
    let items = this.#slots.get(slot);
    if (items === undefined) {
      items = new Set();
      this.#slots.set(slot, items);
    }
    items.add(item);
    this.#slotOf.set(item, slot);
    if (slot < this.#armedFor) this.#arm(slot);
  }

  /** Harmless when it has expired or was never added. */
  remove(item: Expiring): void {
    const slot = this.#slotOf.get(item);
    if (slot === undefined) return;
    this.#slotOf.delete(item);
    const items = this.#slots.get(slot);
    items?.delete(item);
    if (items?.size === 0) this.#slots.delete(slot);
  }

  /** Forgets everything; nothing expires any more. */
  clear(): void {
    this.#slots.clear();
    this.#slotOf.clear();
    this.#timer?.cancel();
    this.#armedFor = Number.POSITIVE_INFINITY;
  }

  #arm(slot: number): void {
    this.#timer?.cancel();
    this.#armedFor = slot;
    const delayMs = Math.max(0, slot * DEADLINE_GRAIN_MS - this.#clock.monotonicMs());
    this.#timer = this.#clock.after(Math.min(delayMs, MAX_TIMER_MS), () => this.#fire());
  }

  #fire(): void {
    const now = Math.floor(this.#clock.monotonicMs() / DEADLINE_GRAIN_MS);
    this.#armedFor = Number.POSITIVE_INFINITY;
    const due = [...this.#slots.keys()].filter((slot) => slot <= now).sort((a, b) => a - b);
    for (const slot of due) {
      const items = this.#slots.get(slot) ?? [];
      this.#slots.delete(slot);
      for (const item of items) {
        // One that expires may remove others of its slot.
        if (this.#slotOf.delete(item)) item.expire();
      }
    }
    let next = Number.POSITIVE_INFINITY;
    for (const slot of this.#slots.keys()) next = Math.min(next, slot);
    if (next < this.#armedFor) this.#arm(next);
  }
}
