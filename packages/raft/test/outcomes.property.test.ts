/** Outcomes of accepted proposals against a log that is decided entry by entry. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Outcome, Token } from '@etcd-ts/raft';
import { OutcomeTracker } from '../src/outcomes.ts';

/** A committed log as lengths of its terms: [2, 0, 3] is two entries of term 1 and three of term 3. */
const committedLog = fc
  .array(fc.nat(4), { minLength: 1, maxLength: 6 })
  .map((lengths) => lengths.flatMap((length, i) => Array.from({ length }, () => i + 1)));

const accepted = fc.record({
  term: fc.integer({ min: 1, max: 6 }),
  first: fc.integer({ min: 1, max: 14 }),
  count: fc.integer({ min: 1, max: 4 }),
});

function collect(): {
  report: (token: Token, outcome: Outcome) => void;
  told: Map<Token, Outcome[]>;
} {
  const told = new Map<Token, Outcome[]>();
  const report = (token: Token, outcome: Outcome): void => {
    told.set(token, [...(told.get(token) ?? []), outcome]);
  };
  return { report, told };
}

describe('outcomes of accepted proposals', () => {
  test('are told once, truly, and as soon as the commit index decides', () => {
    fc.assert(
      fc.property(committedLog, fc.array(accepted, { maxLength: 6 }), (log, batches) => {
        const tracker = new OutcomeTracker();
        const { report, told } = collect();
        const entries = new Map<Token, { index: number; term: number }>();
        for (const { term, first, count } of batches) {
          const tokens = Array.from({ length: count }, (_, i) => entries.size + i);
          tokens.forEach((token, i) => entries.set(token, { index: first + i, term }));
          tracker.track(first, term, tokens, report);
        }
        for (let commit = 0; commit <= log.length; commit++) {
          tracker.commit(commit, (index) => (index === 0 ? 0 : log[index - 1]), report);
          expect(tracker.count).toBe(entries.size - told.size);
          expect(tracker.clone().count).toBe(tracker.count);
          for (const [token, { index, term }] of entries) {
            const outcomes = told.get(token) ?? [];
            expect(outcomes.length).toBeLessThanOrEqual(1);
            const kind = outcomes[0]?.kind;
            if (kind === 'unknown') continue;
            const isCommitted = index <= commit && log[index - 1] === term;
            // Terms never decrease: behind a newer committed entry nothing older can come.
            const isLost = index <= commit ? !isCommitted : (log[commit - 1] ?? 0) > term;
            expect(kind).toBe(isCommitted ? 'committed' : isLost ? 'lost' : undefined);
          }
        }
      }),
      { numRuns: 300 },
    );
  });

  test('are unknown for nothing but an index that is claimed twice', () => {
    fc.assert(
      fc.property(fc.array(accepted, { maxLength: 6 }), (batches) => {
        const tracker = new OutcomeTracker();
        const { report, told } = collect();
        const claims = new Map<number, number>();
        let tokens = 0;
        for (const { term, first, count } of batches) {
          const batch = Array.from({ length: count }, (_, i) => tokens + i);
          tokens += count;
          batch.forEach((_, i) => claims.set(first + i, (claims.get(first + i) ?? 0) + 1));
          tracker.track(first, term, batch, report);
        }
        const twice = [...claims.values()].reduce((sum, count) => sum + count - 1, 0);
        expect(told.size).toBe(twice);
        expect(tracker.count).toBe(tokens - twice);
      }),
      { numRuns: 500 },
    );
  });

  test('are unknown under a snapshot, but lost when the snapshot is of an older term', () => {
    const tracker = new OutcomeTracker();
    const { report, told } = collect();
    tracker.track(3, 2, [1], report);
    tracker.track(4, 5, [2], report);
    tracker.track(9, 5, [3], report);
    const confState = {
      voters: [],
      votersOutgoing: [],
      learners: [],
      learnersNext: [],
      autoLeave: false,
    };
    tracker.restore({ index: 6, term: 4, confState }, report);
    expect(told.get(1)).toEqual([{ kind: 'unknown', index: 3, term: 2 }]);
    expect(told.get(2)).toEqual([{ kind: 'lost', index: 4, term: 5 }]);
    expect(told.get(3)).toBeUndefined();
  });

  test('of a batch cost one object, and its tokens are settled in part', () => {
    const tracker = new OutcomeTracker();
    const { report, told } = collect();
    tracker.track(1, 1, [10, 11, 12], report);
    tracker.commit(2, () => 1, report);
    expect([...told.keys()]).toEqual([10, 11]);
    expect(tracker.count).toBe(1);
    tracker.commit(3, () => 1, report);
    expect([...told.keys()]).toEqual([10, 11, 12]);
  });
});
