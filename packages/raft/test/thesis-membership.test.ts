/** Chapters 4 and 5 of the thesis: membership changes and log compaction. */
import { describe, expect, test } from 'vitest';
import { type ConfigChange, type ConfigStep, type Entry, RaftCore } from '@etcd-ts/raft';
import { Cluster, type Node, command, conf } from './cluster.ts';
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
  vote,
  voteResponse,
} from './single.ts';

const TICK = { type: 'tick' } as const;

const changeOf = (
  transition: ConfigChange['transition'],
  ...steps: readonly (readonly [ConfigStep['op'], number])[]
): ConfigChange => ({
  steps: steps.map(([op, node]) => ({ op, node: BigInt(node) })),
  transition,
  context: new Uint8Array(0),
});

const LEAVE = changeOf('auto');

function change(node: Node, token: number, wanted: ConfigChange): void {
  node.step({ type: 'changeConfig', token, change: wanted });
}

/** Five nodes of which three vote; node 1 leads. */
function grown(config: ConstructorParameters<typeof Cluster>[1] = {}): Cluster {
  const cluster = new Cluster(5, { confState: conf([1, 2, 3]), ...config });
  cluster.elect(1);
  return cluster;
}

describe('§4.1 single-server changes', () => {
  test('a node is added: it gets the log and counts from then on', () => {
    const cluster = grown();
    cluster.node(1).step(command(1, 'x'));
    change(cluster.node(1), 2, changeOf('auto', ['addVoter', 4]));
    cluster.settle();
    cluster.tick(2);
    expect(cluster.node(1).outcome(2)?.kind).toBe('committed');
    expect(cluster.node(1).core.confState.voters).toEqual([1n, 2n, 3n, 4n]);
    expect(cluster.node(4).commands()).toEqual(['x']);
    expect(cluster.node(4).core.confState.voters).toEqual([1n, 2n, 3n, 4n]);
  });

  test('a change for the leader of a term is taken by that one alone, and handed on by nobody', () => {
    const cluster = grown();
    const [first, second] = [cluster.node(1), cluster.node(2)];
    const { term } = first.core.status();
    const wanted = changeOf('auto', ['addVoter', 4]);
    const refused = { kind: 'refused', reason: 'notLeader', leader: 1n };
    cluster.settle();
    second.step({ type: 'changeConfig', token: 2, change: wanted, inTerm: term });
    expect(second.outcome(2)).toEqual(refused);
    expect(only(second.outgoing, 'forward')).toEqual([]);
    first.step({ type: 'changeConfig', token: 3, change: wanted, inTerm: term - 1 });
    expect(first.outcome(3)).toEqual(refused);
    first.step({ type: 'changeConfig', token: 4, change: wanted, inTerm: term });
    cluster.settle();
    expect(first.outcome(4)?.kind).toBe('committed');
  });

  test('a change is in force when it is applied, not before', () => {
    const node = leader();
    receive(node, appendResponse({ index: 1 }));
    change(node, 2, changeOf('auto', ['remove', 3]));
    expect(node.core.confState.voters).toEqual([1n, 2n, 3n]);
    receive(node, appendResponse({ index: 2 }));
    expect(node.core.confState.voters).toEqual([1n, 2n]);
  });

  test('one change at a time: the next is refused until the last is applied', () => {
    const node = leader();
    receive(node, appendResponse({ index: 1 }));
    change(node, 2, changeOf('auto', ['addLearner', 4]));
    change(node, 3, changeOf('auto', ['addLearner', 5]));
    expect(node.outcome(3)).toMatchObject({ kind: 'refused', reason: 'changePending' });
    receive(node, appendResponse({ index: 2 }));
    change(node, 4, changeOf('auto', ['addLearner', 5]));
    expect(node.outcome(4)?.kind).toBe('accepted');
  });

  test('the 2015 bug: a new leader takes no change before it has applied all of its log', () => {
    const node = leader({ log: [1, 1] });
    change(node, 2, changeOf('auto', ['remove', 3]));
    expect(node.outcome(2)).toMatchObject({ kind: 'refused', reason: 'changePending' });
    receive(node, appendResponse({ term: 2, index: 3 }));
    change(node, 3, changeOf('auto', ['remove', 3]));
    expect(node.outcome(3)?.kind).toBe('accepted');
  });

  test.each([
    [changeOf('auto', ['remove', 1]), 'removed all voters', [1]],
    [LEAVE, 'not in joint state; refusing empty conf change', [1]],
    [changeOf('auto', ['addVoter', 0]), 'a node id is above 0: 0', [1]],
  ])('a change that makes no sense is refused with the reason', (wanted, detail, voters) => {
    const node = leader({ voters });
    change(node, 2, wanted);
    expect(node.outcome(2)).toEqual({
      kind: 'refused',
      reason: 'changeIllegal',
      leader: 1n,
      detail,
    });
    expect(node.core.lastIndex).toBe(1);
  });

  test('while a committed change is not applied a node does not campaign', () => {
    const config = { kind: 'config', change: changeOf('auto', ['addVoter', 4]) } as const;
    const node = single({ config: { preVote: false } });
    // The first page holds everything committed so far; the change comes with the second.
    node.isApplyFast = false;
    receive(node, append({ entries: [{ index: 1, term: 1, payload: config }], commit: 1 }));
    node.step({ type: 'campaign' });
    expect(node.core.role).toBe('follower');
    node.step({ type: 'applied', index: 1 });
    node.step({ type: 'campaign' });
    expect(node.core.role).toBe('candidate');
  });
});

describe('§4.2.1 catching up new servers', () => {
  test('a learner gets the log but has no say', () => {
    const cluster = grown({ confState: conf([1, 2, 3], [4]) });
    cluster.isolate(2, 3);
    cluster.node(1).step(command(1, 'x'));
    cluster.settle();
    expect(cluster.node(4).core.lastIndex).toBe(2);
    expect(cluster.node(1).core.commit).toBe(1);
  });

  test('a learner does not campaign', () => {
    const node = single({ confState: conf([2, 3], [1]) });
    for (let tick = 0; tick < 50; tick++) node.step(TICK);
    node.step({ type: 'campaign' });
    expect(node.core.status()).toMatchObject({ role: 'follower', term: 0 });
  });

  test('a learner is promoted, and a voter demoted, by one change each', () => {
    const cluster = grown({ confState: conf([1, 2, 3], [4]) });
    change(cluster.node(1), 2, changeOf('auto', ['addVoter', 4]));
    cluster.settle();
    change(cluster.node(1), 3, changeOf('auto', ['addLearner', 2]));
    cluster.settle();
    expect(cluster.node(1).core.confState).toEqual(conf([1, 3, 4], [2]));
  });
});

describe('§4.2.2 removing the current leader', () => {
  test('it leads until its removal is committed, then steps down', () => {
    const cluster = grown();
    const first = cluster.node(1);
    change(first, 2, changeOf('auto', ['remove', 1]));
    expect(first.core.role).toBe('leader');
    cluster.settle();
    expect(first.core.role).toBe('follower');
    expect(first.outcome(2)?.kind).toBe('committed');
    cluster.tick(40);
    expect([2n, 3n]).toContain(cluster.leader()?.id);
    expect(first.core.role).toBe('follower');
  });

  test('the others elect a leader though the removed one has a longer log', () => {
    const cluster = new Cluster(2, { confState: conf([1, 2]) });
    const first = cluster.elect(1);
    change(first, 2, changeOf('auto', ['remove', 1]));
    // The change is committed, but node 2 never hears of it, nor of what node 1 appended behind it.
    cluster.deliver();
    first.isApplyFast = false;
    cluster.deliver();
    first.step(command(3, 'tail'));
    cluster.loses = ({ from }) => from === 1n;
    first.step({ type: 'applied', index: 2 });
    cluster.settle();
    cluster.heal();
    expect(first.core.role).toBe('follower');
    expect(cluster.node(2).core.status()).toMatchObject({ commit: 1, lastIndex: 2 });
    cluster.tick(40);
    expect(cluster.node(2).core.role).toBe('leader');
    expect(cluster.node(2).core.confState.voters).toEqual([2n]);
  });
});

describe('§4.2.3 disruptive servers', () => {
  test('who has heard from a leader within an election timeout ignores requests for votes', () => {
    for (const type of ['vote', 'preVote'] as const) {
      const node = single({ config: { checkQuorum: true, electionTimeoutTicks: 10 } });
      receive(node, heartbeat());
      for (let tick = 0; tick < 9; tick++) node.step(TICK);
      expect(receive(node, vote({ type, from: 3n, term: 5, lastTerm: 5, lastIndex: 9 }))).toEqual(
        [],
      );
      expect(node.core.status()).toMatchObject({ term: 1, leader: 2n });
      node.core.setElectionTimeout(100);
      node.step(TICK);
      expect(
        receive(node, vote({ type, from: 3n, term: 5, lastTerm: 5, lastIndex: 9 })),
      ).toHaveLength(1);
    }
  });

  test('who may not stand counts the silence of its leader like anybody else', () => {
    const node = single({ confState: conf([2, 3], [1]), config: { electionTimeoutTicks: 10 } });
    receive(node, heartbeat());
    for (let tick = 0; tick < 35; tick++) node.step(TICK);
    const [answer] = receive(node, vote({ from: 3n, term: 5, lastTerm: 5, lastIndex: 9 }));
    expect(answer).toMatchObject({ type: 'voteResponse', rejected: false });
  });

  test('a leader that a removed server disturbs with a higher term steps aside only for a transfer', () => {
    const node = leader({ config: { checkQuorum: true } });
    receive(node, vote({ from: 9n, term: 8, lastTerm: 8, lastIndex: 9 }));
    expect(node.core.status()).toMatchObject({ role: 'leader', term: 1 });
    receive(node, vote({ from: 3n, term: 8, lastTerm: 8, lastIndex: 9, transfer: true }));
    expect(node.core.status()).toMatchObject({ role: 'follower', term: 8, vote: 3n });
  });
});

describe('§4.3 joint consensus', () => {
  const SWAP = changeOf('explicit', ['remove', 2], ['remove', 3], ['addVoter', 4], ['addVoter', 5]);

  function joint(): Cluster {
    const cluster = grown();
    change(cluster.node(1), 2, SWAP);
    cluster.settle();
    cluster.tick(2);
    return cluster;
  }

  test('an arbitrary change goes through a configuration of both', () => {
    expect(joint().node(1).core.confState).toEqual({
      ...conf([1, 4, 5]),
      votersOutgoing: [1n, 2n, 3n],
    });
  });

  test('an entry needs a majority of either half', () => {
    for (const cut of [
      [4, 5],
      [2, 3],
    ]) {
      const cluster = joint();
      const { commit } = cluster.node(1).core;
      cluster.isolate(...cut);
      cluster.node(1).step(command(3, 'x'));
      cluster.settle();
      expect(cluster.node(1).core.commit).toBe(commit);
      cluster.heal();
      cluster.tick(2);
      expect(cluster.node(1).core.commit).toBe(commit + 1);
    }
  });

  test('a leader needs a majority of either half', () => {
    const node = leader({ confState: { ...conf([1, 4, 5]), votersOutgoing: [1n, 2n, 3n] } });
    expect(node.core.role).toBe('leader');
    const other = single({
      confState: { ...conf([1, 4, 5]), votersOutgoing: [1n, 2n, 3n] },
      config: { preVote: false },
    });
    other.step({ type: 'campaign' });
    receive(other, voteResponse({ from: 2n }), voteResponse({ from: 3n }));
    expect(other.core.role).toBe('candidate');
    receive(other, voteResponse({ from: 5n }));
    expect(other.core.role).toBe('leader');
  });

  test('another change is refused until the joint configuration is left', () => {
    const cluster = joint();
    change(cluster.node(1), 3, changeOf('auto', ['addVoter', 2]));
    expect(cluster.node(1).outcome(3)).toMatchObject({
      kind: 'refused',
      reason: 'changeIllegal',
      detail: 'must transition out of joint config first',
    });
    change(cluster.node(1), 4, LEAVE);
    cluster.settle();
    expect(cluster.node(1).core.confState).toEqual(conf([1, 4, 5]));
  });

  test('an implicit change is left by the leader itself, also by the next one', () => {
    const cluster = grown();
    cluster.loses = (message) =>
      message.type === 'append' &&
      message.entries.some(
        ({ payload }) => payload.kind === 'config' && payload.change.steps.length === 0,
      );
    change(cluster.node(1), 2, { ...SWAP, transition: 'implicit' });
    cluster.settle();
    cluster.tick(2);
    expect(cluster.node(1).core.confState.autoLeave).toBe(true);
    cluster.heal();
    cluster.isolate(1);
    cluster.tick(60);
    cluster.heal();
    cluster.tick(20);
    expect(cluster.node(4).core.confState).toEqual(conf([1, 4, 5]));
  });

  test('a voter that is to be a learner votes in the outgoing half until it is left', () => {
    const cluster = grown();
    change(cluster.node(1), 2, changeOf('explicit', ['addLearner', 3]));
    cluster.settle();
    expect(cluster.node(1).core.confState).toMatchObject({ learners: [], learnersNext: [3n] });
    change(cluster.node(1), 3, LEAVE);
    cluster.settle();
    expect(cluster.node(1).core.confState).toEqual(conf([1, 2], [3]));
  });
});

describe('§4 a membership change that was committed', () => {
  const removal: Entry = {
    index: 1,
    term: 1,
    payload: {
      kind: 'config',
      change: {
        steps: [{ op: 'remove', node: 2n }],
        transition: 'auto',
        context: new Uint8Array(0),
      },
    },
  };
  const start = (commit: number): RaftCore =>
    new RaftCore(
      { id: 1n, seed: 1, preVote: false },
      {
        hardState: { term: 1, vote: 0n, commit },
        snapshotIndex: 0,
        snapshotTerm: 0,
        confState: conf([1, 2]),
        entries: [removal],
        applied: 0,
      },
    );
  const told = append({ from: 2n, to: 1n, term: 1, prevIndex: 1, prevTerm: 1, commit: 1 });

  test('is not applied before the disk knows that it is committed', () => {
    const core = start(0);
    const effects = core.step({ type: 'message', message: told });
    const persist = effects.find((effect) => effect.type === 'persist');
    expect(persist).toMatchObject({ mustSync: true, hardState: { commit: 1 } });
    expect(effects.some((effect) => effect.type === 'apply')).toBe(false);
    const then = core.step({ type: 'persisted', group: persist?.group ?? 0 });
    expect(then).toMatchObject([{ type: 'apply', entries: [removal] }]);
  });

  test('is known after a crash: whoever is left of two leads alone', () => {
    const core = start(1);
    expect(core.stepAll([])).toMatchObject([{ type: 'apply', entries: [removal] }]);
    core.step({ type: 'applied', index: 1 });
    expect(core.confState.voters).toEqual([1n]);
    const effects = core.step({ type: 'campaign' });
    const persist = effects.find((effect) => effect.type === 'persist');
    core.step({ type: 'persisted', group: persist?.group ?? 0 });
    expect(core.role).toBe('leader');
  });
});

describe('§5 log compaction', () => {
  /** Node 3 was away while the others went on and forgot their logs. */
  function compacted(): Cluster {
    const cluster = new Cluster(3);
    cluster.elect(1);
    cluster.isolate(3);
    for (const token of [1, 2, 3]) cluster.node(1).step(command(token, `${token}`));
    cluster.settle();
    cluster.node(1).compact(4);
    cluster.heal();
    return cluster;
  }

  test('a leader that has forgotten what a follower needs has a snapshot sent', () => {
    const cluster = compacted();
    cluster.tick(3);
    const third = cluster.node(3);
    expect(third.snapshot.index).toBe(4);
    expect(third.core.status()).toMatchObject({ commit: 4, firstIndex: 5, applied: 4 });
    cluster.node(1).step(command(9, 'after'));
    cluster.settle();
    expect(third.commands()).toEqual(['after']);
  });

  test('a failed snapshot is sent again after the next sign of life', () => {
    const cluster = compacted();
    const first = cluster.node(1);
    cluster.loses = ({ type }) => type === 'snapshot';
    cluster.tick(3);
    expect(first.core.progress()[2]).toMatchObject({ state: 'snapshot', pendingSnapshot: 4 });
    cluster.heal();
    cluster.tick(5);
    expect(cluster.node(3).core.lastIndex).toBe(1);
    first.step({ type: 'snapshotReport', to: 3n, index: 4, ok: false });
    expect(first.core.progress()[2]).toMatchObject({ state: 'probe', next: 2, isPaused: true });
    cluster.tick(2);
    expect(cluster.node(3).core.commit).toBe(4);
  });

  test('a snapshot that describes a prefix of the log keeps what follows it', () => {
    const node = single({ log: [1, 1, 1] });
    const snapshot = { index: 2, term: 1, confState: conf([1, 2, 3]) };
    const [answer] = receive(node, {
      type: 'snapshot',
      from: 2n,
      to: 1n,
      term: 1,
      snapshot,
      session: 0,
    });
    expect(node.core.status()).toMatchObject({ commit: 2, lastIndex: 3, firstIndex: 1 });
    expect(answer).toMatchObject({ type: 'appendResponse', index: 2 });
  });

  test('a snapshot that the log disagrees with replaces all of it', () => {
    const node = single({ log: [1, 1, 1], term: 2 });
    const snapshot = { index: 2, term: 2, confState: conf([1, 2, 4]) };
    const [answer] = receive(node, {
      type: 'snapshot',
      from: 2n,
      to: 1n,
      term: 2,
      snapshot,
      session: 0,
    });
    expect(node.core.status()).toMatchObject({
      commit: 2,
      lastIndex: 2,
      lastTerm: 2,
      firstIndex: 3,
    });
    expect(node.core.confState).toEqual(conf([1, 2, 4]));
    expect(answer).toMatchObject({ type: 'appendResponse', index: 2 });
  });

  test('a snapshot never takes a node back', () => {
    const node = single({ log: [1, 1, 1], commit: 3 });
    const snapshot = { index: 2, term: 1, confState: conf([1]) };
    receive(node, { type: 'snapshot', from: 2n, to: 1n, term: 1, snapshot, session: 0 });
    expect(node.core.status()).toMatchObject({ commit: 3, lastIndex: 3 });
    expect(node.core.confState).toEqual(conf([1, 2, 3]));
  });

  test('a snapshot from before its receiver was added is taken in; the change follows in the log', () => {
    const node = single({ voters: [] });
    const snapshot = { index: 7, term: 1, confState: conf([2, 3]) };
    receive(node, { type: 'snapshot', from: 2n, to: 1n, term: 1, snapshot, session: 9 });
    expect(node.core.status()).toMatchObject({ commit: 7, lastIndex: 7 });
    expect(node.core.confState).toEqual(conf([2, 3]));
  });

  test('until its snapshot is installed a node neither applies nor campaigns', () => {
    const node = single({ config: { preVote: false } });
    node.isDiskFast = false;
    const snapshot = { index: 5, term: 1, confState: conf([1, 2, 3]) };
    receive(node, { type: 'snapshot', from: 2n, to: 1n, term: 1, snapshot, session: 0 });
    node.step({ type: 'campaign' });
    expect(node.core.role).toBe('follower');
    node.sync();
    expect(node.core.applied).toBe(5);
    node.step({ type: 'campaign' });
    expect(node.core.role).toBe('candidate');
  });

  test('nothing that the log held before a snapshot counts as durable behind it', () => {
    const node = single({ log: [1, 1, 1] });
    node.isDiskFast = false;
    receive(node, append({ prevIndex: 3, prevTerm: 1, entries: [entry(4, 1)] }));
    const snapshot = { index: 3, term: 2, confState: conf([1, 2, 3]) };
    receive(node, {
      type: 'snapshot',
      from: 3n,
      to: 1n,
      term: 2,
      snapshot,
      session: 0,
    });
    receive(
      node,
      append({ from: 3n, term: 2, prevIndex: 3, prevTerm: 2, entries: [entry(4, 2)], commit: 4 }),
    );
    expect(node.core.status().durableIndex).toBeLessThan(3);
    node.sync(1);
    expect(node.core.status().durableIndex).toBeLessThan(3);
    expect(node.core.applied).toBe(0);
    node.sync(1);
    expect(node.core.status()).toMatchObject({ durableIndex: 3, applied: 3 });
    node.sync();
    expect(node.core.status()).toMatchObject({ durableIndex: 4, applied: 4 });
  });

  test('what a follower refused before its snapshot left does not disturb the wait for it', () => {
    const cluster = compacted();
    cluster.loses = ({ type }) => type === 'snapshot';
    cluster.tick(3);
    const first = cluster.node(1);
    receive(
      first,
      appendResponse({ from: 3n, index: 4, rejected: true, hintIndex: 1, hintTerm: 1 }),
    );
    expect(first.core.progress()[2]).toMatchObject({
      state: 'snapshot',
      next: 5,
      pendingSnapshot: 4,
    });
  });

  test('a driver that promises more than it has is told', () => {
    const node = leader();
    sent(node);
    node.step({ type: 'snapshotTaken', snapshotIndex: 5, compactIndex: 5, confState: conf([1]) });
    const notice = node.effects.find((effect) => effect.type === 'notice');
    expect(notice).toMatchObject({ code: 'impossibleAcknowledgement' });
    expect(only(sent(node), 'append')).toEqual([]);
    expect(node.core.firstIndex).toBe(1);
  });
});
