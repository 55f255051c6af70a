import type { Random } from '../../src/clock.ts';

/** A generator for tests: the same numbers for the same seed. */
export function randomFrom(seed: number): Random {
  let state = (seed >>> 0) + 1;
  const uint32 = (): number => {
    state = (Math.imul(state ^ (state >>> 15), 0x2c1b3c6d) + 0x9e3779b9) >>> 0;
    return state;
  };
  return { uint32, bytes: (length) => Uint8Array.from({ length }, () => uint32() & 0xff) };
}
