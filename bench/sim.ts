/**
 * `npm run bench -- sim [WHAT ...]`: how fast the simulator is, in processor time, which a busy machine changes least.
 *
 * WHAT is a profile (default, crash, busy, light) or `judge`; without it all of them. Each is measured in a process of its
 * own, as `npm run sim -- --profile NAME` runs it, on the same Node: code that has seen every kind of run before is slower
 * at each of them.
 *
 * Prints, for each profile, the median of five parts: simulated seconds per second of one core, with each part's, seeds of
 * 30 simulated seconds per second, microseconds per event; and how long the judgement of 100,000 operations takes. Every
 * profile runs a while before it is measured: an optimising compiler that has seen nothing yet takes as long as the
 * simulation.
 */
import { spawnSync } from 'node:child_process';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { must } from '@etcd-ts/base';
import { checkStrictSerializability, generatePlan } from '@etcd-ts/sim';
import { simulationNode } from '../scripts/engine/engine.mjs';
import { ENGINE_FLAGS } from '../packages/sim/src/node/engine-flags.ts';
import { runOnce } from '../packages/sim/src/node/run-once.ts';
import { makeHistory } from '../packages/sim/test/fixtures/history-maker.ts';
import { median } from './beside/median.ts';

/**
 * Seeds that are run before the measurement, and in each part of it. A campaign has thousands: it gets quicker over its
 * first 800 of the default profile, and its first 100 of the busy one, for so many kinds of runs take the optimising
 * compiler that long.
 */
const PROFILES: Readonly<Record<string, readonly [warmUpSeeds: number, seeds: number]>> = {
  default: [800, 40],
  crash: [80, 10],
  busy: [100, 5],
  light: [100, 15],
};

/** Parts of a measurement, of which the median counts: what else is on the machine comes and goes. */
const PARTS = 5;

const cpuSeconds = (): number => {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
};

interface Part {
  readonly timesRealTime: number;
  readonly timesLoadedTime: number;
  readonly thirtySecondSeeds: number;
  readonly usPerEvent: number;
  readonly operationsPerSecond: number;
}

/** Runs some seeds in a row. */
async function measurePart(profile: string, first: number, seeds: number): Promise<Part> {
  const before = cpuSeconds();
  let simulatedMs = 0;
  let loadedMs = 0;
  let events = 0;
  let operations = 0;
  for (let seed = first; seed < first + seeds; seed++) {
    const result = await runOnce(generatePlan(seed, profile));
    simulatedMs += result.simulatedMs;
    loadedMs += result.plan.safetyMs;
    events += result.events;
    operations += result.operations;
  }
  const seconds = cpuSeconds() - before;
  return {
    timesRealTime: simulatedMs / 1000 / seconds,
    timesLoadedTime: loadedMs / 1000 / seconds,
    thirtySecondSeeds: simulatedMs / 30_000 / seconds,
    usPerEvent: (seconds * 1e6) / events,
    operationsPerSecond: (1000 * operations) / loadedMs,
  };
}

async function measure(profile: string, warmUpSeeds: number, seeds: number): Promise<void> {
  for (let seed = 0; seed < warmUpSeeds; seed++) await runOnce(generatePlan(seed, profile));
  const parts: Part[] = [];
  for (let i = 0; i < PARTS; i++) {
    parts.push(await measurePart(profile, warmUpSeeds + i * seeds, seeds));
  }
  const of = (figure: keyof Part): number => median(parts.map((part) => part[figure]));
  const times = parts.map(({ timesRealTime }) => timesRealTime.toFixed(0));
  const figures = [
    `${of('timesRealTime').toFixed(0)} times real time (${times.join(', ')})`,
    `${of('timesLoadedTime').toFixed(0)} times without the time after the load, at ${of('operationsPerSecond').toFixed(0)} operations a second`,
    `${of('thirtySecondSeeds').toFixed(1)} seeds of 30 s a second`,
    `${of('usPerEvent').toFixed(1)} us an event`,
  ];
  console.log(`${profile.padEnd(8)} ${figures.join('; ')}`);
}

/** Judges 100,000 operations, five times. */
function judge(): void {
  const history = makeHistory({ seed: 1, operations: 100_000, clients: 50, keys: 10 });
  const times: number[] = [];
  for (let i = 0; i < 5; i++) {
    const before = cpuSeconds();
    checkStrictSerializability(history);
    times.push(cpuSeconds() - before);
  }
  console.log(`100,000 operations judged in ${median(times).toFixed(2)} s (median of 5)`);
}

const all = [...Object.keys(PROFILES), 'judge'];
const asked = process.argv.slice(2);
const wrong = asked.find((what) => !all.includes(what));
if (wrong !== undefined) {
  console.error(`there is no measurement ${wrong}; there are: ${all.join(', ')}`);
  process.exit(2);
}
const [only = ''] = asked;
// A process that was started for one measurement has the flags with which `npm run sim` runs.
if (process.execArgv.includes(must(ENGINE_FLAGS[0], 'flag'))) {
  const seeds = PROFILES[only];
  if (seeds === undefined) judge();
  else await measure(only, ...seeds);
} else {
  const script = fileURLToPath(import.meta.url);
  const node = simulationNode();
  for (const what of asked.length === 0 ? all : asked) {
    const args = [...ENGINE_FLAGS, ...process.execArgv, script, what];
    const { status, error } = spawnSync(node, args, { stdio: 'inherit' });
    if (error !== undefined) throw error;
    if (status !== 0) process.exit(status ?? 1);
  }
}
