/** What goes to and comes from each peer, counted where it happens. */
import type { MemberId } from '@etcd-ts/base';
import { BOUNDS, Histogram } from './histogram.ts';

/** Transfers of snapshots in one direction. */
export interface SnapshotTransfers {
  inFlight: number;
  successes: number;
  failures: number;
  readonly seconds: Histogram;
}

/** One peer. */
export interface PeerCounts {
  sentBytes: number;
  receivedBytes: number;
  sendFailures: number;
  receiveFailures: number;
  disconnects: number;
  readonly roundTripSeconds: Histogram;
  readonly snapshotsSent: SnapshotTransfers;
  readonly snapshotsReceived: SnapshotTransfers;
}

/** All peers that were ever heard of. Bounded by the members that the cluster ever had, and `MAX_REMOTES`. */
export class PeerTraffic {
  readonly peers: Map<bigint, PeerCounts> = new Map();

  /** The counts of a peer, zero at first. */
  of(peer: MemberId | bigint): PeerCounts {
    const known = this.peers.get(peer);
    if (known !== undefined) return known;
    const counts: PeerCounts = {
      sentBytes: 0,
      receivedBytes: 0,
      sendFailures: 0,
      receiveFailures: 0,
      disconnects: 0,
      roundTripSeconds: new Histogram(BOUNDS.roundTrip),
      snapshotsSent: noTransfers(),
      snapshotsReceived: noTransfers(),
    };
    this.peers.set(peer, counts);
    return counts;
  }

  /** It may have been none. */
  forget(peer: bigint): void {
    this.peers.delete(peer);
  }
}

/** Counts a transfer from its start to its end. */
export async function countTransfer(
  transfers: SnapshotTransfers,
  monotonicMs: () => number,
  transfer: () => Promise<void>,
): Promise<void> {
  const startedMs = monotonicMs();
  transfers.inFlight += 1;
  try {
    await transfer();
    transfers.successes += 1;
    transfers.seconds.observe((monotonicMs() - startedMs) / 1000);
  } catch (error) {
    transfers.failures += 1;
    throw error;
  } finally {
    transfers.inFlight -= 1;
  }
}

function noTransfers(): SnapshotTransfers {
  return { inFlight: 0, successes: 0, failures: 0, seconds: new Histogram(BOUNDS.transfer) };
}
