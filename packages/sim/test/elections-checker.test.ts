import { describe, expect, it } from 'vitest';
import { checkElections, type ElectionEvidence } from '../src/checkers/elections.ts';

const SECOND = 1_000_000;
/** A leader is elected in term 2 after half a second; the timeout is a second. */
const judge = (
  elections: readonly (readonly [term: number, atUs: number])[],
  more: Partial<ElectionEvidence> = {},
): string[] =>
  checkElections({
    elections: new Map([[2, 0.4 * SECOND], ...elections]),
    firstLeaderUs: 0.5 * SECOND,
    firstFaultUs: 20 * SECOND,
    electionTimeoutUs: SECOND,
    calmSinceUs: 40 * SECOND,
    mayEndOnce: false,
    ...more,
  }).map(({ invariant }) => invariant);

describe('the checker of elections', () => {
  it('accepts one leader, those who stood beside it, and elections among faults', () => {
    expect(judge([])).toEqual([]);
    expect(judge([[3, 2 * SECOND]])).toEqual([]);
    expect(
      judge([
        [3, 20 * SECOND],
        [4, 30 * SECOND],
        [5, 39 * SECOND],
      ]),
    ).toEqual([]);
  });

  it('sees one before anything has gone wrong (LV2)', () => {
    expect(judge([[3, 10 * SECOND]])).toEqual(['LV2']);
    expect(judge([[3, 30 * SECOND]], { firstFaultUs: Infinity })).toEqual(['LV2']);
    expect(judge([[3, 10 * SECOND]], { firstFaultUs: 0 })).toEqual([]);
    expect(judge([[3, 10 * SECOND]], { firstLeaderUs: undefined })).toEqual([]);
  });

  it('sees one when all is well again, also where nobody wins it (LV2)', () => {
    expect(judge([[7, 41 * SECOND]])).toEqual(['LV2']);
    expect(judge([[7, 41 * SECOND]], { calmSinceUs: undefined })).toEqual([]);
  });

  it('lets leadership be handed over late, once (LV2)', () => {
    const mayEndOnce = true;
    expect(judge([[7, 41 * SECOND]], { mayEndOnce })).toEqual([]);
    const twice = [
      [7, 41 * SECOND],
      [8, 43 * SECOND],
    ] as const;
    expect(judge(twice, { mayEndOnce })).toEqual(['LV2']);
  });
});
