/** Sections 3.6 to 3.10 of the thesis: safety, crashes, persisted state, leadership transfer. */
import { describe, expect, test } from 'vitest';
import { Cluster, command } from './cluster.ts';
import {
  append,
  appendResponse,
  entry,
  heartbeat,
  leader,
  only,
  receive,
  sent,
  single,
  terms,
  vote,
} from './single.ts';

const TICK = { type: 'tick' } as const;
const NO_PRE_VOTE = { preVote: false, checkQuorum: false };

describe('§3.6.1 election restriction', () => {
  test.each([
    { own: [1, 1], lastTerm: 1, lastIndex: 2, granted: true, why: 'equal' },
    { own: [1, 1], lastTerm: 1, lastIndex: 3, granted: true, why: 'longer' },
    { own: [1, 1], lastTerm: 2, lastIndex: 1, granted: true, why: 'later term, though shorter' },
    { own: [1, 1], lastTerm: 1, lastIndex: 1, granted: false, why: 'shorter' },
    { own: [2], lastTerm: 1, lastIndex: 9, granted: false, why: 'earlier term, though longer' },
    { own: [1, 2], lastTerm: 2, lastIndex: 1, granted: false, why: 'same term, shorter' },
  ])('a log that ends in ($lastTerm, $lastIndex) against $own: $why', (row) => {
    const { own, lastTerm, lastIndex, granted } = row;
    for (const type of ['vote', 'preVote'] as const) {
      const node = single({ log: own, term: 3, config: NO_PRE_VOTE });
      const [answer] = receive(node, vote({ type, term: 4, lastTerm, lastIndex }));
      expect(answer).toMatchObject({ type: `${type}Response`, rejected: !granted });
    }
  });

  test('the voter that rejects takes over the term nevertheless', () => {
    const node = single({ log: [2], config: NO_PRE_VOTE });
    receive(node, vote({ term: 5, lastTerm: 1, lastIndex: 9 }));
    expect(node.core.status()).toMatchObject({ term: 5, vote: 0n });
  });
});

describe('§3.6.2 committing entries from previous terms', () => {
  test('a leader never commits an entry of an earlier term by counting', () => {
    const node = leader({ log: [1, 2] });
    receive(node, appendResponse({ term: 3, from: 2n, index: 2 }));
    receive(node, appendResponse({ term: 3, from: 3n, index: 2 }));
    expect(node.core.commit).toBe(0);
  });

  test('figure 3.7: an entry on a majority may still be overwritten, until one of the leader’s term is', () => {
    const cluster = new Cluster(5, { config: NO_PRE_VOTE });
    const [s1, , , , s5] = cluster.nodes;
    // (a) s1 leads term 1 and gets its entry to s2 only. (b) s5 leads term 2 by s3 and s4, and keeps its own.
    cluster.loses = ({ type, to }) => type === 'append' && to !== 2n;
    cluster.elect(1);
    cluster.loses = ({ type, to, from }) => type === 'append' || to === 1n || from === 1n;
    cluster.elect(5);
    expect([s1!.core.lastIndex, s5!.core.lastIndex]).toEqual([1, 1]);
    expect(s5!.core.termAt(1)).toBe(2);
    // (c) s1 leads term 3; entry 1 of term 1 reaches s3 as well, its own of term 3 does not leave.
    receive(s1!, heartbeat({ from: 5n, term: 2 }));
    cluster.loses = (message) =>
      message.to === 5n ||
      (message.type === 'append' && message.entries.some(({ term }) => term > 2));
    cluster.elect(1);
    const copies = cluster.nodes.filter(({ core }) => core.termAt(1) === 1);
    expect(copies.length).toBeGreaterThanOrEqual(2);
    expect(s1!.core.role).toBe('leader');
    expect(s1!.core.commit).toBe(0);
    // (e) with an entry of its own term on a majority everything before it is committed too.
    cluster.loses = ({ to, from }) => to === 5n || from === 5n;
    cluster.tick(3);
    expect(s1!.core.commit).toBe(s1!.core.lastIndex);
    // Now s5 cannot win any more.
    cluster.loses = ({ type, to }) => type === 'append' && to === 5n;
    cluster.tick(1);
    cluster.elect(5);
    expect(s5!.core.role).not.toBe('leader');
  });

  test('leader completeness: a new leader holds every committed entry', () => {
    const cluster = new Cluster(5, { config: NO_PRE_VOTE });
    const committed = new Map<number, number>();
    for (let round = 0; round < 120; round++) {
      cluster.isolate((round % 5) + 1, ((round * 3) % 5) + 1);
      cluster.tick(11);
      const first = cluster.leader();
      first?.step(command(round, `${round}`));
      cluster.settle();
      for (const { core } of cluster.nodes) {
        for (let index = 1; index <= core.commit; index++) {
          const term = core.termAt(index)!;
          expect(committed.get(index) ?? term).toBe(term);
          committed.set(index, term);
        }
      }
      const newest = cluster.leader();
      if (newest === undefined) continue;
      for (const [index, term] of committed) expect(newest.core.termAt(index)).toBe(term);
    }
    expect(committed.size).toBeGreaterThan(30);
  });
});

describe('§3.7 follower and candidate crashes', () => {
  test('a request whose answer was lost is harmless when it comes again', () => {
    const node = single({ log: [1] });
    const message = append({ prevIndex: 1, prevTerm: 1, entries: [entry(2, 1)], commit: 2 });
    const [first] = receive(node, message);
    const [second] = receive(node, message);
    expect([first, second]).toMatchObject([{ index: 2 }, { index: 2 }]);
    expect(node.commands()).toEqual(['1/1', '1/2']);
  });
});

describe('§3.8 persisted state', () => {
  test('a vote leaves only when term and vote are on disk', () => {
    const node = single({ config: NO_PRE_VOTE });
    node.isDiskFast = false;
    expect(receive(node, vote({ term: 2 }))).toEqual([]);
    expect(node.writes).toMatchObject([{ mustSync: true, hardState: { term: 2, vote: 2n } }]);
    node.sync();
    expect(sent(node)).toMatchObject([{ type: 'voteResponse', rejected: false }]);
  });

  test('an entry is acknowledged only when it is on disk', () => {
    const node = single();
    node.isDiskFast = false;
    expect(receive(node, append({ entries: [entry(1, 1)] }))).toEqual([]);
    node.sync();
    expect(sent(node)).toMatchObject([{ type: 'appendResponse', index: 1 }]);
  });

  test('an entry that comes twice is acknowledged only when the first write of it is on disk', () => {
    const node = single();
    node.isDiskFast = false;
    const message = append({ entries: [entry(1, 1)] });
    expect(receive(node, message, message)).toEqual([]);
    expect(receive(node, message)).toEqual([]);
    expect(node.writes.map(({ entries }) => entries.length)).toEqual([1, 0]);
    node.sync(1);
    const first = sent(node);
    node.sync();
    expect([...first, ...sent(node)]).toMatchObject([{ index: 1 }, { index: 1 }, { index: 1 }]);
  });

  test('an entry that is cut off in the turn in which it came is never acknowledged', () => {
    const node = single();
    const answers = receive(
      node,
      append({ term: 1, entries: [entry(1, 1), entry(2, 1)] }),
      append({ term: 2, from: 3n, entries: [entry(1, 2)] }),
    );
    expect(answers).toMatchObject([{ type: 'appendResponse', to: 3n, term: 2, index: 1 }]);
  });

  test('a candidate asks for votes only when its own is on disk', () => {
    const node = single({ log: [1], config: NO_PRE_VOTE });
    node.isDiskFast = false;
    node.step({ type: 'campaign' });
    expect(sent(node)).toEqual([]);
    node.sync();
    expect(only(sent(node), 'vote')).toHaveLength(2);
  });

  test('a crash between voting and writing leaves no vote behind', () => {
    const node = single({ config: NO_PRE_VOTE });
    node.isDiskFast = false;
    receive(node, vote({ term: 2, from: 2n }));
    node.restart();
    node.isDiskFast = true;
    expect(receive(node, vote({ term: 2, from: 3n }))).toMatchObject([{ rejected: false, to: 3n }]);
  });

  test('the commit index need not outlive a crash: it is learnt again', () => {
    const cluster = new Cluster(3);
    cluster.elect(1).step(command(1, 'x'));
    cluster.settle();
    const third = cluster.node(3);
    third.hardState = { ...third.hardState, commit: 0 };
    third.restart();
    expect(third.commands()).toEqual([]);
    cluster.tick(2);
    expect(third.commands()).toEqual(['x']);
  });

  test('applied is not persisted: a restarted node applies again from its snapshot', () => {
    const cluster = new Cluster(3);
    cluster.elect(1).step(command(1, 'x'));
    cluster.settle();
    const third = cluster.node(3);
    third.restart();
    expect(third.commands()).toEqual(['x']);
  });
});

describe('§3.10 leadership transfer', () => {
  const transferTo = (target: number) =>
    ({ type: 'transfer', token: 9, target: BigInt(target) }) as const;

  test('an up-to-date target is told at once, campaigns without waiting, and wins', () => {
    const cluster = new Cluster(3);
    const first = cluster.elect(1);
    first.step(transferTo(3));
    cluster.settle();
    expect(cluster.node(3).core.status()).toMatchObject({ role: 'leader', term: 2 });
    expect(first.outcome(9)).toEqual({ kind: 'transferred' });
  });

  test('the target first gets everything that the leader has', () => {
    const cluster = new Cluster(3);
    const first = cluster.elect(1);
    cluster.isolate(3);
    first.step(command(1, 'x'));
    cluster.settle();
    cluster.heal();
    first.step(transferTo(3));
    expect(only(first.outgoing, 'timeoutNow')).toEqual([]);
    cluster.tick(1);
    expect(cluster.node(3).core.role).toBe('leader');
    expect(terms(cluster.node(3))).toEqual([1, 1, 2]);
  });

  test('meanwhile the leader takes no proposals', () => {
    const cluster = new Cluster(3);
    const first = cluster.elect(1);
    cluster.isolate(3);
    first.step(transferTo(3), command(1, 'x'));
    expect(first.outcome(1)).toMatchObject({ kind: 'refused', reason: 'transferring' });
  });

  test('the votes of others do not wait for the old leader to be forgotten', () => {
    const cluster = new Cluster(3, { config: { checkQuorum: true, preVote: true } });
    cluster.elect(1).step(transferTo(2));
    cluster.settle();
    expect(cluster.leader()?.id).toBe(2n);
  });

  test('a transfer that takes longer than an election timeout is given up, and the leader works on', () => {
    const cluster = new Cluster(3, { config: { electionTimeoutTicks: 10, checkQuorum: false } });
    const first = cluster.elect(1);
    cluster.isolate(3);
    first.step(transferTo(3));
    for (let tick = 0; tick < 9; tick++) first.step(TICK);
    expect(first.outcome(9)).toBeUndefined();
    first.step(TICK);
    expect(first.outcome(9)).toMatchObject({ kind: 'refused', reason: 'timedOut' });
    first.step(command(1, 'x'));
    cluster.settle();
    expect(first.outcome(1)?.kind).toBe('committed');
  });

  test('a learner and a stranger are no targets', () => {
    const node = leader();
    node.step(transferTo(7));
    expect(node.outcome(9)).toMatchObject({ kind: 'refused', reason: 'notMember' });
  });

  test('a transfer to the leader itself is done', () => {
    const node = leader();
    node.step(transferTo(1));
    expect(node.outcome(9)).toEqual({ kind: 'transferred' });
  });

  test('a later transfer replaces an earlier one, to the same target it does not', () => {
    const node = leader();
    node.step(transferTo(2));
    node.step({ ...transferTo(2), token: 10 });
    expect(node.outcome(10)).toMatchObject({ kind: 'refused', reason: 'transferring' });
    expect(node.outcome(9)).toBeUndefined();
    node.step({ ...transferTo(3), token: 11 });
    expect(node.outcome(9)).toMatchObject({ kind: 'refused', reason: 'transferring' });
    expect(node.core.status().transferTarget).toBe(3n);
  });

  test('a follower does not hand over what it does not have', () => {
    const node = single();
    node.step(transferTo(2));
    expect(node.outcome(9)).toMatchObject({ kind: 'refused', reason: 'noLeader' });
  });
});
