/** Every token gets its answers: what becomes of requests when messages, leaders or nodes are lost. */
import { describe, expect, test } from 'vitest';
import { type ForwardMessage, MAX_UNDECIDED_OUTCOMES } from '@etcd-ts/raft';
import { Cluster, command } from './cluster.ts';
import {
  append,
  appendResponse,
  heartbeat,
  leader,
  only,
  receive,
  sent,
  single,
} from './single.ts';

const TICK = { type: 'tick' } as const;
const EMPTY = new Uint8Array(0);

function following() {
  const node = single();
  receive(node, heartbeat());
  return node;
}

const forward = (fields: Partial<ForwardMessage>): ForwardMessage => ({
  type: 'forward',
  from: 2n,
  to: 1n,
  term: 1,
  ids: [],
  payloads: [],
  ...fields,
});

const data = (text: string) => ({ kind: 'command', data: new TextEncoder().encode(text) }) as const;

describe('a proposal at a follower', () => {
  test('is refused when no leader is known', () => {
    const node = single();
    node.step(command(1, 'x'));
    expect(node.outcome(1)).toEqual({ kind: 'refused', reason: 'noLeader', leader: 0n });
  });

  test('is refused with the leader’s reason', () => {
    const node = following();
    node.step(command(1, 'x'));
    const [request] = only(sent(node), 'forward');
    const results = [{ id: request!.ids[0]!, accepted: false, reason: 'transferring' }] as const;
    receive(node, { type: 'forwardResponse', from: 2n, to: 1n, term: 1, results });
    expect(node.outcome(1)).toEqual({ kind: 'refused', reason: 'transferring', leader: 2n });
  });

  test('ends as unknown when the leader does not answer within an election timeout', () => {
    const node = following();
    node.step(command(1, 'x'));
    for (let tick = 0; tick < 10; tick++) {
      expect(node.outcome(1)).toBeUndefined();
      receive(node, heartbeat());
      node.step(TICK);
    }
    expect(node.outcome(1)).toEqual({ kind: 'unknown', index: 0, term: 1 });
  });

  test('ends as unknown when another leader comes', () => {
    const node = following();
    node.step(command(1, 'x'));
    receive(node, append({ from: 3n, term: 2 }));
    expect(node.outcome(1)).toEqual({ kind: 'unknown', index: 0, term: 2 });
  });

  test('is answered once: what comes after it was given up is nobody’s', () => {
    const node = following();
    node.step(command(1, 'x'));
    const [request] = only(sent(node), 'forward');
    receive(node, append({ from: 3n, term: 2 }));
    const results = [{ id: request!.ids[0]!, accepted: true, index: 2 }] as const;
    receive(node, { type: 'forwardResponse', from: 3n, to: 1n, term: 2, results });
    expect(node.outcomes.get(1)).toHaveLength(1);
  });

  test('is told committed at once when its entry was committed before the answer came', () => {
    const cluster = new Cluster(3);
    cluster.elect(1);
    const second = cluster.node(2);
    second.step(command(7, 'x'));
    cluster.loses = ({ type }) => type === 'forwardResponse';
    const held: Parameters<typeof receive>[1][] = [];
    cluster.loses = (message) => {
      if (message.type !== 'forwardResponse') return false;
      held.push(message);
      return true;
    };
    cluster.settle();
    expect(second.commands()).toEqual(['x']);
    receive(second, ...held);
    expect(second.outcomes.get(7)?.map(({ kind }) => kind)).toEqual(['accepted', 'committed']);
  });

  test('is refused when too many before it are accepted and not yet seen committed here', () => {
    const { core } = following();
    const proposals = Array.from({ length: MAX_UNDECIDED_OUTCOMES }, (_, token) => ({
      token,
      data: EMPTY,
    }));
    const requests = core
      .step({ type: 'propose', proposals })
      .flatMap((effect) => (effect.type === 'send' ? only(effect.messages, 'forward') : []));
    const results = requests
      .flatMap(({ ids }) => ids)
      .map((id, i) => ({ id, accepted: true, index: 2 + i }) as const);
    expect(results).toHaveLength(MAX_UNDECIDED_OUTCOMES);
    const message = { type: 'forwardResponse', from: 2n, to: 1n, term: 1, results } as const;
    core.step({ type: 'message', message });
    expect(core.status().pendingOutcomes).toBe(MAX_UNDECIDED_OUTCOMES);
    const [refused] = core.step({ type: 'propose', proposals: [{ token: 1, data: EMPTY }] });
    expect(refused).toMatchObject({ outcome: { kind: 'refused', reason: 'full' } });
  });

  test('waits for its answer within the bytes that may be uncommitted', () => {
    const node = single({ config: { maxUncommittedBytes: 40 } });
    receive(node, heartbeat());
    node.step(command(1, 'a'), command(2, 'b'));
    expect(node.outcome(1)).toBeUndefined();
    expect(node.outcome(2)).toMatchObject({ kind: 'refused', reason: 'full' });
  });
});

describe('a forwarded proposal at the leader', () => {
  test('is taken once, though the network repeats it', () => {
    const node = leader();
    const request = forward({ ids: [101, 102], payloads: [data('a'), data('b')] });
    const answers = receive(node, request, request);
    expect(node.core.lastIndex).toBe(3);
    expect(only(answers, 'forwardResponse')).toHaveLength(1);
  });

  test('of a follower that restarted is taken, though its ids are smaller', () => {
    const node = leader();
    const epoch = 2 ** 32;
    receive(node, forward({ ids: [9 * epoch + 5], payloads: [data('a')] }));
    receive(node, forward({ ids: [3 * epoch + 1], payloads: [data('b')] }));
    expect(node.core.lastIndex).toBe(3);
  });

  test('of an old term is refused with the new one', () => {
    const node = leader({ log: [4] });
    const [answer] = only(
      receive(node, { ...forward({ ids: [1], payloads: [data('a')] }), term: 1 }),
      'forwardResponse',
    );
    expect(answer).toMatchObject({ term: 5 });
  });

  test('of a stranger is refused', () => {
    const node = leader();
    const request = { ...forward({ ids: [1], payloads: [data('a')] }), from: 9n };
    const [answer] = only(receive(node, request), 'forwardResponse');
    expect(answer?.results).toEqual([{ id: 1, accepted: false, reason: 'notMember' }]);
    expect(node.core.lastIndex).toBe(1);
  });

  test('is refused by who does not lead', () => {
    const node = single({ term: 1 });
    const [answer] = only(
      receive(node, forward({ ids: [1], payloads: [data('a')] })),
      'forwardResponse',
    );
    expect(answer?.results).toEqual([{ id: 1, accepted: false, reason: 'noLeader' }]);
  });
});

describe('an accepted proposal', () => {
  test('is lost when a newer term is committed before its place', () => {
    const node = leader({ log: [1] });
    node.step(command(1, 'a'), command(2, 'b'));
    const empty = { kind: 'empty' } as const;
    receive(
      node,
      append({
        term: 3,
        prevIndex: 1,
        prevTerm: 1,
        entries: [{ index: 2, term: 3, payload: empty }],
        commit: 2,
      }),
    );
    expect(node.outcome(1)).toEqual({ kind: 'lost', index: 3, term: 2 });
    expect(node.outcome(2)).toEqual({ kind: 'lost', index: 4, term: 2 });
  });

  test('may still be committed by the next leader, and its proposer is told', () => {
    const cluster = new Cluster(3);
    const first = cluster.elect(1);
    cluster.loses = ({ type }) => type === 'appendResponse';
    first.step(command(1, 'x'));
    cluster.settle();
    cluster.isolate(1);
    cluster.tick(60);
    cluster.heal();
    cluster.tick(5);
    expect(first.core.role).toBe('follower');
    expect(first.outcome(1)).toEqual({ kind: 'committed', index: 2, term: 1 });
  });

  test('is unknown under a snapshot that jumps over it', () => {
    const node = leader();
    node.step(command(1, 'x'));
    const confState = node.core.confState;
    const snapshot = { index: 9, term: 4, confState };
    receive(node, { type: 'snapshot', from: 2n, to: 1n, term: 4, snapshot, session: 0 });
    expect(node.outcome(1)).toEqual({ kind: 'unknown', index: 2, term: 1 });
  });

  test('is given up after ten election timeouts without any leader', () => {
    const node = leader({ config: { electionTimeoutTicks: 10 } });
    node.step(command(1, 'x'));
    for (let tick = 0; tick < 9 * 10; tick++) node.step(TICK);
    expect(node.outcome(1)?.kind).toBe('accepted');
    for (let tick = 0; tick < 4 * 10; tick++) node.step(TICK);
    expect(node.outcome(1)?.kind).toBe('unknown');
  });
});

describe('reads', () => {
  test('beyond the bound are refused, at a leader and at a follower', () => {
    const config = { maxPendingReads: 2 };
    const first = leader({ config });
    receive(first, appendResponse({ index: 1 }));
    const second = single({ config });
    receive(second, heartbeat());
    for (const node of [first, second]) {
      for (const token of [1, 2, 3]) node.step({ type: 'read', token });
      expect(node.outcome(2)).toBeUndefined();
      expect(node.outcome(3)).toMatchObject({ kind: 'refused', reason: 'full' });
    }
  });

  test('that no quorum confirms within an election timeout are refused', () => {
    const node = leader({ config: { checkQuorum: false, electionTimeoutTicks: 10 } });
    node.step({ type: 'read', token: 1 });
    for (let tick = 0; tick < 5; tick++) node.step(TICK);
    receive(node, appendResponse({ index: 1 }));
    node.step({ type: 'read', token: 2 });
    for (let tick = 0; tick < 9; tick++) node.step(TICK);
    expect([node.outcome(1), node.outcome(2)]).toEqual([undefined, undefined]);
    node.step(TICK);
    expect(node.outcome(1)).toMatchObject({ kind: 'refused', reason: 'timedOut' });
    expect(node.outcome(2)).toMatchObject({ kind: 'refused', reason: 'timedOut' });
    expect(node.core.status().pendingReads).toBe(0);
  });

  test('of a follower are refused when the leader cannot serve them', () => {
    const node = following();
    node.step({ type: 'read', token: 1 });
    const [request] = only(sent(node), 'readRequest');
    const { id } = request!;
    receive(node, { type: 'readResponse', from: 2n, to: 1n, term: 1, id, index: 0, refused: true });
    expect(node.outcome(1)).toMatchObject({ kind: 'refused', reason: 'noLeader' });
  });
});
