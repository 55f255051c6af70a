/** Long work gives way: it takes turns that nobody wants, and is not starved where there are none. */
import { expect, test } from 'vitest';
import type { Clock } from '../src/clock.ts';
import { idleTurn, stepTurns } from '../src/turns.ts';
import { ManualClock } from './services/manual-clock.ts';

/** A loop whose turns take others as long as is said, the last of them for ever. */
function loop(turnsMs: readonly number[]): Clock & { turns: number } {
  let nowMs = 0;
  const clock = {
    turns: 0,
    monotonicMs: () => nowMs,
    wallMs: () => nowMs,
    after: () => ({ cancel: () => undefined }),
    soon: (callback: () => void) => {
      nowMs += turnsMs[Math.min(clock.turns, turnsMs.length - 1)] ?? 0;
      clock.turns += 1;
      queueMicrotask(callback);
    },
  };
  return clock;
}

test('long work waits for a turn that nobody wants', async () => {
  const clock = loop([0.3, 0.3, 0.3, 0.01]);
  await idleTurn(clock);
  expect(clock.turns).toBe(4);
});

test('long work goes on beside others who want every turn, when they had four times its share', async () => {
  const clock = loop([0.5]);
  await idleTurn(clock);
  expect(clock.turns).toBe(4);
});

/** Steps until it is everybody else's turn, each of which takes so long. */
async function stepsOf(stepMs: number): Promise<number> {
  const clock = new ManualClock();
  const afterStep = stepTurns(clock);
  for (let round = 0; ; round++) {
    for (let steps = 1; ; steps++) {
      await clock.advance(stepMs);
      const turn = afterStep();
      if (turn === undefined) continue;
      await turn;
      if (round === 1) return steps;
      break;
    }
  }
}

test('a turn of steps ends after a millisecond, or after sixteen where time stands still', async () => {
  expect([await stepsOf(0), await stepsOf(0.3), await stepsOf(5)]).toEqual([16, 4, 1]);
});
