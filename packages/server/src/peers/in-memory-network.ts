/**
 * A network between the nodes of one process: for tests, demonstrations and clusters that live in one service.
 *
 * Messages are delivered in a later turn, in the order of their sending, as the values they are: entries are immutable.
 * Nodes can be cut off from one another.
 */
import { assert, deferred, type MemberId } from '@etcd-ts/base';
import { EtcdError } from '@etcd-ts/protocol';
import type { Message, SnapshotMessage } from '@etcd-ts/raft';
import type { Clock } from '../clock.ts';
import { pause } from '../turns.ts';
import { Remotes } from './remotes.ts';
import type {
  ClusterFacts,
  LocalPeer,
  Peer,
  PeerHandlers,
  PeerTransport,
} from './peer-transport.ts';

/** A snapshot's content waits so long for a link that was cut; then the transfer has failed. */
export const SNAPSHOT_PATIENCE_MS = 10_000;

/** Between two looks whether the link is there again. */
const LINK_POLL_MS = 10;

/** Connects the transports that it made. */
export class InMemoryNetwork {
  readonly #clock: Clock;
  readonly #nodes = new Map<string, InMemoryTransport>();
  /** `from>to` of every direction that is cut. */
  readonly #cut = new Set<string>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Makes a transport for one node; it joins the network when the node starts it. */
  transport(): PeerTransport {
    return new InMemoryTransport(this, this.#clock);
  }

  /** Loses everything between two nodes, in both directions, until {@link heal}. */
  cut(a: bigint, b: bigint): void {
    this.#cut.add(`${a}>${b}`).add(`${b}>${a}`);
  }

  /** Loses everything that one node sends to another. */
  cutOneWay(from: bigint, to: bigint): void {
    this.#cut.add(`${from}>${to}`);
  }

  /** Undoes every cut. */
  heal(): void {
    this.#cut.clear();
  }

  /** @internal */
  join(node: InMemoryTransport, local: LocalPeer): void {
    const key = `${local.clusterId}/${local.id}`;
    assert(!this.#nodes.has(key), `member ${local.id.toString(16)} is on the network already`);
    this.#nodes.set(key, node);
  }

  /** @internal */
  leave(local: LocalPeer): void {
    this.#nodes.delete(`${local.clusterId}/${local.id}`);
  }

  /** @internal The node that is reached at this URL. */
  at(url: string): ClusterFacts | undefined {
    for (const node of this.#nodes.values()) {
      const facts = node.facts();
      if (facts?.own.includes(url) === true) return facts;
    }
    return undefined;
  }

  /** @internal The node that hears what `from` sends to `to` now. */
  reach(from: LocalPeer, to: bigint): InMemoryTransport | undefined {
    if (this.#cut.has(`${from.id}>${to}`)) return undefined;
    return this.#nodes.get(`${from.clusterId}/${to}`);
  }
}

/** One node's end of the network. */
class InMemoryTransport implements PeerTransport {
  readonly #network: InMemoryNetwork;
  readonly #clock: Clock;
  readonly #outgoing = new Map<bigint, Message[]>();
  #peers = new Set<bigint>();
  readonly #remotes = new Remotes<true>({
    isGone: (id) => this.#reach(id) === undefined,
    gaveWay: () => undefined,
  });
  #removed: ReadonlySet<bigint> = new Set();
  #local: LocalPeer | undefined;
  #handlers: PeerHandlers | undefined;
  #startedMs = 0;
  /** Rejects when the transport is closed. */
  readonly #closed = deferred<never>();

  constructor(network: InMemoryNetwork, clock: Clock) {
    this.#network = network;
    this.#clock = clock;
    this.#closed.promise.catch(() => undefined);
  }

  start(local: LocalPeer, handlers: PeerHandlers): Promise<void> {
    this.#network.join(this, local);
    this.#local = local;
    this.#handlers = handlers;
    this.#startedMs = this.#clock.monotonicMs();
    return Promise.resolve();
  }

  setPeers(peers: readonly Peer[]): void {
    this.#peers = new Set(peers.map((peer) => peer.id));
    this.#remotes.drop((id) => this.#peers.has(id));
  }

  setRemoved(ids: ReadonlySet<bigint>): void {
    this.#removed = ids;
    this.#remotes.drop((id) => ids.has(id));
  }

  send(messages: readonly Message[]): void {
    for (const message of messages) {
      if (!this.#knows(message.to)) continue;
      const queue = this.#outgoing.get(message.to);
      if (queue === undefined) this.#outgoing.set(message.to, [message]);
      else queue.push(message);
    }
  }

  flush(): void {
    const local = this.#local;
    if (local === undefined) return;
    for (const [to, messages] of this.#outgoing) {
      const peer = this.#network.reach(local, to);
      this.#clock.soon(() => {
        if (peer === undefined) this.#handlers?.unreachable(to as MemberId);
        else if (peer.#removed.has(local.id)) this.#handlers?.removed();
        else if (peer.#admits(local)) peer.#handlers?.receive(messages);
        else this.#handlers?.unreachable(to as MemberId);
      });
    }
    this.#outgoing.clear();
  }

  async sendSnapshot(
    message: SnapshotMessage,
    chunks: AsyncIterable<Uint8Array>,
    signal: AbortSignal,
  ): Promise<void> {
    const { peer, handlers } = this.#reached(message.to);
    const content = this.#carried(peer, message.to, chunks, signal);
    await Promise.race([handlers.receiveSnapshot(message, content), this.#closed.promise]);
  }

  async call(
    to: MemberId,
    method: string,
    request: Uint8Array,
    signal: AbortSignal,
  ): Promise<Uint8Array> {
    signal.throwIfAborted();
    const local = this.#local;
    assert(local !== undefined, 'the transport is not started');
    const { handlers } = this.#reached(to);
    return handlers.call(local.id, method, request.slice());
  }

  askMembers(url: string): Promise<ClusterFacts> {
    const facts = this.#network.at(url);
    if (facts === undefined) return Promise.reject(new Error('nobody listens there'));
    return Promise.resolve(facts);
  }

  /** @internal What this node says of its cluster, and where it is reached. */
  facts(): (ClusterFacts & { readonly own: readonly string[] }) | undefined {
    const local = this.#local;
    const facts = this.#handlers?.facts();
    if (local === undefined || facts === undefined) return undefined;
    const { members, appliedIndex } = facts;
    const own = members.find(({ id }) => id === local.id)?.peerUrls ?? [];
    return { clusterId: local.clusterId, members, appliedIndex, own };
  }

  connectedSinceMs(peer: MemberId): number | undefined {
    const local = this.#local;
    if (local === undefined) return undefined;
    return this.#network.reach(local, peer) === undefined ? undefined : this.#startedMs;
  }

  close(): Promise<void> {
    if (this.#local !== undefined) this.#network.leave(this.#local);
    this.#local = undefined;
    this.#handlers = undefined;
    this.#outgoing.clear();
    this.#closed.reject(new Error('the transport was closed'));
    return Promise.resolve();
  }

  /** The content on its way: goes on when the link comes back in time, and ends with either node. */
  async *#carried(
    peer: InMemoryTransport,
    to: bigint,
    chunks: AsyncIterable<Uint8Array>,
    signal: AbortSignal,
  ): AsyncGenerator<Uint8Array> {
    const source = chunks[Symbol.asyncIterator]();
    try {
      for (;;) {
        const next = await Promise.race([
          source.next(),
          this.#closed.promise,
          peer.#closed.promise,
        ]);
        if (next.done === true) return;
        await this.#linked(peer, to, signal);
        yield next.value.slice();
      }
    } finally {
      source.return?.().catch(() => undefined);
    }
  }

  /** Waits for the link to the peer. */
  async #linked(peer: InMemoryTransport, to: bigint, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    for (let waitedMs = 0; this.#reach(to) !== peer; waitedMs += LINK_POLL_MS) {
      const isHopeless = waitedMs >= SNAPSHOT_PATIENCE_MS || peer.#handlers === undefined;
      if (isHopeless || this.#local === undefined) throw unreachable(to);
      await pause(this.#clock, LINK_POLL_MS);
      signal.throwIfAborted();
    }
  }

  /** The peer as it is reached now; undefined when it is not. */
  #reach(to: bigint): InMemoryTransport | undefined {
    const local = this.#local;
    return local === undefined ? undefined : this.#network.reach(local, to);
  }

  #reached(to: bigint): { readonly peer: InMemoryTransport; readonly handlers: PeerHandlers } {
    const peer = this.#reach(to);
    const handlers = peer === undefined ? undefined : peer.#handlers;
    const local = this.#local;
    if (peer === undefined || handlers === undefined || local === undefined) throw unreachable(to);
    if (!this.#knows(to) || !peer.#admits(local)) throw unreachable(to);
    return { peer, handlers };
  }

  #knows(id: bigint): boolean {
    return this.#peers.has(id) || this.#remotes.get(id) !== undefined;
  }

  /** Whether the sender is heard here; then it can be answered. */
  #admits(sender: LocalPeer): boolean {
    if (this.#knows(sender.id)) return true;
    return !this.#removed.has(sender.id) && this.#remotes.keep(sender.id, true);
  }
}

function unreachable(to: bigint): EtcdError {
  return new EtcdError('UNAVAILABLE', {
    message: `member ${to.toString(16)} cannot be reached`,
    mayHaveApplied: false,
  });
}
