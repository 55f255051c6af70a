/** What a node answers to its peers, and what it asks of them beside Raft's own messages. */
import type { MemberId } from '@etcd-ts/base';
import type { Message, SnapshotMessage } from '@etcd-ts/raft';
import type { Engine } from '../consensus/engine.ts';
import type { NodePort } from '../node-port.ts';
import type { Services } from '../services/services.ts';
import { ETCD_VERSION } from '../services/version.ts';
import type { PeerFacts, PeerHandlers, PeerTransport } from './peer-transport.ts';

/** A call without a signal of its own never ends early. */
const NEVER: AbortSignal = new AbortController().signal;

/** What the desk is made of. */
export interface PeerDeskParts {
  readonly node: NodePort;
  readonly engine: Engine;
  readonly services: Services;
  readonly transport: PeerTransport;
}

/** A node's side of its peer connections. */
export class PeerDesk implements PeerHandlers {
  readonly #parts: PeerDeskParts;

  constructor(parts: PeerDeskParts) {
    this.#parts = parts;
  }

  facts(): PeerFacts {
    const { state } = this.#parts.node;
    const { leader } = this.#parts.node.status();
    const alarms = state.alarms.list().length;
    const reason = leader === 0n ? 'RAFT NO LEADER' : alarms > 0 ? 'ALARM' : '';
    return {
      members: state.membership.members(),
      serverVersion: ETCD_VERSION,
      clusterVersion: leader === 0n ? 'not_decided' : ETCD_VERSION,
      health: { healthy: reason === '', reason },
    };
  }

  receive(messages: readonly Message[]): void {
    this.#parts.engine.receive(messages);
  }

  unreachable(peer: MemberId): void {
    this.#parts.engine.unreachable(peer);
  }

  receiveSnapshot(message: SnapshotMessage, chunks: AsyncIterable<Uint8Array>): Promise<void> {
    return this.#parts.engine.receiveSnapshot(message, chunks);
  }

  call(_from: MemberId, method: string, request: Uint8Array): Promise<Uint8Array> {
    return this.#parts.services.answerMember(method, request);
  }

  /** Calls a peer. */
  ask(
    to: MemberId,
    method: string,
    request: Uint8Array,
    signal: AbortSignal | undefined,
  ): Promise<Uint8Array> {
    return this.#parts.transport.call(to, method, request, signal ?? NEVER);
  }
}
