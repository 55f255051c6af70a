/**
 * The agenda of a simulation: what happens when, in the order (time, tie-break, sequence).
 *
 * The tie-break is drawn from the seed, so that events of one moment come in any order, but in the same one for the
 * same seed. The sequence settles what the tie-break leaves open.
 */

/** Who an event happens to, and whether it may happen now. */
export interface EventOwner {
  /** Asked when the event is due. False: nothing happens; the owner has taken it, or it is gone. */
  admits(event: ScheduledEvent): boolean;
}

/** What an event is made of. */
type EventParts = Omit<ScheduledEvent, 'cancelled' | 'cancel'>;

/** Something on the agenda. Fields but `cancelled` never change once it is on the heap. */
export class ScheduledEvent {
  readonly timeUs: number;
  readonly tieBreak: number;
  readonly sequence: number;
  /** What happens, in a word; part of the trace hash. */
  readonly kind: string;
  readonly run: () => void;
  readonly owner: EventOwner | undefined;
  /** A cancelled event is skipped when its time comes, or dropped before. */
  cancelled = false;
  readonly #heap: EventHeap | undefined;

  /** @param heap The one that is told of the cancellation. */
  constructor(parts: EventParts, heap?: EventHeap) {
    this.timeUs = parts.timeUs;
    this.tieBreak = parts.tieBreak;
    this.sequence = parts.sequence;
    this.kind = parts.kind;
    this.run = parts.run;
    this.owner = parts.owner;
    this.#heap = heap;
  }

  /** Takes it back; harmless when it has happened. */
  cancel(): void {
    if (this.cancelled) return;
    this.cancelled = true;
    this.#heap?.noteCancelled();
  }
}

/** Cancelled events that the heap carries along without a thought. */
const CANCELLED_MIN = 64;

/** True when `a` happens before `b`. */
export function isBefore(a: ScheduledEvent, b: ScheduledEvent): boolean {
  if (a.timeUs !== b.timeUs) return a.timeUs < b.timeUs;
  if (a.tieBreak !== b.tieBreak) return a.tieBreak < b.tieBreak;
  return a.sequence < b.sequence;
}

/**
 * A binary heap of events, the next one on top.
 *
 * Nearly every time-out is cancelled long before its time: when more than half of the events are cancelled, they are
 * dropped, so that the heap stays as small as what is still to happen.
 */
export class EventHeap {
  #events: ScheduledEvent[] = [];
  /** At least as many as there are cancelled ones on the heap. */
  #cancelled = 0;

  get size(): number {
    return this.#events.length;
  }

  peek(): ScheduledEvent | undefined {
    return this.#events[0];
  }

  /** An event that may be on the heap was cancelled. */
  noteCancelled(): void {
    this.#cancelled++;
    if (this.#cancelled < CANCELLED_MIN || 2 * this.#cancelled < this.#events.length) return;
    // A sorted list is a heap, and the order is total: it does not depend on when this happens.
    this.#events = this.#events.filter((event) => !event.cancelled);
    this.#events.sort((a, b) => (isBefore(a, b) ? -1 : 1));
    this.#cancelled = 0;
  }

  push(event: ScheduledEvent): void {
    const events = this.#events;
    let at = events.length;
    events.push(event);
    while (at > 0) {
      const parentAt = (at - 1) >>> 1;
      const parent = events[parentAt] as ScheduledEvent;
      if (!isBefore(event, parent)) break;
      events[at] = parent;
      at = parentAt;
    }
    events[at] = event;
  }

  pop(): ScheduledEvent | undefined {
    const events = this.#events;
    const top = events[0];
    const last = events.pop();
    if (top === undefined || last === undefined || events.length === 0) return top;
    let at = 0;
    for (;;) {
      let childAt = 2 * at + 1;
      if (childAt >= events.length) break;
      let child = events[childAt] as ScheduledEvent;
      const right = events[childAt + 1];
      if (right !== undefined && isBefore(right, child)) {
        childAt++;
        child = right;
      }
      if (!isBefore(child, last)) break;
      events[at] = child;
      at = childAt;
    }
    events[at] = last;
    return top;
  }
}
