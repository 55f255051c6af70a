/** `npm run sim`: runs seeds or a plan, tells what is wrong, keeps what is needed to see it again. */
import { readFileSync, writeFileSync } from 'node:fs';
import process from 'node:process';
import type { RunResult } from '../cluster/run-plan.ts';
import { parsePlan, type Plan } from '../plan/plan.ts';
import { shrinkPlan } from '../plan/shrink.ts';
import { renderPage } from '../report/page.ts';
import { TimelineCollector } from '../report/timeline.ts';
import { firstDifference } from '../world/trace-hash.ts';
import { describeFailure, isAlike, keepPlan } from './failure.ts';
import { type CommandOptions, readCommandLine, USAGE } from './options.ts';
import { printLogs } from './print-logs.ts';
import { Progress } from './progress.ts';
import { runOnce } from './run-once.ts';
import { ownCpuMs, SeedRuns } from './seed-runs.ts';
import { WorkerEnded } from './workers.ts';

/** As a shell says it of a program that SIGINT ended. */
const INTERRUPTED_EXIT_CODE = 130;

/** Runs the command; gives the exit code. */
async function main(args: readonly string[]): Promise<number> {
  let options: CommandOptions | 'help';
  try {
    options = readCommandLine(args);
  } catch (error) {
    console.error(`${error instanceof Error ? error.message : String(error)}\n\n${USAGE}`);
    return 2;
  }
  if (options === 'help') {
    console.log(USAGE);
    return 0;
  }
  if (options.plan !== undefined) return runOnePlan(options.plan, options);
  return runSeeds(options);
}

async function runOnePlan(file: string, options: CommandOptions): Promise<number> {
  const progress = new Progress(ownCpuMs);
  const result = await runHere(parsePlan(readFileSync(file, 'utf8')), options);
  const again = options.twice ? await runOnce(result.plan) : undefined;
  const isFailure = await isFailed(result, again, options);
  progress.add(result);
  if (options.hashes) console.log(`${result.plan.seed} ${result.digest}`);
  progress.finish(isFailure ? 1 : 0);
  return isFailure ? 1 : 0;
}

async function runSeeds(options: CommandOptions): Promise<number> {
  const runs = new SeedRuns(options, (plan) => runHere(plan, options));
  const progress = new Progress(() => runs.cpuMs);
  let failures = 0;
  let isInterrupted = false;
  // Whoever asks twice does not want the summary either.
  process.once('SIGINT', () => {
    isInterrupted = true;
  });
  try {
    for await (const { result, again } of runs) {
      progress.add(result);
      if (options.hashes) console.log(`${result.plan.seed} ${result.digest}`);
      if (await isFailed(result, again, options)) failures++;
      if (failures > 0 && !options.keepGoing) break;
      // The run in which the time ended counts, whatever it found.
      if (progress.elapsedMs > options.minutes * 60_000) break;
      if (runs.cpuMs > options.cpuMinutes * 60_000) break;
      if (isInterrupted) break;
    }
  } catch (error) {
    // A worker that had not begun yet ends with the interruption.
    if (!isInterrupted || !(error instanceof WorkerEnded)) throw error;
  } finally {
    runs.close();
  }
  progress.finish(failures);
  if (isInterrupted) return INTERRUPTED_EXIT_CODE;
  return failures === 0 ? 0 : 1;
}

/** Tells what is wrong with a run. */
async function isFailed(
  result: RunResult,
  again: RunResult | undefined,
  options: CommandOptions,
): Promise<boolean> {
  if (result.violations.length > 0) {
    await report(result, options);
    return true;
  }
  return again !== undefined && isDifferent(result, again);
}

/** A run in this process, for what one wants to see of it. */
async function runHere(plan: Plan, options: CommandOptions): Promise<RunResult> {
  const collector = new TimelineCollector();
  const result = await runOnce(plan, {
    log: options.logs ? printLogs : undefined,
    watch: options.report === undefined ? undefined : collector.watch,
  });
  if (options.report !== undefined) {
    writeFileSync(options.report, renderPage(collector.timeline(result)));
  }
  return result;
}

async function report(result: RunResult, options: CommandOptions): Promise<void> {
  const file = keepPlan(result.plan, options.out);
  console.error(`\n${describeFailure(result, file)}`);
  if (!options.shrink) return;
  const [wanted] = result.violations;
  if (wanted === undefined) return;
  const { plan, runs } = await shrinkPlan(result.plan, async (candidate) => {
    const again = await runOnce(candidate);
    return isAlike(wanted, again.violations[0]);
  });
  const small = keepPlan(plan, options.out, '-small');
  const steps = plan.clients.reduce((sum, client) => sum + client.steps.length, 0);
  console.error(
    `  shrunk in ${runs} runs to ${plan.members} members, ${plan.faults.length} faults, ${steps} steps: ${small}`,
  );
}

function isDifferent(result: RunResult, again: RunResult): boolean {
  if (again.digest === result.digest) return false;
  const at = firstDifference(result.checkpoints, again.checkpoints);
  const where = at < 0 ? 'after the last checkpoint' : `before event ${(at + 1) * 1024}`;
  console.error(
    `\nseed ${result.plan.seed}: ${result.digest}, then ${again.digest}; they part ${where}`,
  );
  return true;
}

process.exitCode = await main(process.argv.slice(2));
