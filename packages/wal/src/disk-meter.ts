/** Counts and times what a log does to its disk, and tells its observer. */
import type { WalObserver } from './wal.ts';

/** How durations are taken and told. */
export interface DiskMeterOptions {
  readonly slowSyncLimitMs: number;
  readonly monotonicMs: () => number;
  readonly observer: WalObserver;
}

/** The figures of one log, over all its segments. */
export class DiskMeter {
  readonly #options: DiskMeterOptions;
  #writes = 0;
  #writtenBytes = 0;
  #syncs = 0;
  #slowSyncs = 0;

  constructor(options: DiskMeterOptions) {
    this.#options = options;
  }

  /** What was counted so far. Of a write or sync that failed nothing is. */
  figures(): { writes: number; writtenBytes: number; syncs: number; slowSyncs: number } {
    return {
      writes: this.#writes,
      writtenBytes: this.#writtenBytes,
      syncs: this.#syncs,
      slowSyncs: this.#slowSyncs,
    };
  }

  /** The moment at which a write or a sync begins, to be handed in at its end. */
  begin(): number {
    return this.#options.monotonicMs();
  }

  /** A write of so many bytes of records has ended well. */
  written(sizeBytes: number, startedMs: number): void {
    const { monotonicMs, observer } = this.#options;
    this.#writes += 1;
    this.#writtenBytes += sizeBytes;
    observer.written?.(sizeBytes, monotonicMs() - startedMs);
  }

  /** A sync has ended well. */
  synced(startedMs: number): void {
    const { monotonicMs, observer, slowSyncLimitMs } = this.#options;
    const durationMs = monotonicMs() - startedMs;
    this.#syncs += 1;
    observer.synced?.(durationMs);
    if (durationMs <= slowSyncLimitMs) return;
    this.#slowSyncs += 1;
    observer.slowSync?.(durationMs, slowSyncLimitMs);
  }
}
