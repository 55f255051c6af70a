/** Ports with a counter in front: what passes is measured, nothing else changes. */
import type { Backend } from '@etcd-ts/mvcc';
import type { Message } from '@etcd-ts/raft';
import type { Clock } from '../clock.ts';
import type { BackendStore } from '../env.ts';
import type { PeerHandlers, PeerTransport } from '../peers/peer-transport.ts';
import type { NodeMetrics } from './node-metrics.ts';
import { countTransfer } from './peer-traffic.ts';

/** Heartbeat intervals between two heartbeats to one peer beyond which the later one counts as late (etcd raft.go). */
const LATE_INTERVALS = 2;

/** Databases whose batches and syncs are timed. */
export function meteredBackends(
  store: BackendStore,
  metrics: NodeMetrics,
  clock: Pick<Clock, 'monotonicMs'>,
): BackendStore {
  return {
    list: () => store.list(),
    open: async (name) => meteredBackend(await store.open(name), metrics, clock),
    remove: (name) => store.remove(name),
    ...(store.diskBytes === undefined ? {} : { diskBytes: store.diskBytes }),
  };
}

function meteredBackend(
  backend: Backend,
  metrics: NodeMetrics,
  clock: Pick<Clock, 'monotonicMs'>,
): Backend {
  const timed = async (
    histogram: NodeMetrics['backendCommitSeconds'],
    work: () => Promise<void>,
  ): Promise<void> => {
    const startedMs = clock.monotonicMs();
    await work();
    histogram.observe((clock.monotonicMs() - startedMs) / 1000);
  };
  return {
    get: (key) => backend.get(key),
    write: (operations) => timed(metrics.backendCommitSeconds, () => backend.write(operations)),
    sync: () => timed(metrics.backendSyncSeconds, () => backend.sync()),
    iterate: (start, end) => backend.iterate(start, end),
    sizeBytes: () => backend.sizeBytes(),
    compactRange: (start, end) => backend.compactRange(start, end),
    close: () => backend.close(),
  };
}

/** What a metered transport needs beside the transport. */
export interface TransportMeter {
  readonly metrics: NodeMetrics;
  readonly clock: Pick<Clock, 'monotonicMs'>;
  readonly heartbeatIntervalMs: number;
}

/** A transport whose snapshots are timed, and whose late heartbeats are counted. */
export function meteredTransport(transport: PeerTransport, meter: TransportMeter): PeerTransport {
  const { metrics, clock } = meter;
  const { traffic } = metrics;
  const nowMs = (): number => clock.monotonicMs();
  const heartbeats = new HeartbeatWatch(meter);
  return {
    start: (local, handlers) => transport.start(local, meteredHandlers(handlers, meter)),
    setPeers: (peers) => transport.setPeers(peers),
    setRemoved: (ids) => transport.setRemoved(ids),
    send: (messages) => {
      for (const message of messages) if (message.type === 'heartbeat') heartbeats.sent(message);
      transport.send(messages);
    },
    flush: () => transport.flush(),
    sendSnapshot: (message, chunks, signal) =>
      countTransfer(traffic.of(message.to).snapshotsSent, nowMs, () =>
        transport.sendSnapshot(message, chunks, signal),
      ),
    call: (to, method, request, signal) => transport.call(to, method, request, signal),
    askMembers: (url) => transport.askMembers(url),
    connectedSinceMs: (peer) => transport.connectedSinceMs(peer),
    close: () => transport.close(),
  };
}

function meteredHandlers(handlers: PeerHandlers, { metrics, clock }: TransportMeter): PeerHandlers {
  return {
    facts: () => handlers.facts(),
    receive: (messages) => handlers.receive(messages),
    unreachable: (peer) => handlers.unreachable(peer),
    removed: () => handlers.removed(),
    receiveSnapshot: (message, chunks) =>
      countTransfer(
        metrics.traffic.of(message.from).snapshotsReceived,
        () => clock.monotonicMs(),
        () => handlers.receiveSnapshot(message, chunks),
      ),
    call: (from, method, request) => handlers.call(from, method, request),
  };
}

/** Notices that a leader does not get round to its heartbeats. A new term begins anew. */
class HeartbeatWatch {
  readonly #meter: TransportMeter;
  readonly #lastMs = new Map<bigint, number>();
  #term = 0;

  constructor(meter: TransportMeter) {
    this.#meter = meter;
  }

  sent({ to, term }: Extract<Message, { type: 'heartbeat' }>): void {
    const { clock, heartbeatIntervalMs, metrics } = this.#meter;
    if (term !== this.#term) this.#lastMs.clear();
    this.#term = term;
    const nowMs = clock.monotonicMs();
    const sinceMs = nowMs - (this.#lastMs.get(to) ?? nowMs);
    this.#lastMs.set(to, nowMs);
    if (sinceMs > LATE_INTERVALS * heartbeatIntervalMs) metrics.lateHeartbeats += 1;
  }
}
