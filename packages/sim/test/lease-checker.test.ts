import { describe, expect, it } from 'vitest';
import { checkCheckpoints, type CheckpointEvidence } from '../src/checkers/lease-checkpoint.ts';
import { checkLeases, type LeaseEnding, type LeaseEvidence } from '../src/checkers/lease.ts';
import type { Operation, OperationRequest, OperationResponse } from '../src/history/operation.ts';

const SECOND = 1_000_000;
let nextId = 0;
const operation = (
  atUs: number,
  request: OperationRequest,
  response: OperationResponse | 'unknown',
): Operation => {
  const id = nextId++;
  return {
    id,
    client: 1,
    member: 1,
    connection: 1,
    request,
    invokedAt: atUs,
    returnedAt: response === 'unknown' ? Infinity : atUs + 1000,
    invokedUs: atUs,
    returnedUs: atUs + 1000,
    outcome:
      response === 'unknown' ? { kind: 'unknown', code: 'TIMEOUT' } : { kind: 'ok', response },
  };
};
const grant = (atUs: number, id = 7n, ttlSeconds = 10): Operation =>
  operation(
    atUs,
    { kind: 'leaseGrant', id, ttlSeconds },
    { kind: 'leaseGrant', revision: 1, id, ttlSeconds },
  );
const keepAlive = (atUs: number, revision = 1, ttlSeconds = 10, id = 7n): Operation =>
  operation(atUs, { kind: 'leaseKeepAlive', id }, { kind: 'leaseKeepAlive', revision, ttlSeconds });
const expiry = (atUs: number, revision = 5): LeaseEnding => ({
  leaseId: 7n,
  expired: true,
  atUs,
  revision,
  keys: ['k'],
});
const told = (ttlSeconds: number, atUs = 1): Operation =>
  operation(
    atUs,
    { kind: 'leaseTimeToLive', id: 7n },
    { kind: 'leaseTimeToLive', revision: 1, ttlSeconds, grantedTtlSeconds: 10, keys: [] },
  );
const judge = (operations: Operation[], more: Partial<LeaseEvidence> = {}): string[] =>
  checkLeases({
    operations,
    endings: [],
    left: [],
    maxDriftPpm: 0,
    leaderOverlapUs: 0,
    keepAlivePassedOnUs: 0,
    endUs: 100 * SECOND,
    scanSlackUs: SECOND,
    ...more,
  }).map((each) => each.invariant);

describe('the lease checker', () => {
  it('accepts a lease that lives as long as it is kept alive, and ends then', () => {
    const operations = [grant(0), keepAlive(8 * SECOND), keepAlive(16 * SECOND)];
    expect(judge(operations, { endings: [expiry(26 * SECOND + 1)], calmSinceUs: 0 })).toEqual([]);
  });

  it('sees a lease that dies early (L1)', () => {
    expect(judge([grant(0)], { endings: [expiry(9 * SECOND)] })).toEqual(['L1']);
    expect(judge([grant(0), keepAlive(8 * SECOND)], { endings: [expiry(17 * SECOND)] })).toEqual([
      'L1',
    ]);
  });

  it("allows for drift and for a deposed leader's answer", () => {
    const early = { endings: [expiry(9.6 * SECOND)] };
    expect(judge([grant(0)], { ...early, maxDriftPpm: 50_000 })).toEqual([]);
    expect(judge([grant(0)], { ...early, leaderOverlapUs: SECOND })).toEqual([]);
  });

  it('takes no renewal from an answer that came after the end, or never', () => {
    const unanswered = operation(5 * SECOND, { kind: 'leaseKeepAlive', id: 7n }, 'unknown');
    expect(judge([grant(0), unanswered], { endings: [expiry(10 * SECOND)] })).toEqual([]);
  });

  it('sees a lease that never dies (L2), but only where all was well for long enough', () => {
    const left = [{ leaseId: 7n, ttlSeconds: 10, grantedUs: 500 }];
    expect(judge([grant(0)], { left, calmSinceUs: 50 * SECOND })).toEqual(['L2']);
    expect(judge([grant(0)], { left, calmSinceUs: 95 * SECOND })).toEqual([]);
    expect(judge([grant(0)], { left })).toEqual([]);
    const late = [grant(0), keepAlive(95 * SECOND)];
    expect(judge(late, { left, calmSinceUs: 50 * SECOND })).toEqual([]);
  });

  it('sees one that never dies after a keepalive without an answer (L2), unless that came late to the leader', () => {
    const left = [{ leaseId: 7n, ttlSeconds: 10, grantedUs: 500 }];
    const unknown = (atUs: number): Operation =>
      operation(atUs, { kind: 'leaseKeepAlive', id: 7n }, 'unknown');
    const calm = { left, calmSinceUs: 50 * SECOND };
    expect(judge([grant(0), unknown(60 * SECOND)], calm)).toEqual(['L2']);
    expect(judge([grant(0), unknown(95 * SECOND)], calm)).toEqual([]);
    const late = { ...calm, keepAlivePassedOnUs: 95 * SECOND };
    expect(judge([grant(0), unknown(60 * SECOND)], late)).toEqual([]);
    // Of this one all that was asked was answered.
    expect(judge([grant(0), keepAlive(60 * SECOND)], late)).toEqual(['L2']);
  });

  it('sees that of a lease of which nobody was told that it was granted, too (L2)', () => {
    const asked = operation(0, { kind: 'leaseGrant', id: 7n, ttlSeconds: 10 }, 'unknown');
    const left = [{ leaseId: 7n, ttlSeconds: 10, grantedUs: 500 }];
    expect(judge([asked], { left, calmSinceUs: 50 * SECOND })).toEqual(['L2']);
    const young = [{ leaseId: 7n, ttlSeconds: 10, grantedUs: 95 * SECOND }];
    expect(judge([asked], { left: young, calmSinceUs: 50 * SECOND })).toEqual([]);
  });

  it('sees a keepalive answered from a revision at which the lease was gone (L5)', () => {
    const operations = [grant(0), keepAlive(30 * SECOND, 5)];
    expect(judge(operations, { endings: [expiry(20 * SECOND, 5)] })).toEqual(['L5']);
    const revoked = { ...expiry(20 * SECOND, 5), expired: false };
    const early = [grant(0), keepAlive(20 * SECOND, 4)];
    expect(judge(early, { endings: [revoked] })).toEqual([]);
  });

  it('sees a keepalive answered that was asked for after the end, whatever revision it shows (L5)', () => {
    const operations = [grant(0), keepAlive(30 * SECOND, 4)];
    expect(judge(operations, { endings: [expiry(20 * SECOND, 5)] })).toEqual(['L5']);
    const empty = { ...expiry(20 * SECOND, 4), keys: [] };
    expect(judge(operations, { endings: [empty] })).toEqual(['L5']);
    const gone = [grant(0), keepAlive(30 * SECOND, 4, 0)];
    expect(judge(gone, { endings: [empty] })).toEqual([]);
    // Another one of the same id.
    const again = [...operations.slice(0, 1), grant(25 * SECOND), ...operations.slice(1)];
    expect(judge(again, { endings: [empty] })).toEqual([]);
  });

  it('sees another time told than was granted (L7)', () => {
    expect(judge([grant(0), keepAlive(1, 1, 11)])).toEqual(['L7']);
    expect(judge([grant(0), keepAlive(1, 1, 9)])).toEqual(['L7']);
    expect(judge([grant(0), told(5)])).toEqual([]);
    expect(judge([grant(0, 7n, 12), told(5)])).toEqual(['L7']);
    const short = operation(
      0,
      { kind: 'leaseGrant', id: 7n, ttlSeconds: 10 },
      { kind: 'leaseGrant', revision: 1, id: 7n, ttlSeconds: 9 },
    );
    expect(judge([short])).toEqual(['L7']);
  });

  it('sees a lease kept alive that nobody asked for (L5)', () => {
    expect(judge([grant(0), keepAlive(1, 1, 10, 99n)])).toEqual(['L5']);
    expect(judge([grant(0), keepAlive(1, 1, 0, 99n)])).toEqual([]);
  });

  it('sees a remaining time above what was granted (L7)', () => {
    expect(judge([grant(0), told(11)])).toEqual(['L7']);
    expect(judge([grant(0), told(11)], { leaderOverlapUs: SECOND })).toEqual([]);
    expect(judge([grant(0), told(10)])).toEqual([]);
  });
});

describe('the checker of checkpoints', () => {
  /** 6 s were left at 4 s; a leader that had applied that began at 5 s. */
  const noted = { leaseId: 7n, remainingSeconds: 6, index: 20, atUs: 4 * SECOND };
  const found = (operations: Operation[], more: Partial<CheckpointEvidence> = {}): string[] =>
    checkCheckpoints({
      operations,
      checkpoints: [noted],
      promotions: [
        { atUs: 0, appliedIndex: 1 },
        { atUs: 5 * SECOND, appliedIndex: 20 },
      ],
      extensionUs: SECOND,
      leaderOverlapUs: 0,
      maxDriftPpm: 0,
      ...more,
    }).map((each) => each.invariant);
  const late = told(8, 5 * SECOND);

  it('accepts what a leader that goes by a checkpoint tells', () => {
    expect(found([grant(0), told(7, 5 * SECOND)])).toEqual([]);
  });

  it('sees a leader that gives a lease its whole time again (L7)', () => {
    expect(found([grant(0), late])).toEqual(['L7']);
    expect(found([grant(0), keepAlive(0), late])).toEqual(['L7']);
  });

  it('sees a checkpoint that leaves less than its holder was told before (L1)', () => {
    // Asked at 1 s for 10 s, of which 7 are left at 4 s.
    expect(found([keepAlive(SECOND)])).toEqual(['L1']);
    expect(found([keepAlive(0)])).toEqual([]);
    expect(found([keepAlive(SECOND)], { leaderOverlapUs: SECOND })).toEqual([]);
    expect(found([keepAlive(0.9 * SECOND)], { maxDriftPpm: 100_000 })).toEqual([]);
    expect(found([keepAlive(SECOND, 1, 0)])).toEqual([]);
  });

  it('asks nothing of a checkpoint for one who was answered after it', () => {
    expect(found([keepAlive(4 * SECOND)])).toEqual([]);
  });

  it('asks nothing of a leader that had not applied the checkpoint when it began', () => {
    const promotions = [{ atUs: 5 * SECOND, appliedIndex: 19 }];
    expect(found([grant(0), late], { promotions })).toEqual([]);
  });

  it('asks nothing where another leader may have answered', () => {
    const promotions = [{ atUs: 5 * SECOND + 500, appliedIndex: 20 }];
    expect(found([grant(0), late], { promotions })).toEqual([]);
  });

  it('asks nothing of a checkpoint that was taken back', () => {
    const back = { ...noted, remainingSeconds: 0, index: 20 };
    expect(found([late], { checkpoints: [{ ...noted, index: 19 }, back] })).toEqual([]);
  });

  it('asks nothing of a lease that may have been kept alive since', () => {
    expect(found([keepAlive(4.5 * SECOND), late])).toEqual([]);
    const unanswered = operation(SECOND, { kind: 'leaseKeepAlive', id: 7n }, 'unknown');
    expect(found([unanswered, late])).toEqual([]);
    expect(found([keepAlive(6 * SECOND), late])).toEqual(['L7']);
  });
});
