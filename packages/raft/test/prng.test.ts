import { describe, expect, test } from 'vitest';
import { Prng } from '../src/prng.ts';

describe('the generator', () => {
  test('draws the same numbers from the same seed', () => {
    const draw = (seed: number): number[] => {
      const prng = new Prng(seed);
      return Array.from({ length: 20 }, () => prng.next());
    };
    expect(draw(7)).toEqual(draw(7));
    expect(draw(7)).not.toEqual(draw(8));
  });

  test('stays below the bound and reaches all of it, evenly', () => {
    const prng = new Prng(1);
    const counts = Array.from({ length: 10 }, () => 0);
    for (let i = 0; i < 10_000; i++) counts[prng.below(10)]! += 1;
    for (const count of counts) expect(Math.abs(count - 1000)).toBeLessThan(150);
  });

  test('goes on the same way as a clone', () => {
    const prng = new Prng(3);
    prng.next();
    const clone = prng.clone();
    expect([clone.next(), clone.next()]).toEqual([prng.next(), prng.next()]);
  });

  test('draws differently for neighbouring seeds at once', () => {
    const first = Array.from({ length: 50 }, (_, seed) => new Prng(seed).below(1000));
    expect(new Set(first).size).toBeGreaterThan(40);
  });
});
