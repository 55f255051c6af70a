import type { ConfState, Message } from '@etcd-ts/raft';
import type { RecoveredLog } from '@etcd-ts/wal';
import { describe, expect, it } from 'vitest';
import { Findings } from '../src/checkers/violation.ts';
import { Promises } from '../src/cluster/promises.ts';
import { DatabasesImage } from '../src/disk/sim-backends.ts';
import { type CommittedEntry, hasQuorum, RaftClaims } from '../src/cluster/raft-claims.ts';

const config = (...voters: bigint[]): ConfState => ({
  voters,
  votersOutgoing: [],
  learners: [],
  learnersNext: [],
  autoLeave: false,
});
const setUp = (
  committed: Record<number, CommittedEntry> = {},
  before: readonly ConfState[] = [],
) => {
  const now = config(1n, 2n, 3n);
  const findings = new Findings();
  const claims = new RaftClaims({
    findings,
    nowUs: () => 7,
    committed: (index) => committed[index],
    lastIndex: () => Math.max(0, ...Object.keys(committed).map(Number)),
    configsOf: () => [...before, now],
    configsInForce: () => [now],
  });
  const found = (): string[] => findings.violations.map((each) => each.invariant);
  return { claims, found };
};
const append = (term: number, entries: number[], commit = 0, from = 1n, at = 1): Message => ({
  type: 'append',
  from,
  to: 2n,
  term,
  prevIndex: at - 1,
  prevTerm: at === 1 ? 0 : 1,
  entries: entries.map((entryTerm, i) => ({
    index: at + i,
    term: entryTerm,
    payload: { kind: 'empty' },
  })),
  commit,
  session: 0,
});
const ack = (from: bigint, term: number, index: number): Message => ({
  type: 'appendResponse',
  from,
  to: 1n,
  term,
  session: 0,
  index,
  rejected: false,
  hintIndex: 0,
  hintTerm: 0,
});
const grant = (from: bigint, to: bigint, term: number, commit = 0): Message => ({
  type: 'voteResponse',
  from,
  to,
  term,
  rejected: false,
  commit,
  commitTerm: 0,
});
const stand = (from: bigint, term: number, lastIndex: number): Message => ({
  type: 'vote',
  from,
  to: 2n,
  term,
  lastIndex,
  lastTerm: 1,
  transfer: false,
});

describe('the claims of members', () => {
  it('hold for an election, a replication and a commit as they should be', () => {
    const { claims, found } = setUp();
    claims.sent(stand(1n, 2, 0));
    claims.sent(grant(2n, 1n, 2));
    claims.leads(1n, 2);
    claims.sent(append(2, [2, 2]));
    claims.sent(ack(2n, 2, 2));
    claims.sent(append(2, [2, 2], 2));
    claims.sent({
      type: 'heartbeatResponse',
      from: 2n,
      to: 1n,
      term: 2,
      readRound: 0,
      commit: 2,
      session: 0,
    });
    expect(found()).toEqual([]);
    expect(claims.commit).toBe(2);
    expect(claims.candidatesOf(2)).toBe(1);
  });

  it('show a leader that overwrites its own log (R3)', () => {
    const { claims, found } = setUp();
    claims.sent(append(3, [2]));
    claims.sent(append(3, [3]));
    expect(found()).toEqual(['R3']);
  });

  it('show a leader that lacks a committed entry, or has another in its place (R5)', () => {
    const { claims, found } = setUp({ 4: { term: 1, decidedBy: 1 } });
    claims.sent(grant(2n, 1n, 2));
    claims.sent(stand(1n, 2, 3));
    claims.leads(1n, 2);
    expect(found()).toEqual(['R5']);
    const other = setUp({ 1: { term: 1, decidedBy: 1 } });
    other.claims.sent(append(2, [2]));
    expect(other.found()).toEqual(['R5']);
    // A leader of the same or an older term may not know of it yet.
    const older = setUp({ 1: { term: 1, decidedBy: 2 } });
    older.claims.sent(append(2, [2]));
    expect(older.found()).toEqual([]);
  });

  it('show an entry of an older term that is committed by counting (R5)', () => {
    const { claims, found } = setUp();
    claims.sent(append(2, [1]));
    claims.sent(ack(2n, 2, 1));
    claims.sent(append(2, [], 1));
    expect(found()).toEqual(['R5']);
  });

  it('show a commit that no quorum has acknowledged (R8)', () => {
    const { claims, found } = setUp();
    claims.sent(append(2, [2]));
    claims.sent(ack(2n, 1, 1));
    claims.sent(append(2, [], 1));
    expect(found()).toEqual(['R8']);
  });

  it('show a commit by the quorum of a configuration that is in force no more (R8)', () => {
    const alone = [config(1n)];
    const { claims, found } = setUp({}, alone);
    claims.sent(append(2, [2]));
    claims.sent(append(2, [], 1));
    expect(found()).toEqual(['R8']);
    // Somebody has applied it: it was committed before, when that one was in force.
    const { claims: late, found: none } = setUp({ 1: { term: 2, decidedBy: 2 } }, alone);
    late.sent(append(2, [2]));
    late.sent(append(2, [], 1));
    expect(none()).toEqual([]);
  });

  it('show a leader by the votes of a configuration that is in force no more (R9)', () => {
    const { claims, found } = setUp({}, [config(1n)]);
    claims.leads(1n, 2);
    expect(found()).toEqual(['R9']);
  });

  it('show a follower that knows of a commit which no leader made (R7)', () => {
    const { claims, found } = setUp();
    claims.sent(grant(2n, 3n, 2, 1));
    expect(found()).toEqual(['R7']);
    const { claims: known, found: none } = setUp();
    known.knows(1);
    known.sent(grant(2n, 3n, 2, 1));
    expect(none()).toEqual([]);
  });

  it('let a leader tell of its commit first when it refuses a vote, and judge it then', () => {
    const refusal: Message = {
      type: 'preVoteResponse',
      from: 1n,
      to: 3n,
      term: 2,
      rejected: true,
      commit: 1,
      commitTerm: 2,
    };
    const lead = () => {
      const { claims, found } = setUp();
      claims.sent(grant(2n, 1n, 2));
      claims.leads(1n, 2);
      claims.sent(append(2, [2]));
      return { claims, found };
    };
    const acknowledged = lead();
    acknowledged.claims.sent(ack(2n, 2, 1));
    acknowledged.claims.sent(refusal);
    expect(acknowledged.found()).toEqual([]);
    const alone = lead();
    alone.claims.sent(refusal);
    expect(alone.found()).toEqual(['R8']);
  });

  it('show a leader without the votes of a quorum (R9)', () => {
    const { claims, found } = setUp();
    claims.sent(grant(2n, 3n, 2));
    claims.sent(grant(9n, 1n, 2));
    claims.leads(1n, 2);
    expect(found()).toEqual(['R9']);
  });

  it('show a candidate that is no voter (R9)', () => {
    const { claims, found } = setUp();
    claims.sent(stand(9n, 2, 0));
    expect(found()).toEqual(['R9']);
  });

  it('show a change of voters that leaves two quorums without a common member (R9)', () => {
    const joint = { ...config(1n, 4n, 5n), votersOutgoing: [1n, 2n, 3n] };
    const [old, next] = [config(1n, 2n, 3n), config(1n, 4n, 5n)];
    const changes = (...steps: ConfState[]): string[] => {
      const { claims, found } = setUp();
      steps.slice(1).forEach((step, i) => claims.changed(steps[i]!, step, i));
      return found();
    };
    expect(changes(old, joint, next)).toEqual([]);
    expect(changes(old, config(1n, 2n), config(2n), config(2n, 3n))).toEqual([]);
    expect(changes(old, { ...old, learners: [9n] })).toEqual([]);
    expect(changes(old, next)).toEqual(['R9']);
    expect(changes(old, config(1n, 2n, 4n))).toEqual(['R9']);
    expect(changes(joint, old)).toEqual(['R9']);
    expect(changes(next, joint)).toEqual(['R9']);
  });

  it('count in both halves of a joint configuration', () => {
    const joint = { ...config(1n, 2n, 3n), votersOutgoing: [3n, 4n, 5n] };
    expect(hasQuorum(joint, (voter) => voter < 3n)).toBe(false);
    expect(hasQuorum(joint, (voter) => voter !== 1n && voter !== 5n)).toBe(true);
  });
});

const log = (lastIndex: number, term: number, vote = 0n, lastTerm = 1): RecoveredLog =>
  ({
    metadata: { clusterId: 1n, memberId: 1n },
    hardState: { term, vote, commit: 0 },
    entries: Array.from({ length: lastIndex }, (_, i) => ({
      index: i + 1,
      term: lastTerm,
      payload: { kind: 'empty' },
    })),
  }) as unknown as RecoveredLog;

describe('the promises of members', () => {
  const promises = (committedTerm?: number) => {
    const findings = new Findings();
    const kept = new Promises(findings, () => 7, {
      committedTerm: () => committedTerm,
      hasLeaderBetween: (after, through) => after < 3 && through >= 3,
    });
    return { kept, found: () => findings.violations.map((each) => each.invariant) };
  };

  it('are kept by a log that holds what was acknowledged, granted and applied', () => {
    const { kept, found } = promises();
    kept.sent(1, ack(1n, 2, 5));
    kept.sent(1, grant(1n, 3n, 2));
    kept.applied(1, 5);
    kept.check(1, log(5, 2, 3n));
    kept.check(1, log(6, 4, 0n));
    expect(found()).toEqual([]);
  });

  it('are broken by a vote that is forgotten (R2)', () => {
    const { kept, found } = promises();
    kept.sent(1, grant(1n, 3n, 2));
    kept.check(1, log(0, 2, 2n));
    kept.check(1, log(0, 1, 3n));
    expect(found()).toEqual(['R2', 'R2']);
  });

  it('are broken by a log that ends before what was acknowledged (DK1)', () => {
    const { kept, found } = promises();
    kept.sent(1, ack(1n, 2, 5));
    kept.check(1, log(4, 2));
    expect(found()).toEqual(['DK1']);
    // A newer leader took its place, also with entries that are older than itself.
    kept.check(1, log(4, 3, 0n, 3));
    kept.check(1, log(4, 3, 0n, 1));
    expect(found()).toEqual(['DK1']);
  });

  it('are broken by a log that has something older in the place of what was acknowledged, or applied (DK1)', () => {
    const { kept, found } = promises(1);
    kept.sent(1, ack(1n, 2, 5), 2);
    kept.check(1, log(6, 2, 0n, 2));
    expect(found()).toEqual([]);
    kept.check(1, log(6, 2, 0n, 1));
    expect(found()).toEqual(['DK1']);
    kept.check(1, log(6, 3, 0n, 1));
    kept.applied(1, 5);
    kept.check(1, log(6, 3, 0n, 1));
    expect(found()).toEqual(['DK1']);
    kept.check(1, log(6, 3, 0n, 2));
    expect(found()).toEqual(['DK1', 'DK1']);
  });

  it('are broken by a candidate that forgets its own vote (R2)', () => {
    const { kept, found } = promises();
    kept.sent(1, stand(1n, 2, 0));
    kept.check(1, log(0, 2, 1n));
    kept.check(1, log(0, 3, 0n));
    expect(found()).toEqual([]);
    kept.check(1, log(0, 1, 0n));
    expect(found()).toEqual(['R2']);
  });

  it('are broken by a log that ends before what was applied, whoever led since (DK1)', () => {
    const { kept, found } = promises();
    kept.applied(1, 5);
    kept.check(1, log(4, 9, 0n, 9));
    kept.check(1, undefined);
    expect(found()).toEqual(['DK1', 'DK1']);
    kept.forget(1);
    kept.check(1, undefined);
    expect(found().length).toBe(2);
  });

  it('are broken by a database that is not past the newest mark of its log (DK1), which one that was lost may be', () => {
    const { kept, found } = promises();
    const marked = (index: number): RecoveredLog =>
      ({ ...log(0, 2), snapshot: { index, term: 1 } }) as unknown as RecoveredLog;
    const none = new DatabasesImage();
    kept.forgiveDatabase(1, marked(7));
    kept.checkDatabase(1, marked(7), none);
    expect(found()).toEqual([]);
    kept.checkDatabase(1, marked(8), none);
    kept.checkDatabase(2, marked(7), none);
    expect(found()).toEqual(['DK1', 'DK1']);
  });
});
