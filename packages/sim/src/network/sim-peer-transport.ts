/**
 * The server's port to its peers over the simulated network: messages, calls and snapshots on lanes of their own, as
 * the TCP transport has connections of their own for them.
 *
 * In datagram mode the port's promise of order is deliberately not kept; see `network.ts`.
 */
import { assert, idToHex, must, type MemberId } from '@etcd-ts/base';
import { EtcdError } from '@etcd-ts/protocol';
import type { Message, SnapshotMessage } from '@etcd-ts/raft';
import {
  type ClusterFacts,
  type LocalPeer,
  type Peer,
  type PeerHandlers,
  type PeerTransport,
  Remotes,
} from '@etcd-ts/server';
import type { PassPoint } from '../cluster/crash-points.ts';
import type { SimProcess } from '../world/process.ts';
import type { Network, Parcel, ParcelStream } from './network.ts';
import { SnapshotTransfer, type TransferLane } from './snapshot-transfer.ts';

/** Bytes that a message costs besides its entries' data, for the bandwidth of links. */
const MESSAGE_BYTES = 64;

/** A member that does not tell its cluster within this time is taken for silent. */
const ASK_TIMEOUT_US = 2_000_000;

/** Knows which transport listens at which address. */
export class PeerDirectory {
  readonly #transports = new Map<string, SimPeerTransport>();
  /** Sees every message as it leaves; for checkers. */
  onSend: ((message: Message) => void) | undefined;
  /** Sees messages as they arrive; for reports. */
  onArrive: ((messages: readonly Message[]) => void) | undefined;
  /** Sees which method a member is asked for by another one, as it takes the call up; for checkers. */
  onCall: ((method: string) => void) | undefined;

  /** @internal */
  listen(address: string, transport: SimPeerTransport): void {
    this.#transports.set(address, transport);
  }

  /** @internal */
  leave(address: string, transport: SimPeerTransport): void {
    if (this.#transports.get(address) === transport) this.#transports.delete(address);
  }

  /** @internal */
  at(address: string): SimPeerTransport | undefined {
    return this.#transports.get(address);
  }
}

/** What a transport knows of one peer. Peers are few: a walk over them is quicker than a map by id. */
interface PeerLine {
  readonly id: bigint;
  readonly address: string;
  /** Messages of this turn. */
  outgoing: Message[];
}

/** What a transport needs of its surroundings. */
export interface SimPeerTransportOptions {
  readonly network: Network;
  readonly directory: PeerDirectory;
  readonly process: SimProcess;
  /** The peer URL at which this node is reached. */
  readonly address: string;
  /** The node's own monotonic clock. */
  readonly monotonicMs: () => number;
  /** Told of the points at which the process may be made to end. */
  readonly pass?: PassPoint;
}

/** One node's transport for one incarnation. */
export class SimPeerTransport implements PeerTransport {
  readonly #options: SimPeerTransportOptions;
  #peers: readonly PeerLine[] = [];
  readonly #remotes = new Remotes<PeerLine>({
    isGone: (id) => this.connectedSinceMs(id as MemberId) === undefined,
    gaveWay: () => undefined,
  });
  /** Those with messages of this turn, in the order in which they were first spoken to. */
  #waiting: PeerLine[] = [];
  #local: LocalPeer | undefined;
  #handlers: PeerHandlers | undefined;
  #startedMs = 0;
  #removed: ReadonlySet<bigint> = new Set();
  readonly #transfers = new Set<SnapshotTransfer>();
  readonly #incoming = new Set<SnapshotTransfer>();

  constructor(options: SimPeerTransportOptions) {
    this.#options = options;
  }

  start(local: LocalPeer, handlers: PeerHandlers): Promise<void> {
    const { directory, network, process, address } = this.#options;
    // What a process does in the turn of its end takes the address from none that follows it.
    if (!process.isAlive) return new Promise(() => undefined);
    this.#local = local;
    this.#handlers = handlers;
    this.#startedMs = this.#options.monotonicMs();
    network.attach(address, process);
    directory.listen(address, this);
    return Promise.resolve();
  }

  setPeers(peers: readonly Peer[]): void {
    const { network } = this.#options;
    this.#peers = peers.map(({ id, urls }) => {
      const address = network.canonical(urls[0] ?? '');
      const line = this.#lineOf(id);
      return line?.address === address ? line : { id, address, outgoing: [] };
    });
    this.#remotes.drop((id) => this.#peerOf(id) !== undefined);
  }

  setRemoved(ids: ReadonlySet<bigint>): void {
    this.#removed = ids;
    this.#remotes.drop((id) => ids.has(id));
  }

  send(messages: readonly Message[]): void {
    for (const message of messages) {
      const line = this.#lineOf(message.to);
      if (line === undefined) continue;
      if (line.outgoing.length === 0) this.#waiting.push(line);
      line.outgoing.push(message);
    }
  }

  flush(): void {
    if (this.#waiting.length === 0) return;
    const waiting = this.#waiting;
    this.#waiting = [];
    this.#options.pass?.('send');
    for (const line of waiting) {
      if (this.#options.process.isAlive) this.#sendAll(line);
    }
    this.#options.pass?.('sent');
  }

  #receive(messages: readonly Message[], sender: SimPeerTransport, line: PeerLine): void {
    const { directory, pass, process } = this.#options;
    if (sender.#local !== undefined && this.#removed.has(sender.#local.id)) {
      this.#answer(sender, 'removed', () => sender.#handlers?.removed());
      return;
    }
    if (!this.#admits(sender)) return sender.unreachable(line);
    directory.onArrive?.(messages);
    pass?.('receive');
    if (process.isAlive) this.#handlers?.receive(messages);
    pass?.('received');
  }

  #sendAll(line: PeerLine): void {
    const messages = line.outgoing;
    line.outgoing = [];
    let sizeBytes = 0;
    for (const message of messages) {
      this.#options.directory.onSend?.(message);
      sizeBytes += messageBytes(message);
    }
    // The peer may have moved, or gone, since it was spoken to.
    const known = this.#lineOf(line.id);
    if (known === undefined) this.unreachable(line);
    else this.#options.network.send(new MessageParcel(this, known, messages, sizeBytes));
  }

  /** @internal The peer's address, as this node is known to it. */
  get address(): string {
    return this.#options.address;
  }

  /** @internal Messages arrive at a peer; whoever listens there takes them, if he is the one that was meant. */
  deliver(line: PeerLine, messages: readonly Message[]): void {
    const peer = this.#options.directory.at(line.address);
    const isThere = peer !== undefined && peer.#handlers !== undefined;
    if (isThere && peer.#isFor(line.id, this)) peer.#receive(messages, this, line);
    // Whoever listens there now may not be the member that was meant.
    else this.unreachable(line);
  }

  /** @internal Messages to a peer were lost. */
  unreachable(line: PeerLine): void {
    if (this.#options.process.isAlive) this.#handlers?.unreachable(line.id as MemberId);
  }

  sendSnapshot(
    message: SnapshotMessage,
    chunks: AsyncIterable<Uint8Array>,
    signal: AbortSignal,
  ): Promise<void> {
    this.#options.directory.onSend?.(message);
    let receiver: SimPeerTransport | undefined;
    const lane: TransferLane = {
      send: ({ sizeBytes, stream, deliver, onLost, onForgotten }) => {
        const arrive = (peer: SimPeerTransport): void => {
          receiver ??= peer;
          peer.#options.pass?.('snapshotPart');
          if (!peer.#options.process.isAlive) return;
          if (peer === receiver) deliver();
          else peer.#answer(this, 'bulk', onForgotten);
        };
        this.#parcel(message.to, 'bulk', sizeBytes, arrive, onLost, stream);
      },
      answer: (deliver) => must(receiver, 'receiver of a snapshot').#answer(this, 'bulk', deliver),
      receive: async (content) => {
        const peer = must(receiver, 'receiver of a snapshot');
        if (peer.#handlers === undefined || !peer.#hears(message.to, this)) {
          throw new Error('another member listens here');
        }
        peer.#incoming.add(transfer);
        await peer.#handlers
          .receiveSnapshot(message, content)
          .finally(() => peer.#incoming.delete(transfer));
      },
    };
    const transfer = new SnapshotTransfer(this.#options.process, lane, chunks, signal);
    this.#transfers.add(transfer);
    return transfer.outcome.finally(() => this.#transfers.delete(transfer));
  }

  call(
    to: MemberId,
    method: string,
    request: Uint8Array,
    signal: AbortSignal,
  ): Promise<Uint8Array> {
    const local = must(this.#local, 'local peer');
    let onAbort = (): void => undefined;
    const answer = new Promise<Uint8Array>((resolve, reject) => {
      const unavailable = (mayHaveApplied: boolean): EtcdError =>
        new EtcdError('UNAVAILABLE', {
          message: `member ${idToHex(to)} cannot be reached`,
          mayHaveApplied,
        });
      if (signal.aborted) {
        reject(signal.reason);
        return;
      }
      onAbort = () => reject(signal.reason);
      signal.addEventListener('abort', onAbort, { once: true });
      const copy = request.slice();
      const deliver = (peer: SimPeerTransport): void => {
        const handlers = peer.#handlers;
        if (handlers === undefined || !peer.#hears(to, this)) {
          peer.#answer(this, 'call', () => reject(unavailable(false)));
          return;
        }
        this.#options.directory.onCall?.(method);
        const forget = peer.#options.process.onKill(() => {
          this.#options.process.schedule(1_000, 'reset', () => reject(unavailable(true)));
        });
        handlers
          .call(local.id, method, copy)
          .finally(forget)
          .then(
            (response) => peer.#answer(this, 'call', () => resolve(response)),
            (error: unknown) => peer.#answer(this, 'call', () => reject(error)),
          );
      };
      this.#parcel(to, 'call', MESSAGE_BYTES + copy.length, deliver, () =>
        reject(unavailable(false)),
      );
    });
    return answer.finally(() => signal.removeEventListener('abort', onAbort));
  }

  askMembers(url: string): Promise<ClusterFacts> {
    const { network, directory, address } = this.#options;
    return new Promise((resolve, reject) => {
      const lost = (): void => reject(new Error(`nobody answers at ${url}`));
      this.#options.process.schedule(ASK_TIMEOUT_US, 'ask', lost);
      const deliver = (): void => {
        const peer = directory.at(url);
        if (peer === undefined) return lost();
        const local = peer.#local;
        const facts = peer.#handlers?.facts();
        if (local === undefined || facts === undefined) return lost();
        const { members, appliedIndex } = facts;
        const { clusterId } = local;
        peer.#answer(this, 'facts', () => resolve({ clusterId, members, appliedIndex }));
      };
      network.send({ from: address, to: url, sizeBytes: MESSAGE_BYTES, deliver, onLost: lost });
    });
  }

  connectedSinceMs(peer: MemberId): number | undefined {
    const { network, address, process, monotonicMs } = this.#options;
    const other = this.#lineOf(peer)?.address;
    if (other === undefined || network.processAt(other) === undefined) return undefined;
    if (this.#options.directory.at(other) === undefined) return undefined;
    const sinceUs = network.openSinceUs(address, other);
    if (sinceUs === undefined) return undefined;
    const openMs = (process.world.nowUs - sinceUs) / 1000;
    return Math.max(this.#startedMs, monotonicMs() - openMs);
  }

  close(): Promise<void> {
    const { directory, address } = this.#options;
    directory.leave(address, this);
    for (const transfer of this.#transfers) transfer.fail('the transport was closed');
    for (const transfer of this.#incoming) transfer.cutOff('the member is stopping');
    this.#handlers = undefined;
    this.#peers = [];
    this.#waiting = [];
    return Promise.resolve();
  }

  #lineOf(id: bigint): PeerLine | undefined {
    return this.#peerOf(id) ?? this.#remotes.get(id);
  }

  #peerOf(id: bigint): PeerLine | undefined {
    for (const line of this.#peers) if (line.id === id) return line;
    return undefined;
  }

  /** Whether the sender is heard here; then it can be answered where it says that it is. */
  #admits(sender: SimPeerTransport): boolean {
    const local = sender.#local;
    if (local === undefined) return false;
    if (this.#lineOf(local.id) !== undefined) return true;
    const [url] = local.peerUrls();
    if (this.#removed.has(local.id) || url === undefined) return false;
    const address = this.#options.network.canonical(url);
    return this.#remotes.keep(local.id, { id: local.id, address, outgoing: [] });
  }

  /** Whether the member that listens here is the one that was meant, and hears the sender. */
  #hears(to: bigint, sender: SimPeerTransport): boolean {
    return this.#isFor(to, sender) && this.#admits(sender);
  }

  /** Whether the member that listens here is the one that was meant, of the same cluster. */
  #isFor(to: bigint, sender: SimPeerTransport): boolean {
    return this.#local?.id === to && this.#local.clusterId === sender.#local?.clusterId;
  }

  #parcel(
    to: bigint,
    lane: string,
    sizeBytes: number,
    deliver: (peer: SimPeerTransport) => void,
    onLost: () => void,
    stream?: ParcelStream,
  ): void {
    const { network, directory, address, process } = this.#options;
    if (!process.isAlive) return;
    const other = this.#lineOf(to)?.address;
    if (other === undefined) {
      onLost();
      return;
    }
    assert(other !== address, 'a node sends nothing to itself');
    network.send({
      from: address,
      to: other,
      lane,
      stream,
      sizeBytes,
      onLost,
      deliver: () => {
        const peer = directory.at(other);
        if (peer === undefined || peer.#handlers === undefined) onLost();
        else deliver(peer);
      },
    });
  }

  /** Sends something back to whoever asked. */
  #answer(asker: SimPeerTransport, lane: string, deliver: () => void): void {
    const { network, address, process } = this.#options;
    if (!process.isAlive) return;
    const to = asker.#options.address;
    network.send({
      from: address,
      to,
      lane: `${lane}-answer`,
      sizeBytes: MESSAGE_BYTES,
      // The next process at the address did not ask.
      deliver: () => (asker.#options.process.isAlive ? deliver() : undefined),
    });
  }
}

/** The messages of one turn to one peer. There are more of these than of anything else, so they are no closures. */
class MessageParcel implements Parcel {
  readonly from: string;
  readonly to: string;
  readonly lane: string = 'messages';
  readonly stream: ParcelStream | undefined = undefined;
  readonly sizeBytes: number;
  readonly isDatagram: boolean = true;
  readonly #sender: SimPeerTransport;
  readonly #line: PeerLine;
  readonly #messages: readonly Message[];

  constructor(
    sender: SimPeerTransport,
    line: PeerLine,
    messages: readonly Message[],
    sizeBytes: number,
  ) {
    assert(line.address !== sender.address, 'a node sends nothing to itself');
    this.from = sender.address;
    this.to = line.address;
    this.sizeBytes = sizeBytes;
    this.#sender = sender;
    this.#line = line;
    this.#messages = messages;
  }

  deliver(): void {
    this.#sender.deliver(this.#line, this.#messages);
  }

  onLost(): void {
    this.#sender.unreachable(this.#line);
  }
}

function messageBytes(message: Message): number {
  let bytes = MESSAGE_BYTES;
  if (message.type !== 'append') return bytes;
  for (const entry of message.entries) {
    bytes += 16 + (entry.payload.kind === 'command' ? entry.payload.data.length : 0);
  }
  return bytes;
}
