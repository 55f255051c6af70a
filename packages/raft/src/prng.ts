/**
 * A small generator of pseudo-random integers; its whole state is one number.
 *
 * Election timeouts need to differ, not to be unpredictable, so 32 bits of state are enough. A weak
 * seed (0, 1, 2 …) is as good as any: the state is a counter and each draw mixes all of its bits.
 */
export class Prng {
  /** Invariant: an unsigned 32-bit integer. */
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  /** An integer from 0 to 2^32 − 1. */
  next(): number {
    this.#state = (this.#state + 0x9e3779b9) >>> 0;
    return mix(this.#state);
  }

  /** An integer from 0 to `bound` − 1; `bound` is from 1 to 2^32. */
  below(bound: number): number {
    return Math.floor((this.next() / 0x1_0000_0000) * bound);
  }

  /** The state, from which an equal generator can be made. */
  get state(): number {
    return this.#state;
  }

  /** A generator that goes on where this one stands, on its own. */
  clone(): Prng {
    return new Prng(this.#state);
  }
}

/** Spreads every input bit over the whole output: multiply, fold the high half down, three times. */
export function mix(value: number): number {
  let bits = value ^ (value >>> 16);
  bits = Math.imul(bits, 0x21f0aaad);
  bits ^= bits >>> 15;
  bits = Math.imul(bits, 0x735a2d97);
  bits ^= bits >>> 15;
  return bits >>> 0;
}
