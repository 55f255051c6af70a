/** Quorum arithmetic against the definition of a quorum, spelt out by enumerating sets. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  type ConfState,
  jointIndex,
  jointVote,
  majority,
  majorityIndex,
  majorityVote,
  type NodeId,
  type VoteResult,
} from '@etcd-ts/raft';

const RUNS = { numRuns: 400 };

const voters = fc.uniqueArray(fc.bigInt({ min: 1n, max: 9n }), { maxLength: 7 });
const indexes = fc.array(fc.nat({ max: 12 }), { minLength: 9, maxLength: 9 });
const votes = fc.array(fc.constantFrom(true, false, undefined), { minLength: 9, maxLength: 9 });

const confOf = (incoming: readonly NodeId[], outgoing: readonly NodeId[]): ConfState => ({
  voters: incoming,
  votersOutgoing: outgoing,
  learners: [],
  learnersNext: [],
  autoLeave: false,
});

function subsets(of: readonly NodeId[]): readonly (readonly NodeId[])[] {
  return of.reduce<readonly (readonly NodeId[])[]>(
    (all, id) => [...all, ...all.map((set) => [...set, id])],
    [[]],
  );
}

/** Every set of more than half of the voters; no voters ask for nothing. */
function quorums(of: readonly NodeId[]): readonly (readonly NodeId[])[] {
  return subsets(of).filter((set) => 2 * set.length > of.length || of.length === 0);
}

/** The largest index such that some quorum has reached it. */
function naiveIndex(of: readonly NodeId[], reached: (id: NodeId) => number): number {
  return Math.max(...quorums(of).map((quorum) => Math.min(...quorum.map(reached))));
}

/** Won when a quorum said yes; lost when no quorum can any more. */
function naiveVote(conf: ConfState, voteOf: (id: NodeId) => boolean | undefined): VoteResult {
  const halves = [conf.voters, conf.votersOutgoing];
  const some = (test: (id: NodeId) => boolean): boolean =>
    halves.every((half) => quorums(half).some((quorum) => quorum.every(test)));
  if (some((id) => voteOf(id) === true)) return 'won';
  return some((id) => voteOf(id) !== false) ? 'pending' : 'lost';
}

describe('quorums', () => {
  test('a majority is the smallest count that is more than half', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 1000 }), (count) => {
        expect(2 * majority(count)).toBeGreaterThan(count);
        expect(2 * (majority(count) - 1)).toBeLessThanOrEqual(count);
      }),
      RUNS,
    );
  });

  test('the committed index is the largest that some majority has reached', () => {
    fc.assert(
      fc.property(voters, indexes, (ids, reached) => {
        const of = (id: NodeId): number => reached[Number(id) - 1] ?? 0;
        expect(majorityIndex(ids, of)).toBe(naiveIndex(ids, of));
      }),
      RUNS,
    );
  });

  test('a joint configuration commits what both halves commit', () => {
    fc.assert(
      fc.property(voters, voters, indexes, (incoming, outgoing, reached) => {
        const of = (id: NodeId): number => reached[Number(id) - 1] ?? 0;
        const naive = Math.min(naiveIndex(incoming, of), naiveIndex(outgoing, of));
        expect(jointIndex(confOf(incoming, outgoing), of)).toBe(naive);
      }),
      RUNS,
    );
  });

  test('a vote is won by a majority of yes and lost when none is possible any more', () => {
    fc.assert(
      fc.property(voters, votes, (ids, answers) => {
        const of = (id: NodeId): boolean | undefined => answers[Number(id) - 1];
        expect(majorityVote(ids, of)).toBe(naiveVote(confOf(ids, []), of));
      }),
      RUNS,
    );
  });

  test('a joint vote must be won in both halves', () => {
    fc.assert(
      fc.property(voters, voters, votes, (incoming, outgoing, answers) => {
        const of = (id: NodeId): boolean | undefined => answers[Number(id) - 1];
        const conf = confOf(incoming, outgoing);
        expect(jointVote(conf, of)).toBe(naiveVote(conf, of));
      }),
      RUNS,
    );
  });
});
