/** Chapter 3 of the thesis (Ongaro, "Consensus: Bridging Theory and Practice"), claim by claim. */
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
  voteResponse,
} from './single.ts';

const TICK = { type: 'tick' } as const;
const NO_PRE_VOTE = { preVote: false, checkQuorum: false };

describe('§3.3 terms', () => {
  test.each(['follower', 'candidate', 'leader'] as const)(
    'a %s that sees a larger term takes it over and follows',
    (role) => {
      const node = role === 'leader' ? leader() : single({ term: 1, config: NO_PRE_VOTE });
      if (role === 'candidate') node.step({ type: 'campaign' });
      expect(node.core.role).toBe(role);
      receive(node, append({ term: 7 }));
      expect(node.core.status()).toMatchObject({ term: 7, role: 'follower', leader: 2n });
    },
  );

  test('a request with a stale term is not granted and changes nothing', () => {
    const node = single({ log: [1, 1], term: 3, config: NO_PRE_VOTE });
    expect(receive(node, append({ term: 2, entries: [entry(1, 2)] }))).toEqual([]);
    expect(receive(node, vote({ term: 2, lastIndex: 9, lastTerm: 2 }))).toEqual([]);
    expect(node.core.status()).toMatchObject({ term: 3, leader: 0n, vote: 0n });
    expect(terms(node)).toEqual([1, 1]);
  });

  test('terms and votes outlive a crash', () => {
    const node = single({ config: NO_PRE_VOTE });
    receive(node, vote({ term: 4, from: 3n }));
    node.restart();
    expect(node.core.status()).toMatchObject({ term: 4, vote: 3n });
  });
});

describe('§3.4 leader election', () => {
  test('servers start as followers', () => {
    expect(single({ log: [1, 2, 2], term: 5 }).core.role).toBe('follower');
  });

  test('a follower stays one while it hears from a leader', () => {
    const node = single({ config: NO_PRE_VOTE });
    for (let tick = 0; tick < 100; tick++) {
      node.step(TICK);
      if (tick % 9 === 0) receive(node, heartbeat());
    }
    expect(node.core.status()).toMatchObject({ role: 'follower', term: 1, leader: 2n });
  });

  test('a leader sends heartbeats to everybody, each heartbeat interval', () => {
    const node = leader({ config: { heartbeatTicks: 3 } });
    sent(node);
    const rounds = [1, 2, 3, 4, 5, 6].map(() => {
      node.step(TICK);
      return only(sent(node), 'heartbeat').map(({ to }) => to);
    });
    expect(rounds).toEqual([[], [], [2n, 3n], [], [], [2n, 3n]]);
  });

  test('without a leader a follower begins an election: next term, own vote, requests to all at once', () => {
    const node = single({ log: [1, 2], config: NO_PRE_VOTE });
    node.core.setElectionTimeout(5);
    for (let tick = 0; tick < 5; tick++) node.step(TICK);
    expect(node.core.status()).toMatchObject({ role: 'candidate', term: 3, vote: 1n });
    expect(sent(node)).toEqual([
      vote({ from: 1n, to: 2n, term: 3, lastIndex: 2, lastTerm: 2 }),
      vote({ from: 1n, to: 3n, term: 3, lastIndex: 2, lastTerm: 2 }),
    ]);
  });

  test.each([
    { voters: 1, granted: [], role: 'leader' },
    { voters: 3, granted: [2], role: 'leader' },
    { voters: 3, granted: [], role: 'candidate' },
    { voters: 4, granted: [2], role: 'candidate' },
    { voters: 4, granted: [2, 3], role: 'leader' },
    { voters: 5, granted: [2], role: 'candidate' },
    { voters: 5, granted: [2, 3], role: 'leader' },
  ])(
    'with $voters voters, own vote and that of $granted make it $role',
    ({ voters, granted, role }) => {
      const ids = Array.from({ length: voters }, (_, i) => i + 1);
      const node = single({ voters: ids, config: NO_PRE_VOTE });
      node.step({ type: 'campaign' });
      for (const from of granted) receive(node, voteResponse({ from: BigInt(from) }));
      expect(node.core.role).toBe(role);
    },
  );

  test('a vote counts once, however often it arrives', () => {
    const node = single({ voters: [1, 2, 3, 4, 5], config: NO_PRE_VOTE });
    node.step({ type: 'campaign' });
    receive(node, voteResponse(), voteResponse(), voteResponse());
    expect(node.core.role).toBe('candidate');
  });

  test('the vote of a stranger counts for nothing', () => {
    const node = single({ voters: [1, 2, 3], config: NO_PRE_VOTE });
    node.step({ type: 'campaign' });
    receive(node, voteResponse({ from: 8n }), voteResponse({ from: 9n }));
    expect(node.core.role).toBe('candidate');
  });

  test('each server votes for at most one candidate in a term, first come, first served', () => {
    const node = single({ config: NO_PRE_VOTE });
    const answers = receive(node, vote({ from: 2n }), vote({ from: 3n }), vote({ from: 2n }));
    const granted = only(answers, 'voteResponse').filter(({ rejected }) => !rejected);
    expect(granted.map(({ to }) => to)).toEqual([2n, 2n]);
  });

  test('a candidate that hears from a leader of its term follows it', () => {
    const node = single({ config: NO_PRE_VOTE });
    node.step({ type: 'campaign' });
    receive(node, append({ term: 1 }));
    expect(node.core.status()).toMatchObject({ role: 'follower', term: 1, leader: 2n });
  });

  test('a candidate that hears from a leader of an old term stays one', () => {
    const node = single({ term: 4, config: NO_PRE_VOTE });
    node.step({ type: 'campaign' });
    receive(node, append({ term: 4 }));
    expect(node.core.status()).toMatchObject({ role: 'candidate', term: 5 });
  });

  test('a candidate that neither wins nor loses starts over in the next term', () => {
    const node = single({ config: NO_PRE_VOTE });
    node.step({ type: 'campaign' });
    node.core.setElectionTimeout(3);
    for (let tick = 0; tick < 3; tick++) node.step(TICK);
    expect(node.core.status()).toMatchObject({ role: 'candidate', term: 2 });
  });

  test('election timeouts are drawn from n to 2n − 1 ticks, anew for each election', () => {
    const node = single({ config: { ...NO_PRE_VOTE, electionTimeoutTicks: 10 } });
    const drawn = new Set<number>();
    for (let election = 0; election < 300; election++) {
      drawn.add(node.core.status().electionTimeoutTicks);
      node.step({ type: 'campaign' });
    }
    expect([...drawn].sort((a, b) => a - b)).toEqual([10, 11, 12, 13, 14, 15, 16, 17, 18, 19]);
  });

  test('randomized timeouts make split votes rare', () => {
    let elections = 0;
    const RUNS = 100;
    for (let run = 0; run < RUNS; run++) {
      const cluster = new Cluster(5, { config: { preVote: false } });
      cluster.nodes.forEach((node, i) => {
        node.core.setElectionTimeout(10 + ((run * 7 + i * 3 + run * i) % 10));
      });
      cluster.tick(60);
      elections += cluster.leader()!.core.term;
    }
    expect(elections / RUNS).toBeLessThan(2.5);
  });

  test('election safety: at most one leader in a term', () => {
    const leaders = new Map<number, bigint>();
    const cluster = new Cluster(5, { config: NO_PRE_VOTE });
    for (let round = 0; round < 200; round++) {
      cluster.isolate((round % 5) + 1, ((round * 3) % 5) + 1);
      cluster.tick(7);
      for (const { core } of cluster.nodes) {
        if (core.role !== 'leader') continue;
        expect(leaders.get(core.term) ?? core.id).toBe(core.id);
        leaders.set(core.term, core.id);
      }
    }
    expect(leaders.size).toBeGreaterThan(10);
  });
});

describe('§3.5 log replication', () => {
  test('a leader appends a command to its log and sends it to all others at once', () => {
    const node = leader();
    receive(node, appendResponse({ from: 2n, index: 1 }), appendResponse({ from: 3n, index: 1 }));
    node.step(command(1, 'x'));
    const messages = only(sent(node), 'append').filter(({ entries }) => entries.length > 0);
    expect(messages.map(({ to }) => to)).toEqual([2n, 3n]);
    expect(messages[0]).toMatchObject({
      prevIndex: 1,
      prevTerm: 1,
      entries: [{ index: 2, term: 1 }],
    });
  });

  test.each([
    { voters: 3, acknowledging: [], committed: false },
    { voters: 3, acknowledging: [2], committed: true },
    { voters: 5, acknowledging: [2], committed: false },
    { voters: 5, acknowledging: [2, 3], committed: true },
    { voters: 4, acknowledging: [2], committed: false },
    { voters: 4, acknowledging: [2, 3], committed: true },
  ])('of $voters, with $acknowledging holding it, an entry is committed: $committed', (row) => {
    const node = leader({ voters: Array.from({ length: row.voters }, (_, i) => i + 1) });
    node.step(command(1, 'x'));
    for (const from of row.acknowledging) {
      receive(node, appendResponse({ from: BigInt(from), index: 2 }));
    }
    expect(node.core.commit).toBe(row.committed ? 2 : 0);
  });

  test('committing an entry commits everything before it, entries of earlier leaders included', () => {
    const node = leader({ log: [1, 2, 2] });
    receive(node, appendResponse({ term: 3, index: 4 }));
    expect(node.core.commit).toBe(4);
    expect(node.applied.map(({ index, term }) => [index, term])).toEqual([
      [1, 1],
      [2, 2],
      [3, 2],
      [4, 3],
    ]);
  });

  test('the commit index reaches followers with the next append, and they apply in log order', () => {
    const node = single();
    receive(node, append({ entries: [entry(1, 1), entry(2, 1)] }));
    expect(node.applied).toEqual([]);
    receive(node, append({ prevIndex: 2, prevTerm: 1, commit: 2 }));
    expect(node.commands()).toEqual(['1/1', '1/2']);
  });

  test('the commit index reaches an idle follower with a heartbeat', () => {
    const node = single();
    receive(node, append({ entries: [entry(1, 1)] }));
    receive(node, heartbeat({ commit: 1 }));
    expect(node.core.commit).toBe(1);
  });

  test('a heartbeat commits nothing in a log that was not found to agree in this term', () => {
    const node = single({ log: [1, 1] });
    receive(node, heartbeat({ term: 2, commit: 2 }));
    expect(node.core.commit).toBe(0);
  });

  test('a heartbeat commits nothing behind what was accepted in this term: it may be of a failed leader', () => {
    const node = single({ log: [1, 1, 2, 2], term: 3 });
    receive(node, append({ term: 3, prevIndex: 2, prevTerm: 1 }));
    receive(node, heartbeat({ term: 3, commit: 4 }));
    expect(node.core.commit).toBe(2);
    receive(node, append({ term: 3, prevIndex: 2, prevTerm: 1, entries: [entry(3, 3)] }));
    receive(node, heartbeat({ term: 3, commit: 4 }));
    expect(node.core.commit).toBe(3);
    expect(terms(node)).toEqual([1, 1, 3]);
  });

  test.each([
    { prevIndex: 3, prevTerm: 2, why: 'nothing there' },
    { prevIndex: 2, prevTerm: 3, why: 'another term there' },
  ])(
    'a follower refuses an append behind ($prevIndex, $prevTerm): $why',
    ({ prevIndex, prevTerm }) => {
      const node = single({ log: [1, 2], term: 3 });
      const [answer] = receive(
        node,
        append({ term: 3, prevIndex, prevTerm, entries: [entry(prevIndex + 1, 3)] }),
      );
      expect(answer).toMatchObject({ type: 'appendResponse', rejected: true, index: prevIndex });
      expect(terms(node)).toEqual([1, 2]);
    },
  );

  test('a conflicting entry and all that follow it are deleted', () => {
    const node = single({ log: [1, 2, 2, 2], term: 3 });
    receive(node, append({ term: 3, prevIndex: 1, prevTerm: 1, entries: [entry(2, 3)] }));
    expect(terms(node)).toEqual([1, 3]);
    expect(node.log.map(({ term }) => term)).toEqual([1, 3]);
  });

  test('an append that comes late or twice deletes nothing: it is idempotent', () => {
    const node = single({ log: [1] });
    const first = append({ prevIndex: 1, prevTerm: 1, entries: [entry(2, 1)] });
    const second = append({ prevIndex: 2, prevTerm: 1, entries: [entry(3, 1)] });
    receive(node, first, second, first);
    expect(terms(node)).toEqual([1, 1, 1]);
  });

  test('a leader never overwrites or deletes entries of its own log', () => {
    const node = leader({ log: [1, 1] });
    receive(node, append({ term: 2, prevIndex: 0, entries: [entry(1, 2)] }));
    expect(terms(node)).toEqual([1, 1, 2]);
    expect(node.core.role).toBe('leader');
  });

  test.each([
    { name: 'a', log: [1, 1, 1, 4, 4, 5, 5, 6, 6] },
    { name: 'b', log: [1, 1, 1, 4] },
    { name: 'c', log: [1, 1, 1, 4, 4, 5, 5, 6, 6, 6, 6] },
    { name: 'd', log: [1, 1, 1, 4, 4, 5, 5, 6, 6, 6, 7, 7] },
    { name: 'e', log: [1, 1, 1, 4, 4, 4, 4] },
    { name: 'f', log: [1, 1, 1, 2, 2, 2, 3, 3, 3, 3, 3] },
  ])('figure 3.6: a leader brings follower ($name) to its own log', ({ log }) => {
    const first = leader({ log: [1, 1, 1, 4, 4, 5, 5, 6, 6, 6], term: 7 });
    const other = single({ id: 2, log, term: 7 });
    for (let round = 0; round < 20; round++) {
      for (const message of sent(first)) {
        if (message.to === 2n) other.step({ type: 'message', message });
      }
      for (const message of sent(other)) first.step({ type: 'message', message });
    }
    expect(terms(other)).toEqual(terms(first));
  });

  test('a rejected leader skips a whole term at a time', () => {
    const node = leader({ log: [1, 1, 1, 5, 5, 5, 5, 5], term: 5 });
    sent(node);
    const [probe] = only(
      receive(
        node,
        appendResponse({ term: 6, index: 8, rejected: true, hintIndex: 7, hintTerm: 4 }),
      ),
      'append',
    );
    expect(probe).toMatchObject({ prevIndex: 3, prevTerm: 1 });
  });

  test('an append is sent again until the follower holds it', () => {
    const cluster = new Cluster(3);
    const first = cluster.elect(1);
    cluster.loses = ({ to, type }) => to === 3n && type === 'append';
    first.step(command(1, 'x'));
    cluster.settle();
    expect(cluster.node(3).commands()).toEqual([]);
    cluster.heal();
    cluster.tick(2);
    expect(cluster.node(3).commands()).toEqual(['x']);
  });

  test('log matching: an entry with the same index and term means the same log up to it', () => {
    const cluster = new Cluster(3, { config: NO_PRE_VOTE });
    for (let round = 0; round < 60; round++) {
      cluster.isolate((round % 3) + 1);
      cluster.tick(9);
      cluster.leader()?.step(command(round, `${round}`));
    }
    cluster.heal();
    cluster.tick(40);
    const [one, two, three] = cluster.nodes.map((node) => node.log);
    expect(one!.length).toBeGreaterThan(20);
    expect(two).toEqual(one);
    expect(three).toEqual(one);
  });
});
