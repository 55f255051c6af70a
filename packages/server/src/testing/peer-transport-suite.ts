/**
 * The contract of {@link PeerTransport} as tests, for whoever makes one:
 *
 *     for (const { name, run } of peerTransportSuite(factory)) test(name, run);
 *
 * It brings no test framework: a claim that does not hold rejects with an InvariantError that says which.
 */
import { assert, clusterId, fromUtf8, type MemberId, memberId, must, utf8 } from '@etcd-ts/base';
import { EtcdError } from '@etcd-ts/protocol';
import type { HeartbeatMessage, Message, SnapshotMessage } from '@etcd-ts/raft';
import type { PeerHandlers, PeerTransport } from '../peers/peer-transport.ts';
import type { ContractCase } from './contract.ts';

/** A transport that is not started yet, and the URL at which others reach it once it is. */
export interface TransportUnderTest {
  readonly transport: PeerTransport;
  readonly url: () => string;
}

/** Where transports of one claim live together. */
export interface TransportWorld {
  make(): TransportUnderTest | Promise<TransportUnderTest>;
  /** Lets the world go on for a moment. */
  turn(): Promise<void>;
  /** Breaks every connection that there is; new ones can be made soon after. */
  breakConnections(): void;
}

const CLUSTER = clusterId(0xc1n);
const OTHER_CLUSTER = clusterId(0xc2n);
/** Turns after which something that should happen has not. */
const PATIENCE_TURNS = 20_000;

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

type Claim = (bench: Bench) => Promise<void>;

const CLAIMS: readonly (readonly [string, Claim])[] = [
  ['messages arrive as they were sent, in their order', order],
  ['messages flow both ways at the same time', bothWays],
  ['a message to nobody is dropped without a word', nobody],
  ['a peer that is not there is reported unreachable', absent],
  ['a node of another cluster is not heard', foreign],
  ['a peer that is taken off the list is not sent to any more', dropped],
  ['a member that was removed is told so, and not heard', removed],
  ['a snapshot arrives in full, and its sender learns that it was taken', snapshot],
  ['a snapshot that is refused fails at its sender', refusedSnapshot],
  ['a snapshot whose content breaks off fails at both ends', brokenSnapshot],
  ['a snapshot goes on where it was when its connection breaks', resumedSnapshot],
  ['a snapshot whose sender has ended gives way to another', replacedSnapshot],
  ['a snapshot that is not read holds its sender back', heldBack],
  ['a call is answered', call],
  ['a failed call fails with the same error at the caller', failedCall],
  ['a call to a peer that is not there certainly had no effect', absentCall],
  ['members are told to whoever asks the URL', members],
  ['after close nothing is heard', closed],
];

/** A node of the claim: what it heard, and what it answers. */
class Node {
  readonly id: MemberId;
  readonly transport: PeerTransport;
  readonly url: () => string;
  readonly heard: Message[] = [];
  readonly unreachable: MemberId[] = [];
  readonly snapshots: { readonly message: SnapshotMessage; readonly content: string }[] = [];
  failedSnapshots = 0;
  /** How often it heard that it was removed. */
  removed = 0;
  takeSnapshot = true;
  /** Resolves when the next chunk of a snapshot may be read. */
  mayRead: () => Promise<void> = () => Promise.resolve();
  answer: (method: string, request: Uint8Array) => Promise<Uint8Array> = (_method, request) =>
    Promise.resolve(request);

  constructor(id: bigint, { transport, url }: TransportUnderTest) {
    this.id = memberId(id);
    this.transport = transport;
    this.url = url;
  }

  handlers(): PeerHandlers {
    return {
      facts: () => ({
        members: [
          { id: this.id, name: 'n', peerUrls: [this.url()], clientUrls: [], isLearner: false },
        ],
        serverVersion: '3.6.0',
        clusterVersion: '3.6.0',
        health: { healthy: true, reason: '' },
      }),
      receive: (messages) => {
        this.heard.push(...messages);
      },
      unreachable: (peer) => {
        this.unreachable.push(peer);
      },
      removed: () => {
        this.removed += 1;
      },
      receiveSnapshot: (message, chunks) => this.#receive(message, chunks),
      call: (_from, method, request) => this.answer(method, request),
    };
  }

  async #receive(message: SnapshotMessage, chunks: AsyncIterable<Uint8Array>): Promise<void> {
    if (!this.takeSnapshot) throw new Error('not now');
    let content = '';
    try {
      for await (const chunk of chunks) {
        content += fromUtf8(chunk);
        await this.mayRead();
      }
    } catch (error) {
      this.failedSnapshots += 1;
      throw error;
    }
    this.snapshots.push({ message, content });
  }
}

/** The nodes of one claim. */
class Bench {
  readonly #world: TransportWorld;
  readonly #nodes: Node[] = [];

  constructor(world: TransportWorld) {
    this.#world = world;
  }

  async node(id: bigint, cluster = CLUSTER): Promise<Node> {
    const node = new Node(id, await this.#world.make());
    this.#nodes.push(node);
    await node.transport.start({ id: node.id, clusterId: cluster }, node.handlers());
    return node;
  }

  async pair(): Promise<[Node, Node]> {
    const a = await this.node(1n);
    const b = await this.node(2n);
    knows(a, b);
    knows(b, a);
    await this.connected(a, b);
    await this.connected(b, a);
    return [a, b];
  }

  async connected(from: Node, to: Node): Promise<void> {
    await this.until(
      () => from.transport.connectedSinceMs(to.id) !== undefined,
      () => `${from.id} is not connected with ${to.id}`,
    );
  }

  async until(condition: () => boolean, what: () => string): Promise<void> {
    for (let turn = 0; turn < PATIENCE_TURNS; turn++) {
      if (condition()) return;
      await this.#world.turn();
    }
    assert(false, what);
  }

  breakConnections(): void {
    this.#world.breakConnections();
  }

  async turns(count: number): Promise<void> {
    for (let turn = 0; turn < count; turn++) await this.#world.turn();
  }

  async close(): Promise<void> {
    for (const node of this.#nodes) await node.transport.close();
  }
}

function knows(node: Node, ...peers: readonly Node[]): void {
  node.transport.setPeers(peers.map((peer) => ({ id: peer.id, urls: [peer.url()] })));
}

function heartbeat(from: Node, to: bigint, readRound: number): HeartbeatMessage {
  return { type: 'heartbeat', from: from.id, to, term: 3, commit: 7, readRound, session: 1 };
}

function send(from: Node, ...messages: readonly Message[]): void {
  from.transport.send(messages);
  from.transport.flush();
}

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

const CONTENT: readonly string[] = Array.from({ length: 100 }, (_, i) => `chunk ${i} `.repeat(500));

async function* chunksOf(parts: readonly string[]): AsyncGenerator<Uint8Array> {
  for (const part of parts) yield utf8(part);
}

function snapshotMessage(from: Node, to: Node): SnapshotMessage {
  return {
    type: 'snapshot',
    from: from.id,
    to: to.id,
    term: 3,
    session: 2,
    snapshot: {
      index: 9,
      term: 2,
      confState: {
        voters: [1n, 2n ** 64n - 1n],
        votersOutgoing: [],
        learners: [5n],
        learnersNext: [],
        autoLeave: false,
      },
    },
  };
}

const NEVER: AbortSignal = new AbortController().signal;

async function snapshot(bench: Bench): Promise<void> {
  const [a, b] = await bench.pair();
  await a.transport.sendSnapshot(snapshotMessage(a, b), chunksOf(CONTENT), NEVER);
  const taken = must(b.snapshots[0], 'a snapshot');
  assert(taken.content === CONTENT.join(''), 'the content changed on its way');
  const { snapshot: meta, session } = taken.message;
  assert(meta.index === 9 && meta.term === 2 && session === 2, 'the message changed on its way');
  assert(meta.confState.voters[1] === 2n ** 64n - 1n, () => `voters ${meta.confState.voters}`);
}

async function refusedSnapshot(bench: Bench): Promise<void> {
  const [a, b] = await bench.pair();
  b.takeSnapshot = false;
  const error = await failureOf(
    a.transport.sendSnapshot(snapshotMessage(a, b), chunksOf(CONTENT), NEVER),
  );
  assert(error instanceof Error && error.message.includes('not now'), () => `failed with ${error}`);
}

async function brokenSnapshot(bench: Bench): Promise<void> {
  const [a, b] = await bench.pair();
  async function* broken(): AsyncGenerator<Uint8Array> {
    yield utf8('begun');
    throw new Error('the database broke');
  }
  const error = await failureOf(a.transport.sendSnapshot(snapshotMessage(a, b), broken(), NEVER));
  assert(error instanceof Error, 'the sender was told that all went well');
  await bench.until(
    () => b.failedSnapshots === 1,
    () => 'the receiver was not told',
  );
  assert(b.snapshots.length === 0, 'half a snapshot was taken');
}

/** More than any transport keeps on its way. */
const LARGE_CONTENT: readonly string[] = Array.from({ length: 400 }, (_, i) =>
  `large ${i} `.repeat(10_000),
);

async function resumedSnapshot(bench: Bench): Promise<void> {
  const [a, b] = await bench.pair();
  let given = 0;
  async function* breaking(): AsyncGenerator<Uint8Array> {
    for await (const chunk of chunksOf(LARGE_CONTENT)) {
      given += 1;
      if (given % 100 === 0) bench.breakConnections();
      yield chunk;
    }
  }
  await a.transport.sendSnapshot(snapshotMessage(a, b), breaking(), NEVER);
  assert(b.failedSnapshots === 0, 'the receiver was told that it failed');
  assert(b.snapshots.length === 1, () => `${b.snapshots.length} snapshots came`);
  assert(b.snapshots[0]?.content === LARGE_CONTENT.join(''), 'the content changed on its way');
  assert(given === LARGE_CONTENT.length, () => `${given} chunks were read from the source`);
}

async function replacedSnapshot(bench: Bench): Promise<void> {
  const [a, b] = await bench.pair();
  const c = await bench.node(3n);
  knows(b, a, c);
  knows(c, b);
  await bench.connected(c, b);
  let isBegun = false;
  async function* endless(): AsyncGenerator<Uint8Array> {
    yield utf8('begun');
    isBegun = true;
    await new Promise<never>(() => undefined);
  }
  const lost = failureOf(a.transport.sendSnapshot(snapshotMessage(a, b), endless(), NEVER));
  await bench.until(
    () => isBegun,
    () => 'the first snapshot did not begin',
  );
  await a.transport.close();
  await bench.until(
    () => b.transport.connectedSinceMs(a.id) === undefined,
    () => 'the receiver did not see the connection end',
  );
  await c.transport.sendSnapshot(snapshotMessage(c, b), chunksOf(CONTENT), NEVER);
  assert(b.snapshots.at(-1)?.content === CONTENT.join(''), 'the content changed on its way');
  assert((await lost) instanceof Error, 'a transfer went on after its transport was closed');
}

async function heldBack(bench: Bench): Promise<void> {
  const [a, b] = await bench.pair();
  let mayRead = (): void => undefined;
  const shut = new Promise<void>((resolve) => (mayRead = resolve));
  b.mayRead = () => shut;
  let given = 0;
  async function* counted(): AsyncGenerator<Uint8Array> {
    for await (const chunk of chunksOf(LARGE_CONTENT)) {
      given += 1;
      yield chunk;
    }
  }
  const sent = a.transport.sendSnapshot(snapshotMessage(a, b), counted(), NEVER);
  let before = -1;
  while (given > before) {
    before = given;
    await bench.turns(500);
  }
  assert(given < LARGE_CONTENT.length, 'everything was sent to a receiver that reads nothing');
  mayRead();
  await sent;
  assert(b.snapshots[0]?.content === LARGE_CONTENT.join(''), 'the content changed on its way');
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

async function failureOf(promise: Promise<unknown>): Promise<unknown> {
  try {
    await promise;
  } catch (error) {
    return error;
  }
  return undefined;
}
