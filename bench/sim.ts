/**
 * `npm run bench -- sim`: how fast the simulator is, in processor time, which a busy machine changes least.
 *
 * Prints, for each profile: simulated seconds per second of one core, seeds per second, microseconds per event; and how
 * long the judgement of 100,000 operations takes.
 */
import process from 'node:process';
import { checkStrictSerializability, generatePlan, runPlan } from '@etcd-ts/sim';
import { makeHistory } from '../packages/sim/test/fixtures/history-maker.ts';

const SEEDS = Number(process.argv[2] ?? 5);

const cpuSeconds = (): number => {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
};

async function measure(profile: string): Promise<void> {
  await runPlan(generatePlan(1, profile));
  const before = cpuSeconds();
  let simulatedMs = 0;
  let events = 0;
  let operations = 0;
  for (let seed = 0; seed < SEEDS; seed++) {
    const result = await runPlan(generatePlan(seed, profile));
    simulatedMs += result.simulatedMs;
    events += result.events;
    operations += result.operations;
  }
  const seconds = cpuSeconds() - before;
  const figures = [
    `${(simulatedMs / 1000 / seconds).toFixed(0)} times real time`,
    `${(SEEDS / seconds).toFixed(1)} seeds a second`,
    `${((seconds * 1e6) / events).toFixed(1)} us an event`,
    `${((1000 * operations) / simulatedMs).toFixed(0)} operations a simulated second`,
  ];
  console.log(`${profile.padEnd(8)} ${figures.join(', ')}`);
}

for (const profile of ['busy', 'calm', 'default', 'crash']) await measure(profile);

const history = makeHistory({ seed: 1, operations: 100_000, clients: 50, keys: 10 });
const times: number[] = [];
for (let i = 0; i < 5; i++) {
  const before = cpuSeconds();
  checkStrictSerializability(history);
  times.push(cpuSeconds() - before);
}
times.sort((a, b) => a - b);
console.log(`100,000 operations judged in ${times[2]?.toFixed(2)} s (median of 5)`);
