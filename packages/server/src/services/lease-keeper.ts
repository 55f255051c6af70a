/**
 * Carries the leader's view of leases through the log: revokes what is past its time and notes what is left, in bounded
 * batches, and only while this member leads.
 *
 * What always holds
 * - One batch of revokes is under way at a time; the next is looked for some time after it has come through.
 * - Every batch names the term in which it was decided and what had been applied then, so that it can do no harm when
 *   it comes through later than that (`Command`).
 */
import { deferred, type Deferred } from '@etcd-ts/base';
import { EtcdError } from '@etcd-ts/protocol';
import type { Timer } from '../clock.ts';
import { LeaseClock } from '../lease/lease-clock.ts';
import type { Lease, LeaseObserver } from '../lease/lessor.ts';
import type { NodePort, NodeStatus } from '../node-port.ts';
import { abandon } from '../requests/abort.ts';

/** Leases whose remaining time is noted in one entry (etcd maxLeaseCheckpointBatchSize). */
const MAX_CHECKPOINTS_PER_BATCH = 1_000;
/** No timer sleeps longer; whoever wakes with nothing to do sleeps again. */
const MAX_SLEEP_MS = 3_600_000;
/** Between two batches: puts that come one after the other meet a batch once in more than a hundred. */
const BATCH_PAUSE_MS = 20;
/** Leases that end in a millisecond, however long their batches take to come through (etcd: 1). */
const LEASES_PER_MS = 1.6;
/** Keys that a batch may delete for each lease in it, on average. */
const KEYS_PER_LEASE = 2;
/** A batch that the log did not take is tried again after this long. */
const RETRY_MS = 500;

/** This member's lease clock while it leads, and what drives it. */
export class LeaseKeeper implements LeaseObserver {
  readonly #node: NodePort;
  readonly #stopListening: readonly (() => void)[];
  readonly #revocations = new Map<bigint, Deferred<void>>();
  #leadership: { readonly term: number; readonly clock: LeaseClock } | undefined;
  #timer: Timer | undefined;
  #timerAtMs = Infinity;
  #pausesUntilMs = 0;
  /** How long the last batch took to come through, while another follows it. */
  #batchTookMs = 0;
  #isProposing = false;

  constructor(node: NodePort) {
    this.#node = node;
    this.#stopListening = [
      node.onStatusChange((status) => this.#follow(status)),
      node.state.lessor.observe(this),
    ];
    this.#follow(node.status());
  }

  /** The leader's clock; undefined while this member does not lead. */
  get clock(): LeaseClock | undefined {
    return this.#leadership?.clock;
  }

  /**
   * Resolves when the lease is gone; at once when there is none.
   *
   * @throws EtcdError NOT_LEADER when this leadership ends before: the next one gives the lease new time. STOPPED; the
   *   signal's reason.
   */
  revokedOf(id: bigint, signal?: AbortSignal): Promise<void> {
    if (!this.#node.state.lessor.exists(id)) return Promise.resolve();
    const waiting = this.#revocations.get(id) ?? deferred<void>();
    this.#revocations.set(id, waiting);
    return signal === undefined ? waiting.promise : abandon(waiting.promise, signal);
  }

  granted({ grantedTtlSeconds }: Lease): void {
    const { metrics } = this.#node;
    metrics.leasesGranted += 1;
    metrics.leaseTtlSeconds.observe(grantedTtlSeconds);
  }

  revoked(id: bigint): void {
    this.#node.metrics.leasesRevoked += 1;
    this.#settle(id);
  }

  #settle(id: bigint): void {
    this.#revocations.get(id)?.resolve();
    this.#revocations.delete(id);
  }

  replaced(): void {
    for (const id of this.#revocations.keys()) {
      if (!this.#node.state.lessor.exists(id)) this.#settle(id);
    }
  }

  /** Ends: nothing is proposed any more. */
  stop(): void {
    for (const stop of this.#stopListening) stop();
    this.#demote('STOPPED');
  }

  #follow({ isLeader, term }: NodeStatus): void {
    if (isLeader && this.#leadership?.term === term) return;
    this.#demote('NOT_LEADER');
    if (!isLeader) return;
    const { clock, limits, state } = this.#node;
    const lessorClock = new LeaseClock(state.lessor, {
      nowMs: () => clock.monotonicMs(),
      extensionMs: limits.electionTimeoutMs,
      checkpointIntervalMs: limits.leaseCheckpointIntervalMs,
      onGrant: () => this.#arm(),
    });
    this.#leadership = { term, clock: lessorClock };
    this.#arm();
  }

  #demote(code: 'NOT_LEADER' | 'STOPPED'): void {
    for (const { reject, promise } of this.#revocations.values()) {
      promise.catch(() => undefined);
      reject(new EtcdError(code));
    }
    this.#revocations.clear();
    this.#leadership?.clock.close();
    this.#leadership = undefined;
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#timerAtMs = Infinity;
  }

  #arm(): void {
    const atMs = this.#leadership?.clock.nextAtMs();
    if (atMs !== undefined) this.#wakeBy(Math.max(atMs, this.#pausesUntilMs));
  }

  #wakeBy(atMs: number): void {
    if (atMs >= this.#timerAtMs) return;
    this.#timer?.cancel();
    this.#timerAtMs = atMs;
    const { clock } = this.#node;
    const sleepMs = Math.min(Math.ceil(atMs - clock.monotonicMs()), MAX_SLEEP_MS);
    this.#timer = clock.after(Math.max(1, sleepMs), () => {
      this.#timer = undefined;
      this.#timerAtMs = Infinity;
      if (!this.#isProposing) void this.#work();
    });
  }

  /** Proposes a batch of what is due, then sleeps until the next lease ends, or the next batch may go. Never rejects. */
  async #work(): Promise<void> {
    this.#isProposing = true;
    try {
      const { clock } = this.#node;
      const beganMs = clock.monotonicMs();
      const isProposed = await this.#proposeDue();
      this.#batchTookMs = isProposed ? clock.monotonicMs() - beganMs : 0;
      if (isProposed) this.#pausesUntilMs = clock.monotonicMs() + BATCH_PAUSE_MS;
    } finally {
      this.#isProposing = false;
      this.#arm();
    }
  }

  /**
   * Proposes what is left of the leases whose checkpoint is due; it is looked up in the turn in which it is proposed, so
   * that a renewal comes before it in both places, or after it in both.
   */
  async #noteRemaining(): Promise<boolean> {
    if (this.#leadership === undefined) return false;
    const { term, clock } = this.#leadership;
    const nowMs = this.#node.clock.monotonicMs();
    const asOfIndex = this.#node.state.appliedIndex;
    const checkpoints = clock.takeCheckpoints(nowMs, MAX_CHECKPOINTS_PER_BATCH);
    if (checkpoints.length === 0) return false;
    await this.#node.propose({ kind: 'leaseCheckpoint', checkpoints, term, asOfIndex });
    return true;
  }

  /** Proposes one batch of what is due. False: nothing is, or the log did not take it. */
  async #proposeDue(): Promise<boolean> {
    if (this.#leadership === undefined) return false;
    const { term, clock } = this.#leadership;
    const { limits, state } = this.#node;
    const nowMs = this.#node.clock.monotonicMs();
    const asOfIndex = state.appliedIndex;
    // Where the log is slow, nobody notices that a batch is larger.
    const pace = Math.ceil((this.#batchTookMs + BATCH_PAUSE_MS) * LEASES_PER_MS);
    const ids = clock.takeExpired(nowMs, {
      maxLeases: Math.min(limits.maxLeaseExpiriesPerBatch, pace),
      maxKeys: Math.min(limits.maxLeaseExpiryKeysPerBatch, pace * KEYS_PER_LEASE),
    });
    try {
      if (ids.length > 0) {
        await this.#node.propose({ kind: 'leaseRevokeExpired', ids, term, asOfIndex });
        this.#node.metrics.leasesExpired += ids.length;
      }
      const isNoted = await this.#noteRemaining();
      return isNoted || ids.length > 0;
    } catch (error) {
      // The leases stay due: the clock names them again after its retry interval, to whoever leads by then.
      this.#node.log.warn('failed to revoke expired leases', {
        leases: ids.length,
        error: EtcdError.from(error).message,
      });
      this.#pausesUntilMs = this.#node.clock.monotonicMs() + RETRY_MS;
      return false;
    }
  }
}
