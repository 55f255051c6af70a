import { Prng } from '../../prng.ts';

/** A seeded stream of random choices: the same seed, the same run, on every machine. */
export class SimRandom {
  readonly #prng: Prng;

  constructor(seed: number) {
    this.#prng = new Prng(seed);
  }

  /** 32 random bits, unsigned. */
  bits(): number {
    return this.#prng.next();
  }

  /** A whole number in [0, limit). */
  below(limit: number): number {
    return this.#prng.below(limit);
  }

  /** True this many times in a thousand. */
  perMille(probability: number): boolean {
    return this.below(1000) < probability;
  }

  /** One of the items; undefined of none. */
  pick<T>(items: readonly T[]): T | undefined {
    return items[this.below(Math.max(1, items.length))];
  }

  /** A stream of its own, so that using more of one does not shift the other. */
  fork(): SimRandom {
    return new SimRandom(this.bits());
  }
}
