/** `npm run sim`: runs seeds or a plan, tells what is wrong, keeps what is needed to see it again. */
import { readFileSync, writeFileSync } from 'node:fs';
import process from 'node:process';
import { type RunResult, runPlan } from '../cluster/run-plan.ts';
import { generatePlan } from '../plan/generate.ts';
import { parsePlan, type Plan } from '../plan/plan.ts';
import { shrinkPlan } from '../plan/shrink.ts';
import { renderPage } from '../report/page.ts';
import { TimelineCollector } from '../report/timeline.ts';
import { firstDifference } from '../world/trace-hash.ts';
import { describeFailure, keepPlan } from './failure.ts';
import { type CommandOptions, readCommandLine, USAGE } from './options.ts';
import { printLogs } from './print-logs.ts';
import { Progress } from './progress.ts';

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
  const progress = new Progress();
  let failures = 0;
  for (const plan of plansOf(options)) {
    if (progress.elapsedMs > options.minutes * 60_000) break;
    if (usedCpuMs() > options.cpuMinutes * 60_000) break;
    const result = await runOnce(plan, options);
    progress.add(result);
    if (options.hashes) console.log(`${plan.seed} ${result.digest}`);
    const isFailure = result.violations.length > 0;
    if (isFailure) await report(result, options);
    const isDifferent = !isFailure && options.twice && !(await isSameAgain(result, options));
    if (!isFailure && !isDifferent) continue;
    failures++;
    if (!options.keepGoing) break;
  }
  progress.finish(failures);
  return failures === 0 ? 0 : 1;
}

function* plansOf(options: CommandOptions): Generator<Plan> {
  if (options.plan !== undefined) {
    yield parsePlan(readFileSync(options.plan, 'utf8'));
    return;
  }
  for (let i = 0; i < options.seeds; i++) yield generatePlan(options.from + i, options.profile);
}

function usedCpuMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

/** A run that breaks the harness itself counts as a failure of its own kind. */
async function runOnce(plan: Plan, options: CommandOptions): Promise<RunResult> {
  try {
    const collector = new TimelineCollector();
    const watch = options.report === undefined ? undefined : collector.watch;
    const result = await runPlan(plan, { log: options.logs ? printLogs : undefined, watch });
    if (options.report !== undefined) {
      writeFileSync(options.report, renderPage(collector.timeline(result)));
    }
    return result;
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
      sometimes: {},
    };
  }
}

async function report(result: RunResult, options: CommandOptions): Promise<void> {
  const file = keepPlan(result.plan, options.out);
  console.error(`\n${describeFailure(result, file)}`);
  if (!options.shrink) return;
  const wanted = result.violations[0]?.invariant;
  const { plan, runs } = await shrinkPlan(result.plan, async (candidate) => {
    const again = await runOnce(candidate, { ...options, logs: false, report: undefined });
    return again.violations[0]?.invariant === wanted;
  });
  const small = keepPlan(plan, options.out, '-small');
  const steps = plan.clients.reduce((sum, client) => sum + client.steps.length, 0);
  console.error(
    `  shrunk in ${runs} runs to ${plan.members} members, ${plan.faults.length} faults, ${steps} steps: ${small}`,
  );
}

async function isSameAgain(result: RunResult, options: CommandOptions): Promise<boolean> {
  const again = await runOnce(result.plan, { ...options, report: undefined });
  if (again.digest === result.digest) return true;
  const at = firstDifference(result.checkpoints, again.checkpoints);
  const where = at < 0 ? 'after the last checkpoint' : `before event ${(at + 1) * 1024}`;
  console.error(
    `\nseed ${result.plan.seed}: ${result.digest}, then ${again.digest}; they part ${where}`,
  );
  return false;
}

process.exitCode = await main(process.argv.slice(2));
