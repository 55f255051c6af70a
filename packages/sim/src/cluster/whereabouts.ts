/**
 * How far each member had come at which time: what it answers from its own state is judged by the states that it went
 * through, however far it lags behind the others.
 */
import { must } from '@etcd-ts/base';
import type { Standing } from '../checkers/stays.ts';
import type { Ghost } from './ghost.ts';

/** The standings of one member in the order of time, the i-th of each list together: there is one for every entry. */
interface Way {
  readonly atUs: number[];
  readonly indexes: number[];
  readonly beganAt: number[];
}

/** Writes down where the members of a run are. */
export class Whereabouts {
  readonly #nowUs: () => number;
  readonly #ways = new Map<number, Way>();

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
    const way = this.#ways.get(member);
    if (way === undefined) return [];
    const { atUs, indexes, beganAt } = way;
    const first = Math.max(0, firstFrom(atUs, fromUs) - 1);
    return atUs.slice(first, firstFrom(atUs, toUs + 1)).map((at, i) => ({
      atUs: at,
      index: must(indexes[first + i], 'index'),
      beganAt: must(beganAt[first + i], 'beginning'),
    }));
  }

  #note(member: number, index: number, began?: number): void {
    let way = this.#ways.get(member);
    if (way === undefined) {
      way = { atUs: [], indexes: [], beganAt: [] };
      this.#ways.set(member, way);
    }
    way.beganAt.push(began ?? way.beganAt.at(-1) ?? 0);
    way.indexes.push(index);
    way.atUs.push(this.#nowUs());
  }
}

/** The position of the first time that is this one or later. */
function firstFrom(timesUs: readonly number[], atUs: number): number {
  let [low, high] = [0, timesUs.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((timesUs[middle] ?? Infinity) < atUs) low = middle + 1;
    else high = middle;
  }
  return low;
}
