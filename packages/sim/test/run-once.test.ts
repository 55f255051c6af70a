/** Runs that break the harness: what is said of them. */
import { expect, it } from 'vitest';
import { generatePlan } from '../src/index.ts';
import { runOnce } from '../src/node/run-once.ts';

const timeout = 120_000;
const plan = generatePlan(3, 'light');

it(
  'says where a run broke off, though errors have no stacks while it runs',
  { timeout },
  async () => {
    const limits: number[] = [];
    const breakDown = (): void => {
      limits.push(Error.stackTraceLimit);
      throw new Error('planted');
    };
    const limitBefore = Error.stackTraceLimit;
    const { violations, digest } = await runOnce(plan, { watch: breakDown });
    expect(violations.map(({ invariant }) => invariant)).toEqual(['P1']);
    expect(violations[0]?.message).toMatch(
      /^the run broke off: Error: planted\n\s+at .*run-once\.test/,
    );
    expect(digest).toBe('none');
    expect(limits).toEqual([0, limitBefore]);
    expect(Error.stackTraceLimit).toBe(limitBefore);
  },
);

it(
  'counts a run that broke off once as broken off, whatever it does the next time',
  { timeout },
  async () => {
    let runs = 0;
    const watch = (): void => {
      if (runs++ === 0) throw new Error('planted');
    };
    const { violations } = await runOnce(plan, { watch });
    expect(runs).toBe(2);
    expect(violations[0]?.message).toBe(
      'the run broke off: Error: planted, and did not when it was run again',
    );
  },
);
