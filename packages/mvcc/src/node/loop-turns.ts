/**
 * Turns of this process's event loop for work that is long and can wait: short ones, so that it hides between requests,
 * and longer ones when the loop is busy, so that it keeps its share and is not outrun by what feeds it.
 */
import { setImmediate as aTurn } from 'node:timers/promises';
import type { LoopTurns } from '../level-backend.ts';

/** The shortest turn: 0.2 ms. */
const TURN_MS_MIN = 0.2;
/** The longest turn: 2 ms. */
const TURN_MS_MAX = 2;
/** Of the time that others took, how much the next turn may take. */
const SHARE = 0.25;

/** Turns for one worker; the first begins at the first look. */
export function loopTurns(): LoopTurns {
  let endMs = 0;
  return {
    get isOver() {
      return performance.now() >= endMs;
    },
    next: async () => {
      const leftMs = performance.now();
      await aTurn();
      const nowMs = performance.now();
      endMs = nowMs + Math.min(TURN_MS_MAX, Math.max(TURN_MS_MIN, (nowMs - leftMs) * SHARE));
    },
  };
}
