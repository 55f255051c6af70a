/**
 * The leader's view of time on leases: when each one ends, which ends are being carried through the log, and when what
 * is left should be noted in a checkpoint (etcd server/lease/lessor.go, the primary's part).
 *
 * Synchronous: `nowMs` comes in with every call, from a clock that never goes back. Not replicated: a member has
 * deadlines only while it leads.
 *
 * What always holds
 * - A lease that was found past its time is never renewed: its revoke may be in the log already.
 * - A promotion gives every lease what it had at its last checkpoint, or its whole TTL, plus the election timeout. So
 *   no lease ends earlier than its last holder was told, whoever leads.
 * - A renewal tells of every checkpoint from before it, also of those that have not come through the log yet.
 */
import { assert } from '@etcd-ts/base';
import { ExpiryQueue } from './expiry-queue.ts';
import {
  type Lease,
  type LeaseObserver,
  type Lessor,
  remainingAtPromotionSeconds,
} from './lessor.ts';

/** A revoke that has not come through by then is proposed again (etcd: 3 s). */
export const REVOKE_RETRY_MS = 3_000;

/** What became of a keepalive. `expired`: past its time and about to be revoked. */
export type Renewal =
  | {
      readonly outcome: 'renewed';
      readonly lease: Lease;
      /**
       * Given when the log says of this lease, or may come to say, what was left of it before: see
       * {@link LeaseClock.forgot}.
       */
      readonly outdated?: CheckpointMark | undefined;
    }
  | { readonly outcome: 'expired' }
  | { readonly outcome: 'absent' };

/** The checkpoints of a lease that were taken up to some moment. */
export type CheckpointMark = number;

/** What bounds one batch of revokes. */
export interface ExpiryBatchLimits {
  readonly maxLeases: number;
  /** Keys deleted by the batch; one lease is always taken, whatever hangs on it. */
  readonly maxKeys: number;
}

/** Deadlines of one term of leadership. Made at promotion, closed at demotion. */
export class LeaseClock implements LeaseObserver {
  readonly #lessor: Lessor;
  readonly #nowMs: () => number;
  readonly #extensionMs: number;
  readonly #onGrant: () => void;
  readonly #checkpointIntervalMs: number;
  readonly #deadlines = new ExpiryQueue();
  /** Found past their time: when to propose the revoke again. */
  readonly #revoking = new ExpiryQueue();
  readonly #checkpoints = new ExpiryQueue();
  /** The last checkpoint taken of each lease, by its number, until the log is known to take it back. */
  readonly #taken = new Map<bigint, CheckpointMark>();
  #checkpointCount = 0;
  readonly #stopObserving: () => void;

  /**
   * @param nowMs The monotonic clock, for grants that arrive through the log.
   * @param extensionMs What every lease gets on top at promotion: the election timeout.
   * @param checkpointIntervalMs Leases that live longer have what is left noted this often; Infinity: never.
   * @param onGrant Called after a grant, which may have brought {@link nextAtMs} forward.
   */
  constructor(
    lessor: Lessor,
    options: {
      nowMs: () => number;
      extensionMs: number;
      checkpointIntervalMs: number;
      onGrant?: () => void;
    },
  ) {
    this.#lessor = lessor;
    this.#onGrant = options.onGrant ?? (() => undefined);
    this.#nowMs = options.nowMs;
    this.#extensionMs = options.extensionMs;
    this.#checkpointIntervalMs = options.checkpointIntervalMs;
    this.#stopObserving = lessor.observe(this);
    this.replaced();
  }

  /** Ends this leadership: no deadline is kept. */
  close(): void {
    this.#stopObserving();
    this.#clear();
  }

  granted(lease: Lease): void {
    this.#begin(lease, this.#nowMs(), lease.grantedTtlSeconds);
    this.#onGrant();
  }

  revoked(id: bigint): void {
    this.#deadlines.delete(id);
    this.#revoking.delete(id);
    this.#checkpoints.delete(id);
    this.#taken.delete(id);
  }

  replaced(): void {
    this.#clear();
    const nowMs = this.#nowMs() + this.#extensionMs;
    for (const lease of this.#lessor.leases()) {
      this.#begin(lease, nowMs, remainingAtPromotionSeconds(lease));
    }
  }

  /** Gives a lease its whole TTL again. */
  renew(id: bigint, nowMs: number): Renewal {
    const lease = this.#lessor.get(id);
    if (lease === undefined) return { outcome: 'absent' };
    const deadlineMs = this.#deadlines.get(id);
    if (deadlineMs === undefined || deadlineMs <= nowMs) return { outcome: 'expired' };
    const inLog = lease.checkpointedTtlSeconds > 0 ? this.#checkpointCount : undefined;
    this.#begin(lease, nowMs, lease.grantedTtlSeconds);
    return { outcome: 'renewed', lease, outdated: this.#taken.get(id) ?? inLog };
  }

  /** The log has taken back what checkpoints up to this mark say of a lease. */
  forgot(id: bigint, mark: CheckpointMark): void {
    if ((this.#taken.get(id) ?? Infinity) <= mark) this.#taken.delete(id);
  }

  /** Milliseconds that a lease has left; 0 when its time is over. Undefined for an unknown lease. */
  remainingMs(id: bigint, nowMs: number): number | undefined {
    if (!this.#lessor.exists(id)) return undefined;
    return Math.max(0, (this.#deadlines.get(id) ?? nowMs) - nowMs);
  }

  /** Ids in the order in which they end, those being revoked first. */
  inOrder(): readonly bigint[] {
    return [...this.#revoking.ordered(), ...this.#deadlines.ordered()].map(({ id }) => id);
  }

  /** When something is to be done next, in milliseconds of the clock; undefined: never. */
  nextAtMs(): number | undefined {
    const times = [this.#deadlines, this.#revoking, this.#checkpoints].flatMap(
      (queue) => queue.peek()?.atMs ?? [],
    );
    return times.length === 0 ? undefined : Math.min(...times);
  }

  /**
   * Takes the leases whose revoke should be proposed now: those past their time, and those whose last proposal has had
   * no effect for {@link REVOKE_RETRY_MS}. Earliest first, within the limits.
   */
  takeExpired(nowMs: number, limits: ExpiryBatchLimits): readonly bigint[] {
    const ids: bigint[] = [];
    let keys = 0;
    for (const queue of [this.#revoking, this.#deadlines]) {
      for (let next = queue.peek(); next !== undefined && next.atMs <= nowMs; next = queue.peek()) {
        keys += this.#lessor.keyCountOf(next.id);
        if (ids.length >= limits.maxLeases || (ids.length > 0 && keys > limits.maxKeys)) return ids;
        ids.push(next.id);
        this.#deadlines.delete(next.id);
        this.#checkpoints.delete(next.id);
        this.#revoking.set(next.id, nowMs + REVOKE_RETRY_MS);
      }
    }
    return ids;
  }

  /** Takes the leases whose remaining time should be noted now, with what is left in whole seconds. */
  takeCheckpoints(
    nowMs: number,
    maxCheckpoints: number,
  ): readonly { readonly id: bigint; readonly remainingTtlSeconds: number }[] {
    const taken: { id: bigint; remainingTtlSeconds: number }[] = [];
    for (;;) {
      const next = this.#checkpoints.peek();
      if (next === undefined || next.atMs > nowMs || taken.length >= maxCheckpoints) return taken;
      this.#checkpoints.delete(next.id);
      const leftMs = (this.#deadlines.get(next.id) ?? nowMs) - nowMs;
      // Rounded up: what a checkpoint says must not end a lease early.
      if (leftMs > 0) {
        taken.push({ id: next.id, remainingTtlSeconds: Math.ceil(leftMs / 1000) });
        this.#taken.set(next.id, ++this.#checkpointCount);
      }
      this.#scheduleCheckpoint(next.id, nowMs, leftMs);
    }
  }

  #begin(lease: Lease, fromMs: number, seconds: number): void {
    assert(seconds > 0, () => `lease ${lease.id} begins with ${seconds} seconds`);
    this.#deadlines.set(lease.id, fromMs + seconds * 1000);
    this.#scheduleCheckpoint(lease.id, fromMs, seconds * 1000);
  }

  #scheduleCheckpoint(id: bigint, nowMs: number, leftMs: number): void {
    const intervalMs = this.#checkpointIntervalMs;
    if (leftMs > intervalMs) this.#checkpoints.set(id, nowMs + intervalMs);
    else this.#checkpoints.delete(id);
  }

  #clear(): void {
    this.#deadlines.clear();
    this.#revoking.clear();
    this.#checkpoints.clear();
    this.#taken.clear();
  }
}
