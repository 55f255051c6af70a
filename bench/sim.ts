/**
 * `npm run bench -- sim [FACTOR]`: how fast the simulator is, in processor time, which a busy machine changes least.
 *
 * Prints, for each profile: simulated seconds per second of one core, seeds per second, microseconds per event; and how
 * long the judgement of 100,000 operations takes. Every profile runs a while before it is measured: an optimising
 * compiler that has seen nothing yet takes as long as the simulation. FACTOR makes all of it longer.
 */
import process from 'node:process';
import { checkStrictSerializability, generatePlan, runPlan } from '@etcd-ts/sim';
import { makeHistory } from '../packages/sim/test/fixtures/history-maker.ts';

const FACTOR = Number(process.argv[2] ?? 1);

const cpuSeconds = (): number => {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
};

async function measure(profile: string, warmUpSeeds: number, seeds: number): Promise<void> {
  const first = Math.ceil(warmUpSeeds * FACTOR);
  const end = first + Math.ceil(seeds * FACTOR);
  for (let seed = 0; seed < first; seed++) await runPlan(generatePlan(seed, profile));
  const before = cpuSeconds();
  let simulatedMs = 0;
  let loadedMs = 0;
  let events = 0;
  let operations = 0;
  for (let seed = first; seed < end; seed++) {
    const result = await runPlan(generatePlan(seed, profile));
    simulatedMs += result.simulatedMs;
    loadedMs += result.plan.safetyMs;
    events += result.events;
    operations += result.operations;
  }
  const seconds = cpuSeconds() - before;
  const figures = [
    `${(simulatedMs / 1000 / seconds).toFixed(0)} times real time`,
    `${(loadedMs / 1000 / seconds).toFixed(0)} times without the time after the load, at ${((1000 * operations) / loadedMs).toFixed(0)} operations a second`,
    `${((end - first) / seconds).toFixed(1)} seeds of ${(simulatedMs / 1000 / (end - first)).toFixed(0)} s a second`,
    `${((seconds * 1e6) / events).toFixed(1)} us an event`,
  ];
  console.log(`${profile.padEnd(8)} ${figures.join('; ')}`);
}

await measure('default', 80, 60);
await measure('crash', 10, 20);
await measure('busy', 14, 8);
await measure('light', 25, 40);

const history = makeHistory({ seed: 1, operations: 100_000, clients: 50, keys: 10 });
const times: number[] = [];
for (let i = 0; i < 5; i++) {
  const before = cpuSeconds();
  checkStrictSerializability(history);
  times.push(cpuSeconds() - before);
}
times.sort((a, b) => a - b);
console.log(`100,000 operations judged in ${times[2]?.toFixed(2)} s (median of 5)`);
