/**
 * Distributions as a node counts them: plain numbers, cheap enough for the hot path. The registry turns them into what
 * Prometheus reads when somebody asks.
 */

/** Observations in buckets. */
export class Histogram {
  /** Upper bounds, rising; one more bucket takes what is above the last. */
  readonly bounds: readonly number[];
  /** Observations per bucket, not accumulated; one more entry than {@link bounds}. */
  readonly counts: number[];
  sum = 0;
  count = 0;

  constructor(bounds: readonly number[]) {
    this.bounds = bounds;
    this.counts = bounds.map(() => 0);
    this.counts.push(0);
  }

  observe(value: number): void {
    const { bounds, counts } = this;
    let bucket = 0;
    while (bucket < bounds.length && value > (bounds[bucket] as number)) bucket++;
    counts[bucket] = (counts[bucket] as number) + 1;
    this.sum += value;
    this.count += 1;
  }
}

/** `count` bounds, each `factor` times the one before. */
export function exponentialBounds(first: number, factor: number, count: number): readonly number[] {
  const bounds: number[] = [];
  for (let bound = first; bounds.length < count; bound *= factor) bounds.push(bound);
  return bounds;
}

/** What etcd has histograms of, as far as their bounds differ. */
type Measured =
  | 'disk'
  | 'request'
  | 'roundTrip'
  | 'transfer'
  | 'hash'
  | 'defragment'
  | 'backendSnapshot'
  | 'snapshotSave'
  | 'compactionPauseMs'
  | 'indexCompactionPauseMs'
  | 'compactionTotalMs'
  | 'leaseTtlSeconds'
  | 'call';

/** Bounds of etcd's histograms; in the metric's own unit. */
export const BOUNDS: Readonly<Record<Measured, readonly number[]>> = {
  disk: exponentialBounds(0.001, 2, 14),
  request: exponentialBounds(0.0001, 2, 20),
  roundTrip: exponentialBounds(0.0001, 2, 16),
  transfer: exponentialBounds(0.1, 2, 10),
  hash: exponentialBounds(0.01, 2, 15),
  defragment: exponentialBounds(0.1, 2, 13),
  backendSnapshot: exponentialBounds(0.01, 2, 17),
  snapshotSave: exponentialBounds(0.1, 2, 10),
  compactionPauseMs: exponentialBounds(1, 2, 13),
  indexCompactionPauseMs: exponentialBounds(0.5, 2, 14),
  compactionTotalMs: exponentialBounds(100, 2, 14),
  leaseTtlSeconds: exponentialBounds(1, 2, 24),
  /** Those of go-grpc-prometheus, which are Prometheus's own defaults. */
  call: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
};
