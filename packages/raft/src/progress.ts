import type { LogIndex, NodeId } from './entry.ts';
import { Inflights } from './inflights.ts';

/**
 * How a leader replicates to one peer.
 *
 * `probe`: looks for where the logs agree, one append at a time. `replicate`: sends ahead, optimistically.
 * `snapshot`: waits for a snapshot to arrive, sends nothing.
 */
export type ProgressState = 'probe' | 'replicate' | 'snapshot';

/** Bounds of the window of one peer. */
export interface WindowLimits {
  readonly maxInflightMessages: number;
  readonly maxInflightBytes: number;
}

/** Whether an append is owed to a peer when the step ends. */
export type Owed = 'nothing' | 'entries' | 'append';

/**
 * What a leader knows of one peer's log.
 *
 * Invariants: `match < next`; in `replicate`, `next` is past everything in flight; in `snapshot`,
 * `next` is past the pending snapshot, and only there is one pending.
 */
export class Progress {
  readonly id: NodeId;
  /** Index of the configuration that made the peer a member; answers that name another are ignored. */
  readonly session: LogIndex;
  isLearner: boolean;
  state: ProgressState = 'probe';
  /** The largest index known to be durable at the peer with the leader's term. */
  match: LogIndex = 0;
  /** The next index to send. */
  next: LogIndex;
  /** The largest commit index that has been sent with proof that the peer can use it. */
  sentCommit: LogIndex = 0;
  /** The index of the snapshot on its way; 0 when there is none. */
  pendingSnapshot: LogIndex = 0;
  /** Has answered since the last check of the quorum (thesis §6.2). */
  isRecentlyActive = false;
  /** No append may leave until the peer answers: a probe is on its way, or the window is full. */
  isPaused = false;
  /** The newest read round that the peer acknowledged. */
  readRound = 0;
  /** The tick in which the peer was reminded last; below 0 when it never was. */
  remindedTick = -1;
  /** What is to be sent when the step ends. */
  owed: Owed = 'nothing';
  /** Send appends with entries until the window is full or nothing is left. */
  owesMore = false;
  readonly inflights: Inflights;

  constructor(
    id: NodeId,
    start: { readonly next: LogIndex; readonly session: LogIndex; readonly isLearner: boolean },
    limits: WindowLimits | Inflights,
  ) {
    this.id = id;
    this.next = start.next;
    this.session = start.session;
    this.isLearner = start.isLearner;
    this.inflights =
      limits instanceof Inflights
        ? limits
        : new Inflights(limits.maxInflightMessages, limits.maxInflightBytes);
  }

  /** A new term: nothing is known of the peer's log. */
  reset(next: LogIndex): void {
    this.#enter('probe');
    this.match = 0;
    this.next = next;
    this.sentCommit = 0;
    this.isRecentlyActive = false;
    this.readRound = 0;
    this.remindedTick = -1;
    this.owed = 'nothing';
    this.owesMore = false;
  }

  #enter(state: ProgressState): void {
    this.state = state;
    this.isPaused = false;
    this.pendingSnapshot = 0;
    this.inflights.reset();
  }

  /** Looks again for where the logs agree; after a snapshot just behind it. */
  becomeProbe(): void {
    const { pendingSnapshot } = this;
    this.#enter('probe');
    this.next = Math.max(this.match, pendingSnapshot) + 1;
    this.sentCommit = Math.min(this.sentCommit, this.next - 1);
  }

  /** Sends ahead from behind the match. */
  becomeReplicate(): void {
    this.#enter('replicate');
    this.next = this.match + 1;
  }

  /** Waits for a snapshot at `index`. */
  becomeSnapshot(index: LogIndex): void {
    this.#enter('snapshot');
    this.pendingSnapshot = index;
    this.next = index + 1;
    this.sentCommit = index;
  }

  /** True when nothing may be appended now. */
  get isStopped(): boolean {
    return this.state === 'snapshot' || this.isPaused;
  }

  /** Records an append of `count` entries that just left. */
  sentEntries(count: number, bytes: number): void {
    if (this.state === 'replicate') {
      if (count > 0) {
        this.next += count;
        this.inflights.add(this.next - 1, bytes);
      }
      this.isPaused = this.inflights.isFull;
    } else if (count > 0) {
      this.isPaused = true;
    }
  }

  /**
   * The peer lags behind what was sent to it: true when it is to be sent an append that asks where it is.
   *
   * Once a tick: what it lags behind is on its way to its disk, most of the time, and every read round would ask anew.
   */
  remind(tick: number): boolean {
    if (this.remindedTick === tick) return false;
    this.remindedTick = tick;
    return true;
  }

  /** True when sending the commit index once more would tell the peer something that it can use. */
  canUseCommit(commit: LogIndex): boolean {
    return commit > this.sentCommit && this.sentCommit < this.next - 1;
  }

  /** Takes an acknowledgement of `index`; false when it is no news. */
  acknowledge(index: LogIndex): boolean {
    if (index <= this.match) return false;
    this.match = index;
    this.next = Math.max(this.next, index + 1);
    this.isPaused = false;
    return true;
  }

  /**
   * Takes a rejection of the append after `rejected`; `hint` is the largest index that may match.
   *
   * False when it is stale: it answers an append that is not the one waited for.
   */
  reject(rejected: LogIndex, hint: LogIndex): boolean {
    // What was refused before the snapshot left says nothing about what comes after it.
    if (this.state === 'snapshot') return false;
    if (this.state === 'replicate') {
      if (rejected <= this.match) return false;
      this.next = this.match + 1;
    } else {
      if (this.next - 1 !== rejected) return false;
      this.next = Math.max(Math.min(rejected, hint + 1), this.match + 1);
      this.isPaused = false;
    }
    this.sentCommit = Math.min(this.sentCommit, this.next - 1);
    return true;
  }

  /** The peer does not hold what it had acknowledged: nothing is known of its log any more. */
  regress(hint: LogIndex): void {
    this.match = 0;
    this.sentCommit = 0;
    this.becomeProbe();
    this.next = hint + 1;
  }

  clone(): Progress {
    const { next, session, isLearner } = this;
    const copy = new Progress(this.id, { next, session, isLearner }, this.inflights.clone());
    copy.state = this.state;
    copy.match = this.match;
    copy.sentCommit = this.sentCommit;
    copy.pendingSnapshot = this.pendingSnapshot;
    copy.isRecentlyActive = this.isRecentlyActive;
    copy.isPaused = this.isPaused;
    copy.readRound = this.readRound;
    copy.remindedTick = this.remindedTick;
    copy.owed = this.owed;
    copy.owesMore = this.owesMore;
    return copy;
  }
}
