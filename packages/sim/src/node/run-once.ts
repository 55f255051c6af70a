import { type RunOptions, type RunResult, runPlan } from '../cluster/run-plan.ts';
import type { Plan } from '../plan/plan.ts';
import { installTraps } from '../world/node/traps.ts';

let hasTraps = false;

/**
 * Leaves the traps where they are between the runs of a process that does nothing else: putting them in place and away
 * again takes a hundredth of a run.
 */
function keepTraps(): void {
  if (!hasTraps) installTraps();
  hasTraps = true;
}

/** Runs a plan; a run that breaks the harness itself counts as a failure of its own kind. */
export async function runOnce(plan: Plan, options: RunOptions = {}): Promise<RunResult> {
  keepTraps();
  try {
    return await runPlan(plan, options);
  } catch (error) {
    const message = error instanceof Error ? (error.stack ?? error.message) : String(error);
    return {
      plan,
      violations: [{ invariant: 'P1', message: `the run broke off: ${message}`, operations: [] }],
      digest: 'none',
      checkpoints: [],
      events: 0,
      simulatedMs: 0,
      operations: 0,
      coverage: {},
      around: [],
      sometimes: {},
    };
  }
}
