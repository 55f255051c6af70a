import { expect, test } from 'vitest';
import { SignOfLife } from '../../src/listeners/sign-of-life.ts';
import { ManualClock } from './manual-clock.ts';

function watched(limits = { intervalMs: 1_000, timeoutMs: 200 }): {
  clock: ManualClock;
  life: SignOfLife;
  events: string[];
} {
  const clock = new ManualClock();
  const events: string[] = [];
  const life = new SignOfLife(clock, limits, {
    ask: () => events.push('ask'),
    giveUp: () => events.push('give up'),
  });
  return { clock, life, events };
}

test('silence is asked for a sign of life, and more silence ends it', () => {
  const { clock, events } = watched();
  clock.pass(999);
  expect(events).toEqual([]);
  clock.pass(1);
  expect(events).toEqual(['ask']);
  clock.pass(199);
  expect(events).toEqual(['ask']);
  clock.pass(1);
  expect(events).toEqual(['ask', 'give up']);
});

test('an answer begins the interval anew', () => {
  const { clock, life, events } = watched();
  clock.pass(1_000);
  clock.pass(100);
  life.heard();
  clock.pass(999);
  expect(events).toEqual(['ask']);
  clock.pass(1);
  expect(events).toEqual(['ask', 'ask']);
});

test('whoever answers is asked once in an interval, however long an answer would be waited for', () => {
  const { clock, life, events } = watched({ intervalMs: 100, timeoutMs: 1_000 });
  for (let i = 0; i < 5; i++) {
    clock.pass(100);
    life.heard();
  }
  expect(events).toEqual(['ask', 'ask', 'ask', 'ask', 'ask']);
  clock.pass(1_099);
  expect(events.filter((event) => event === 'give up')).toEqual([]);
  clock.pass(1);
  expect(events.at(-1)).toBe('give up');
});

test('whoever speaks is never asked', () => {
  const { clock, life, events } = watched();
  for (let i = 0; i < 10; i++) {
    clock.pass(900);
    life.heard();
  }
  expect(events).toEqual([]);
});

test('nothing is watched when there is no interval, and nothing is left behind', () => {
  expect(watched({ intervalMs: 0, timeoutMs: 200 }).clock.timerCount).toBe(0);
  const { clock, life } = watched();
  life.stop();
  expect(clock.timerCount).toBe(0);
});
