/**
 * How far each member had come at which time: what it answers from its own state is judged by the states that it went
 * through, however far it lags behind the others.
 */
import type { Standing } from '../checkers/stays.ts';
import type { Ghost } from './ghost.ts';

/** Writes down where the members of a run are. */
export class Whereabouts {
  readonly #nowUs: () => number;
  /** By member, in the order of time. */
  readonly #standings = new Map<number, Standing[]>();

  /** Looks on from now on. */
  constructor(ghost: Ghost, nowUs: () => number) {
    this.#nowUs = nowUs;
    ghost.listeners.push({
      began: (member, index) => this.#note(member, index, index),
      applied: (member, index) => this.#note(member, index),
    });
  }

  /** Where a member was between two moments: also where it stood when the first one came. */
  between(member: number, fromUs: number, toUs: number): readonly Standing[] {
    const standings = this.#standings.get(member) ?? [];
    const first = firstFrom(standings, fromUs);
    const end = firstFrom(standings, toUs + 1);
    return standings.slice(Math.max(0, first - 1), end);
  }

  #note(member: number, index: number, began?: number): void {
    const standings = this.#standings.get(member) ?? [];
    this.#standings.set(member, standings);
    const beganAt = began ?? standings.at(-1)?.beganAt ?? 0;
    standings.push({ atUs: this.#nowUs(), index, beganAt });
  }
}

/** The position of the first one at a time or later. */
function firstFrom(standings: readonly Standing[], atUs: number): number {
  let [low, high] = [0, standings.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((standings[middle]?.atUs ?? Infinity) < atUs) low = middle + 1;
    else high = middle;
  }
  return low;
}
