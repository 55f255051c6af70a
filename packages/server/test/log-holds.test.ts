import { utf8 } from '@etcd-ts/base';
import type { Entry } from '@etcd-ts/raft';
import { expect, test } from 'vitest';
import { HOLD_AFTER_SENT_MS, LogHolds, MAX_HELD_BYTES } from '../src/consensus/log-holds.ts';

const follower = (matchIndex: number) => [{ id: 2n, matchIndex, active: true }];

function entryOf(bytes: number): Entry {
  return { index: 1, term: 1, payload: { kind: 'command', data: new Uint8Array(bytes) } };
}

test('without a snapshot under way nothing is kept', () => {
  expect(new LogHolds().limit(90, follower(3), 0)).toBe(90);
});

test('what comes after a snapshot is kept while it is sent, and until its receiver has caught up', () => {
  const holds = new LogHolds();
  holds.begin(2n, 40);
  expect(holds.limit(90, follower(3), 0)).toBe(40);
  holds.taken(2n, 42);
  expect(holds.limit(90, follower(3), 0)).toBe(42);
  expect(holds.limit(41, follower(3), 0)).toBe(41);
  holds.sent(2n, 1_000, 100);
  expect(holds.limit(90, follower(3), 1_000)).toBe(42);
  expect(holds.limit(90, follower(70), 1_000)).toBe(70);
  expect(holds.limit(110, follower(100), 1_000)).toBe(110);
  expect(holds.limit(120, follower(60), 1_000)).toBe(120);
});

test('of several receivers the one furthest behind decides', () => {
  const holds = new LogHolds();
  holds.begin(2n, 40);
  holds.begin(3n, 30);
  const both = [...follower(0), { id: 3n, matchIndex: 0, active: true }];
  expect(holds.limit(90, both, 0)).toBe(30);
  holds.failed(3n);
  expect(holds.limit(90, both, 0)).toBe(40);
});

test('nothing is kept for a peer that is none any more, or by a member that does not lead', () => {
  const holds = new LogHolds();
  holds.begin(2n, 40);
  expect(holds.limit(90, [], 0)).toBe(90);
  expect(holds.limit(90, follower(0), 0)).toBe(90);
});

test('a receiver that does not catch up is waited for within a limit', () => {
  const holds = new LogHolds();
  holds.begin(2n, 40);
  expect(holds.limit(90, follower(0), 10 * HOLD_AFTER_SENT_MS)).toBe(40);
  holds.sent(2n, 0, 100);
  expect(holds.limit(90, follower(0), HOLD_AFTER_SENT_MS)).toBe(40);
  expect(holds.limit(90, follower(0), HOLD_AFTER_SENT_MS + 1)).toBe(90);
});

test('beyond the limit of bytes nothing is kept for a snapshot any more', () => {
  const holds = new LogHolds();
  holds.appended([entryOf(MAX_HELD_BYTES / 2)]);
  holds.begin(2n, 40);
  holds.appended([entryOf(MAX_HELD_BYTES / 2), entryOf(MAX_HELD_BYTES / 2)]);
  expect(holds.limit(90, follower(0), 0)).toBe(40);
  holds.appended([{ index: 2, term: 1, payload: { kind: 'command', data: utf8('x') } }]);
  expect(holds.limit(90, follower(0), 0)).toBe(90);
  expect(holds.limit(90, follower(0), 0)).toBe(90);
});
