/**
 * The contract of {@link PeerTransport} as tests, for whoever makes one:
 *
 *     for (const { name, run } of peerTransportSuite(factory)) test(name, run);
 *
 * It brings no test framework: a claim that does not hold rejects with an InvariantError that says which.
 */
import { assert, fromUtf8, memberId, utf8 } from '@etcd-ts/base';
import { EtcdError } from '@etcd-ts/protocol';
import type { Message } from '@etcd-ts/raft';
import type { ContractCase } from './contract.ts';
import {
  Bench,
  type Claim,
  CLUSTER,
  failureOf,
  heartbeat,
  knows,
  NEVER,
  OTHER_CLUSTER,
  send,
  type TransportWorld,
} from './peer-transport-bench.ts';
import { REMOTE_CLAIMS } from './peer-transport-remotes.ts';
import { SNAPSHOT_CLAIMS } from './peer-transport-snapshots.ts';

export type { TransportUnderTest, TransportWorld } from './peer-transport-bench.ts';

/** The claims, each to be run in a world of its own. */
export function peerTransportSuite(world: () => TransportWorld): ContractCase[] {
  return CLAIMS.map(([name, claim]) => ({
    name,
    run: async () => {
      const bench = new Bench(world());
      try {
        await claim(bench);
      } finally {
        await bench.close();
      }
    },
  }));
}

const CLAIMS: readonly (readonly [string, Claim])[] = [
  ['messages arrive as they were sent, in their order', order],
  ['messages flow both ways at the same time', bothWays],
  ['a message to nobody is dropped without a word', nobody],
  ['a peer that is not there is reported unreachable', absent],
  ['a node of another cluster is not heard', foreign],
  ['a peer that is taken off the list is not sent to any more', dropped],
  ['a member that was removed is told so, and not heard', removed],
  ...REMOTE_CLAIMS,
  ...SNAPSHOT_CLAIMS,
  ['a call is answered', call],
  ['a failed call fails with the same error at the caller', failedCall],
  ['a call to a peer that is not there certainly had no effect', absentCall],
  ['members are told to whoever asks the URL', members],
  ['after close nothing is heard', closed],
];

async function order(bench: Bench): Promise<void> {
  const [a, b] = await bench.pair();
  const entries = [
    { index: 5, term: 3, payload: { kind: 'command', data: utf8('x') } },
    { index: 6, term: 3, payload: { kind: 'empty' } },
  ] as const;
  const append: Message = {
    type: 'append',
    from: a.id,
    to: b.id,
    term: 3,
    prevIndex: 4,
    prevTerm: 2,
    commit: 4,
    session: 1,
    entries,
  };
  send(a, append, ...[1, 2, 3].map((round) => heartbeat(a, b.id, round)));
  send(a, heartbeat(a, b.id, 4));
  await bench.until(
    () => b.heard.length === 5,
    () => `${b.heard.length} of 5 messages came`,
  );
  const [first, ...rest] = b.heard;
  assert(first?.type === 'append', () => `the first message is ${first?.type}`);
  assert(first.from === a.id && first.to === b.id && first.term === 3, 'the envelope changed');
  assert(first.prevIndex === 4 && first.prevTerm === 2 && first.commit === 4, 'a number changed');
  const [command, empty] = first.entries;
  assert(empty?.payload.kind === 'empty' && empty.index === 6, 'the empty entry changed');
  assert(command?.payload.kind === 'command', 'the command changed its kind');
  assert(fromUtf8(command.payload.data) === 'x', 'the command changed');
  const rounds = rest.map((message) => (message.type === 'heartbeat' ? message.readRound : -1));
  assert(rounds.join() === '1,2,3,4', () => `heartbeats came in the order ${rounds.join()}`);
}

async function bothWays(bench: Bench): Promise<void> {
  const [a, b] = await bench.pair();
  send(a, heartbeat(a, b.id, 1));
  send(b, heartbeat(b, a.id, 2));
  await bench.until(
    () => a.heard.length === 1 && b.heard.length === 1,
    () => `${a.heard.length} and ${b.heard.length} messages came`,
  );
}

async function nobody(bench: Bench): Promise<void> {
  const [a, b] = await bench.pair();
  send(a, heartbeat(a, 99n, 1), heartbeat(a, b.id, 2));
  await bench.until(
    () => b.heard.length === 1,
    () => 'the other message did not come',
  );
  assert(a.unreachable.length === 0, 'a member that is no peer was reported');
}

async function absent(bench: Bench): Promise<void> {
  const [a, b] = await bench.pair();
  await b.transport.close();
  await bench.until(
    () => {
      send(a, heartbeat(a, b.id, 1));
      return a.unreachable.includes(b.id);
    },
    () => 'the absent peer was not reported',
  );
}

async function foreign(bench: Bench): Promise<void> {
  const a = await bench.node(1n);
  const b = await bench.node(2n, OTHER_CLUSTER);
  knows(a, b);
  knows(b, a);
  await bench.until(
    () => {
      send(a, heartbeat(a, b.id, 1));
      return a.unreachable.includes(b.id);
    },
    () => 'the node of another cluster was not reported',
  );
  assert(b.heard.length === 0, 'a message crossed clusters');
}

async function dropped(bench: Bench): Promise<void> {
  const [a, b] = await bench.pair();
  knows(a);
  send(a, heartbeat(a, b.id, 1));
  await bench.turns(50);
  assert(b.heard.length === 0, 'a message was sent to a peer that was taken off the list');
}

async function removed(bench: Bench): Promise<void> {
  const a = await bench.node(1n);
  const b = await bench.node(2n);
  b.transport.setRemoved(new Set([a.id]));
  knows(a, b);
  await bench.until(
    () => {
      send(a, heartbeat(a, b.id, 1));
      return a.removed > 0;
    },
    () => 'the removed member was not told',
  );
  assert(b.heard.length === 0, 'a removed member was heard');
}

async function call(bench: Bench): Promise<void> {
  const [a, b] = await bench.pair();
  b.answer = (method, request) => Promise.resolve(utf8(`${method} ${fromUtf8(request)}`));
  const answer = await a.transport.call(b.id, 'm', utf8('q'), NEVER);
  assert(fromUtf8(answer) === 'm q', () => `the answer is ${fromUtf8(answer)}`);
}

async function failedCall(bench: Bench): Promise<void> {
  const [a, b] = await bench.pair();
  b.answer = () => Promise.reject(new EtcdError('NOT_LEADER'));
  const error = await failureOf(a.transport.call(b.id, 'm', utf8('q'), NEVER));
  assert(EtcdError.is(error) && error.code === 'NOT_LEADER', () => `failed with ${error}`);
}

async function absentCall(bench: Bench): Promise<void> {
  const a = await bench.node(1n);
  const error = await failureOf(a.transport.call(memberId(9n), 'm', utf8('q'), NEVER));
  assert(EtcdError.is(error) && error.code === 'UNAVAILABLE', () => `failed with ${error}`);
  assert(!error.mayHaveApplied, 'a call that never left may have had an effect');
}

async function members(bench: Bench): Promise<void> {
  const [a, b] = await bench.pair();
  const facts = await a.transport.askMembers(b.url());
  assert(facts.clusterId === CLUSTER, () => `cluster ${facts.clusterId}`);
  assert(facts.members[0]?.id === b.id, () => `member ${facts.members[0]?.id}`);
}

async function closed(bench: Bench): Promise<void> {
  const [a, b] = await bench.pair();
  await b.transport.close();
  send(a, heartbeat(a, b.id, 1));
  await bench.turns(50);
  assert(b.heard.length === 0, 'a closed transport was heard from');
}
