import { utf8 } from '@etcd-ts/base';
import { EtcdError } from '@etcd-ts/protocol';
import type { Entry, Message } from '@etcd-ts/raft';
import type { NodePort } from '@etcd-ts/server';
import { describe, expect, it } from 'vitest';
import { Ghost, type State } from '../src/cluster/ghost.ts';
import { resolveUnknown } from '../src/cluster/resolve-unknown.ts';
import { Findings } from '../src/checkers/violation.ts';
import type { Operation } from '../src/history/operation.ts';
import { put } from './fixtures/history-maker.ts';

/** A replicated state that only counts; what it shows can be tampered with. */
class FakeState {
  appliedIndex = 0;
  appliedTerm = 0;
  confState = { voters: [1n, 2n], votersOutgoing: [] };
  hash = 'a';
  store = { revision: 1, stateFingerprint: (): number => this.appliedIndex };
  /** Planted: so many revisions too many with the next command. */
  extraRevisions = 0;
  /** Planted: it refuses the next command. */
  refusal: EtcdError | undefined;
  leases = new Map<bigint, string[]>();
  grantedIndex = 0;
  lessor = {
    exists: (id: bigint) => this.leases.has(id),
    get: (id: bigint) => (this.leases.has(id) ? { grantedIndex: this.grantedIndex } : undefined),
    keysOf: (id: bigint) => this.leases.get(id) ?? [],
  };
  replaced: (() => void) | undefined;
  restHash = (): string => this.hash;
  apply(entry: {
    index: number;
    term: number;
    command: { kind: string; request?: object; ids?: bigint[]; keeps?: boolean };
  }): object {
    this.appliedIndex = entry.index;
    this.store.revision += this.extraRevisions;
    if (entry.command.kind === 'put') this.store.revision++;
    for (const id of entry.command.keeps === true ? [] : (entry.command.ids ?? [])) {
      if ((this.leases.get(id)?.length ?? 0) > 0) this.store.revision++;
      this.leases.delete(id);
    }
    return this.refusal ?? {};
  }
  applyEmpty(index: number): void {
    this.appliedIndex = index;
  }
  applyConfig(entry: { index: number }): void {
    this.appliedIndex = entry.index;
  }
  observe(listener: { replaced?: () => void }): () => void {
    this.replaced = listener.replaced;
    return () => undefined;
  }
}

const setUp = () => {
  const ghost = new Ghost(
    () => 7,
    () => undefined,
  );
  const member = (number: number): FakeState => {
    const state = new FakeState();
    ghost.observe(number, state as unknown as State);
    return state;
  };
  const found = (): string[] => ghost.findings.violations.map((each) => each.invariant);
  return { ghost, member, found };
};
/** What of a node the ghost looks at. */
const memberIn = (state: FakeState) => ({ memberId: 12n, state, status: () => status(1, false) });
const command = (value: string) => ({ ...put('k', value), kind: 'put' as const });
const entry = (index: number, value: string, term = 1) => ({
  index,
  term,
  command: command(value),
});
const status = (term: number, isLeader: boolean) =>
  ({ term, isLeader, leader: 0n, isLearner: false, committedIndex: 0, appliedIndex: 0 }) as never;
const vote = (to: bigint, term = 3): Message => ({
  type: 'voteResponse',
  from: 1n,
  to,
  term,
  rejected: false,
  commit: 0,
  commitTerm: 0,
});
const append = (data: number): Message => {
  const payload = { kind: 'command', data: Uint8Array.of(data) } as const;
  const entries: Entry[] = [{ index: 5, term: 2, payload }];
  const base = { type: 'append', from: 1n, to: 2n, term: 2, prevIndex: 4, prevTerm: 2 } as const;
  return { ...base, entries, commit: 0, session: 0 };
};

describe('the ghost', () => {
  it('finds nothing in members that do the same', () => {
    const { ghost, member, found } = setUp();
    const [a, b] = [member(1), member(2)];
    for (const state of [a, b]) {
      state.apply(entry(1, 'x'));
      state.applyEmpty(2);
      state.apply(entry(3, 'y'));
    }
    ghost.status(1, 11n, status(1, true));
    ghost.status(2, 12n, status(2, true));
    ghost.sent(vote(2n));
    ghost.sent(vote(2n));
    ghost.sent(append(1));
    ghost.sent(append(1));
    expect(found()).toEqual([]);
    expect(ghost.lastIndex).toBe(3);
  });

  it('sees two leaders of a term (R1)', () => {
    const { ghost, found } = setUp();
    ghost.status(1, 11n, status(4, true));
    ghost.status(2, 12n, status(4, true));
    expect(found()).toEqual(['R1']);
  });

  it('sees a term that goes back while a member runs (R7), but not over its restart', () => {
    const { ghost, member, found } = setUp();
    ghost.status(1, 11n, status(4, false));
    member(1);
    ghost.status(1, 11n, status(3, false));
    expect(found()).toEqual([]);
    ghost.status(1, 11n, status(2, false));
    expect(found()).toEqual(['R7']);
  });

  it('sees a second vote in a term, also over restarts (R2)', () => {
    const { ghost, member, found } = setUp();
    ghost.sent(vote(2n));
    member(1);
    ghost.sent(vote(3n));
    ghost.sent(vote(3n, 4));
    expect(found()).toEqual(['R2']);
  });

  it('sees a candidate that votes for another one in its own term (R2)', () => {
    const stand: Message = {
      type: 'vote',
      from: 1n,
      to: 2n,
      term: 3,
      lastIndex: 0,
      lastTerm: 0,
      transfer: false,
    };
    for (const [first, second] of [
      [stand, vote(2n)],
      [vote(2n), stand],
    ] as const) {
      const { ghost, found } = setUp();
      ghost.sent(first);
      ghost.sent(second);
      expect(found()).toEqual(['R2']);
    }
  });

  it('sees one entry sent behind two others, and a change of members with two contents (R4)', () => {
    const { ghost, found } = setUp();
    ghost.sent(append(1));
    ghost.sent({ ...append(1), term: 3, prevTerm: 1 } as Message);
    expect(found()).toEqual(['R4']);
    const changes = setUp();
    for (const node of [7n, 8n]) {
      const change = { steps: [{ op: 'remove', node }], transition: 'auto' } as never;
      const entries: Entry[] = [{ index: 5, term: 2, payload: { kind: 'config', change } }];
      changes.ghost.sent({ ...append(1), entries } as Message);
    }
    expect(changes.found()).toEqual(['R4']);
  });

  it('sees one entry sent with two contents (R4)', () => {
    const { ghost, found } = setUp();
    ghost.sent(append(1));
    ghost.sent(append(2));
    expect(found()).toEqual(['R4']);
  });

  it('sees members that apply different entries (R6)', () => {
    const { member, found } = setUp();
    member(1).apply(entry(1, 'x'));
    const other = member(2);
    other.hash = 'b';
    other.apply(entry(1, 'y'));
    expect(found()).toEqual(['R6']);
  });

  it('sees one entry applied as of two terms (R6)', () => {
    const { member, found } = setUp();
    member(1).apply(entry(1, 'x', 1));
    member(2).apply(entry(1, 'x', 2));
    expect(found()).toEqual(['R6']);
  });

  it('sees the same entry leading to different states (R11)', () => {
    const { member, found } = setUp();
    member(1).apply(entry(1, 'x'));
    const other = member(2);
    other.hash = 'b';
    other.apply(entry(1, 'x'));
    expect(found()).toEqual(['R11']);
  });

  it('sees an entry that a member left out, or applied twice, also where that makes no difference (R7)', () => {
    const { member, found } = setUp();
    const [a, b] = [member(1), member(2)];
    for (const index of [1, 2, 3]) a.applyEmpty(index);
    for (const index of [1, 3]) b.applyEmpty(index);
    expect(found()).toEqual(['R7']);
    b.applyEmpty(3);
    expect(found()).toEqual(['R7', 'R7']);
  });

  it('sees a member that goes back to an older state while it runs (R12), but not over its restart', () => {
    const { ghost, member, found } = setUp();
    const a = member(1);
    for (const index of [1, 2, 3]) a.applyEmpty(index);
    a.appliedIndex = 2;
    ghost.observe(1, a as unknown as State);
    expect(found()).toEqual([]);
    a.appliedIndex = 1;
    a.replaced?.();
    expect(found()).toEqual(['R12']);
  });

  it('sees a leader with a change of members that is committed and not applied (R9)', () => {
    const { ghost, member, found } = setUp();
    const [a, b] = [member(1), member(2)];
    const steps = [{ op: 'addVoter', node: 3n }];
    a.applyEmpty(1);
    a.applyConfig({ index: 2, term: 1, change: { steps } } as never);
    b.applyEmpty(1);
    const at = (committedIndex: number, term: number) =>
      ({ ...(status(term, true) as object), committedIndex }) as never;
    ghost.status(2, 12n, at(1, 2));
    expect(found()).toEqual([]);
    ghost.status(2, 12n, at(2, 3));
    expect(found()).toEqual(['R9']);
  });

  it('sees an entry that nobody applied before the next (R7)', () => {
    const { member, found } = setUp();
    member(1).apply(entry(2, 'x'));
    expect(found()).toEqual(['R7']);
  });

  it('sees a state that begins as it never was, or where nobody has been (R12)', () => {
    const { member, found } = setUp();
    const [a, b] = [member(1), member(2)];
    a.apply(entry(1, 'x'));
    b.appliedIndex = 1;
    b.hash = 'b';
    b.replaced?.();
    b.appliedIndex = 9;
    b.replaced?.();
    expect(found()).toEqual(['R12', 'R12']);
  });

  it('notes how leases end, and sees revisions that their ends do not explain (L3)', () => {
    const { ghost, member, found } = setUp();
    const state = member(1);
    state.leases.set(5n, ['k']).set(6n, []);
    const expired = { kind: 'leaseRevokeExpired', ids: [5n, 6n], term: 1, asOfIndex: 0 };
    state.apply({ index: 1, term: 1, command: expired });
    expect(ghost.leaseEndings).toMatchObject([
      { leaseId: 5n, expired: true, revision: 2, keys: ['k'] },
      { leaseId: 6n, expired: true, revision: 2, keys: [] },
    ]);
    expect(found()).toEqual([]);
    state.leases.set(7n, ['k', 'l']);
    state.extraRevisions = 1;
    state.apply({ index: 2, term: 1, command: { ...expired, ids: [7n] } });
    expect(found()).toContain('L3');
  });

  it('sees a lease that is still there after the command that was to end it (L3)', () => {
    for (const kept of [
      { kind: 'leaseRevoke', request: { ID: 5n } },
      { kind: 'leaseRevokeExpired', ids: [5n], keeps: true, term: 1, asOfIndex: 0 },
    ]) {
      const { member, found } = setUp();
      const state = member(1);
      state.leases.set(5n, []);
      state.apply({ index: 1, term: 1, command: kept });
      expect(found()).toEqual(['L3']);
    }
  });

  it('accepts a lease that is spared, since it was granted after its leader looked, or since nobody may end it', () => {
    const { member, found } = setUp();
    const state = member(1);
    state.leases.set(5n, []);
    state.grantedIndex = 9;
    const spared = { kind: 'leaseRevokeExpired', ids: [5n], keeps: true, term: 1, asOfIndex: 8 };
    state.apply({ index: 1, term: 1, command: spared });
    state.refusal = new EtcdError('PERMISSION_DENIED');
    state.apply({ index: 2, term: 1, command: { kind: 'leaseRevoke', request: { ID: 5n } } });
    expect(found()).toEqual([]);
  });

  it('sees a lease that the command of a deposed leader ended (L4)', () => {
    const { member, found } = setUp();
    const state = member(1);
    state.leases.set(5n, []);
    const expired = { kind: 'leaseRevokeExpired', ids: [5n], term: 1, asOfIndex: 0 };
    state.apply({ index: 1, term: 2, command: expired });
    expect(found()).toEqual(['L4']);
  });

  it('sees an entry that one member refuses and another does not (AU3)', () => {
    const { member, found } = setUp();
    member(1).apply(entry(1, 'x'));
    const other = member(2);
    other.refusal = new EtcdError('PERMISSION_DENIED');
    other.apply(entry(1, 'x'));
    expect(found()).toEqual(['AU3']);
  });

  it('sees a read that is served before its member has what was committed (R10)', async () => {
    const { ghost, member, found } = setUp();
    member(1).apply(entry(1, 'x'));
    const reader = { ...memberIn(new FakeState()), readBarrier: () => Promise.resolve() };
    ghost.join(2, reader as unknown as NodePort);
    await reader.readBarrier();
    expect(found()).toEqual(['R10']);
  });

  it('accepts a read that waits until its member has it', async () => {
    const { ghost, member, found } = setUp();
    member(1).apply(entry(1, 'x'));
    const state = new FakeState();
    const reader = {
      ...memberIn(state),
      readBarrier: () => {
        state.appliedIndex = 1;
        return Promise.resolve();
      },
    };
    ghost.join(2, reader as unknown as NodePort);
    await reader.readBarrier();
    expect(found()).toEqual([]);
  });
});

describe('what the log says of unknown outcomes', () => {
  const operation = (id: number, value: string, outcome: Operation['outcome']): Operation => ({
    id,
    client: 1,
    member: 1,
    connection: 1,
    request: put('k', value),
    invokedAt: id,
    returnedAt: Infinity,
    invokedUs: 0,
    returnedUs: 0,
    outcome,
  });
  const unknown: Operation['outcome'] = { kind: 'unknown', code: 'TIMEOUT' };
  const judge = (operations: Operation[], applied: string[]) => {
    const { ghost, member } = setUp();
    const state = member(1);
    applied.forEach((value, i) => state.apply(entry(i + 1, value)));
    const findings = new Findings();
    const { unknownRevisions } = resolveUnknown(operations, ghost, findings);
    return { unknownRevisions, found: findings.violations.map((each) => each.invariant) };
  };

  it('finds the revision of what happened, and none of what did not', () => {
    const { unknownRevisions, found } = judge(
      [operation(1, 'a', unknown), operation(2, 'b', unknown)],
      ['b'],
    );
    expect([...unknownRevisions]).toEqual([[2, 2]]);
    expect(found).toEqual([]);
  });

  it('sees what happened twice (K5)', () => {
    expect(judge([operation(1, 'a', unknown)], ['a', 'a']).found).toEqual(['K5']);
  });

  it('sees what happened although its client was told otherwise (K5)', () => {
    const failed = operation(1, 'a', { kind: 'failed', code: 'UNAVAILABLE' });
    expect(judge([failed], ['a']).found).toEqual(['K5']);
  });

  it('sees what happened although its client was told that he may not (AU4)', () => {
    const refused = operation(1, 'a', { kind: 'failed', code: 'PERMISSION_DENIED' });
    expect(judge([refused], ['a']).found).toEqual(['AU4']);
  });

  it('sees what nobody asked for (K5)', () => {
    expect(judge([], ['a']).found).toEqual(['K5']);
  });

  it('knows what a member wrote in the name of a client that waits in a queue, and nothing else', () => {
    const { ghost, member } = setUp();
    const remove = (key: string) => ({
      kind: 'deleteRange' as const,
      request: { key: utf8(key), rangeEnd: new Uint8Array(0), prevKv: false },
    });
    const state = member(1);
    state.extraRevisions = 1;
    state.apply({ index: 1, term: 1, command: remove('lock/0/a') });
    state.apply({ index: 2, term: 1, command: remove('other') });
    const findings = new Findings();
    const { operations, unknownRevisions } = resolveUnknown(
      [],
      ghost,
      findings,
      new Set(['lock/0/a']),
    );
    expect(operations.map(({ id }) => unknownRevisions.get(id))).toEqual([2]);
    expect(findings.violations.map((each) => each.invariant)).toEqual(['K5']);
  });
});
