/** When history is compacted by itself: the schedules, and a node that follows one. */
import { describe, expect, test } from 'vitest';
import {
  PeriodicSchedule,
  REVISION_SAMPLE_MS,
  RevisionSchedule,
  type Schedule,
} from '../src/compaction/auto-compaction.ts';
import { resolveOptions } from '../src/options.ts';
import { failure, harness } from './services/harness.ts';
import { secured } from './services/secured.ts';

const MINUTE_MS = 60_000;

/** Runs a schedule whose store has revision n + 1 after n ms; gives minute and age in minutes of each compaction. */
function compactions(schedule: Schedule, untilMs: number, isLeader = true): [number, number][] {
  const done: [number, number][] = [];
  for (let nowMs = 0; nowMs <= untilMs; nowMs += schedule.sampleIntervalMs) {
    const revision = schedule.sample({ nowMs, revision: nowMs + 1, isLeader });
    if (revision === undefined) continue;
    schedule.done(revision, nowMs);
    done.push([nowMs / MINUTE_MS, (nowMs + 1 - revision) / MINUTE_MS]);
  }
  return done;
}

describe('periodic', () => {
  test('samples ten times in a period, or in an hour when the period is longer', () => {
    expect(new PeriodicSchedule(5 * MINUTE_MS, 0).sampleIntervalMs).toBe(30_000);
    expect(new PeriodicSchedule(60 * MINUTE_MS, 0).sampleIntervalMs).toBe(6 * MINUTE_MS);
    expect(new PeriodicSchedule(24 * 60 * MINUTE_MS, 0).sampleIntervalMs).toBe(6 * MINUTE_MS);
  });

  test('compacts after a period at what was current at its beginning, then every period', () => {
    const schedule = new PeriodicSchedule(10 * MINUTE_MS, 0);
    // etcd keeps a sample more than a period has, so that a period is always covered.
    expect(compactions(schedule, 35 * MINUTE_MS)).toEqual([
      [10, 10],
      [20, 11],
      [30, 11],
    ]);
  });

  test('a long period is waited for whole, then it compacts every hour', () => {
    const schedule = new PeriodicSchedule(3 * 60 * MINUTE_MS, 0);
    const done = compactions(schedule, 6 * 60 * MINUTE_MS);
    expect(done.map(([atMinute]) => atMinute / 60)).toEqual([3, 4, 5, 6]);
    expect(done.map(([, ageMinutes]) => ageMinutes)).toEqual([180, 186, 186, 186]);
  });

  test('nothing new since the last time is nothing to do', () => {
    const schedule = new PeriodicSchedule(10 * MINUTE_MS, 0);
    const at = (minute: number) =>
      schedule.sample({ nowMs: minute * MINUTE_MS, revision: 7, isLeader: true });
    for (let minute = 0; minute < 10; minute++) expect(at(minute)).toBeUndefined();
    expect(at(10)).toBe(7);
    schedule.done(7, 10 * MINUTE_MS);
    for (let minute = 11; minute < 40; minute++) expect(at(minute)).toBeUndefined();
  });

  test('what failed is asked for again at the next sample', () => {
    const schedule = new PeriodicSchedule(10 * MINUTE_MS, 0);
    const at = (minute: number) =>
      schedule.sample({ nowMs: minute * MINUTE_MS, revision: minute + 1, isLeader: true });
    for (let minute = 0; minute < 10; minute++) at(minute);
    expect(at(10)).toBe(1);
    expect(at(11)).toBe(1);
    expect(at(12)).toBe(2);
  });

  test('a member that does not lead only looks on, and knows the past when it leads', () => {
    const schedule = new PeriodicSchedule(10 * MINUTE_MS, 0);
    expect(compactions(schedule, 30 * MINUTE_MS, false)).toEqual([]);
    const revision = schedule.sample({ nowMs: 31 * MINUTE_MS, revision: 99, isLeader: true });
    expect(revision).toBe(20 * MINUTE_MS + 1);
  });
});

describe('by revision', () => {
  test('keeps the last revisions, looked at every five minutes', () => {
    const schedule = new RevisionSchedule(1_000);
    expect(schedule.sampleIntervalMs).toBe(300_000);
    const at = (revision: number, isLeader = true) =>
      schedule.sample({ nowMs: 0, revision, isLeader });
    expect(at(999)).toBeUndefined();
    expect(at(1_000)).toBeUndefined();
    expect(at(5_000, false)).toBeUndefined();
    expect(at(5_000)).toBe(4_000);
    schedule.done(4_000);
    expect(at(5_000)).toBeUndefined();
    expect(at(5_001)).toBe(4_001);
  });
});

describe('a node', () => {
  test('compacts what is older than its period, and says so', async () => {
    const { node, put, services } = await harness(
      {},
      { retention: { mode: 'periodic', periodMs: 1_000 } },
    );
    await put('a', '1');
    await put('a', '2');
    await node.time.advance(100);
    await put('a', '3');
    await node.time.advance(800);
    expect(node.state.store.compactRevision).toBe(-1);
    await node.time.advance(2_000);
    expect(node.state.store.compactRevision).toBe(4);
    const said = node.logged.map(({ message }) => message);
    expect(said).toContain('starting auto periodic compaction');
    expect(said).toContain('completed auto periodic compaction');
    services.stop();
    expect(node.time.pendingTimers).toBe(0);
  });

  test('keeps so many revisions', async () => {
    const retention = { mode: 'revision', revisions: 3 } as const;
    const { node, put, services } = await harness({}, { retention });
    for (let i = 0; i < 10; i++) await put('a', String(i));
    await node.time.advance(REVISION_SAMPLE_MS);
    expect(node.state.store.compactRevision).toBe(11 - 3);
    services.stop();
  });

  test('also where authentication is on, as it is the member that asks', async () => {
    const retention = { mode: 'revision', revisions: 3 } as const;
    const { node, root, nobody, services } = await secured([], { retention });
    for (let i = 0; i < 10; i++) await root.put('a');
    await node.time.advance(REVISION_SAMPLE_MS);
    expect(node.state.store.compactRevision).toBe(11 - 3);
    const compact = { revision: 9, physical: false };
    expect(await failure(nobody.call('etcdserverpb.KV/Compact', compact))).toBe('USER_EMPTY');
    services.stop();
  });

  test('compacts nothing while another member leads, and nothing without a retention', async () => {
    const retention = { mode: 'revision', revisions: 3 } as const;
    for (const parts of [{ retention }, {}]) {
      const { node, put, services } = await harness({}, parts);
      for (let i = 0; i < 10; i++) await put('a', String(i));
      if (parts.retention !== undefined) node.setStatus({ isLeader: false });
      await node.time.advance(REVISION_SAMPLE_MS * 3);
      expect(node.state.store.compactRevision).toBe(-1);
      services.stop();
    }
  });
});

describe('what --auto-compaction-retention means', () => {
  const retentionOf = (autoCompactionMode: string, autoCompactionRetention: string) =>
    resolveOptions({ autoCompactionMode, autoCompactionRetention }).retention;

  test.each([
    ['periodic', '0', undefined],
    ['periodic', '5', { mode: 'periodic', periodMs: 5 * 3_600_000 }],
    ['periodic', '30m', { mode: 'periodic', periodMs: 30 * MINUTE_MS }],
    ['revision', '0', undefined],
    ['revision', '1000', { mode: 'revision', revisions: 1_000 }],
    ['revision', '1ms', { mode: 'revision', revisions: 1_000_000 }],
  ])('%s %s', (mode, text, expected) => {
    expect(retentionOf(mode, text)).toEqual(expected);
  });

  test.each([
    ['daily', '1', 'unknown auto-compaction-mode "daily"'],
    ['', '1', 'undefined auto-compaction-mode'],
    ['periodic', 'foo', 'error parsing CompactionRetention: time: invalid duration "foo"'],
    ['revision', '-5', 'error parsing CompactionRetention: time: invalid duration "-5"'],
  ])('%j %j is refused', (mode, text, message) => {
    expect(() => retentionOf(mode, text)).toThrow(message);
  });
});
