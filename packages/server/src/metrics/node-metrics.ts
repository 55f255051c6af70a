/**
 * What a node counts of itself, as plain numbers that whoever does the thing adds to. They are read when somebody asks
 * for the metrics; whatever can be read off the node's state then is not counted here.
 */
import type { ErrorCode, EtcdError } from '@etcd-ts/protocol';
import { CallMetrics } from './call-metrics.ts';
import { BOUNDS, Histogram } from './histogram.ts';
import { PeerTraffic } from './peer-traffic.ts';

/** Histograms of one operation, by its success. */
export interface ByOutcome {
  readonly good: Histogram;
  readonly failed: Histogram;
}

/** Runs of one check of /livez or /readyz. */
export interface CheckCounts {
  readonly type: 'livez' | 'readyz';
  readonly name: string;
  successes: number;
  errors: number;
  isGood: boolean;
}

/** The counters of one node. */
export class NodeMetrics {
  readonly calls: CallMetrics = new CallMetrics();
  readonly traffic: PeerTraffic = new PeerTraffic();

  leaderChanges = 0;
  /** Heartbeats that left later than two intervals after the one before. */
  lateHeartbeats = 0;
  proposalsFailed = 0;
  /** Proposals without an answer; the node says how to tell. */
  pendingProposals: () => number = () => 0;
  readIndexesFailed = 0;
  /** Read rounds that had to be asked again. */
  slowReadIndexes = 0;
  slowApplies = 0;
  isApplyingSnapshot = false;
  readonly applySeconds: Map<string, ByOutcome> = new Map();
  readonly rangeSeconds: ByOutcome = byOutcome();

  puts = 0;
  putBytes = 0;
  deletes = 0;
  ranges = 0;
  /** Transactions of more than one operation, as etcd counts them. */
  txns = 0;

  watchStreams = 0;
  watchEvents = 0;
  /** Events that found no room at their client and wait. */
  pendingWatchEvents = 0;

  leasesGranted = 0;
  leasesRevoked = 0;
  leasesExpired = 0;
  leasesRenewed = 0;
  readonly leaseTtlSeconds: Histogram = new Histogram(BOUNDS.leaseTtlSeconds);

  /** Unix time of the end of the last compaction, in seconds; 0 before the first. */
  lastCompactionSeconds = 0;
  readonly compactionPauseMs: Histogram = new Histogram(BOUNDS.compactionPauseMs);
  readonly indexCompactionPauseMs: Histogram = new Histogram(BOUNDS.indexCompactionPauseMs);
  readonly compactionTotalMs: Histogram = new Histogram(BOUNDS.compactionTotalMs);

  walWrittenBytes = 0;
  readonly walWriteSeconds: Histogram = new Histogram(BOUNDS.disk);
  readonly walSyncSeconds: Histogram = new Histogram(BOUNDS.disk);
  readonly backendCommitSeconds: Histogram = new Histogram(BOUNDS.disk);
  readonly backendSyncSeconds: Histogram = new Histogram(BOUNDS.disk);
  readonly backendSnapshotSeconds: Histogram = new Histogram(BOUNDS.backendSnapshot);
  readonly defragmentSeconds: Histogram = new Histogram(BOUNDS.defragment);
  isDefragmenting = false;
  readonly hashSeconds: Histogram = new Histogram(BOUNDS.hash);
  readonly hashRevisionSeconds: Histogram = new Histogram(BOUNDS.hash);
  /** Snapshots of other members, until their database is durable. */
  readonly databaseSaveSeconds: Histogram = new Histogram(BOUNDS.snapshotSave);

  /** Learners that this member has promoted as the leader, and why others were not, in etcd's words. */
  promotions = 0;
  readonly promotionFailures: Map<string, number> = new Map();

  healthSuccesses = 0;
  healthFailures = 0;
  readonly checks: Map<string, CheckCounts> = new Map();

  /** A proposal ended without the result of applying it. */
  proposalFailed(): void {
    this.proposalsFailed += 1;
  }

  /** A learner was not promoted. */
  promotionFailed({ code, message }: EtcdError): void {
    const reason = PROMOTION_REASONS[code] ?? message;
    this.promotionFailures.set(reason, (this.promotionFailures.get(reason) ?? 0) + 1);
  }

  /** A read round ended without an index. */
  readIndexFailed(): void {
    this.readIndexesFailed += 1;
  }

  /** A read round had no answer in time. */
  readIndexAskedAgain(): void {
    this.slowReadIndexes += 1;
  }

  /** A range was read, inside a transaction or by itself. */
  ranged(tookMs: number, isGood: boolean): void {
    this.ranges += 1;
    (isGood ? this.rangeSeconds.good : this.rangeSeconds.failed).observe(tookMs / 1000);
  }

  /** An entry was applied. */
  applied(op: string, isGood: boolean, tookMs: number): void {
    let outcomes = this.applySeconds.get(op);
    if (outcomes === undefined) {
      outcomes = byOutcome();
      this.applySeconds.set(op, outcomes);
    }
    (isGood ? outcomes.good : outcomes.failed).observe(tookMs / 1000);
  }

  /** A check of /livez or /readyz was run. */
  checked(type: 'livez' | 'readyz', name: string, isGood: boolean): void {
    const key = `${type} ${name}`;
    const counts = this.checks.get(key) ?? { type, name, successes: 0, errors: 0, isGood };
    if (isGood) counts.successes += 1;
    else counts.errors += 1;
    counts.isGood = isGood;
    this.checks.set(key, counts);
  }
}

function byOutcome(): ByOutcome {
  return { good: new Histogram(BOUNDS.request), failed: new Histogram(BOUNDS.request) };
}

/** Reasons that etcd has other words for inside than on the wire (server/etcdserver/api/membership/errors.go). */
const PROMOTION_REASONS: Partial<Record<ErrorCode, string>> = {
  MEMBER_NOT_FOUND: 'membership: ID not found',
  MEMBER_NOT_LEARNER: 'membership: can only promote a learner member',
};
