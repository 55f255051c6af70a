/**
 * The log as it is written: group commit, segments cut at a size, fail-stop.
 *
 * One loop runs while there is work: write all that waits, sync once, complete in order, begin a new segment when the last
 * is full. Groups that come meanwhile are encoded at once and wait for the next round.
 *
 * Invariant: a segment is durable to its end before the next one exists.
 */
import { assert } from '@etcd-ts/base';
import type { LogIndex } from '@etcd-ts/raft';
import type { WalGroup, WalMetadata } from './contents.ts';
import type { DirectoryLock, Disk } from './disk.ts';
import { DiskError } from './disk-error.ts';
import { DiskMeter, type DiskMeterOptions } from './disk-meter.ts';
import { GroupBuffer, measureGroup } from './group-buffer.ts';
import { LogPosition, type LogPositionStart } from './log-position.ts';
import { OpenSegment, type OpenSegmentStart } from './open-segment.ts';
import type { SegmentHeader } from './payload.ts';
import { createSegment, type SegmentName, segmentFileName } from './segment.ts';
import type { Wal, WalDone, WalStats } from './wal.ts';
import { WalError } from './wal-error.ts';

/** While a sync is under way, groups beyond this many bytes go into the system's cache at once. */
const WRITE_THROUGH_BYTES = 1024 * 1024;

/**
 * When so much waits at the end of a sync, the next sync begins before anybody is told of this one: what the callers then
 * do, and encode, goes on beside it. Less is better written together with what they write at once.
 */
const EAGER_BYTES = 32 * 1024;

/** Options with their defaults filled in. */
export interface WriterOptions extends DiskMeterOptions {
  readonly disk: Disk;
  readonly directory: string;
  readonly segmentSizeBytes: number;
  readonly maxSegments: number;
  readonly maxPendingBytes: number;
}

/** Where writing goes on. */
export interface WriterStart extends OpenSegmentStart, LogPositionStart {
  readonly metadata: WalMetadata;
  readonly lock: DirectoryLock;
  readonly segments: readonly SegmentName[];
  /** Checksum of the last record. */
  readonly crc: number;
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
  readonly #meter: DiskMeter;
  readonly #position: LogPosition;
  readonly #buffer: GroupBuffer;
  readonly #segments: SegmentName[];
  /** The last of them. */
  #segment: OpenSegment;
  /** Of the groups that are encoded and not complete. */
  #waiters: Waiter[] = [];
  /** Of groups that are durable, and not told yet. */
  #durable: Waiter[] = [];
  /** The next segment's header, from the moment at which this one is full. */
  #nextHeader: SegmentHeader | undefined;
  /** Groups for the next segment: their records continue its header. */
  #held: HeldGroup[] = [];
  #heldBytes = 0;
  #isRunning = false;
  #isSyncing = false;
  /** Groups were waiting when the last sync ended. */
  #isPressed = false;
  #loop: Promise<void> = Promise.resolve();
  #releases: Promise<unknown> = Promise.resolve();
  #failure: WalError | undefined;
  #writeThroughFailure: unknown;
  #closing: Promise<void> | undefined;
  #groups = 0;

  constructor(options: WriterOptions, start: WriterStart) {
    this.metadata = start.metadata;
    this.#options = options;
    this.#lock = start.lock;
    this.#meter = new DiskMeter(options);
    this.#position = new LogPosition(start);
    this.#buffer = new GroupBuffer(start.crc);
    this.#segments = [...start.segments];
    this.#segment = new OpenSegment(start, options.segmentSizeBytes, this.#meter);
  }

  write(group: WalGroup, sync: boolean, done: WalDone): void {
    const { sizeBytes, isTooLarge } = measureGroup(group);
    const refusal = this.#refusal(sizeBytes, isTooLarge);
    if (refusal !== undefined) {
      void Promise.resolve().then(() => done(refusal));
      return;
    }
    this.#planCut();
    this.#position.take(group);
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
      ...this.#meter.figures(),
      pendingBytes: this.pendingBytes,
      segments: this.#segments.length,
      lastIndex: this.#position.lastIndex,
    };
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  #refusal(sizeBytes: number, isTooLarge: boolean): WalError | undefined {
    if (this.#failure !== undefined) return this.#failure;
    const file = this.#segment.path;
    if (this.#closing !== undefined) {
      return new WalError({ code: 'CLOSED', file, reason: 'the log is closed' });
    }
    const reason = `a group of ${sizeBytes} bytes`;
    if (isTooLarge) {
      return new WalError({ code: 'TOO_LARGE', file, reason: `${reason} has a record too large` });
    }
    const pendingBytes = this.pendingBytes;
    const { maxPendingBytes } = this.#options;
    if (pendingBytes === 0 || pendingBytes + sizeBytes <= maxPendingBytes) return undefined;
    const full = `${reason} does not fit: ${pendingBytes} bytes wait, the limit is ${maxPendingBytes}`;
    return new WalError({ code: 'FULL', file, reason: full });
  }

  get pendingBytes(): number {
    const { positionBytes, syncedBytes } = this.#segment;
    return positionBytes - syncedBytes + this.#buffer.length + this.#heldBytes;
  }

  #encode(group: WalGroup, waiter: Waiter): void {
    this.#buffer.push(group, this.#segment.syncedBytes);
    this.#waiters.push(waiter);
  }

  /** Settles what the next segment's header says once this one is full. */
  #planCut(): void {
    if (this.#nextHeader !== undefined) return;
    const endBytes = this.#segment.positionBytes + this.#buffer.length;
    if (endBytes < this.#options.segmentSizeBytes) return;
    this.#nextHeader = {
      metadata: this.metadata,
      sequence: this.#lastSegment().sequence + 1,
      ...this.#position.header(),
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
      this.#tellDurable();
      this.#fail(cause);
      if (!(cause instanceof DiskError) && cause !== this.#failure) throw cause;
    } finally {
      this.#isRunning = false;
    }
  }

  async #round(): Promise<void> {
    await this.#segment.extend(this.#buffer.length, this.#isPressed);
    const waiters = this.#waiters;
    this.#waiters = [];
    // Full before the round: nothing is encoded for this segment any more. One that fills up meanwhile has another round.
    const nextHeader = this.#nextHeader;
    try {
      this.#writeBuffer();
      const isSynced = nextHeader !== undefined || waiters.some(({ sync }) => sync);
      const synced = isSynced ? this.#sync() : undefined;
      this.#tellDurable();
      await synced;
    } catch (cause) {
      this.#waiters = [...waiters, ...this.#waiters];
      throw cause;
    }
    this.#durable = waiters;
    this.#isPressed = this.#buffer.length > 0;
    if (nextHeader === undefined && this.#buffer.length >= EAGER_BYTES) return;
    this.#tellDurable();
    if (nextHeader !== undefined) await this.#cut(nextHeader);
    // Whoever was told just now and writes again in the same turn is of the next round.
    await Promise.resolve();
  }

  #tellDurable(): void {
    const durable = this.#durable;
    this.#durable = [];
    for (const { done } of durable) done(undefined);
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
    if (this.#buffer.length > 0) this.#buffer.drain((records) => this.#segment.write(records));
  }

  async #sync(): Promise<void> {
    this.#isSyncing = true;
    try {
      await this.#segment.sync();
    } finally {
      this.#isSyncing = false;
    }
    if (this.#writeThroughFailure !== undefined) throw this.#writeThroughFailure;
    if (this.#failure !== undefined) throw this.#failure;
  }

  async #cut(header: SegmentHeader): Promise<void> {
    assert(this.#buffer.length === 0, 'a full segment is written to its end');
    const full = this.#segment;
    assert(full.syncedBytes === full.positionBytes, 'a full segment is durable to its end');
    const { disk, directory, segmentSizeBytes } = this.#options;
    const next = await createSegment(disk, directory, header, this.#buffer.crc);
    const start = { ...next, positionBytes: next.endBytes, allocatedBytes: next.endBytes };
    this.#segment = new OpenSegment(start, segmentSizeBytes, this.#meter);
    this.#segments.push(next.name);
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
      file: this.#segment.path,
      offsetBytes: this.#segment.positionBytes,
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
    const marked = this.#position.markedIndex;
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
        await this.#segment.close();
      } finally {
        await this.#lock.release();
      }
    }
  }

  /** Everything durable, and then a record that says so. */
  async #closeWhole(): Promise<void> {
    if (this.#segment.syncedBytes < this.#segment.positionBytes) await this.#sync();
    this.#buffer.pushSyncMark(this.#segment.syncedBytes);
    this.#writeBuffer();
    await this.#sync();
  }
}
