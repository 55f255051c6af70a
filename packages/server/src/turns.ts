/** Work that gives way: promises over the clock's turns and timers. */
import type { Clock } from './clock.ts';

/** Resolves in a later turn of the event loop, after the input that waits. */
export function nextTurn(clock: Clock): Promise<void> {
  return new Promise((resolve) => clock.soon(resolve));
}

/** A turn in which others took less than this was theirs for the asking: nobody wanted it. */
const EMPTY_TURN_MS = 0.05;
/** When others want every turn, long work takes its step after so much of their time. */
const OTHERS_MS = 2;

/**
 * Resolves when long work may take another short step: in a turn that nobody else wants, or, when there is none, after
 * others had four times what a step takes. So it hides between requests, and is never starved by them.
 */
export async function idleTurn(clock: Clock): Promise<void> {
  for (let othersMs = 0; othersMs < OTHERS_MS;) {
    const beganMs = clock.monotonicMs();
    await nextTurn(clock);
    const turnMs = clock.monotonicMs() - beganMs;
    if (turnMs < EMPTY_TURN_MS) return;
    othersMs += turnMs;
  }
}

/** How long the steps of one worker may hold the loop, but for what the last of them goes beyond. */
const TURN_MS = 1;
/** Steps after which a turn ends in any case: in a simulation no time passes within one. */
const TURN_STEPS = 16;

/**
 * Turns for one worker that works in short steps: to be called after each. Gives what to wait for when it is everybody
 * else's turn.
 */
export function stepTurns(clock: Clock): () => Promise<void> | undefined {
  let beganMs = clock.monotonicMs();
  let steps = 0;
  return () => {
    steps += 1;
    if (steps < TURN_STEPS && clock.monotonicMs() - beganMs < TURN_MS) return undefined;
    return nextTurn(clock).then(() => {
      beganMs = clock.monotonicMs();
      steps = 0;
    });
  };
}

/** Resolves after so many milliseconds, or at once when the signal is aborted. Never rejects. */
export function pause(clock: Clock, delayMs: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal?.aborted === true) {
      resolve();
      return;
    }
    const timer = clock.after(delayMs, () => {
      signal?.removeEventListener('abort', stop);
      resolve();
    });
    const stop = (): void => {
      timer.cancel();
      resolve();
    };
    signal?.addEventListener('abort', stop, { once: true });
  });
}
