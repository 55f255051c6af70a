import { describe, expect, it } from 'vitest';
import { CRASH_POINTS, generatePlan, runPlan, SOMETIMES } from '../src/index.ts';

/** Most of them of profile `edges`, the first of which are enough on most days. */
const SEEDS = 80;
/** The first ones are of profile `auth`. */
const AUTH_SEEDS = 2;

describe('what must happen now and then', { timeout: 240_000 }, () => {
  it('does happen over a few seeds', async () => {
    // That members end at every point has a test of its own: `crash-points.test.ts`.
    const ends = new Set(CRASH_POINTS.map((point) => `a member ends at ${point}`));
    const missing = new Set(SOMETIMES.filter((name) => !ends.has(name)));
    for (let seed = 0; seed < SEEDS && missing.size > 0; seed++) {
      const profile = seed < AUTH_SEEDS ? 'auth' : 'edges';
      const { violations, sometimes } = await runPlan(generatePlan(seed, profile));
      expect(violations).toEqual([]);
      for (const name of Object.keys(sometimes)) missing.delete(name);
    }
    expect([...missing]).toEqual([]);
  });
});
