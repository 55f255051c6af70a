/**
 * Entries that a snapshot under way will need: whoever gets one goes on behind it from this member's log, so what came in
 * while it was sent, taken in and caught up with is not dropped with the rest. (etcd stops compacting altogether meanwhile,
 * and for 30 s after: server/etcdserver/server.go, inflightSnapshots.)
 *
 * Bounds: {@link MAX_HELD_BYTES} and {@link HOLD_AFTER_SENT_MS}. Beyond either the entries go, and the peer, when it is
 * then too far behind, is sent another snapshot.
 *
 * Invariant: one hold for each peer, of the newest snapshot that it is sent.
 */
import type { Entry, LogIndex, NodeId } from '@etcd-ts/raft';
import type { FollowerProgress } from './consensus.ts';

/** Payload bytes that come in after a snapshot was begun and are kept for its receiver. */
export const MAX_HELD_BYTES: number = 256 * 1024 * 1024;

/** How long entries are kept for a peer that has its snapshot and does not catch up, in milliseconds; etcd's. */
export const HOLD_AFTER_SENT_MS = 30_000;

interface Hold {
  /** The snapshot's: what comes after it is kept. */
  index: LogIndex;
  /** What had come in when it began, of {@link LogHolds.#bytes}. */
  readonly bytesBefore: number;
  /** When it was sent in full, and how far the peer has to come to be like any other; undefined while it is sent. */
  sent?: { readonly atMs: number; readonly lastIndex: LogIndex };
}

/** Keeps the log from being dropped too far. */
export class LogHolds {
  readonly #holds = new Map<NodeId, Hold>();
  /** Payload bytes that came in while there was a hold, ever. */
  #bytes = 0;

  /** A snapshot of at least this index is on its way to the peer. */
  begin(to: NodeId, index: LogIndex): void {
    this.#holds.set(to, { index, bytesBefore: this.#bytes });
  }

  /** It is of this index. */
  taken(to: NodeId, index: LogIndex): void {
    const hold = this.#holds.get(to);
    if (hold !== undefined) hold.index = Math.max(hold.index, index);
  }

  /** The peer has it; the log ends at `lastIndex` by now. */
  sent(to: NodeId, atMs: number, lastIndex: LogIndex): void {
    const hold = this.#holds.get(to);
    if (hold !== undefined) hold.sent = { atMs, lastIndex };
  }

  /** It did not arrive. */
  failed(to: NodeId): void {
    this.#holds.delete(to);
  }

  /** Entries went into the log. */
  appended(entries: readonly Entry[]): void {
    if (this.#holds.size === 0) return;
    for (const { payload } of entries) {
      if (payload.kind === 'command') this.#bytes += payload.data.length;
    }
  }

  /**
   * How far the log may be dropped when it could be dropped through `compactIndex`.
   *
   * @param progress Of a leader; of another member none: it helps nobody to catch up.
   */
  limit(compactIndex: LogIndex, progress: readonly FollowerProgress[], nowMs: number): LogIndex {
    let limit = compactIndex;
    for (const [to, hold] of this.#holds) {
      const needed = this.#neededBy(
        hold,
        progress.find(({ id }) => id === to),
        nowMs,
      );
      if (needed === undefined) this.#holds.delete(to);
      else limit = Math.min(limit, needed);
    }
    return limit;
  }

  /** The last index that the peer does not need any more; undefined when nothing is kept for it. */
  #neededBy(hold: Hold, peer: FollowerProgress | undefined, nowMs: number): LogIndex | undefined {
    if (peer === undefined || this.#bytes - hold.bytesBefore > MAX_HELD_BYTES) return undefined;
    const { index, sent } = hold;
    if (sent === undefined) return index;
    const hasCaughtUp = peer.matchIndex >= sent.lastIndex;
    if (hasCaughtUp || nowMs - sent.atMs > HOLD_AFTER_SENT_MS) return undefined;
    return Math.max(index, peer.matchIndex);
  }
}
