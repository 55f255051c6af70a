import { MAX_TIMER_MS } from '@etcd-ts/protocol';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { DEADLINE_GRAIN_MS, Deadlines } from '../src/requests/deadlines.ts';
import { ManualClock } from '../src/testing/manual-clock.ts';

test('nothing expires early, and nothing later than a grain', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.integer({ min: 0, max: 2_000 }), { maxLength: 50 }),
      async (delays) => {
        const clock = new ManualClock();
        const deadlines = new Deadlines(clock);
        const startMs = clock.monotonicMs();
        const late: number[] = [];
        for (const delay of delays) {
          deadlines.add({ expire: () => late.push(clock.monotonicMs() - startMs - delay) }, delay);
        }
        await clock.pass(3_000);
        expect(late.length).toBe(delays.length);
        for (const ms of late) {
          expect(ms).toBeGreaterThanOrEqual(0);
          expect(ms).toBeLessThanOrEqual(DEADLINE_GRAIN_MS);
        }
      },
    ),
    { numRuns: 50 },
  );
});

test('what ends further away than timers go is waited for in steps that timers take', async () => {
  const clock = new ManualClock();
  const delays: number[] = [];
  const after = clock.after.bind(clock);
  clock.after = (delayMs, callback) => (delays.push(delayMs), after(delayMs, callback));
  const deadlines = new Deadlines(clock);
  let isOver = false;
  deadlines.add({ expire: () => (isOver = true) }, MAX_TIMER_MS + 100);
  await clock.pass(MAX_TIMER_MS);
  expect([isOver, delays.length]).toEqual([false, 2]);
  await clock.pass(200);
  expect(isOver).toBe(true);
  expect(Math.max(...delays)).toBe(MAX_TIMER_MS);
});

test('what was removed does not expire, and an idle wheel has no timer', async () => {
  const clock = new ManualClock();
  const deadlines = new Deadlines(clock);
  const item = { expire: () => expect.unreachable() };
  deadlines.add(item, 100);
  deadlines.remove(item);
  await clock.pass(1_000);
  expect(clock.timers).toBe(0);
  expect(deadlines.size).toBe(0);
});

test('an earlier deadline that comes later is noticed in time', async () => {
  const clock = new ManualClock();
  const deadlines = new Deadlines(clock);
  const seen: string[] = [];
  deadlines.add({ expire: () => seen.push('late') }, 1_000);
  deadlines.add({ expire: () => seen.push('early') }, 100);
  await clock.pass(200);
  expect(seen).toEqual(['early']);
});

test('what one expiry removes does not expire in the same moment', async () => {
  const clock = new ManualClock();
  const deadlines = new Deadlines(clock);
  const second = { expire: () => expect.unreachable() };
  deadlines.add({ expire: () => deadlines.remove(second) }, 100);
  deadlines.add(second, 100);
  await clock.pass(200);
  expect(deadlines.size).toBe(0);
});
