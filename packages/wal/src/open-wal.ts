/** Opening a log: for writing, and for reading alone. */
import { assert } from '@etcd-ts/base';
import type { RecoveredLog, WalMetadata } from './contents.ts';
import { type DirectoryLock, type Disk, type DiskFile, SECTOR_BYTES } from './disk.ts';
import { DiskError } from './disk-error.ts';
import { LogTerms } from './log-terms.ts';
import { LogWriter, type WriterOptions } from './log-writer.ts';
import { describeOwner, type LogEnd, type LogSource, readLog } from './recovery.ts';
import {
  createSegment,
  MAX_SEGMENT_SIZE_BYTES,
  MIN_SEGMENT_SIZE_BYTES,
  segmentsAmong,
  TEMPORARY_SUFFIX,
} from './segment.ts';
import {
  DEFAULT_MAX_PENDING_BYTES,
  DEFAULT_MAX_SEGMENTS,
  DEFAULT_SEGMENT_SIZE_BYTES,
  DEFAULT_SLOW_SYNC_LIMIT_MS,
  type OpenedWal,
  type WalOptions,
} from './wal.ts';
import { WalError } from './wal-error.ts';

/** Bytes read and written at a time when the end of a log is made durable again. */
const REWRITE_BYTES = 1024 * 1024;

/** True when a directory holds a log, whole or not. */
export async function hasWal(disk: Disk, directory: string): Promise<boolean> {
  if ((await disk.stat(directory)) === undefined) return false;
  return segmentsAmong(await disk.list(directory)).length > 0;
}

/**
 * Opens the log of a directory for writing, and begins one where there is none and `metadata` is given.
 *
 * An unfinished write at its end is cut off and reported. Everything that is returned is durable.
 *
 * @throws WalError: `NOT_FOUND`, `CORRUPT`, `MISSING_SEGMENT`, `UNSUPPORTED_VERSION`, `FOREIGN`, `SNAPSHOT_MISSING`,
 *   `LOCKED`. The directory is then as it was.
 * @throws DiskError
 */
export async function openWal(options: WalOptions): Promise<OpenedWal> {
  const writerOptions = resolveOptions(options);
  const { disk, directory } = writerOptions;
  if (options.metadata !== undefined) await disk.makeDirectory(directory);
  else if ((await disk.stat(directory)) === undefined) throw notFound(directory);
  const lock = await lockDirectory(disk, directory);
  try {
    const image = await readLog(sourceOf(options));
    if (image === undefined) {
      if (options.metadata === undefined) throw notFound(directory);
      return { wal: await begin(writerOptions, options.metadata, lock), recovered: undefined };
    }
    const { log, end } = image;
    checkOwner(end.path, log.metadata, options.metadata);
    await sweep(disk, directory);
    const { file, sizeBytes } = await secureTail(disk, directory, end, log);
    const wal = new LogWriter(writerOptions, {
      metadata: log.metadata,
      lock,
      segments: end.segments,
      file,
      positionBytes: end.endBytes,
      allocatedBytes: sizeBytes,
      crc: end.crc,
      terms: end.terms,
      hardState: log.hardState,
      newestMark: end.newestMark,
    });
    return { wal, recovered: log };
  } catch (error) {
    await lock.release();
    throw error;
  }
}

/** How a log is opened for reading alone. */
export type ReadWalOptions = LogSource;

/**
 * Reads the log of a directory without changing or claiming anything: for tools. Of a log that is being written meanwhile it
 * reads some prefix, or fails.
 *
 * @throws WalError: as {@link openWal}, but `LOCKED`. An unfinished write is left out and reported.
 * @throws DiskError
 */
export async function readWal(options: ReadWalOptions): Promise<RecoveredLog> {
  const image = await readLog(options);
  if (image === undefined) throw notFound(options.directory);
  return image.log;
}

function resolveOptions(options: WalOptions): WriterOptions {
  const segmentSizeBytes = options.segmentSizeBytes ?? DEFAULT_SEGMENT_SIZE_BYTES;
  assert(
    Number.isInteger(segmentSizeBytes) &&
      segmentSizeBytes >= MIN_SEGMENT_SIZE_BYTES &&
      segmentSizeBytes <= MAX_SEGMENT_SIZE_BYTES,
    () =>
      `wal: segmentSizeBytes ${segmentSizeBytes} is not in [${MIN_SEGMENT_SIZE_BYTES}, ${MAX_SEGMENT_SIZE_BYTES}]`,
  );
  return {
    disk: options.disk,
    directory: options.directory,
    segmentSizeBytes,
    maxSegments: options.maxSegments ?? DEFAULT_MAX_SEGMENTS,
    maxPendingBytes: options.maxPendingBytes ?? DEFAULT_MAX_PENDING_BYTES,
    slowSyncLimitMs: options.slowSyncLimitMs ?? DEFAULT_SLOW_SYNC_LIMIT_MS,
    monotonicMs: options.monotonicMs ?? ((): number => 0),
    observer: options.observer ?? {},
  };
}

function sourceOf({ disk, directory, isUsableSnapshot }: WalOptions): LogSource {
  const source = { disk, directory };
  return isUsableSnapshot === undefined ? source : { ...source, isUsableSnapshot };
}

async function begin(
  options: WriterOptions,
  metadata: WalMetadata,
  lock: DirectoryLock,
): Promise<LogWriter> {
  const { disk, directory } = options;
  await sweep(disk, directory);
  const hardState = { term: 0, vote: 0n, commit: 0 };
  const header = { metadata, sequence: 0, firstIndex: 1, hardState, snapshot: undefined };
  const first = await createSegment(disk, directory, header, 0);
  return new LogWriter(options, {
    metadata,
    lock,
    segments: [first.name],
    file: first.file,
    positionBytes: first.endBytes,
    allocatedBytes: first.endBytes,
    crc: first.crc,
    terms: new LogTerms(0, 0),
    hardState,
    newestMark: undefined,
  });
}

async function lockDirectory(disk: Disk, directory: string): Promise<DirectoryLock> {
  try {
    return await disk.lockDirectory(directory);
  } catch (cause) {
    if (!(cause instanceof DiskError) || cause.code !== 'LOCKED') throw cause;
    throw new WalError({ code: 'LOCKED', file: directory, reason: cause.message, cause });
  }
}

/** Removes what a crash left half made. */
async function sweep(disk: Disk, directory: string): Promise<void> {
  const left = (await disk.list(directory)).filter((name) => name.endsWith(TEMPORARY_SUFFIX));
  for (const name of left) await disk.remove(`${directory}/${name}`);
  if (left.length > 0) await disk.syncDirectory(directory);
}

/**
 * Makes what was read of the last segment durable, and everything behind it zero.
 *
 * What was read may be in the system's cache alone: the writer was killed before its sync, or its sync failed, after which
 * a system may take pages for clean that never reached the disk. So the part that no record vouches for is written again.
 */
async function secureTail(
  disk: Disk,
  directory: string,
  { path, endBytes, provenBytes }: LogEnd,
  { repaired }: RecoveredLog,
): Promise<{ readonly file: DiskFile; readonly sizeBytes: number }> {
  const file = await disk.open(path, 'write');
  try {
    if (repaired !== undefined) {
      await file.truncate(endBytes);
      await file.sync();
    }
    const part = new Uint8Array(Math.min(REWRITE_BYTES, Math.max(0, endBytes - provenBytes)));
    let at = provenBytes;
    while (at < endBytes) {
      const count = await file.read(at, part.subarray(0, Math.min(part.length, endBytes - at)));
      assert(count > 0, () => `${path} ends at ${at}, and was read to ${endBytes} before`);
      file.write(at, part.subarray(0, count));
      at += count;
    }
    // Who cuts a file short leaves zeros there.
    if (repaired === undefined) await fillLastSector(file);
    await file.sync();
    await disk.syncDirectory(directory);
    return { file, sizeBytes: await file.size() };
  } catch (error) {
    await file.close();
    throw error;
  }
}

/**
 * A power loss may keep a sector and lose the size that came with it: what is behind the end of the file is then not read,
 * and is there all the same when a longer one has that sector lost.
 */
async function fillLastSector(file: DiskFile): Promise<void> {
  const sizeBytes = await file.size();
  const zeros = new Uint8Array((SECTOR_BYTES - (sizeBytes % SECTOR_BYTES)) % SECTOR_BYTES);
  if (zeros.length > 0) file.write(sizeBytes, zeros);
}

function checkOwner(file: string, owner: WalMetadata, expected: WalMetadata | undefined): void {
  if (expected === undefined) return;
  if (owner.clusterId === expected.clusterId && owner.memberId === expected.memberId) return;
  const reason = `the log belongs to ${describeOwner(owner)}, not to ${describeOwner(expected)}`;
  throw new WalError({ code: 'FOREIGN', file, reason });
}

function notFound(directory: string): WalError {
  return new WalError({ code: 'NOT_FOUND', file: directory, reason: 'there is no log here' });
}
