/** Runs many seeds, here or spread over processes; results come in the order of the seeds either way. */
import process from 'node:process';
import type { RunResult } from '../cluster/run-plan.ts';
import { generatePlan } from '../plan/generate.ts';
import type { Plan } from '../plan/plan.ts';
import type { CommandOptions } from './options.ts';
import { runOnce } from './run-once.ts';
import { Workers } from './workers.ts';

/** Seeds that each worker has in hand, so that it never waits. */
const SEEDS_AHEAD = 4;

/** A seed's run, and the second one where it was asked for. */
export interface SeedRun {
  readonly result: RunResult;
  readonly again: RunResult | undefined;
}

/** Processor time that this process has used so far. */
export function ownCpuMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

/** The seeds that a command asked for. */
export class SeedRuns {
  readonly #options: CommandOptions;
  readonly #runHere: (plan: Plan) => Promise<RunResult>;
  readonly #workers: Workers | undefined;

  /**
   * @param options `twice` runs every seed in two processes, the second one by `node` when that is given. With `logs` or
   *   `report` everything runs in this process.
   * @param runHere Runs a plan in this process.
   */
  constructor(options: CommandOptions, runHere: (plan: Plan) => Promise<RunResult>) {
    const { jobs, twice, node, logs, report } = options;
    this.#options = options;
    this.#runHere = runHere;
    const isHere = logs || report !== undefined;
    const count = isHere ? 1 : twice ? Math.max(2, jobs) : jobs;
    const paths = Array.from({ length: count }, (_, i) => (i % 2 === 1 ? node : undefined));
    this.#workers = count > 1 ? new Workers(paths) : undefined;
  }

  /** Processor time used so far, by everybody. */
  get cpuMs(): number {
    return ownCpuMs() + (this.#workers?.cpuMs ?? 0);
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<SeedRun> {
    const { from, seeds, profile, twice } = this.#options;
    if (this.#workers === undefined) {
      for (let seed = from; seed < from + seeds; seed++) {
        const result = await this.#runHere(generatePlan(seed, profile));
        yield { result, again: twice ? await runOnce(result.plan) : undefined };
      }
      return;
    }
    const underWay: Promise<SeedRun>[] = [];
    const ahead = SEEDS_AHEAD * this.#workers.count;
    for (let i = 0; i < seeds || underWay.length > 0; i++) {
      if (i < seeds) {
        const run = this.#run(this.#workers, i);
        // Whoever asked may stop before its turn comes: then the workers end with it on their hands.
        run.catch(() => undefined);
        underWay.push(run);
      }
      if (i < ahead - 1 && i < seeds - 1) continue;
      const next = underWay.shift();
      if (next !== undefined) yield await next;
    }
  }

  close(): void {
    this.#workers?.close();
  }

  async #run(workers: Workers, i: number): Promise<SeedRun> {
    const { from, profile, twice } = this.#options;
    const task = { seed: from + i, profile };
    const first = workers.run(twice ? 2 * i : i, task);
    const second = twice ? workers.run(2 * i + 1, task) : undefined;
    return { result: await first, again: await second };
  }
}
