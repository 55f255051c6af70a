import { describe, expect, test } from 'vitest';
import { Cluster, command } from './cluster.ts';

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
