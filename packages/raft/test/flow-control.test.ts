/** How a leader paces what it sends, holds and hands out: windows, probes, pages, bounds. */
import { describe, expect, test } from 'vitest';
import { ENTRY_OVERHEAD_BYTES, type Message } from '@etcd-ts/raft';
import { Cluster, command } from './cluster.ts';
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
  voteResponse,
} from './single.ts';

const TICK = { type: 'tick' } as const;

/** A leader whose follower 2 is in step, so that it replicates ahead. */
function replicating(config: Parameters<typeof leader>[0] = {}) {
  const node = leader(config);
  receive(node, appendResponse({ from: 2n, index: 1 }));
  sent(node);
  return node;
}

const progressOf = (node: ReturnType<typeof leader>, id: bigint) =>
  node.core.progress().find((each) => each.id === id)!;

describe('the window of a follower', () => {
  test('is bounded in bytes too; the message that crosses the bound still goes', () => {
    const node = replicating({ config: { maxInflightBytes: 2 * ENTRY_OVERHEAD_BYTES } });
    for (const token of [1, 2, 3, 4]) node.step(command(token, '12345678'));
    const messages = only(sent(node), 'append').filter(({ to }) => to === 2n);
    expect(messages.filter(({ entries }) => entries.length > 0)).toHaveLength(2);
    expect(progressOf(node, 2n)).toMatchObject({ isPaused: true, isInflightFull: true });
  });

  test('that is full and forgotten by the network is revived by an empty append after a heartbeat', () => {
    const node = replicating({ config: { maxInflightMessages: 1 } });
    node.step(command(1, 'a'));
    node.step(command(2, 'b'));
    sent(node);
    const [probe] = only(receive(node, heartbeatResponse({ from: 2n })), 'append');
    expect(probe).toMatchObject({ to: 2n, prevIndex: 2, entries: [] });
  });

  test('is thrown away when the peer is unreachable, and probing starts behind the match', () => {
    const node = replicating();
    node.step(command(1, 'a'));
    expect(progressOf(node, 2n)).toMatchObject({
      state: 'replicate',
      next: 3,
      inflightMessages: 1,
    });
    node.step({ type: 'unreachable', peer: 2n });
    expect(progressOf(node, 2n)).toMatchObject({ state: 'probe', next: 2, inflightMessages: 0 });
  });
});

describe('a follower that lags', () => {
  test('is asked where it is once a tick, however many rounds it answers meanwhile', () => {
    const node = replicating();
    node.step(command(1, 'a'));
    sent(node);
    const asked = () => only(receive(node, heartbeatResponse({ from: 2n })), 'append').length;
    expect([asked(), asked(), asked()]).toEqual([1, 0, 0]);
    node.step(TICK);
    expect([asked(), asked()]).toEqual([1, 0]);
  });

  test('is asked by a new leadership whatever the last one asked in that tick', () => {
    const node = replicating();
    node.step(command(1, 'a'));
    receive(node, heartbeatResponse({ from: 2n }));
    receive(node, heartbeat({ from: 3n, term: 2 }));
    node.step({ type: 'campaign' });
    receive(node, voteResponse({ term: 3 }));
    receive(node, appendResponse({ from: 2n, term: 3, index: 3 }));
    node.step(command(2, 'b'));
    sent(node);
    expect(only(receive(node, heartbeatResponse({ from: 2n, term: 3 })), 'append')).toHaveLength(1);
  });
});

describe('an append that brings a commit index only', () => {
  const follower = (quietCommits: boolean) => {
    const node = single({ log: [1], config: { quietCommits } });
    receive(node, append({ prevIndex: 1, prevTerm: 1, entries: [entry(2, 1)] }));
    return node;
  };
  const commits = append({ prevIndex: 2, prevTerm: 1, commit: 2 });
  const answers = (node: ReturnType<typeof single>, message: Message) =>
    only(receive(node, message), 'appendResponse');

  test('is answered unless a node is told not to', () => {
    expect(answers(follower(false), commits)).toHaveLength(1);
  });

  test('is taken without an answer where its entries were acknowledged', () => {
    const node = follower(true);
    expect(answers(node, commits)).toEqual([]);
    expect(node.core.commit).toBe(2);
  });

  test('is answered when it comes again: the acknowledgement may be lost', () => {
    const node = follower(true);
    receive(node, commits);
    expect(answers(node, commits)).toMatchObject([{ index: 2, rejected: false }]);
  });

  test('is answered when its entries were acknowledged to a leader of another term', () => {
    const node = follower(true);
    expect(answers(node, { ...commits, term: 2, from: 3n })).toMatchObject([{ index: 2 }]);
  });

  test('is answered when it reaches beyond what was acknowledged', () => {
    const node = single({ log: [1, 1], config: { quietCommits: true } });
    receive(node, append({ prevIndex: 1, prevTerm: 1 }));
    expect(answers(node, commits)).toMatchObject([{ index: 2 }]);
  });

  test('is refused aloud when it does not follow on the log', () => {
    const node = follower(true);
    const beyond = append({ prevIndex: 3, prevTerm: 1, commit: 3 });
    expect(answers(node, beyond)).toMatchObject([{ rejected: true }]);
  });

  test('whose entries come with it again is answered', () => {
    const node = follower(true);
    const again = append({ prevIndex: 1, prevTerm: 1, entries: [entry(2, 1)], commit: 2 });
    expect(answers(node, again)).toMatchObject([{ index: 2 }]);
  });
});

describe('a probe', () => {
  test('is one append until it is answered', () => {
    const node = leader();
    sent(node);
    for (const token of [1, 2, 3]) node.step(command(token, 'x'));
    expect(only(sent(node), 'append')).toEqual([]);
    node.step(TICK);
    expect(only(sent(node), 'append')).toEqual([]);
    expect(only(receive(node, heartbeatResponse({ from: 2n })), 'append')).toHaveLength(1);
  });

  test('that is refused for something else than it asked is stale', () => {
    const node = leader({ log: [1, 1, 1] });
    sent(node);
    const stale = appendResponse({ term: 2, index: 1, rejected: true, hintIndex: 0 });
    expect(receive(node, stale)).toEqual([]);
    expect(progressOf(node, 2n).next).toBe(4);
  });
});

describe('an answer to what was sent in an old term', () => {
  test('confirms nothing to a leader that was elected again since', () => {
    const node = leader({ log: [1, 1, 1] });
    sent(node);
    // What a member of this term says to whatever an old leader had on its way (index 0).
    const answer = appendResponse({ from: 2n, term: node.core.status().term, index: 0 });
    expect(receive(node, answer)).toEqual([]);
    expect(progressOf(node, 2n)).toMatchObject({ state: 'probe', match: 0, next: 4 });
  });
});

describe('what is not committed', () => {
  test('is bounded in bytes: proposals beyond are refused one by one, and room comes with commits', () => {
    const bytes = 3 * (ENTRY_OVERHEAD_BYTES + 1);
    const node = replicating({ config: { maxUncommittedBytes: bytes } });
    node.step(command(1, 'a'), command(2, 'b'), command(3, 'c'), command(4, 'd'));
    expect([1, 2, 3, 4].map((token) => node.outcome(token)?.kind)).toEqual([
      'accepted',
      'accepted',
      'accepted',
      'refused',
    ]);
    expect(node.outcome(4)).toMatchObject({ reason: 'full' });
    receive(node, appendResponse({ from: 2n, index: 4 }));
    node.step(command(5, 'e'));
    expect(node.outcome(5)?.kind).toBe('accepted');
  });

  test('may be one proposal of any size when there is nothing else', () => {
    const node = replicating({ config: { maxUncommittedBytes: 1 } });
    node.step(command(1, 'much more than a byte'));
    expect(node.outcome(1)?.kind).toBe('accepted');
  });

  test('counts over a change of term: entries of former leaders are still uncommitted', () => {
    const log = [1, 1, 1];
    const node = leader({ log, config: { maxUncommittedBytes: 4 * ENTRY_OVERHEAD_BYTES } });
    node.step(command(1, 'a'));
    expect(node.outcome(1)).toMatchObject({ kind: 'refused', reason: 'full' });
  });
});

describe('pages of committed entries', () => {
  test('hold at most the configured bytes, at least one entry, and wait for one another', () => {
    const node = single({ config: { maxApplyBytes: 1 } });
    node.isApplyFast = false;
    receive(node, append({ entries: [entry(1, 1), entry(2, 1), entry(3, 1)], commit: 3 }));
    expect(node.applied.map(({ index }) => index)).toEqual([1]);
    node.step(TICK);
    expect(node.applied).toHaveLength(1);
    node.step({ type: 'applied', index: 1 });
    expect(node.applied.map(({ index }) => index)).toEqual([1, 2]);
  });

  test('acknowledged twice, late or in part are handed out once and in order', () => {
    const node = single();
    node.isApplyFast = false;
    receive(node, append({ entries: [entry(1, 1), entry(2, 1)], commit: 2 }));
    for (const index of [1, 1, 2, 1, 2]) node.step({ type: 'applied', index });
    receive(node, append({ prevIndex: 2, prevTerm: 1, entries: [entry(3, 1)], commit: 3 }));
    expect(node.applied.map(({ index }) => index)).toEqual([1, 2, 3]);
  });

  test('acknowledged before they were handed out are reported and ignored', () => {
    const node = single();
    node.step({ type: 'applied', index: 7 });
    expect(node.core.applied).toBe(0);
    expect(node.effects).toContainEqual(
      expect.objectContaining({ code: 'impossibleAcknowledgement' }),
    );
  });
});

describe('sessions', () => {
  test('acknowledgements from before a removal and re-adding are ignored', () => {
    const cluster = new Cluster(4, {
      confState: { ...new Cluster(1).node(1).core.confState, voters: [1n, 2n, 3n] },
    });
    const first = cluster.elect(1);
    const change = (op: 'addVoter' | 'remove', token: number) => {
      const context = new Uint8Array(0);
      const steps = [{ op, node: 3n }] as const;
      first.step({ type: 'changeConfig', token, change: { steps, transition: 'auto', context } });
      cluster.settle();
    };
    first.step(command(1, 'x'));
    cluster.settle();
    change('remove', 2);
    cluster.isolate(3);
    change('addVoter', 3);
    const { match, session } = progressOf(first, 3n);
    expect({ match, session }).toEqual({ match: 0, session: 4 });
    receive(first, appendResponse({ from: 3n, index: 2, session: 0 }));
    receive(first, heartbeatResponse({ from: 3n, session: 0 }));
    expect(progressOf(first, 3n)).toMatchObject({ match: 0 });
    receive(first, appendResponse({ from: 3n, index: 2, session }));
    expect(progressOf(first, 3n)).toMatchObject({ match: 2 });
  });
});
