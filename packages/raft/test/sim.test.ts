import { describe, expect, test } from 'vitest';
import {
  planFor,
  SIM_EVENTS,
  type SimEvent,
  type SimReport,
  Simulation,
} from '@etcd-ts/raft/testing';

/** `npm run raft:sim` runs as many as one likes; these are a sample that fits into every test run. */
const SEEDS = 200;

const OUTCOMES = ['accepted', 'committed', 'lost', 'readable', 'refused', 'transferred', 'unknown'];

function run(seed: number): SimReport {
  try {
    return new Simulation(planFor(seed)).run();
  } catch (error) {
    throw new Error(`replay: npm run raft:sim -- --seed ${seed}`, { cause: error });
  }
}

describe('the random simulator', () => {
  const reports: SimReport[] = [];

  test(`no invariant breaks in ${SEEDS} runs, and each heals`, () => {
    for (let seed = 1; seed <= SEEDS; seed++) reports.push(run(seed));
    expect(reports).toHaveLength(SEEDS);
  }, 60_000);

  test('every kind of event and every outcome happened', () => {
    const happened = (event: SimEvent): boolean =>
      reports.some((report) => report.counts[event] > 0);
    expect(SIM_EVENTS.filter((event) => !happened(event))).toEqual([]);
    const seen = new Set(reports.flatMap(({ outcomes }) => [...outcomes.keys()]));
    expect([...seen].sort()).toEqual(OUTCOMES);
  });

  test('the same seed is the same run', () => {
    expect(run(7)).toEqual(run(7));
  });
});
