import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  CALL_DEADLINE_GRAIN_MS,
  type CallDeadline,
  CallDeadlines,
  MAX_TIMER_MS,
} from '../src/call-deadlines.ts';
import { ManualClock } from './manual-clock.ts';

describe('the deadlines of calls', () => {
  test('pass at their time or at most a grain later, and never when they were cleared', () => {
    const step = fc.record({
      delayMs: fc.oneof(fc.constantFrom(0, 1, 100, 10_000), fc.nat(3_000)),
      passMs: fc.oneof(fc.constant(0), fc.nat(400)),
      clear: fc.option(fc.nat(50), { nil: undefined }),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const clock = new ManualClock();
        const deadlines = new CallDeadlines(clock);
        const all: { handle: CallDeadline; dueMs: number; passedMs?: number; cleared: boolean }[] =
          [];
        for (const { delayMs, passMs, clear } of steps) {
          const entry = {
            dueMs: clock.monotonicMs() + delayMs,
            cleared: false,
            handle: deadlines.set(delayMs, () => {
              Object.assign(entry, { passedMs: clock.monotonicMs() });
            }),
          };
          all.push(entry);
          const victim = clear === undefined ? undefined : all[clear];
          if (victim !== undefined) {
            deadlines.clear(victim.handle);
            victim.cleared ||= !('passedMs' in victim);
          }
          clock.pass(passMs);
        }
        clock.pass(20_000);
        for (const { dueMs, passedMs, cleared } of all) {
          if (cleared) {
            expect(passedMs).toBeUndefined();
            continue;
          }
          expect(passedMs).toBeGreaterThanOrEqual(dueMs);
          expect(passedMs).toBeLessThanOrEqual(dueMs + CALL_DEADLINE_GRAIN_MS);
        }
        expect(clock.timerCount).toBe(0);
      }),
    );
  });

  test('further away than timers go are waited for in steps that timers take', () => {
    const clock = new ManualClock();
    const delays: number[] = [];
    const deadlines = new CallDeadlines({
      monotonicMs: () => clock.monotonicMs(),
      after: (delayMs, callback) => (delays.push(delayMs), clock.after(delayMs, callback)),
    });
    let passedMs = 0;
    // grpc-timeout: 1000H.
    deadlines.set(3_600_000_000, () => (passedMs = clock.monotonicMs()));
    clock.pass(MAX_TIMER_MS);
    expect(passedMs).toBe(0);
    clock.pass(MAX_TIMER_MS);
    expect(passedMs).toBeGreaterThanOrEqual(3_600_000_000);
    expect(Math.max(...delays)).toBe(MAX_TIMER_MS);
    expect(delays).toHaveLength(2);
  });

  test('set and cleared one after the other use one timer', () => {
    const clock = new ManualClock();
    const deadlines = new CallDeadlines(clock);
    for (let i = 0; i < 1_000; i++) {
      deadlines.clear(deadlines.set(10_000, () => undefined));
      clock.pass(1);
      expect(clock.timerCount).toBe(1);
    }
    deadlines.close();
    expect(clock.timerCount).toBe(0);
  });

  test('may be set and cleared while others pass', () => {
    const clock = new ManualClock();
    const deadlines = new CallDeadlines(clock);
    const passed: string[] = [];
    const second = deadlines.set(10, () => passed.push('second'));
    deadlines.clear(second);
    deadlines.set(10, () => {
      passed.push('first');
      deadlines.clear(third);
      deadlines.set(10, () => passed.push('later'));
    });
    const third = deadlines.set(10, () => passed.push('third'));
    clock.pass(1_000);
    expect(passed).toEqual(['first', 'later']);
    deadlines.clear(third);
  });
});
