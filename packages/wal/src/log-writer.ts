/**
 * The log as it is written: group commit, segments cut at a size, fail-stop.
 *
 * One loop runs while there is work: write all that waits, sync once, complete in order, begin a new segment when the last
 * is full. Groups that come meanwhile are encoded at once and wait for the next round.
 *
 * Invariants: syncedBytes ≤ positionBytes ≤ allocatedBytes; bytes of the segment behind positionBytes are zero; a segment
 * is durable to its end before the next one exists.
 */
import { assert } from '@etcd-ts/base';
import type { HardState, LogIndex, SnapshotMeta } from '@etcd-ts/raft';
import type { WalGroup, WalMetadata } from './contents.ts';
import type { DirectoryLock, Disk, DiskFile } from './disk.ts';
import { DiskError } from './disk-error.ts';
import { GroupBuffer, measureGroup } from './group-buffer.ts';
import type { LogTerms } from './log-terms.ts';
import type { SegmentHeader } from './payload.ts';
import { createSegment, type SegmentName, segmentFileName } from './segment.ts';
import type { Wal, WalDone, WalObserver, WalStats } from './wal.ts';
import { WalError } from './wal-error.ts';

/**
 * Before small writes a segment is filled with zeros ahead of the log, in steps of this size: a sync of bytes that have
 * their place on the disk already is cheaper by a third, and a full disk shows before a group is half written.
 */
const ZEROED_STEP_BYTES = 1024 * 1024;

/** Before writes larger than this the zeros would cost more than they save: the file is only made longer. */
const ZEROED_WRITE_BYTES = 16 * 1024;

/** How much longer: a sync that finds the size settled is cheaper by a fifth. */
const EXTENDED_STEP_BYTES = 4 * 1024 * 1024;

/** While a sync is under way, groups beyond this many bytes go into the system's cache at once. */
const WRITE_THROUGH_BYTES = 1024 * 1024;

const ZEROS = new Uint8Array(ZEROED_STEP_BYTES);

/** Options with their defaults filled in. */
export interface WriterOptions {
  readonly disk: Disk;
  readonly directory: string;
  readonly segmentSizeBytes: number;
  readonly maxSegments: number;
  readonly maxPendingBytes: number;
  readonly slowSyncLimitMs: number;
  readonly monotonicMs: () => number;
  readonly observer: WalObserver;
}

/** Where writing goes on. */
export interface WriterStart {
  readonly metadata: WalMetadata;
  readonly lock: DirectoryLock;
  readonly segments: readonly SegmentName[];
  readonly file: DiskFile;
  /** End of the last segment's records, all of them durable. */
  readonly positionBytes: number;
  /** Its size; zeros from the position on. */
  readonly allocatedBytes: number;
  readonly crc: number;
  readonly terms: LogTerms;
  readonly hardState: HardState;
  readonly newestMark: SnapshotMeta | undefined;
}

interface Waiter {
  readonly sync: boolean;
  readonly done: WalDone;
}

interface HeldGroup {
  readonly group: WalGroup;
  readonly waiter: Waiter;
  readonly sizeBytes: number;
}

/** {@link Wal} over a directory that was recovered. */
export class LogWriter implements Wal {
  readonly metadata: WalMetadata;
  readonly #options: WriterOptions;
  readonly #lock: DirectoryLock;
  readonly #terms: LogTerms;
  readonly #buffer: GroupBuffer;
  #segments: SegmentName[];
  #file: DiskFile;
  #positionBytes: number;
  #syncedBytes: number;
  #allocatedBytes: number;
  #hardState: HardState;
  #newestMark: SnapshotMeta | undefined;
  /** Of the groups that are encoded and not complete. */
  #waiters: Waiter[] = [];
  /** The next segment's header, from the moment at which this one is full. */
  #nextHeader: SegmentHeader | undefined;
  /** Groups for the next segment: their records continue its header. */
  #held: HeldGroup[] = [];
  #heldBytes = 0;
  #isRunning = false;
  #isSyncing = false;
  #loop: Promise<void> = Promise.resolve();
  #releases: Promise<unknown> = Promise.resolve();
  #failure: WalError | undefined;
  #writeThroughFailure: unknown;
  #closing: Promise<void> | undefined;
  #groups = 0;
  #writtenBytes = 0;
  #writes = 0;
  #syncs = 0;
  #slowSyncs = 0;

  constructor(options: WriterOptions, start: WriterStart) {
    this.metadata = start.metadata;
    this.#options = options;
    this.#lock = start.lock;
    this.#terms = start.terms;
    this.#buffer = new GroupBuffer(start.crc);
    this.#segments = [...start.segments];
    this.#file = start.file;
    this.#positionBytes = start.positionBytes;
    this.#syncedBytes = start.positionBytes;
    this.#allocatedBytes = start.allocatedBytes;
    this.#hardState = start.hardState;
    this.#newestMark = start.newestMark;
  }

  write(group: WalGroup, sync: boolean, done: WalDone): void {
    const { sizeBytes, isTooLarge } = measureGroup(group);
    const refusal = this.#refusal(sizeBytes, isTooLarge);
    if (refusal !== undefined) {
      void Promise.resolve().then(() => done(refusal));
      return;
    }
    this.#planCut();
    this.#track(group);
    this.#groups += 1;
    const waiter = { sync, done };
    if (this.#nextHeader === undefined) {
      this.#encode(group, waiter);
      if (this.#isSyncing && this.#buffer.length >= WRITE_THROUGH_BYTES) this.#writeThrough();
    } else {
      this.#held.push({ group, waiter, sizeBytes });
      this.#heldBytes += sizeBytes;
    }
    this.#wake();
  }

  append(group: WalGroup, { sync }: { readonly sync: boolean }): Promise<void> {
    return new Promise((resolve, reject) => {
      this.write(group, sync, (error) => (error === undefined ? resolve() : reject(error)));
    });
  }

  release(index: LogIndex): Promise<number> {
    const released = this.#releases.then(() => this.#release(index));
    this.#releases = released.catch(() => undefined); // the caller has the rejection
    return released;
  }

  stats(): WalStats {
    return {
      groups: this.#groups,
      writtenBytes: this.#writtenBytes,
      writes: this.#writes,
      syncs: this.#syncs,
      slowSyncs: this.#slowSyncs,
      pendingBytes: this.#pendingBytes(),
      segments: this.#segments.length,
      lastIndex: this.#terms.lastIndex,
    };
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  #refusal(sizeBytes: number, isTooLarge: boolean): WalError | undefined {
    if (this.#failure !== undefined) return this.#failure;
    const file = this.#file.path;
    if (this.#closing !== undefined) {
      return new WalError({ code: 'CLOSED', file, reason: 'the log is closed' });
    }
    const reason = `a group of ${sizeBytes} bytes`;
    if (isTooLarge) {
      return new WalError({ code: 'TOO_LARGE', file, reason: `${reason} has a record too large` });
    }
    const pendingBytes = this.#pendingBytes();
    const { maxPendingBytes } = this.#options;
    if (pendingBytes === 0 || pendingBytes + sizeBytes <= maxPendingBytes) return undefined;
    const full = `${reason} does not fit: ${pendingBytes} bytes wait, the limit is ${maxPendingBytes}`;
    return new WalError({ code: 'FULL', file, reason: full });
  }

  #pendingBytes(): number {
    return this.#positionBytes - this.#syncedBytes + this.#buffer.length + this.#heldBytes;
  }

  /** Follows the log's end, and asserts that the group continues it. */
  #track({ snapshot, entries, hardState }: WalGroup): void {
    if (snapshot !== undefined) {
      this.#terms.mark(snapshot.index, snapshot.term);
      if (snapshot.index >= (this.#newestMark?.index ?? 0)) this.#newestMark = snapshot;
    }
    let expected = entries[0]?.index ?? 0;
    for (const { index, term } of entries) {
      assert(
        index === expected,
        () => `wal: entry ${index} in a group where ${expected} comes next`,
      );
      const refusal = this.#terms.refuses(index, term);
      assert(refusal === undefined, () => `wal: ${refusal}`);
      this.#terms.push(index, term);
      expected += 1;
    }
    if (hardState === undefined) return;
    const { term, commit } = hardState;
    const before = this.#hardState.term;
    assert(term >= before, () => `wal: term ${term} after term ${before}`);
    const last = this.#terms.lastIndex;
    assert(commit <= last, () => `wal: commit ${commit} beyond the last entry, ${last}`);
    this.#hardState = hardState;
  }

  #encode(group: WalGroup, waiter: Waiter): void {
    this.#buffer.push(group, this.#syncedBytes);
    this.#waiters.push(waiter);
  }

  /** Settles what the next segment's header says once this one is full. */
  #planCut(): void {
    if (this.#nextHeader !== undefined) return;
    if (this.#positionBytes + this.#buffer.length < this.#options.segmentSizeBytes) return;
    this.#nextHeader = {
      metadata: this.metadata,
      sequence: this.#lastSegment().sequence + 1,
      firstIndex: this.#terms.lastIndex + 1,
      hardState: this.#hardState,
      snapshot: this.#newestMark,
    };
  }

  #lastSegment(): SegmentName {
    const last = this.#segments.at(-1);
    assert(last !== undefined, 'a log has a segment');
    return last;
  }

  #wake(): void {
    if (this.#isRunning) return;
    this.#isRunning = true;
    this.#loop = Promise.resolve().then(() => this.#run());
  }

  async #run(): Promise<void> {
    try {
      while (this.#waiters.length > 0 || this.#nextHeader !== undefined) await this.#round();
    } catch (cause) {
      this.#fail(cause);
      if (!(cause instanceof DiskError) && cause !== this.#failure) throw cause;
    } finally {
      this.#isRunning = false;
    }
  }

  async #round(): Promise<void> {
    if (this.#buffer.length > ZEROED_WRITE_BYTES) await this.#extend();
    const waiters = this.#waiters;
    this.#waiters = [];
    // Full before the round: nothing is encoded for this segment any more. One that fills up meanwhile has another round.
    const nextHeader = this.#nextHeader;
    try {
      this.#writeBuffer();
      if (nextHeader !== undefined || waiters.some(({ sync }) => sync)) await this.#sync();
    } catch (cause) {
      this.#waiters = [...waiters, ...this.#waiters];
      throw cause;
    }
    for (const { done } of waiters) done(undefined);
    if (nextHeader !== undefined) await this.#cut(nextHeader);
    // Whoever was told just now and writes again in the same turn is of the next round.
    await Promise.resolve();
  }

  /** Its failure is the round's that is under way: nobody is told before the caller's turn is over. */
  #writeThrough(): void {
    if (this.#writeThroughFailure !== undefined) return;
    try {
      this.#writeBuffer();
    } catch (cause) {
      this.#writeThroughFailure = cause;
    }
  }

  #writeBuffer(): void {
    const sizeBytes = this.#buffer.length;
    if (sizeBytes === 0) return;
    const { monotonicMs, observer, segmentSizeBytes } = this.#options;
    const startedMs = monotonicMs();
    this.#buffer.drain((bytes) => this.#file.write(this.#positionBytes, bytes));
    this.#positionBytes += sizeBytes;
    if (this.#positionBytes > this.#allocatedBytes) {
      const isSmall = sizeBytes <= ZEROED_WRITE_BYTES;
      const stepBytes = isSmall ? Math.min(ZEROED_STEP_BYTES, segmentSizeBytes) : 1;
      const allocatedBytes = roundUp(this.#positionBytes, stepBytes);
      const zeros = ZEROS.subarray(0, allocatedBytes - this.#positionBytes);
      if (zeros.length > 0) this.#file.write(this.#positionBytes, zeros);
      this.#allocatedBytes = allocatedBytes;
    }
    this.#writes += 1;
    this.#writtenBytes += sizeBytes;
    observer.written?.(sizeBytes, monotonicMs() - startedMs);
  }

  /** Makes room for what waits, and for some more. */
  async #extend(): Promise<void> {
    const endBytes = this.#positionBytes + this.#buffer.length;
    if (endBytes <= this.#allocatedBytes) return;
    const stepBytes = Math.min(EXTENDED_STEP_BYTES, this.#options.segmentSizeBytes);
    const allocatedBytes = roundUp(endBytes, stepBytes);
    await this.#file.truncate(allocatedBytes);
    this.#allocatedBytes = Math.max(this.#allocatedBytes, allocatedBytes);
  }

  async #sync(): Promise<void> {
    const { monotonicMs, observer, slowSyncLimitMs } = this.#options;
    const throughBytes = this.#positionBytes;
    const startedMs = monotonicMs();
    this.#isSyncing = true;
    try {
      await this.#file.sync();
    } finally {
      this.#isSyncing = false;
    }
    if (this.#writeThroughFailure !== undefined) throw this.#writeThroughFailure;
    if (this.#failure !== undefined) throw this.#failure;
    this.#syncedBytes = throughBytes;
    this.#syncs += 1;
    const durationMs = monotonicMs() - startedMs;
    observer.synced?.(durationMs);
    if (durationMs <= slowSyncLimitMs) return;
    this.#slowSyncs += 1;
    observer.slowSync?.(durationMs, slowSyncLimitMs);
  }

  async #cut(header: SegmentHeader): Promise<void> {
    assert(this.#buffer.length === 0, 'a full segment is written to its end');
    assert(this.#syncedBytes === this.#positionBytes, 'a full segment is durable to its end');
    const { disk, directory } = this.#options;
    const next = await createSegment(disk, directory, header, this.#buffer.crc);
    const full = this.#file;
    this.#file = next.file;
    this.#segments.push(next.name);
    this.#positionBytes = next.endBytes;
    this.#syncedBytes = next.endBytes;
    this.#allocatedBytes = next.endBytes;
    this.#buffer.continueFrom(next.crc);
    this.#nextHeader = undefined;
    const held = this.#held;
    this.#held = [];
    this.#heldBytes = 0;
    for (const { group, waiter } of held) this.#encode(group, waiter);
    await full.close();
  }

  #fail(cause: unknown): void {
    const why = cause instanceof Error ? cause.message : String(cause);
    this.#failure ??= new WalError({
      code: 'FAILED',
      file: this.#file.path,
      offsetBytes: this.#positionBytes,
      reason: `the log has stopped and takes nothing more: ${why}`,
      cause,
    });
    const failed = [...this.#waiters, ...this.#held.map(({ waiter }) => waiter)];
    this.#waiters = [];
    this.#held = [];
    this.#nextHeader = undefined;
    for (const { done } of failed) done(this.#failure);
  }

  async #release(index: LogIndex): Promise<number> {
    const { disk, directory, maxSegments } = this.#options;
    const marked = this.#newestMark?.index ?? 0;
    assert(index <= marked, () => `wal: release through ${index} behind the mark at ${marked}`);
    let removed = 0;
    for (;;) {
      const refusal = this.#refusal(0, false);
      if (refusal !== undefined) throw refusal;
      const oldest = this.#segments[0];
      const isNeeded = !this.#segments.some(
        ({ firstIndex }, at) => at > 0 && firstIndex <= index + 1,
      );
      if (oldest === undefined || isNeeded) return removed;
      if (maxSegments === 0 || this.#segments.length <= maxSegments) return removed;
      // One at a time and oldest first: a crash may bring a removed name back, and must leave no gap.
      await disk.remove(`${directory}/${segmentFileName(oldest)}`);
      this.#segments.shift();
      await this.#syncDirectory();
      removed += 1;
    }
  }

  async #syncDirectory(): Promise<void> {
    try {
      await this.#options.disk.syncDirectory(this.#options.directory);
    } catch (cause) {
      this.#fail(cause);
      throw this.#failure;
    }
  }

  async #close(): Promise<void> {
    try {
      await this.#loop;
      await this.#releases;
      if (this.#failure === undefined) await this.#closeWhole();
    } catch (cause) {
      this.#fail(cause);
      throw this.#failure;
    } finally {
      try {
        await this.#file.close();
      } finally {
        await this.#lock.release();
      }
    }
  }

  /** Everything durable, and then a record that says so. */
  async #closeWhole(): Promise<void> {
    if (this.#syncedBytes < this.#positionBytes) await this.#sync();
    this.#buffer.pushSyncMark(this.#syncedBytes);
    this.#writeBuffer();
    await this.#sync();
  }
}

function roundUp(value: number, step: number): number {
  return Math.ceil(value / step) * step;
}
