import { clusterId, type MemberId, memberId } from '@etcd-ts/base';
import type { Message, SnapshotMessage } from '@etcd-ts/raft';
import { afterEach, describe, expect, test } from 'vitest';
import { silentLogger } from '../../src/logger.ts';
import { meteredTransport } from '../../src/metrics/metered-ports.ts';
import { NodeMetrics } from '../../src/metrics/node-metrics.ts';
import { PeerTraffic } from '../../src/metrics/peer-traffic.ts';
import { systemClock } from '../../src/node/system-clock.ts';
import { TcpTransport } from '../../src/peers/node/tcp-transport.ts';
import type { PeerHandlers, PeerTransport } from '../../src/peers/peer-transport.ts';
import { ManualClock } from '../listeners/manual-clock.ts';

const CLUSTER = clusterId(7n);
const toClose: PeerTransport[] = [];

afterEach(async () => {
  await Promise.all(toClose.splice(0).map((transport) => transport.close()));
});

function handlers(receive: (messages: readonly Message[]) => void): PeerHandlers {
  return {
    facts: () => ({
      members: [],
      serverVersion: '',
      clusterVersion: '',
      appliedIndex: 0,
      health: { healthy: true, reason: '' },
    }),
    receive,
    unreachable: () => undefined,
    removed: () => undefined,
    receiveSnapshot: async (_message, chunks) => {
      for await (const _ of chunks) continue;
    },
    call: () => Promise.resolve(new Uint8Array()),
  };
}

interface Side {
  readonly id: MemberId;
  readonly traffic: PeerTraffic;
  readonly transport: TcpTransport;
  readonly received: Message[];
  readonly url: string;
}

async function side(number: bigint): Promise<Side> {
  const traffic = new PeerTraffic();
  const listenUrls = ['http://127.0.0.1:0'];
  const transport = new TcpTransport({
    listenUrls,
    clock: systemClock,
    log: silentLogger,
    traffic,
  });
  toClose.push(transport);
  const received: Message[] = [];
  const id = memberId(number);
  await transport.start(
    { id, clusterId: CLUSTER, peerUrls: () => [] },
    handlers((messages) => received.push(...messages)),
  );
  const url = `http://127.0.0.1:${transport.addresses[0]?.port}`;
  return { id, traffic, transport, received, url };
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) {
    await new Promise((resolve) => {
      setImmediate(resolve);
    });
  }
}

function heartbeat(from: MemberId, to: MemberId, term = 1): Message {
  return { type: 'heartbeat', from, to, term, commit: 0, readRound: 0 } as unknown as Message;
}

test('what passes between two peers over TCP is counted on both sides', async () => {
  const [a, b] = [await side(1n), await side(2n)];
  a.transport.setPeers([{ id: b.id, urls: [b.url] }]);
  b.transport.setPeers([{ id: a.id, urls: [a.url] }]);
  await until(() => a.transport.connectedSinceMs(b.id) !== undefined);
  await until(() => b.transport.connectedSinceMs(a.id) !== undefined);
  a.transport.send([heartbeat(a.id, b.id)]);
  a.transport.flush();
  await until(() => b.received.length === 1);
  const [sent, received] = [a.traffic.of(b.id), b.traffic.of(a.id)];
  expect(sent.sentBytes).toBeGreaterThan(10);
  expect(received.receivedBytes).toBe(sent.sentBytes);
  await until(() => sent.roundTripSeconds.count > 0);
  expect(sent.roundTripSeconds.sum).toBeLessThan(5);

  await b.transport.close();
  await until(() => sent.disconnects === 1);
  a.transport.send([heartbeat(a.id, b.id)]);
  a.transport.flush();
  expect(sent.sendFailures).toBe(1);
});

describe('a metered transport', () => {
  const [me, you] = [memberId(1n), memberId(2n)];

  function metered(sendSnapshot: PeerTransport['sendSnapshot']): {
    metrics: NodeMetrics;
    clock: ManualClock;
    transport: PeerTransport;
    incoming: () => PeerHandlers;
  } {
    const metrics = new NodeMetrics();
    const clock = new ManualClock();
    let incoming: PeerHandlers | undefined;
    const below = {
      start: (_local: unknown, given: PeerHandlers) => {
        incoming = given;
        return Promise.resolve();
      },
      send: () => undefined,
      sendSnapshot,
    } as unknown as PeerTransport;
    return {
      metrics,
      clock,
      transport: meteredTransport(below, { metrics, clock, heartbeatIntervalMs: 100 }),
      incoming: () => incoming as PeerHandlers,
    };
  }

  const snapshot = { type: 'snapshot', from: you, to: you } as unknown as SnapshotMessage;
  const chunks = (async function* () {})();
  const never = new AbortController().signal;

  test('counts heartbeats that leave later than two intervals after the last, term by term', () => {
    const { metrics, clock, transport } = metered(() => Promise.resolve());
    const beat = (term: number, afterMs: number): number => {
      clock.pass(afterMs);
      transport.send([heartbeat(me, you, term)]);
      return metrics.lateHeartbeats;
    };
    expect([beat(1, 0), beat(1, 100), beat(1, 200)]).toEqual([0, 0, 0]);
    expect(beat(1, 201)).toBe(1);
    expect([beat(2, 10_000), beat(2, 100), beat(2, 300)]).toEqual([1, 1, 2]);
  });

  test('counts snapshots that are sent, by their outcome and duration', async () => {
    let isGood = true;
    const { metrics, clock, transport } = metered(() => {
      expect(metrics.traffic.of(you).snapshotsSent.inFlight).toBe(1);
      clock.pass(3_000);
      return isGood ? Promise.resolve() : Promise.reject(new Error('broken off'));
    });
    await transport.sendSnapshot(snapshot, chunks, never);
    isGood = false;
    await expect(transport.sendSnapshot(snapshot, chunks, never)).rejects.toThrow('broken off');
    const { inFlight, successes, failures, seconds } = metrics.traffic.of(you).snapshotsSent;
    expect([inFlight, successes, failures, seconds.count, seconds.sum]).toEqual([0, 1, 1, 1, 3]);
  });

  test('counts snapshots that are received', async () => {
    const { metrics, transport, incoming } = metered(() => Promise.resolve());
    await transport.start(
      { id: me, clusterId: CLUSTER, peerUrls: () => [] },
      handlers(() => undefined),
    );
    await incoming().receiveSnapshot(snapshot, chunks);
    expect(metrics.traffic.of(you).snapshotsReceived.successes).toBe(1);
  });
});
