/** The one place where virtual time meets the real event loop. */
import process from 'node:process';
import { type World, WorldError } from '../world.ts';
import { assertDrains, drainMicrotasks } from './drain.ts';
import { installTraps, removeTraps, underTraps } from './traps.ts';

/** A promise was rejected in the simulation and nobody looked at it: a real process would have died of it. */
export class UnhandledError extends Error {
  override readonly name = 'UnhandledError';

  constructor(cause: unknown) {
    const text = cause instanceof Error ? (cause.stack ?? cause.message) : String(cause);
    super(`unhandled rejection: ${text}`, { cause });
  }
}

/** Events in one turn of the real event loop; between turns the process may breathe. */
const EVENTS_PER_TURN = 4096;

/**
 * Runs a scenario in a world until it settles: the scenario's awaits are answered by the world's events.
 *
 * @returns What the scenario returned.
 * @throws What the scenario threw, what an event threw, or WorldError DEADLOCK when the agenda ran out before the
 *   scenario was done.
 */
export async function drive<T>(world: World, scenario: () => Promise<T>): Promise<T> {
  let settled:
    | { readonly ok: true; readonly value: T }
    | { readonly ok: false; readonly error: unknown }
    | undefined;
  const begin = (): void => {
    assertDrains();
    scenario().then(
      (value) => (settled = { ok: true, value }),
      (error: unknown) => (settled = { ok: false, error }),
    );
    drainMicrotasks();
  };
  const turn = (): boolean => {
    for (let i = 0; i < EVENTS_PER_TURN; i++) {
      if (settled !== undefined || world.hasFailed) return true;
      if (!world.step()) {
        throw new WorldError(
          'DEADLOCK',
          `nothing left to happen at ${world.nowUs} us, but the scenario is not done`,
        );
      }
      drainMicrotasks();
      world.afterEvent?.();
    }
    return false;
  };
  // In a real process it would be the end: a rejection that nobody looks at.
  const onUnhandled = (error: unknown): void => world.fail(new UnhandledError(error));
  process.prependListener('unhandledRejection', onUnhandled);
  installTraps();
  try {
    await inTurns(begin, turn);
  } finally {
    removeTraps();
    process.removeListener('unhandledRejection', onUnhandled);
  }
  if (world.hasFailed) throw world.failure;
  if (settled?.ok === true) return settled.value;
  throw settled?.error;
}

/** Calls `begin` once, then `turn` until it says true, each in a turn of its own of the event loop. */
function inTurns(begin: () => void, turn: () => boolean): Promise<void> {
  return new Promise((resolve, reject) => {
    let begun = false;
    const go = (): void => {
      try {
        const done = underTraps(() => {
          if (begun) return turn();
          begun = true;
          begin();
          return false;
        });
        if (done) resolve();
        else setImmediate(go);
      } catch (error) {
        reject(error);
      }
    };
    setImmediate(go);
  });
}
