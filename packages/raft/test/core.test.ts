import { describe, expect, test } from 'vitest';
import { type Entry, RaftCore } from '@etcd-ts/raft';
import { Cluster, command, conf } from './cluster.ts';

describe('a cluster of three', () => {
  test('elects the node that campaigns', () => {
    const cluster = new Cluster(3);
    cluster.elect(1);
    expect(cluster.nodes.map((node) => node.core.status().role)).toEqual([
      'leader',
      'follower',
      'follower',
    ]);
    expect(cluster.nodes.map((node) => node.core.status().leader)).toEqual([1n, 1n, 1n]);
  });

  test('elects somebody when time passes', () => {
    const cluster = new Cluster(3);
    cluster.tick(40);
    expect(cluster.leader()).toBeDefined();
  });

  test('applies a proposal on every node and tells its proposer', () => {
    const cluster = new Cluster(3);
    const leader = cluster.elect(1);
    leader.step(command(7, 'a'));
    cluster.settle();
    expect(leader.outcomes.get(7)).toEqual([
      { kind: 'accepted', index: 2, term: 1 },
      { kind: 'committed', index: 2, term: 1 },
    ]);
    for (const node of cluster.nodes) expect(node.commands()).toEqual(['a']);
  });

  test('applies a proposal made at a follower and tells its proposer', () => {
    const cluster = new Cluster(3);
    cluster.elect(1);
    cluster.node(2).step(command(7, 'a'), command(8, 'b'));
    cluster.settle();
    expect(
      cluster
        .node(2)
        .outcomes.get(7)
        ?.map(({ kind }) => kind),
    ).toEqual(['accepted', 'committed']);
    expect(cluster.node(2).outcome(8)).toEqual({ kind: 'committed', index: 3, term: 1 });
    for (const node of cluster.nodes) expect(node.commands()).toEqual(['a', 'b']);
  });

  test('a leader refuses what was handed over in an older term', () => {
    const cluster = new Cluster(3);
    cluster.elect(1);
    cluster.isolate(1);
    cluster.tick(60);
    const leader = cluster.leader()!;
    const { lastIndex } = leader.core;
    leader.outgoing.length = 0;
    const payload = { kind: 'command', data: new Uint8Array([1]) } as const;
    const from = leader.id === 2n ? 3n : 2n;
    const message = { type: 'forward', from, to: leader.id, term: 1, ids: [9] } as const;
    leader.step({ type: 'message', message: { ...message, payloads: [payload] } });
    expect(leader.core.lastIndex).toBe(lastIndex);
    const answers = leader.outgoing.filter(({ type }) => type === 'forwardResponse');
    expect(answers).toMatchObject([{ results: [{ id: 9, accepted: false, reason: 'notLeader' }] }]);
  });

  test('reads at the leader and at a follower', () => {
    const cluster = new Cluster(3);
    const leader = cluster.elect(1);
    leader.step(command(1, 'a'));
    cluster.settle();
    leader.step({ type: 'read', token: 5 });
    cluster.node(3).step({ type: 'read', token: 6 });
    expect(leader.outcome(5)).toBeUndefined();
    cluster.settle();
    expect(leader.outcome(5)).toEqual({ kind: 'readable', index: 2 });
    expect(cluster.node(3).outcome(6)).toEqual({ kind: 'readable', index: 2 });
  });

  test('goes on with two after the leader is gone, and loses nothing', () => {
    const cluster = new Cluster(3);
    const leader = cluster.elect(1);
    leader.step(command(1, 'a'));
    cluster.settle();
    cluster.isolate(1);
    leader.step(command(2, 'lost'));
    cluster.tick(60);
    const next = cluster.leader()!;
    expect(next.id).not.toBe(1n);
    next.step(command(3, 'b'));
    cluster.settle();
    cluster.heal();
    cluster.tick(5);
    expect(leader.outcome(2)?.kind).toBe('lost');
    for (const node of cluster.nodes) expect(node.commands()).toEqual(['a', 'b']);
  });

  test('comes back from its disks', () => {
    const cluster = new Cluster(3);
    cluster.elect(1).step(command(1, 'a'));
    cluster.settle();
    for (const node of cluster.nodes) node.restart();
    cluster.tick(60);
    cluster.leader()!.step(command(2, 'b'));
    cluster.settle();
    for (const node of cluster.nodes) expect(node.commands()).toEqual(['a', 'b']);
  });
});

describe('a lone voter', () => {
  test('leads at its first tick, also after a restart, without asking anybody', () => {
    const cluster = new Cluster(1);
    const node = cluster.node(1);
    node.step({ type: 'tick' });
    expect(node.core.status()).toMatchObject({ role: 'leader', term: 1 });
    node.step(command(1, 'a'));
    expect(node.outcome(1)?.kind).toBe('committed');
    node.restart();
    node.step({ type: 'tick' });
    expect(node.core.status()).toMatchObject({ role: 'leader', term: 2 });
    expect(node.commands()).toEqual(['a']);
  });
});

describe('a node of higher priority', () => {
  test('draws its election timeout from a shorter span, never below the configured one', () => {
    const drawn = (electionPriority: number): number[] => {
      const cluster = new Cluster(3, {
        config: { electionTimeoutTicks: 12, electionPriority, preVote: false },
      });
      const node = cluster.node(1);
      return Array.from({ length: 200 }, () => {
        node.step({ type: 'campaign' });
        return node.core.status().electionTimeoutTicks;
      });
    };
    expect([Math.min(...drawn(0)), Math.max(...drawn(0))]).toEqual([12, 23]);
    expect([Math.min(...drawn(3)), Math.max(...drawn(3))]).toEqual([12, 14]);
    expect([Math.min(...drawn(1000)), Math.max(...drawn(1000))]).toEqual([12, 12]);
  });
});

describe('a log that holds two membership changes', () => {
  test('tells that the first is committed, though the commit index on disk was torn off', () => {
    const change = (node: bigint): Entry['payload'] => ({
      kind: 'config',
      change: {
        steps: [{ op: 'addVoter', node }],
        transition: 'auto',
        context: new Uint8Array(0),
      },
    });
    const core = new RaftCore(
      { id: 1n, seed: 1, preVote: false },
      {
        hardState: { term: 1, vote: 0n, commit: 0 },
        snapshotIndex: 0,
        snapshotTerm: 0,
        confState: conf([1, 2, 3]),
        entries: [
          { index: 1, term: 1, payload: change(4n) },
          { index: 2, term: 1, payload: change(5n) },
        ],
        applied: 0,
      },
    );
    expect(core.commit).toBe(1);
    core.step({ type: 'campaign' });
    expect(core.role).toBe('follower');
    core.step({ type: 'persisted', group: 1 });
    core.step({ type: 'applied', index: 1 });
    expect(core.confState.voters).toEqual([1n, 2n, 3n, 4n]);
    core.step({ type: 'campaign' });
    expect(core.role).toBe('candidate');
  });
});
