/**
 * What the claims about a peer transport stand on: nodes that note what they hear, in a world that the maker of the
 * transport brings.
 */
import {
  assert,
  type ClusterId,
  clusterId,
  fromUtf8,
  type MemberId,
  memberId,
} from '@etcd-ts/base';
import type { HeartbeatMessage, Message, SnapshotMessage } from '@etcd-ts/raft';
import type { PeerHandlers, PeerTransport } from '../peers/peer-transport.ts';

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

/** What a claim does with its nodes; rejects where it does not hold. */
export type Claim = (bench: Bench) => Promise<void>;

/** The cluster that the nodes of a claim belong to. */
export const CLUSTER: ClusterId = clusterId(0xc1n);
/** One that they do not belong to. */
export const OTHER_CLUSTER: ClusterId = clusterId(0xc2n);
/** A signal that is never given. */
export const NEVER: AbortSignal = new AbortController().signal;
/** Turns after which something that should happen has not. */
const PATIENCE_TURNS = 20_000;

/** A node of the claim: what it heard, and what it answers. */
export class Node {
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
        appliedIndex: 0,
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
export class Bench {
  readonly #world: TransportWorld;
  readonly #nodes: Node[] = [];

  constructor(world: TransportWorld) {
    this.#world = world;
  }

  async node(id: bigint, cluster: ClusterId = CLUSTER): Promise<Node> {
    const node = new Node(id, await this.#world.make());
    this.#nodes.push(node);
    const local = { id: node.id, clusterId: cluster, peerUrls: () => [node.url()] };
    await node.transport.start(local, node.handlers());
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

/** Makes the peers known to the node. */
export function knows(node: Node, ...peers: readonly Node[]): void {
  node.transport.setPeers(peers.map((peer) => ({ id: peer.id, urls: [peer.url()] })));
}

/** A heartbeat that its read round tells from others. */
export function heartbeat(from: Node, to: bigint, readRound: number): HeartbeatMessage {
  return { type: 'heartbeat', from: from.id, to, term: 3, commit: 7, readRound, session: 1 };
}

/** Hands the messages over and lets them go. */
export function send(from: Node, ...messages: readonly Message[]): void {
  from.transport.send(messages);
  from.transport.flush();
}

/** What the promise fails with; undefined where it does not. */
export async function failureOf(promise: Promise<unknown>): Promise<unknown> {
  try {
    await promise;
  } catch (error) {
    return error;
  }
  return undefined;
}
