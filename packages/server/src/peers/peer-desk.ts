/** What a node answers to its peers, and what it asks of them beside Raft's own messages. */
import { EMPTY_BYTES, type MemberId } from '@etcd-ts/base';
import type { Message, SnapshotMessage } from '@etcd-ts/raft';
import type { Engine } from '../consensus/engine.ts';
import type { NodePort } from '../node-port.ts';
import type { Services } from '../services/services.ts';
import { clusterVersionText } from '../services/version-monitor.ts';
import type { SnapshotSource } from '../snapshot/snapshot-source.ts';
import type { PeerFacts, PeerHandlers, PeerTransport } from './peer-transport.ts';

/** A call without a signal of its own never ends early. */
const NEVER: AbortSignal = new AbortController().signal;

/** A member asks another for its whole state: the call of `fetch-state.ts`. */
export const SEND_STATE = 'etcd-ts.Member/SendState';

/** What the desk is made of. */
export interface PeerDeskParts {
  readonly node: NodePort;
  readonly engine: Engine;
  readonly services: Services;
  readonly transport: PeerTransport;
  readonly takeSnapshot: () => Promise<SnapshotSource>;
  /** A peer says that this member was removed. */
  readonly removed: () => void;
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
      appliedIndex: state.appliedIndex,
      serverVersion: this.#parts.node.serverVersion,
      clusterVersion: clusterVersionText(this.#parts.node),
      health: { healthy: reason === '', reason },
    };
  }

  receive(messages: readonly Message[]): void {
    this.#parts.engine.receive(messages);
  }

  unreachable(peer: MemberId): void {
    this.#parts.engine.unreachable(peer);
  }

  removed(): void {
    this.#parts.removed();
  }

  receiveSnapshot(message: SnapshotMessage, chunks: AsyncIterable<Uint8Array>): Promise<void> {
    return this.#parts.engine.receiveSnapshot(message, chunks);
  }

  call(from: MemberId, method: string, request: Uint8Array): Promise<Uint8Array> {
    if (method === SEND_STATE) return this.#sendState(from);
    return this.#parts.services.answerMember(method, request);
  }

  /** A member that has lost its database gets a copy of this one's; answered when it has it. */
  async #sendState(to: MemberId): Promise<Uint8Array> {
    const { node, takeSnapshot, transport } = this.#parts;
    const source = await takeSnapshot();
    try {
      const message: SnapshotMessage = {
        type: 'snapshot',
        from: node.memberId,
        to,
        term: node.status().term,
        session: 0,
        snapshot: source.meta,
      };
      node.log.info('sending database snapshot', { to, index: source.meta.index });
      await transport.sendSnapshot(message, source.chunks, NEVER);
    } finally {
      await source.close();
    }
    return EMPTY_BYTES;
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
