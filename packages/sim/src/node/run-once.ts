import { assert } from '@etcd-ts/base';
import { type RunOptions, type RunResult, runPlan } from '../cluster/run-plan.ts';
import { SectorArena } from '../disk/sector-arena.ts';
import type { Plan } from '../plan/plan.ts';
import { installTraps } from '../world/node/traps.ts';

let hasTraps = false;

/** One run after the other has it, never two at once. */
const arena = new SectorArena();
let isArenaInUse = false;

/**
 * Leaves the traps where they are between the runs of a process that does nothing else: putting them in place and away
 * again takes a hundredth of a run.
 */
function keepTraps(): void {
  if (!hasTraps) installTraps();
  hasTraps = true;
}

/**
 * Runs a plan; a run that breaks the harness itself counts as a failure of its own kind.
 *
 * Errors are made without stacks, for refusals are many and nobody reads theirs. A run that broke off is run again with
 * them, to say where.
 */
export async function runOnce(plan: Plan, options: RunOptions = {}): Promise<RunResult> {
  keepTraps();
  let error: unknown;
  try {
    return await withoutStacks(() => inArena(plan, options));
  } catch (thrown) {
    error = thrown;
  }
  const again = await errorOf(plan, options);
  return brokenOff(plan, again ?? `${textOf(error)}, and did not when it was run again`);
}

/** Runs a plan on disks whose memory the next run gets; unless someone looks on, who may look at them later. */
async function inArena(plan: Plan, options: RunOptions): Promise<RunResult> {
  if (options.watch !== undefined) return runPlan(plan, options);
  assert(!isArenaInUse, 'runs of one process follow one another');
  isArenaInUse = true;
  try {
    return await runPlan(plan, { ...options, arena });
  } finally {
    arena.recycle();
    isArenaInUse = false;
  }
}

async function withoutStacks<Result>(work: () => Promise<Result>): Promise<Result> {
  const limit = Error.stackTraceLimit;
  Error.stackTraceLimit = 0;
  try {
    return await work();
  } finally {
    Error.stackTraceLimit = limit;
  }
}

/** With what a run breaks off; undefined when it does not. */
async function errorOf(plan: Plan, options: RunOptions): Promise<string | undefined> {
  try {
    await runPlan(plan, options);
    return undefined;
  } catch (error) {
    return textOf(error);
  }
}

function textOf(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}

function brokenOff(plan: Plan, message: string): RunResult {
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
