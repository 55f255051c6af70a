/**
 * The port between a node and its peers. In memory (in-memory-network.ts), over TCP (node/) and in the simulator it passes
 * `peerTransportSuite` of `@etcd-ts/server/testing`.
 *
 * What always holds
 * - Messages may be lost, never changed. Those to one peer that arrive do so in the order in which they were sent.
 * - `send` never blocks and never throws: what does not fit into the peer's bounded queue is dropped, and
 *   `unreachable` says so (at most once per flush and peer).
 * - A message reaches only a node with the same cluster id and the addressed member id.
 * - Who speaks for a member of this cluster that is not known here is heard and can be answered, unless it is known as
 *   removed: a member that lags behind must be able to tell so to a leader that joined meanwhile (remotes.ts).
 * - Snapshots have a lane of their own: messages never wait behind them. A transfer whose connection breaks goes on where
 *   it was when a new one is made in time; it reads its content once. A receiver that is slow holds its sender back.
 * - After `close` no handler is called.
 */
import type { ClusterId, MemberId } from '@etcd-ts/base';
import type { Message, SnapshotMessage } from '@etcd-ts/raft';
import type { Member } from '../membership/member.ts';

/** Where a member is reached. */
export interface Peer {
  readonly id: MemberId;
  /** Its peer URLs; tried in turn. */
  readonly urls: readonly string[];
}

/** What a member tells anyone who asks its peer URL over plain HTTP. */
export interface PeerFacts {
  readonly members: readonly Member[];
  /** As of which position in the log. */
  readonly appliedIndex: number;
  readonly serverVersion: string;
  /** `not_decided` before the first election, as in etcd. */
  readonly clusterVersion: string;
  readonly health: { readonly healthy: boolean; readonly reason: string };
}

/** What a node does with what comes in. */
export interface PeerHandlers {
  /** What the member's pages show. */
  facts(): PeerFacts;
  /** Messages in the order of their sending. */
  receive(messages: readonly Message[]): void;
  /** Messages to this peer are being lost. */
  unreachable(peer: MemberId): void;
  /** A peer says that this member was removed from the cluster for ever. May be called more than once. */
  removed(): void;
  /**
   * A snapshot comes in. Resolves when its content is complete and durable and the message is handed to the core;
   * rejects when it is not wanted or not whole.
   */
  receiveSnapshot(message: SnapshotMessage, chunks: AsyncIterable<Uint8Array>): Promise<void>;
  /** A peer calls a unary method. Rejections travel back as EtcdErrors. */
  call(from: MemberId, method: string, request: Uint8Array): Promise<Uint8Array>;
}

/** Who this node is to its peers. */
export interface LocalPeer {
  readonly id: MemberId;
  readonly clusterId: ClusterId;
  /** Where it is reached as of now; told to every peer, for those that do not know it yet. */
  readonly peerUrls: () => readonly string[];
}

/** What a member says of its cluster. */
export interface ClusterFacts {
  readonly clusterId: bigint;
  readonly members: readonly Pick<Member, 'id' | 'name' | 'peerUrls' | 'clientUrls'>[];
  /** How far in the log it knows them; 0 where it does not say. Who is further knows better. */
  readonly appliedIndex: number;
}

/** Carries messages, snapshots and calls between the members of a cluster. */
export interface PeerTransport {
  /** Begins to receive. Called once, before anything else but `setPeers`. */
  start(local: LocalPeer, handlers: PeerHandlers): Promise<void>;
  /** Replaces the peers (never the node itself): connections to those that are gone are closed. */
  setPeers(peers: readonly Peer[]): void;
  /** Members removed from the cluster: who speaks for one of them is told so, and not heard. */
  setRemoved(ids: ReadonlySet<bigint>): void;
  /** Queues messages, each for its `to`. To whoever is neither a peer nor has been heard: dropped. */
  send(messages: readonly Message[]): void;
  /** Ends the turn: everything queued leaves, one write per peer. */
  flush(): void;
  /**
   * Streams a snapshot on the bulk lane. Resolves when the peer has taken it in full.
   *
   * @throws Error when the peer cannot be reached, refuses, or the transfer stalls.
   */
  sendSnapshot(
    message: SnapshotMessage,
    chunks: AsyncIterable<Uint8Array>,
    signal: AbortSignal,
  ): Promise<void>;
  /**
   * Calls a unary method of a peer.
   *
   * @throws EtcdError what the peer answered, or UNAVAILABLE when it cannot be reached.
   */
  call(to: MemberId, method: string, request: Uint8Array, signal: AbortSignal): Promise<Uint8Array>;
  /**
   * Asks whoever listens on a peer URL for its cluster; works before `start`.
   *
   * @throws Error when nobody answers.
   */
  askMembers(url: string): Promise<ClusterFacts>;
  /** Since when the peer has been connected without break, in the clock's monotonic ms; undefined: it is not. */
  connectedSinceMs(peer: MemberId): number | undefined;
  /** Ends everything; open calls and transfers fail. */
  close(): Promise<void>;
}
