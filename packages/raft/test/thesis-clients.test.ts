/** Chapters 6, 9 and 10 of the thesis: clients and reads, pre-vote, writing in parallel, batching, pipelining. */
import { describe, expect, test } from 'vitest';
import { Cluster, command, conf } from './cluster.ts';
import {
  append,
  appendResponse,
  entry,
  heartbeat,
  heartbeatResponse,
  leader,
  only,
  receive,
  sent,
  single,
  vote,
  voteResponse,
} from './single.ts';

const TICK = { type: 'tick' } as const;
const read = (token: number) => ({ type: 'read', token }) as const;

describe('§6.2 routing requests to the leader', () => {
  test('a leader that a quorum does not answer for an election timeout steps down', () => {
    const cluster = new Cluster(3, { config: { electionTimeoutTicks: 10 } });
    const first = cluster.elect(1);
    cluster.isolate(1);
    for (let tick = 0; tick < 20; tick++) first.step(TICK);
    expect(first.core.status()).toMatchObject({ role: 'follower', leader: 0n, term: 1 });
    expect(first.effects).toContainEqual(expect.objectContaining({ code: 'quorumLost' }));
  });

  test('a leader that a quorum answers leads on', () => {
    const cluster = new Cluster(3);
    const first = cluster.elect(1);
    cluster.isolate(3);
    cluster.tick(100);
    expect(first.core.status()).toMatchObject({ role: 'leader', term: 1 });
  });

  test('proposals at a follower reach the leader, and their outcomes come back', () => {
    const cluster = new Cluster(3);
    cluster.elect(1);
    cluster.node(2).step(command(1, 'x'), command(2, 'y'));
    expect(only(cluster.node(2).outgoing, 'forward')).toHaveLength(1);
    cluster.settle();
    expect(cluster.node(2).outcomes.get(1)).toEqual([
      { kind: 'accepted', index: 2, term: 1 },
      { kind: 'committed', index: 2, term: 1 },
    ]);
    expect(cluster.node(2).outcome(2)).toEqual({ kind: 'committed', index: 3, term: 1 });
  });

  test('who does not forward tells who leads', () => {
    const node = single({ config: { forwardProposals: false } });
    node.step(command(1, 'x'));
    expect(node.outcome(1)).toMatchObject({ kind: 'refused', reason: 'noLeader' });
    receive(node, heartbeat());
    node.step(command(2, 'x'));
    expect(node.outcome(2)).toEqual({ kind: 'refused', reason: 'notLeader', leader: 2n });
  });
});

describe('§6.4 processing read-only queries', () => {
  test('a leader reads nothing before an entry of its term is committed', () => {
    const node = leader({ log: [1], config: { heartbeatTicks: 5 } });
    sent(node);
    node.step(read(1));
    expect(only(sent(node), 'heartbeat')).toEqual([]);
    receive(node, appendResponse({ term: 2, index: 2 }));
    node.step();
    expect(node.outcome(1)).toBeUndefined();
    receive(node, heartbeatResponse({ term: 2, readRound: 1 }));
    expect(node.outcome(1)).toEqual({ kind: 'readable', index: 2 });
  });

  test('a read waits for a round of heartbeats that begins after it', () => {
    const node = leader();
    receive(node, appendResponse({ index: 1 }));
    node.step(read(1));
    node.step(read(2));
    receive(node, heartbeatResponse({ readRound: 1 }));
    expect(node.outcome(1)).toEqual({ kind: 'readable', index: 1 });
    expect(node.outcome(2)).toBeUndefined();
    receive(node, heartbeatResponse({ readRound: 2 }));
    expect(node.outcome(2)).toEqual({ kind: 'readable', index: 1 });
  });

  test('a later round answers for every earlier one', () => {
    const node = leader();
    receive(node, appendResponse({ index: 1 }));
    node.step(read(1));
    node.step(read(2));
    receive(node, heartbeatResponse({ readRound: 2 }));
    expect(node.outcome(1)?.kind).toBe('readable');
    expect(node.outcome(2)?.kind).toBe('readable');
  });

  test('reads of one turn share a round', () => {
    const node = leader();
    receive(node, appendResponse({ index: 1 }));
    sent(node);
    node.step(read(1), read(2), read(3));
    expect(only(sent(node), 'heartbeat').map(({ readRound }) => readRound)).toEqual([1, 1]);
  });

  test('a round that was lost goes out again with the next heartbeat', () => {
    const node = leader();
    receive(node, appendResponse({ index: 1 }));
    node.step(read(1));
    sent(node);
    node.step(TICK);
    expect(only(sent(node), 'heartbeat').map(({ readRound }) => readRound)).toEqual([1, 1]);
  });

  test('the read index is at least everything committed when the read was asked for', () => {
    const node = leader();
    receive(node, appendResponse({ index: 1 }));
    node.step(read(1), command(7, 'x'));
    receive(node, appendResponse({ index: 2 }), heartbeatResponse({ readRound: 1 }));
    expect(node.outcome(1)).toEqual({ kind: 'readable', index: 1 });
    node.step(read(2));
    receive(node, heartbeatResponse({ readRound: 2 }));
    expect(node.outcome(2)).toEqual({ kind: 'readable', index: 2 });
  });

  test('the answer of a learner, or of an old term, counts for nothing', () => {
    const node = leader({ confState: conf([1, 2, 3], [4]) });
    receive(node, appendResponse({ index: 1 }));
    node.step(read(1));
    receive(node, heartbeatResponse({ from: 4n, readRound: 1 }));
    receive(node, heartbeatResponse({ term: 0, readRound: 1 }));
    expect(node.outcome(1)).toBeUndefined();
  });

  test('a deposed leader refuses what waits', () => {
    const node = leader();
    receive(node, appendResponse({ index: 1 }));
    node.step(read(1));
    receive(node, append({ term: 2 }));
    expect(node.outcome(1)).toEqual({ kind: 'refused', reason: 'notLeader', leader: 2n });
  });

  test('a lone voter reads at once', () => {
    const node = leader({ voters: [1] });
    node.step(read(1));
    expect(node.outcome(1)).toEqual({ kind: 'readable', index: 1 });
  });

  test('a quorum that shrinks confirms what waits', () => {
    const node = leader({ voters: [1, 2] });
    receive(node, appendResponse({ index: 1 }));
    const steps = [{ op: 'remove', node: 2n }] as const;
    const context = new Uint8Array(0);
    node.step({ type: 'changeConfig', token: 8, change: { steps, transition: 'auto', context } });
    node.step(read(1));
    receive(node, appendResponse({ index: 2 }));
    expect(node.outcome(1)?.kind).toBe('readable');
  });

  test('a follower asks its leader once for the reads of a turn', () => {
    const cluster = new Cluster(3);
    cluster.elect(1).step(command(9, 'x'));
    cluster.settle();
    const second = cluster.node(2);
    second.step(read(1), read(2));
    expect(only(second.outgoing, 'readRequest')).toHaveLength(1);
    cluster.settle();
    expect([second.outcome(1), second.outcome(2)]).toEqual([
      { kind: 'readable', index: 2 },
      { kind: 'readable', index: 2 },
    ]);
  });

  test('an answer from before a restart is not taken for the answer to a new read', () => {
    const node = single({ term: 1, config: { seed: 1 } });
    receive(node, heartbeat());
    node.step(read(1));
    const [old] = only(sent(node), 'readRequest');
    node.config = { ...node.config, seed: 2 };
    node.restart();
    receive(node, heartbeat());
    node.step(read(2));
    receive(node, {
      type: 'readResponse',
      from: 2n,
      to: 1n,
      term: 1,
      id: old!.id,
      index: 3,
      refused: false,
    });
    expect(node.outcome(2)).toBeUndefined();
  });

  test('a read whose request or answer was lost is refused after an election timeout', () => {
    const node = single();
    receive(node, heartbeat());
    node.step(read(1));
    for (let tick = 0; tick < 10; tick++) {
      expect(node.outcome(1)).toBeUndefined();
      receive(node, heartbeat());
      node.step(TICK);
    }
    expect(node.outcome(1)).toMatchObject({ kind: 'refused', reason: 'timedOut' });
  });
});

describe('§6.4.1 using clocks to reduce messaging', () => {
  const LEASE = { readMode: 'lease', electionTimeoutTicks: 10 } as const;

  /** A leader by lease whose round of heartbeats was answered in the tick in which it was sent. */
  function leasing() {
    const node = leader({ config: LEASE });
    receive(node, appendResponse({ index: 1 }));
    node.step(TICK);
    const [beat] = only(sent(node), 'heartbeat');
    receive(node, heartbeatResponse({ readRound: beat!.readRound }));
    return node;
  }

  test('a leader that a quorum has just followed reads at once', () => {
    const node = leasing();
    node.step(read(1));
    expect(node.outcome(1)).toEqual({ kind: 'readable', index: 1 });
  });

  test('the lease ends two ticks before the first voter may elect somebody else', () => {
    const node = leasing();
    for (let tick = 0; tick < 8; tick++) node.step(TICK);
    node.step(read(1));
    expect(node.outcome(1)?.kind).toBe('readable');
    node.step(TICK);
    node.step(read(2));
    expect(node.outcome(2)).toBeUndefined();
  });

  test('rounds that can give no lease any more are forgotten', () => {
    const node = leader({ config: { ...LEASE, heartbeatTicks: 1 } });
    receive(node, appendResponse({ index: 1 }));
    for (let tick = 0; tick < 300; tick++) {
      node.step(TICK);
      // The core's own check bounds what is remembered; reads add rounds within a tick.
      for (let i = 0; i < 5; i++) node.step(read(1000 + tick * 5 + i));
      for (const { readRound, to } of only(sent(node), 'heartbeat').slice(0, 2)) {
        receive(node, heartbeatResponse({ from: to, readRound }));
      }
    }
    expect(node.core.role).toBe('leader');
  });

  test('a lease requires that leaders without a quorum step down', () => {
    expect(() => single({ config: { ...LEASE, checkQuorum: false } })).toThrow(
      "readMode 'lease' requires checkQuorum",
    );
  });

  test('during a transfer reads are refused; after one the lease is not trusted in this term', () => {
    const node = leasing();
    node.step({ type: 'transfer', token: 5, target: 2n });
    node.step(read(1));
    expect(node.outcome(1)).toMatchObject({ kind: 'refused', reason: 'transferring' });
    for (let tick = 0; tick < 10; tick++) {
      node.step(TICK);
      for (const { readRound, to } of only(sent(node), 'heartbeat')) {
        receive(node, heartbeatResponse({ from: to, readRound }));
      }
    }
    expect(node.outcome(5)?.kind).toBe('refused');
    node.step(read(2));
    expect(node.outcome(2)).toBeUndefined();
  });

  test('a voter that restarts keeps the promise that it may have made', () => {
    const node = single({ term: 3, config: LEASE });
    for (let tick = 0; tick < 9; tick++) {
      node.step(TICK);
      expect(receive(node, vote({ term: 9, lastTerm: 9, lastIndex: 9 }))).toEqual([]);
    }
    node.step(TICK);
    expect(receive(node, vote({ term: 9, lastTerm: 9, lastIndex: 9 }))).toHaveLength(1);
  });

  test('a promise outlives the term in which it was made', () => {
    const node = single({ config: LEASE });
    receive(node, heartbeat());
    receive(node, voteResponse({ from: 3n, term: 5, rejected: true }));
    expect(node.core.status()).toMatchObject({ term: 5, leader: 0n });
    for (let tick = 0; tick < 9; tick++) node.step(TICK);
    expect(receive(node, vote({ from: 3n, term: 6 }))).toEqual([]);
    node.step(TICK);
    expect(receive(node, vote({ from: 3n, term: 6 }))).toMatchObject([{ rejected: false }]);
  });

  test('a follower that promised its vote to nobody does not give it to itself', () => {
    const node = single({ config: { ...LEASE, preVote: false } });
    receive(node, heartbeat());
    node.step({ type: 'campaign' });
    expect(node.core.status()).toMatchObject({ role: 'follower', term: 1, leader: 2n });
    for (let tick = 0; tick < 10; tick++) node.step(TICK);
    node.step({ type: 'campaign' });
    expect(node.core.role).toBe('candidate');
  });

  test('a follower may not forget the leader whose lease it upholds', () => {
    const node = single({ config: LEASE });
    receive(node, heartbeat());
    node.step({ type: 'forgetLeader' });
    expect(node.core.leader).toBe(2n);
  });
});

describe('§9.6 preventing disruptions when a server rejoins', () => {
  test('a partitioned server does not raise its term', () => {
    const cluster = new Cluster(3, { config: { preVote: true } });
    cluster.elect(1);
    cluster.isolate(3);
    cluster.tick(100);
    expect(cluster.node(3).core.term).toBe(1);
    cluster.heal();
    cluster.tick(30);
    expect(cluster.node(1).core.status()).toMatchObject({ role: 'leader', term: 1 });
  });

  test('a pre-vote changes neither the term nor the vote of anybody', () => {
    const node = single({ log: [1], term: 1 });
    const [answer] = receive(node, vote({ type: 'preVote', term: 2, lastTerm: 1, lastIndex: 1 }));
    expect(answer).toMatchObject({ type: 'preVoteResponse', term: 2, rejected: false });
    expect(node.core.status()).toMatchObject({ term: 1, vote: 0n });
    expect(node.writes).toEqual([]);
  });

  test('pre-votes of a majority make a candidate, fewer do not', () => {
    const node = single({ voters: [1, 2, 3, 4, 5] });
    node.step({ type: 'campaign' });
    receive(node, voteResponse({ type: 'preVoteResponse', from: 2n }));
    expect(node.core.status()).toMatchObject({ role: 'preCandidate', term: 0 });
    receive(node, voteResponse({ type: 'preVoteResponse', from: 3n }));
    expect(node.core.status()).toMatchObject({ role: 'candidate', term: 1 });
  });

  test('a server whose log is behind gets no pre-vote', () => {
    const node = single({ log: [1, 2] });
    const [answer] = receive(node, vote({ type: 'preVote', term: 9, lastTerm: 1, lastIndex: 9 }));
    expect(answer).toMatchObject({ rejected: true, term: 2 });
  });

  test('a follower that forgets its leader grants pre-votes at once', () => {
    const node = single();
    receive(node, heartbeat());
    node.step({ type: 'forgetLeader' });
    const answers = receive(node, vote({ type: 'preVote', term: 2 }));
    expect(answers).toMatchObject([{ rejected: false }]);
    expect(node.core.status()).toMatchObject({ term: 1, leader: 0n });
  });
});

describe('§10.2.1 writing to the leader’s disk in parallel', () => {
  test('the leader sends entries before it has written them', () => {
    const node = leader();
    receive(node, appendResponse({ from: 2n, index: 1 }), appendResponse({ from: 3n, index: 1 }));
    node.isDiskFast = false;
    sent(node);
    node.step(command(1, 'x'));
    expect(only(sent(node), 'append')).toHaveLength(2);
    expect(node.core.status()).toMatchObject({ lastIndex: 2, durableIndex: 1 });
  });

  test('it may commit by the disks of the others, but applies what is on its own', () => {
    const node = leader();
    node.isDiskFast = false;
    node.step(command(1, 'x'));
    receive(node, appendResponse({ from: 2n, index: 2 }));
    expect(node.core.commit).toBe(1);
    receive(node, appendResponse({ from: 3n, index: 2 }));
    expect(node.core.commit).toBe(2);
    expect(node.commands()).toEqual([]);
    node.sync();
    expect(node.commands()).toEqual(['x']);
  });

  test('its own copy counts when it is written', () => {
    const node = leader();
    node.isDiskFast = false;
    node.step(command(1, 'x'));
    receive(node, appendResponse({ from: 2n, index: 2 }));
    node.sync();
    expect(node.core.commit).toBe(2);
  });

  test('entries that were cut off are not made durable by the write that held them', () => {
    const node = single({ term: 1 });
    node.isDiskFast = false;
    receive(node, append({ term: 1, entries: [entry(1, 1), entry(2, 1)] }));
    receive(node, append({ term: 2, from: 3n, entries: [entry(1, 2)] }));
    receive(node, append({ term: 3, from: 2n, entries: [entry(1, 1), entry(2, 1)], commit: 2 }));
    node.step({ type: 'persisted', group: 1 });
    expect(node.core.status()).toMatchObject({ durableIndex: 0, lastIndex: 2, commit: 2 });
    expect(node.commands()).toEqual([]);
    node.sync();
    expect(node.commands()).toEqual(['1/1', '1/2']);
  });
});

describe('§10.2.2 batching and pipelining', () => {
  test('proposals of one turn make one write and one append for each follower', () => {
    const node = leader();
    receive(node, appendResponse({ from: 2n, index: 1 }), appendResponse({ from: 3n, index: 1 }));
    sent(node);
    const effects = node.step(command(1, 'a'), command(2, 'b'), command(3, 'c'));
    const appends = effects.flatMap((effect) =>
      effect.type === 'send' ? only(effect.messages, 'append') : [],
    );
    expect(appends.map(({ entries }) => entries.length)).toEqual([3, 3]);
    expect(effects.filter(({ type }) => type === 'persist')).toHaveLength(1);
  });

  test('appends follow one another without waiting, up to the window', () => {
    const node = leader({ config: { maxInflightMessages: 3 } });
    receive(node, appendResponse({ from: 2n, index: 1 }));
    sent(node);
    const rounds = [1, 2, 3, 4, 5].map((token) => {
      node.step(command(token, 'x'));
      return only(sent(node), 'append').filter(({ to }) => to === 2n).length;
    });
    expect(rounds).toEqual([1, 1, 1, 0, 0]);
    const more = only(receive(node, appendResponse({ from: 2n, index: 3 })), 'append');
    expect(more.map(({ entries }) => entries.length).filter((count) => count > 0)).toEqual([2]);
  });

  test('a message holds entries up to its maximal size, but always one', () => {
    const node = leader({ config: { maxMessageBytes: 1 } });
    node.step(command(1, 'a'), command(2, 'b'));
    sent(node);
    const messages = only(receive(node, appendResponse({ from: 2n, index: 1 })), 'append');
    const filled = messages.filter(({ entries, to }) => entries.length > 0 && to === 2n);
    expect(filled.map(({ entries }) => entries.length)).toEqual([1, 1]);
  });

  test('a lost append stops the pipeline, and a probe finds where to go on', () => {
    const cluster = new Cluster(3);
    const first = cluster.elect(1);
    cluster.loses = ({ to, type }) => to === 2n && type === 'append';
    first.step(command(1, 'lost'));
    cluster.settle();
    cluster.heal();
    first.step(command(2, 'found'));
    cluster.settle();
    expect(cluster.node(2).core.entries(1, 9)).toHaveLength(3);
  });
});
