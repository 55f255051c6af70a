/**
 * Peers over TCP: every member listens on its peer URLs and dials every other member.
 *
 * What always holds
 * - A connection carries the messages of the member that dialled it; both ends have checked cluster and member ids.
 * - At most one connection of a lane `log` from a peer is heard: a new one replaces the old.
 * - A member that is not known here is dialled where it says that it is, once it has dialled this one.
 * - Closing leaves no socket, timer or listener behind.
 */
import { createServer, type Server } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { idToHex, type MemberId, must } from '@etcd-ts/base';
import { EtcdError } from '@etcd-ts/protocol';
import type { Message, SnapshotMessage } from '@etcd-ts/raft';
import type { Clock } from '../../clock.ts';
import { StalledRequests } from '../../listeners/node/stalled-requests.ts';
import type { Logger } from '../../logger.ts';
import { PeerTraffic } from '../../metrics/peer-traffic.ts';
import type { Dialling } from '../../tls/node/tls-dialer.ts';
import { decodeMessage } from '../message-codec.ts';
import type {
  ClusterFacts,
  LocalPeer,
  Peer,
  PeerHandlers,
  PeerTransport,
} from '../peer-transport.ts';
import { failureRecord, messagesOf, type PeerRecord, RECORD } from '../peer-record.ts';
import { sendSnapshot } from './bulk-lane.ts';
import { IncomingTransfers } from './bulk-receiver.ts';
import { Connection } from './connection.ts';
import {
  accept,
  type HandshakeRefusal,
  type Hello,
  judgeHello,
  readHello,
  refuse,
} from './handshake.ts';
import { askMembers } from './ask-members.ts';
import { MAX_REMOTES, Remotes } from '../remotes.ts';
import { DEFAULT_PEER_TIMEOUTS, PeerLink, type PeerTimeouts } from './peer-link.ts';
import { PeerPort } from './peer-port.ts';
import { servePeerPage } from './peer-pages.ts';

/** A connection that owes a request, or is refused, is hung up on after so long; until it is upgraded. */
export const HANDSHAKE_TIMEOUT_MS = 5_000;

const STOPPING: HandshakeRefusal = {
  status: '503 Service Unavailable',
  reason: 'the member is stopping',
};

const CROWDED: HandshakeRefusal = {
  status: '503 Service Unavailable',
  reason: `${MAX_REMOTES} members that are unknown here are connected, the limit is ${MAX_REMOTES}`,
};

/** What the transport is made of. */
export interface TcpTransportParts {
  readonly listenUrls: readonly string[];
  readonly clock: Clock;
  readonly log: Logger;
  /** Where what passes is counted. @defaultValue nowhere */
  readonly traffic?: PeerTraffic;
  /** For URLs of TLS, on both sides; absent: there are none. */
  readonly tls?: Dialling | undefined;
  /** When a connection is given up. @defaultValue etcd's */
  readonly timeouts?: PeerTimeouts;
  /** Peers are dialled from this address; undefined: as the system likes. */
  readonly localAddress?: string | undefined;
  /** Several processes may listen on the ports. @defaultValue false */
  readonly isPortShared?: boolean;
}

/** The peers of one member, over TCP. */
export class TcpTransport implements PeerTransport {
  readonly #parts: TcpTransportParts;
  readonly #traffic: PeerTraffic;
  readonly #ports: PeerPort[] = [];
  readonly #stalled: StalledRequests;
  readonly #incoming = new Map<bigint, Connection>();
  readonly #links = new Map<bigint, PeerLink>();
  #peers = new Map<bigint, Peer>();
  readonly #remotes = new Remotes<Peer>({
    isGone: (id) => !this.#incoming.has(id),
    gaveWay: (id) => {
      this.#unlink(id);
      this.#traffic.forget(id);
    },
  });
  #removed: ReadonlySet<bigint> = new Set();
  #local: LocalPeer | undefined;
  #handlers: PeerHandlers | undefined;
  #transfers: IncomingTransfers | undefined;
  /** Aborted by close: for snapshots that are being sent. */
  readonly #ends = new AbortController();
  #closed = false;

  constructor(parts: TcpTransportParts) {
    this.#parts = parts;
    this.#stalled = new StalledRequests(parts.clock, HANDSHAKE_TIMEOUT_MS);
    this.#traffic = parts.traffic ?? new PeerTraffic();
  }

  /** Where it listens, with the real ports; in the order of the listen URLs. */
  get addresses(): readonly AddressInfo[] {
    return this.#ports.map((port) => port.address);
  }

  async start(local: LocalPeer, handlers: PeerHandlers): Promise<void> {
    this.#local = local;
    this.#handlers = handlers;
    this.#transfers = new IncomingTransfers(local, handlers);
    try {
      const { isPortShared = false, listenUrls, log, tls } = this.#parts;
      const http = this.#http();
      const serve = (socket: Socket): void => {
        this.#stalled.accepted(socket);
        http.emit('connection', socket);
      };
      for (const url of listenUrls)
        this.#ports.push(await PeerPort.listen(url, { log, tls, serve, isPortShared }));
    } catch (error) {
      await this.close();
      throw error;
    }
    for (const peer of this.#peers.values()) this.#link(peer);
  }

  setPeers(peers: readonly Peer[]): void {
    this.#peers = new Map(peers.map((peer) => [peer.id, peer]));
    // The connections with one that is known now go on.
    this.#remotes.drop((id) => this.#peers.has(id));
    for (const id of this.#links.keys()) {
      if (!this.#peers.has(id) && this.#remotes.get(id) === undefined) this.#unlink(id);
    }
    if (this.#local === undefined || this.#closed) return;
    for (const peer of peers) {
      const link = this.#links.get(peer.id);
      if (link === undefined) this.#link(peer);
      else link.update(peer);
    }
  }

  setRemoved(ids: ReadonlySet<bigint>): void {
    this.#removed = ids;
    for (const id of this.#remotes.drop((each) => ids.has(each))) this.#unlink(id);
  }

  send(messages: readonly Message[]): void {
    for (const message of messages) this.#links.get(message.to)?.send(message);
  }

  flush(): void {
    for (const link of this.#links.values()) link.flush();
  }

  async sendSnapshot(
    message: SnapshotMessage,
    chunks: AsyncIterable<Uint8Array>,
    signal: AbortSignal,
  ): Promise<void> {
    const peer = this.#peers.get(message.to) ?? this.#remotes.get(message.to);
    const local = this.#local;
    if (peer === undefined || local === undefined) {
      throw new Error(`member ${idToHex(message.to)} is no peer`);
    }
    const { tls } = this.#parts;
    const ends = AbortSignal.any([signal, this.#ends.signal]);
    const counts = this.#traffic.of(message.to);
    await sendSnapshot({ urls: peer.urls, local, tls, message, chunks, signal: ends, counts });
  }

  call(
    to: MemberId,
    method: string,
    request: Uint8Array,
    signal: AbortSignal,
  ): Promise<Uint8Array> {
    const link = this.#links.get(to);
    if (link === undefined) {
      const message = `member ${idToHex(to)} is no peer`;
      return Promise.reject(new EtcdError('UNAVAILABLE', { message, mayHaveApplied: false }));
    }
    return link.call(method, request, signal);
  }

  askMembers(url: string): Promise<ClusterFacts> {
    return askMembers(url, this.#parts.tls);
  }

  connectedSinceMs(peer: MemberId): number | undefined {
    return this.#links.get(peer)?.connectedSinceMs;
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#stalled.close();
    this.#ends.abort(new Error('the transport was closed'));
    for (const link of this.#links.values()) link.close();
    this.#links.clear();
    this.#transfers?.close();
    for (const connection of this.#incoming.values()) connection.destroy();
    await Promise.all(this.#ports.map((port) => port.close()));
  }

  #link(peer: Peer): void {
    const { clock, log, tls } = this.#parts;
    const local = must(this.#local, 'local peer');
    const unreachable = (id: MemberId): void => {
      if (!this.#closed) this.#handlers?.unreachable(id);
    };
    const removed = (): void => {
      if (!this.#closed) this.#handlers?.removed();
    };
    const counts = this.#traffic.of(peer.id);
    const { localAddress, timeouts = DEFAULT_PEER_TIMEOUTS } = this.#parts;
    const parts = {
      local,
      clock,
      log,
      tls,
      counts,
      timeouts,
      localAddress,
      unreachable,
      removed,
    };
    this.#links.set(peer.id, new PeerLink(peer, parts));
  }

  #unlink(id: bigint): void {
    this.#links.get(id)?.close();
    this.#links.delete(id);
    this.#incoming.get(id)?.destroy();
  }

  /** What is spoken on the ports before the upgrade. */
  #http(): Server {
    const server = createServer((request, response) => {
      this.#stalled.requested(request.socket, response);
      const facts = this.#handlers?.facts();
      const local = this.#local;
      if (facts === undefined || local === undefined || this.#closed)
        return void response.destroy();
      servePeerPage(request, response, local, facts);
    });
    server.on('upgrade', (request, socket, head) => {
      socket.on('error', () => socket.destroy());
      const hello = readHello(request);
      if ('reason' in hello) return refuse(socket, hello);
      this.#greet(hello, socket, head);
    });
    return server;
  }

  #greet(hello: Hello, socket: Duplex, head: Uint8Array): void {
    const local = must(this.#local, 'local peer');
    const refusal =
      judgeHello(hello, local, (id) => this.#standing(id)) ??
      (this.#closed ? STOPPING : this.#admit(hello));
    if (refusal !== undefined) {
      this.#parts.log.warn('rejected peer connection', {
        'remote-peer-id': hello.from,
        'remote-cluster-id': hello.clusterId,
        'local-cluster-id': local.clusterId,
        error: refusal.reason,
      });
      return refuse(socket, refusal);
    }
    this.#stalled.left(socket);
    accept(socket);
    if (hello.lane === 'log') this.#hear(hello.from, socket, head);
    else this.#receive(hello.from, socket, head);
  }

  #standing(id: bigint): 'member' | 'removed' | 'unknown' {
    if (this.#removed.has(id)) return 'removed';
    return this.#peers.has(id) ? 'member' : 'unknown';
  }

  /** Sees to it that the sender can be answered; or says why that is not to be. */
  #admit({ from, urls }: Hello): HandshakeRefusal | undefined {
    if (this.#peers.has(from)) return undefined;
    const remote = { id: from as MemberId, urls };
    if (!this.#remotes.keep(from, remote)) return CROWDED;
    const link = this.#links.get(from);
    if (link !== undefined) {
      link.update(remote);
      return undefined;
    }
    const facts = { 'remote-peer-id': from, 'remote-peer-urls': urls };
    this.#parts.log.info('added new remote peer', facts);
    this.#link(remote);
    return undefined;
  }

  #hear(from: bigint, socket: Duplex, head: Uint8Array): void {
    this.#incoming.get(from)?.destroy();
    const connection = new Connection(socket, head, this.#traffic.of(from));
    this.#incoming.set(from, connection);
    // What came with the handshake is read here, and may end the connection.
    connection.listen({
      record: (record) => this.#onRecord(from, connection, record),
      closed: () => {
        if (this.#incoming.get(from) === connection) this.#incoming.delete(from);
      },
    });
  }

  #receive(from: bigint, socket: Duplex, head: Uint8Array): void {
    this.#transfers?.accept(new Connection(socket, head, this.#traffic.of(from)), from);
  }

  #onRecord(from: bigint, connection: Connection, record: PeerRecord): void {
    const local = this.#local;
    const handlers = this.#handlers;
    if (local === undefined || handlers === undefined || this.#closed) return;
    switch (record[0]) {
      case RECORD.messages:
        return handlers.receive(
          messagesOf(record).map((message) => decodeMessage(message, from, local.id)),
        );
      case RECORD.call: {
        const [, id, method, request] = record as unknown as [number, number, string, Uint8Array];
        handlers.call(from as MemberId, method, request).then(
          (answer) => connection.send([RECORD.answer, id, answer]),
          (error: unknown) => connection.send(failureRecord(id, error)),
        );
        return;
      }
      case RECORD.ping:
        connection.send([RECORD.pong]);
    }
  }
}
