/** What no peer and no driver should do, and what the core makes of it: it never throws. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Effect, type Message, RaftCore } from '@etcd-ts/raft';
import { Cluster, command, conf } from './cluster.ts';
import { append, appendResponse, entry, leader, receive, single, terms, vote } from './single.ts';

const notices = (effects: readonly Effect[]) =>
  effects.flatMap((effect) => (effect.type === 'notice' ? [effect.code] : []));

const ODD = { kind: 'odd' } as never;
const FORWARD = { type: 'forward', from: 2n, to: 1n, term: 1, ids: [1] } as const;

describe('a message that cannot be', () => {
  test.each<readonly [string, Message]>([
    ['is for somebody else', append({ to: 2n })],
    ['is from the node itself', append({ from: 1n })],
    ['has a fraction for a term', append({ term: 1.5 })],
    ['has a negative index', append({ prevIndex: -1 })],
    ['has a gap between its entries', append({ entries: [entry(1, 1), entry(3, 1)] })],
    ['has entries of a later term than its own', append({ term: 1, entries: [entry(1, 2)] })],
    ['has terms that decrease', append({ term: 3, entries: [entry(1, 3), entry(2, 2)] })],
    ['has an entry with a fraction for a term', append({ term: 2, entries: [entry(1, 1.5)] })],
    ['has an entry without a term', append({ entries: [entry(1, undefined as never)] })],
    ['has an entry of an unknown kind', append({ entries: [{ index: 1, term: 1, payload: ODD }] })],
    [
      'forwards an entry that nobody proposes',
      { ...FORWARD, payloads: [{ kind: 'empty' } as never] },
    ],
    ['has an index that is no number', appendResponse({ index: Number.NaN })],
  ])('is reported and ignored when it %s', (_, message) => {
    const node = single();
    node.step({ type: 'message', message });
    expect(notices(node.effects)).toEqual(['protocolViolation']);
    expect(node.core.status()).toMatchObject({ term: 0, lastIndex: 0 });
  });

  test('overwrites nothing that is committed', () => {
    const node = single({ log: [1, 1], commit: 2, term: 2 });
    const message = append({ term: 2, prevIndex: 2, prevTerm: 1, entries: [] });
    receive(node, { ...message, prevIndex: 1, entries: [entry(2, 2)] });
    expect(terms(node)).toEqual([1, 1]);
    expect(node.core.commit).toBe(2);
  });

  test('of a second leader of the term is reported', () => {
    const node = leader();
    receive(node, append({ term: 1 }));
    expect(notices(node.effects)).toEqual(['protocolViolation']);
    expect(node.core.role).toBe('leader');
  });

  test('acknowledges what was never sent: it is reported and counts for nothing', () => {
    const node = leader();
    receive(node, appendResponse({ index: 99 }));
    expect(notices(node.effects)).toEqual(['impossibleAcknowledgement']);
    expect(node.core.commit).toBe(0);
  });
});

describe('a node that lost its log', () => {
  test('is reported by the leader, and gets everything again', () => {
    const cluster = new Cluster(3);
    const first = cluster.elect(1);
    for (const token of [1, 2, 3]) first.step(command(token, `${token}`));
    cluster.settle();
    const third = cluster.node(3);
    third.log = third.log.slice(0, 1);
    third.hardState = { ...third.hardState, commit: 1 };
    third.restart();
    cluster.tick(3);
    first.step(command(4, '4'));
    cluster.settle();
    cluster.tick(3);
    expect(notices(first.effects)).toContain('logRegressed');
    expect(third.commands()).toEqual(['1', '2', '3', '4']);
  });

  test('is reported by itself when it knows of commits beyond its log', () => {
    const node = single({ log: [1, 1], commit: 5 });
    expect(notices(node.effects)).toEqual(['logRegressed']);
    expect(node.core.commit).toBe(2);
  });
});

describe('a driver that errs', () => {
  test('acknowledges a write that it was never given: reported and ignored', () => {
    const node = single();
    node.step({ type: 'persisted', group: 3 });
    expect(notices(node.effects)).toEqual(['impossibleAcknowledgement']);
  });

  test.each([
    ['applied beyond the log', { applied: 3 }, 'applied index must be from 0 (the snapshot) to 2'],
    ['a gap in the log', { entries: [entry(1, 1), entry(3, 1)] }, 'does not follow index 2'],
    ['a log behind the snapshot', { entries: [entry(5, 1)] }, 'the log begins at 5'],
  ])('recovers %s: the core is not made', (_, wrong, message) => {
    const start = {
      hardState: { term: 1, vote: 0n, commit: 0 },
      snapshotIndex: 0,
      snapshotTerm: 0,
      confState: conf([1]),
      entries: [entry(1, 1), entry(2, 1)],
      applied: 0,
    };
    expect(() => new RaftCore({ id: 1n, seed: 1 }, { ...start, ...wrong })).toThrow(message);
  });

  test.each([
    ['id', { id: 0n }, 'id must be above 0'],
    ['heartbeatTicks', { heartbeatTicks: 10 }, 'heartbeatTicks must be an integer from 1 to 9: 10'],
    [
      'electionTimeoutTicks',
      { electionTimeoutTicks: 1 },
      'electionTimeoutTicks must be an integer from 2',
    ],
    [
      'maxInflightMessages',
      { maxInflightMessages: 0 },
      'maxInflightMessages must be an integer from 1',
    ],
    ['seed', { seed: 0.5 }, 'seed must be a safe integer'],
  ])('configures a wrong %s: the core is not made', (_, config, message) => {
    expect(() => single({ config })).toThrow(message);
  });
});

describe('a broken invariant', () => {
  /** A payload that throws when it is looked at: the nearest thing to a bug that a test can plant. */
  function broken() {
    const node = leader();
    const poison = new Proxy(new Uint8Array(0), {
      get: () => {
        throw new Error('poisoned');
      },
    });
    node.step({ type: 'read', token: 3 });
    node.step(command(4, 'accepted'));
    const effects = node.step(
      command(1, 'before'),
      { type: 'propose', proposals: [{ token: 2, data: poison }] },
      command(5, 'behind'),
    );
    return { node, effects };
  }

  test('halts the core, says why, and answers everybody who waits', () => {
    const { node, effects } = broken();
    expect(effects.at(-1)).toEqual({ type: 'halt', reason: 'poisoned' });
    expect(effects.filter(({ type }) => type !== 'outcome')).toHaveLength(1);
    expect(node.core.status().haltReason).toBe('poisoned');
    for (const token of [2, 3, 5]) {
      expect(node.outcome(token)).toMatchObject({ kind: 'refused', reason: 'stopped' });
    }
    for (const token of [1, 4]) expect(node.outcome(token)?.kind).toBe('unknown');
  });

  test('is final: nothing is done any more, and every request is refused', () => {
    const { node } = broken();
    expect(node.core.step({ type: 'tick' })).toEqual([]);
    expect(node.core.step(command(9, 'x'))).toEqual([
      { type: 'outcome', token: 9, outcome: { kind: 'refused', reason: 'stopped', leader: 1n } },
    ]);
  });
});

describe('any message at all', () => {
  const count = fc.oneof(fc.nat(6), fc.constantFrom(-1, 0.5, Number.NaN, 2 ** 53));
  const message: fc.Arbitrary<Message> = fc
    .record({
      type: fc.constantFrom<Message['type'][]>(
        'append',
        'appendResponse',
        'heartbeat',
        'heartbeatResponse',
        'vote',
        'preVote',
        'voteResponse',
        'preVoteResponse',
        'timeoutNow',
        'readRequest',
        'readResponse',
        'snapshot',
        'forward',
        'forwardResponse',
      ),
      from: fc.bigInt({ min: 0n, max: 4n }),
      term: count,
      numbers: fc.array(count, { minLength: 8, maxLength: 8 }),
      flags: fc.array(fc.boolean(), { minLength: 3, maxLength: 3 }),
    })
    .map(({ type, from, term, numbers, flags }) => {
      const [prevIndex, prevTerm, commit, session, index, hintIndex, hintTerm, readRound] = numbers;
      const [rejected, transfer, refused] = flags;
      const fields = {
        prevIndex,
        prevTerm,
        commit,
        session,
        index,
        hintIndex,
        hintTerm,
        readRound,
      };
      const more = { lastIndex: index, lastTerm: prevTerm, commitTerm: prevTerm, id: index };
      const entries = rejected === true ? [entry((prevIndex ?? 0) + 1, prevTerm ?? 0)] : [];
      const snapshot = { index, term: prevTerm, confState: conf([1, 2, 3]) };
      const lists = { entries, ids: [index], payloads: [{ kind: 'empty' }], results: [], snapshot };
      // Every field of every message: more than any message has, and none of it sound.
      return {
        type,
        from,
        to: 1n,
        term,
        ...fields,
        ...more,
        ...lists,
        rejected,
        transfer,
        refused,
      } as unknown as Message;
    });

  test('makes no core throw or halt, whatever it is', () => {
    fc.assert(
      fc.property(fc.array(message, { maxLength: 30 }), fc.boolean(), (messages, leads) => {
        const node = leads ? leader({ log: [1, 1] }) : single({ log: [1, 1], term: 2 });
        for (const each of messages) node.step({ type: 'message', message: each });
        expect(node.core.status().haltReason).toBeUndefined();
      }),
      { numRuns: 300 },
    );
  });
});

describe('a copy of a core', () => {
  test('goes on the same way, and on its own', () => {
    const node = leader();
    receive(node, appendResponse({ index: 1 }));
    node.step(command(1, 'x'), { type: 'read', token: 2 });
    const copy = node.core.clone();
    expect(copy.stateKey()).toBe(node.core.stateKey());
    const input = { type: 'message', message: appendResponse({ index: 2 }) } as const;
    const effects = node.core.step(input);
    expect(copy.stateKey()).not.toBe(node.core.stateKey());
    expect(copy.step(input)).toEqual(effects);
    expect(copy.stateKey()).toBe(node.core.stateKey());
    copy.checkInvariants();
  });

  test('is not told apart by its key from an equal one that ticked as often since', () => {
    const one = single().core;
    const two = one.clone();
    one.step({ type: 'message', message: vote({ term: 3 }) });
    two.step({ type: 'message', message: vote({ term: 3 }) });
    expect(one.stateKey()).toBe(two.stateKey());
  });
});

describe('a tick in which nothing is due', () => {
  test('gives the same empty list each time', () => {
    const node = single();
    const first = node.core.step({ type: 'tick' });
    expect(first).toEqual([]);
    expect(node.core.step({ type: 'tick' })).toBe(first);
    expect(Object.isFrozen(first)).toBe(true);
  });
});
