/**
 * When the history is compacted by itself, and up to where (etcd server/etcdserver/api/v3compactor).
 *
 * Synchronous: time and revision come in, the revision to compact at comes out. A schedule is asked once every
 * {@link Schedule.sampleIntervalMs}, on every member; only what it says to a leader is done, so that a new leader knows
 * what the revision was before its time.
 */
import type { Retention } from '../options/compaction-options.ts';

/** What a schedule is told at a sample. */
export interface Sample {
  /** Monotonic. */
  readonly nowMs: number;
  /** The store's current revision. */
  readonly revision: number;
  /** Others only look on. */
  readonly isLeader: boolean;
}

/** A rule by which history is dropped. */
export interface Schedule {
  /** Milliseconds between two samples. */
  readonly sampleIntervalMs: number;
  /** The revision to compact at now; undefined: nothing is to be done. */
  sample(sample: Sample): number | undefined;
  /** A compaction that {@link sample} asked for has been done, or was done already. Until then it is asked for again. */
  done(revision: number, nowMs: number): void;
}

/** The schedule of a member that begins now. */
export function scheduleOf(retention: Retention, nowMs: number): Schedule {
  return retention.mode === 'periodic'
    ? new PeriodicSchedule(retention.periodMs, nowMs)
    : new RevisionSchedule(retention.revisions);
}

const HOUR_MS = 3_600_000;

/** Samples in a period, or in the hour when the period is longer. */
const SAMPLES_PER_INTERVAL = 10;

/**
 * Keeps the history of a period: compacts at the revision that was current a period ago. The first time after one
 * period, then every period, or every hour when that is shorter.
 */
export class PeriodicSchedule implements Schedule {
  readonly sampleIntervalMs: number;
  readonly #intervalMs: number;
  /** Revisions of the last period, oldest first. */
  readonly #revisions: number[] = [];
  readonly #revisionsMax: number;
  /** Between the last compaction and the next. */
  #waitMs: number;
  #lastMs: number;
  #lastRevision = 0;

  constructor(periodMs: number, nowMs: number) {
    this.#intervalMs = Math.min(periodMs, HOUR_MS);
    this.sampleIntervalMs = this.#intervalMs / SAMPLES_PER_INTERVAL;
    this.#revisionsMax = Math.round(periodMs / this.sampleIntervalMs) + 1;
    this.#waitMs = periodMs;
    this.#lastMs = nowMs;
  }

  sample({ nowMs, revision, isLeader }: Sample): number | undefined {
    const oldest = this.#revisions[0];
    this.#revisions.push(revision);
    if (this.#revisions.length > this.#revisionsMax) this.#revisions.shift();
    if (!isLeader || oldest === undefined) return undefined;
    const isDue = nowMs - this.#lastMs >= this.#waitMs;
    return isDue && oldest !== this.#lastRevision ? oldest : undefined;
  }

  done(revision: number, nowMs: number): void {
    this.#lastRevision = revision;
    this.#lastMs = nowMs;
    this.#waitMs = this.#intervalMs;
  }
}

/** How often {@link RevisionSchedule} looks, in milliseconds. */
export const REVISION_SAMPLE_MS = 300_000;

/** Keeps the last revisions. */
export class RevisionSchedule implements Schedule {
  readonly sampleIntervalMs: number = REVISION_SAMPLE_MS;
  readonly #kept: number;
  #lastRevision = 0;

  constructor(revisions: number) {
    this.#kept = revisions;
  }

  sample({ revision, isLeader }: Sample): number | undefined {
    const target = revision - this.#kept;
    return isLeader && target > 0 && target !== this.#lastRevision ? target : undefined;
  }

  done(revision: number): void {
    this.#lastRevision = revision;
  }
}
