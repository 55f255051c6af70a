/**
 * The agenda of a simulation: what happens when, in the order (time, tie-break, sequence).
 *
 * The tie-break is drawn from the seed, so that events of one moment come in any order, but in the same one for the
 * same seed. The sequence settles what the tie-break leaves open.
 */

/** Something on the agenda. Fields but `cancelled` never change once it is on the heap. */
export interface ScheduledEvent {
  readonly timeUs: number;
  readonly tieBreak: number;
  readonly sequence: number;
  /** What happens, in a word; part of the trace hash. */
  readonly kind: string;
  readonly run: () => void;
  /** A cancelled event stays on the heap and is skipped when its time comes. */
  cancelled: boolean;
}

/** True when `a` happens before `b`. */
export function isBefore(a: ScheduledEvent, b: ScheduledEvent): boolean {
  if (a.timeUs !== b.timeUs) return a.timeUs < b.timeUs;
  if (a.tieBreak !== b.tieBreak) return a.tieBreak < b.tieBreak;
  return a.sequence < b.sequence;
}

/** A binary heap of events, the next one on top. */
export class EventHeap {
  readonly #events: ScheduledEvent[] = [];

  get size(): number {
    return this.#events.length;
  }

  peek(): ScheduledEvent | undefined {
    return this.#events[0];
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
