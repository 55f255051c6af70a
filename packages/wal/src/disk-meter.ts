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

  /** Does a write of so many bytes of records. */
  write(sizeBytes: number, write: () => void): void {
    const { monotonicMs, observer } = this.#options;
    const startedMs = monotonicMs();
    write();
    this.#writes += 1;
    this.#writtenBytes += sizeBytes;
    observer.written?.(sizeBytes, monotonicMs() - startedMs);
  }

  /** Does a sync. */
  async sync(sync: () => Promise<void>): Promise<void> {
    const { monotonicMs, observer, slowSyncLimitMs } = this.#options;
    const startedMs = monotonicMs();
    await sync();
    const durationMs = monotonicMs() - startedMs;
    this.#syncs += 1;
    observer.synced?.(durationMs);
    if (durationMs <= slowSyncLimitMs) return;
    this.#slowSyncs += 1;
    observer.slowSync?.(durationMs, slowSyncLimitMs);
  }
}
