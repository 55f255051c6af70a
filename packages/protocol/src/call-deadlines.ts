/** A timer that has not fired yet. */
export interface DeadlineTimer {
  cancel(): void;
}

/** Time, as far as deadlines need it; the clocks of server and client both fit. */
export interface DeadlineClock {
  /** Milliseconds since some fixed moment; never goes back. */
  monotonicMs(): number;
  /** Runs `callback` once, not before `delayMs` from now. */
  after(delayMs: number, callback: () => void): DeadlineTimer;
}

/** How late a deadline may be noticed, in milliseconds. */
export const CALL_DEADLINE_GRAIN_MS = 50;

/** Longest delay that timers take, in milliseconds, a little under 25 days: longer ones fire at once. */
export const MAX_TIMER_MS: number = 2 ** 31 - 1;

/** A deadline that was set: one link in the ring of those that end at about the same time. */
export class CallDeadline {
  /** @internal Which ring. */
  slot = 0;
  /** @internal */
  previous: CallDeadline = this;
  /** @internal */
  next: CallDeadline = this;
  /** @internal */
  readonly onExpire: () => void;

  /** @internal Use {@link CallDeadlines.set}. */
  constructor(onExpire: () => void) {
    this.onExpire = onExpire;
  }
}

const nothing = (): void => undefined;

/**
 * The deadlines of many short calls on one timer.
 *
 * Nearly every call has one and nearly none is ever reached, so setting and clearing are a few pointers and, most of
 * the time, no lookup at all: calls that come at about the same time with the same time-out share a ring.
 *
 * Invariants
 * - Every ring but the one used last holds a deadline, so there are never more rings than deadlines and one.
 * - A deadline is in exactly one ring, or in a ring of its own when it was cleared or has passed.
 */
export class CallDeadlines {
  readonly #clock: DeadlineClock;
  /** Heads of the rings, by slot: deadline / grain, rounded up. */
  readonly #rings = new Map<number, CallDeadline>();
  #lastRing: CallDeadline | undefined;
  #timer: DeadlineTimer | undefined;
  #armedFor = Number.POSITIVE_INFINITY;

  constructor(clock: DeadlineClock) {
    this.#clock = clock;
  }

  /** Calls `onExpire` in `delayMs` from now, rounded up to the grain, unless it is cleared before. */
  set(delayMs: number, onExpire: () => void): CallDeadline {
    const slot = Math.ceil((this.#clock.monotonicMs() + delayMs) / CALL_DEADLINE_GRAIN_MS);
    const ring = this.#lastRing?.slot === slot ? this.#lastRing : this.#ringOf(slot);
    const deadline = new CallDeadline(onExpire);
    deadline.slot = slot;
    deadline.previous = ring.previous;
    deadline.next = ring;
    ring.previous.next = deadline;
    ring.previous = deadline;
    if (slot < this.#armedFor) this.#arm(slot);
    return deadline;
  }

  /** Harmless when it has passed or was cleared already. */
  clear(deadline: CallDeadline): void {
    const { next } = deadline;
    if (next === deadline) return;
    unlink(deadline);
    if (next.next === next && next !== this.#lastRing) this.#rings.delete(next.slot);
  }

  /** Forgets everything; nothing expires any more. */
  close(): void {
    this.#timer?.cancel();
    this.#armedFor = Number.POSITIVE_INFINITY;
    this.#rings.clear();
    this.#lastRing = undefined;
  }

  /** The ring of a slot, made when it is not there; from now on it is the one used last. */
  #ringOf(slot: number): CallDeadline {
    const last = this.#lastRing;
    if (last !== undefined && last.next === last) this.#rings.delete(last.slot);
    let ring = this.#rings.get(slot);
    if (ring === undefined) {
      ring = new CallDeadline(nothing);
      ring.slot = slot;
      this.#rings.set(slot, ring);
    }
    this.#lastRing = ring;
    return ring;
  }

  #arm(slot: number): void {
    this.#timer?.cancel();
    this.#armedFor = slot;
    const delayMs = Math.max(0, slot * CALL_DEADLINE_GRAIN_MS - this.#clock.monotonicMs());
    this.#timer = this.#clock.after(Math.min(delayMs, MAX_TIMER_MS), () => this.#fire());
  }

  #fire(): void {
    this.#armedFor = Number.POSITIVE_INFINITY;
    const now = this.#clock.monotonicMs() / CALL_DEADLINE_GRAIN_MS;
    const due = [...this.#rings.values()]
      .filter(({ slot }) => slot <= now)
      .sort((a, b) => a.slot - b.slot);
    for (const ring of due) {
      this.#rings.delete(ring.slot);
      if (this.#lastRing === ring) this.#lastRing = undefined;
      for (let first = ring.next; first !== ring; first = ring.next) {
        unlink(first);
        first.onExpire();
      }
    }
    let next = Number.POSITIVE_INFINITY;
    for (const ring of this.#rings.values()) {
      if (ring.next !== ring) next = Math.min(next, ring.slot);
    }
    if (next < this.#armedFor) this.#arm(next);
  }
}

function unlink(deadline: CallDeadline): void {
  deadline.previous.next = deadline.next;
  deadline.next.previous = deadline.previous;
  deadline.previous = deadline;
  deadline.next = deadline;
}
