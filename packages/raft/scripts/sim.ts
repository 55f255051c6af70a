/**
 * Random simulation of the core: `npm run raft:sim -- [--seeds N] [--from S] [--seed S]`.
 *
 * `--seed` runs one seed and prints all of its trace; this is the command that a failure prints.
 */
import { planFor, SimFailure, Simulation } from '@etcd-ts/raft/testing';

const SEEDS_DEFAULT = 1000;

function option(args: readonly string[], name: string): number | undefined {
  const at = args.indexOf(`--${name}`);
  return at < 0 ? undefined : Number(args[at + 1]);
}

function main(): void {
  const args = process.argv.slice(2);
  const single = option(args, 'seed');
  const from = single ?? option(args, 'from') ?? 1;
  const count = single === undefined ? (option(args, 'seeds') ?? SEEDS_DEFAULT) : 1;
  const start = performance.now();
  let steps = 0;
  let elections = 0;
  let entries = 0;
  let healingTicksMax = 0;
  for (let seed = from; seed < from + count; seed++) {
    try {
      const report = new Simulation(planFor(seed)).run();
      steps += report.steps;
      elections += report.elections;
      entries += report.commit;
      healingTicksMax = Math.max(healingTicksMax, report.healingTicks);
    } catch (error) {
      if (!(error instanceof SimFailure)) throw error;
      console.error(single === undefined ? error.message : error.trace.join('\n'));
      console.error(String(error.cause));
      console.error(`replay: npm run raft:sim -- --seed ${seed}`);
      process.exitCode = 1;
      return;
    }
  }
  const seconds = (performance.now() - start) / 1000;
  console.log(
    `${count} seeds, ${steps} steps, ${elections} elections, ${entries} entries committed, ` +
      `healed within ${healingTicksMax} ticks, ${seconds.toFixed(1)} s`,
  );
}

main();
