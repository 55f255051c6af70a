/**
 * Reading a log from disk: which segments, in which order, what may be wrong with them. Writes nothing.
 *
 * What always holds: the result holds every group that was ever synced, or there is a {@link WalError}.
 */
import { assert } from '@etcd-ts/base';
import type { HardState, SnapshotMeta } from '@etcd-ts/raft';
import type { RecoveredLog, WalMetadata, WalRepair } from './contents.ts';
import type { Disk } from './disk.ts';
import { LogBuilder } from './log-builder.ts';
import type { LogTerms } from './log-terms.ts';
import { decodeSegmentHeader, PayloadError, type SegmentHeader } from './payload.ts';
import { type Frame, readFrame, RECORD_TYPE, type RecordBytes, recordBytes } from './record.ts';
import { type ScanEnd, scanRecords } from './scan.ts';
import {
  decodePrelude,
  FORMAT_VERSION,
  PRELUDE_BYTES,
  type SegmentName,
  segmentFileName,
  segmentsAmong,
} from './segment.ts';
import { describe, judgeTail } from './tail.ts';
import { WalError, type WalErrorCode } from './wal-error.ts';

/** A file larger than this is no segment. */
const MAX_SEGMENT_FILE_BYTES = 2 ** 31 - 1;

/** Header records fit into the first bytes of a file unless a configuration is huge; then more is read. */
const HEADER_READ_BYTES = 64 * 1024;

/** Where a log is, and which of its snapshots can be had. */
export interface LogSource {
  readonly disk: Disk;
  readonly directory: string;
  /** @defaultValue every one can */
  readonly isUsableSnapshot?: (snapshot: SnapshotMeta) => boolean;
}

/** Where the log ends, for whoever goes on writing it. */
export interface LogEnd {
  readonly segments: readonly SegmentName[];
  readonly path: string;
  readonly endBytes: number;
  readonly crc: number;
  /** Bytes of the last segment that are known to be durable. */
  readonly provenBytes: number;
  readonly terms: LogTerms;
  /** The newest mark, usable or not. */
  readonly newestMark: SnapshotMeta | undefined;
}

/** A log and its end. */
export interface LogImage {
  readonly log: RecoveredLog;
  readonly end: LogEnd;
}

interface OpenedSegment extends RecordBytes {
  readonly name: SegmentName;
  readonly path: string;
  readonly header: SegmentHeader;
  readonly headerFrame: Frame;
}

/**
 * Reads the log of a directory; undefined when there is none.
 *
 * @throws WalError: `CORRUPT`, `MISSING_SEGMENT`, `UNSUPPORTED_VERSION`, `FOREIGN`, `SNAPSHOT_MISSING`.
 * @throws DiskError when the disk cannot be read.
 */
export async function readLog(source: LogSource): Promise<LogImage | undefined> {
  const { disk, directory } = source;
  const segments = segmentsAmong(await disk.list(directory));
  const last = segments.at(-1);
  if (last === undefined) return undefined;
  checkSequence(directory, segments);
  const isUsable = source.isUsableSnapshot ?? ((): boolean => true);
  const { start, metadata, unusable } = await findStart(source, segments, isUsable);
  let builder: LogBuilder | undefined;
  let before: { readonly segment: OpenedSegment; readonly end: ScanEnd } | undefined;
  for (const name of segments.slice(start)) {
    const segment = await openSegment(disk, directory, name, Number.POSITIVE_INFINITY);
    if (before !== undefined) checkContinues(before.segment, before.end, segment);
    builder ??= new LogBuilder(segment.header, isUsable);
    before = { segment, end: scanInto(builder, segment) };
  }
  if (before === undefined || builder === undefined) return undefined;
  checkBeginning(directory, builder, segments, unusable);
  return imageOf(builder, before.segment, before.end, segments, metadata);
}

function imageOf(
  builder: LogBuilder,
  segment: OpenedSegment,
  end: ScanEnd,
  segments: readonly SegmentName[],
  metadata: WalMetadata,
): LogImage {
  const { path } = segment;
  const verdict = judgeTail(segment, end);
  if (verdict.kind === 'corrupt') {
    throw corrupt(path, verdict.offsetBytes, verdict.reason);
  }
  const missing = builder.missingSnapshot;
  if (missing !== undefined) throw snapshotMissing(path, missing);
  let repaired: WalRepair | undefined;
  if (verdict.kind === 'torn') {
    const { droppedBytes, reason } = verdict;
    repaired = { file: path, offsetBytes: end.endBytes, droppedBytes, reason };
  }
  const { snapshot, entries, terms } = builder;
  const hardState = atLeast(builder.hardState, snapshot?.index ?? 0);
  if (hardState.commit > terms.lastIndex) {
    const reason = `commit ${hardState.commit} is beyond the last entry, ${terms.lastIndex}`;
    throw corrupt(path, end.endBytes, reason);
  }
  const log: RecoveredLog = {
    metadata,
    hardState,
    entries,
    ...(snapshot === undefined ? {} : { snapshot }),
    ...(repaired === undefined ? {} : { repaired }),
  };
  const { endBytes, crc, provenBytes } = end;
  const newestMark = builder.snapshot;
  return { log, end: { segments, path, endBytes, crc, provenBytes, terms, newestMark } };
}

function atLeast(hardState: HardState, commit: number): HardState {
  return hardState.commit >= commit ? hardState : { ...hardState, commit };
}

/** Segments follow one another without gap. */
function checkSequence(directory: string, segments: readonly SegmentName[]): void {
  for (const [at, name] of segments.entries()) {
    const before = segments[at - 1];
    if (before === undefined || name.sequence === before.sequence + 1) continue;
    const isTwice = name.sequence === before.sequence;
    throw new WalError({
      code: isTwice ? 'CORRUPT' : 'MISSING_SEGMENT',
      file: directory,
      reason: isTwice
        ? `two segments have sequence ${name.sequence}: ${segmentFileName(before)}, ${segmentFileName(name)}`
        : `segment ${before.sequence + 1} is missing: ${segmentFileName(before)} is followed by ${segmentFileName(name)}`,
    });
  }
}

interface Start {
  readonly start: number;
  readonly metadata: WalMetadata;
  /** A snapshot that a header names and that cannot be had. */
  readonly unusable: SnapshotMeta | undefined;
}

/**
 * Where reading begins: at the last segment that has everything after the newest snapshot that some header names and that
 * can be had. Older segments are kept for people, and not read.
 *
 * When no header names such a snapshot, the mark behind which older segments were let go is in a segment itself: then
 * everything is read, and {@link checkBeginning} sees whether that mark was there.
 */
async function findStart(
  { disk, directory }: LogSource,
  segments: readonly SegmentName[],
  isUsable: (snapshot: SnapshotMeta) => boolean,
): Promise<Start> {
  let base: SnapshotMeta | undefined;
  let unusable: SnapshotMeta | undefined;
  let metadata: WalMetadata | undefined;
  for (let at = segments.length - 1; at >= 0; at--) {
    const name = segments[at] as SegmentName; // at is within bounds
    const { header, path } = await openSegment(disk, directory, name, HEADER_READ_BYTES);
    metadata ??= header.metadata;
    checkSameOwner(path, header.metadata, metadata);
    if (base === undefined && header.snapshot !== undefined) {
      if (isUsable(header.snapshot)) base = header.snapshot;
      else unusable ??= header.snapshot;
    }
    if (name.firstIndex <= (base?.index ?? 0) + 1 && (base !== undefined || at === 0)) {
      return { start: at, metadata, unusable };
    }
  }
  assert(metadata !== undefined, 'the caller found a segment');
  return { start: 0, metadata, unusable };
}

/** The log goes back to index 1, or begins behind a snapshot that can be had. */
function checkBeginning(
  directory: string,
  { snapshot, terms, missingSnapshot, passedOver }: LogBuilder,
  segments: readonly SegmentName[],
  unusable: SnapshotMeta | undefined,
): void {
  if ((snapshot?.index ?? 0) >= terms.offset) return;
  const missing = missingSnapshot ?? passedOver ?? unusable;
  if (missing !== undefined) throw snapshotMissing(directory, missing);
  const [first] = segments;
  throw new WalError({
    code: 'MISSING_SEGMENT',
    file: directory,
    reason: `the first segment, ${first === undefined ? '' : segmentFileName(first)}, begins at index ${terms.offset + 1}; the log needs index ${(snapshot?.index ?? 0) + 1}`,
  });
}

async function openSegment(
  disk: Disk,
  directory: string,
  name: SegmentName,
  limitBytes: number,
): Promise<OpenedSegment> {
  const path = `${directory}/${segmentFileName(name)}`;
  const segment = await readBytes(disk, path, limitBytes);
  const { bytes } = segment;
  const prelude = decodePrelude(bytes);
  if ('reason' in prelude) throw corrupt(path, 0, prelude.reason);
  if (prelude.version !== FORMAT_VERSION) {
    throw new WalError({
      code: 'UNSUPPORTED_VERSION',
      file: path,
      reason: `format version ${prelude.version}; this program reads version ${FORMAT_VERSION}`,
    });
  }
  const headerFrame = readFrame(segment, PRELUDE_BYTES);
  if ('kind' in headerFrame) {
    if (headerFrame.kind === 'short' && limitBytes < MAX_SEGMENT_FILE_BYTES) {
      return openSegment(disk, directory, name, Number.POSITIVE_INFINITY);
    }
    throw corrupt(path, PRELUDE_BYTES, `segment header: ${describe(headerFrame.kind)}`);
  }
  const header = readHeader(path, bytes, headerFrame);
  if (header.sequence !== name.sequence || header.firstIndex !== name.firstIndex) {
    const said = segmentFileName(header);
    throw corrupt(path, PRELUDE_BYTES, `segment header says that the file is ${said}`);
  }
  return { name, path, ...segment, header, headerFrame };
}

function readHeader(path: string, bytes: Uint8Array, frame: Frame): SegmentHeader {
  if (frame.type !== RECORD_TYPE.segmentHeader) {
    throw corrupt(path, PRELUDE_BYTES, `record of type ${frame.type} where the header should be`);
  }
  try {
    return decodeSegmentHeader(bytes.subarray(frame.payloadStart, frame.payloadEnd));
  } catch (cause) {
    throw fromPayload(cause, path, PRELUDE_BYTES);
  }
}

function scanInto(builder: LogBuilder, segment: OpenedSegment): ScanEnd {
  const { headerFrame, path } = segment;
  let groupStart = headerFrame.end;
  return scanRecords(segment, headerFrame.end, headerFrame.crc, (frames) => {
    try {
      builder.take(segment, frames);
    } catch (cause) {
      const missing = builder.missingSnapshot;
      if (missing !== undefined) throw snapshotMissing(path, missing, cause);
      throw fromPayload(cause, path, groupStart);
    }
    groupStart = frames.at(-1)?.end ?? groupStart;
  });
}

/** A segment that another one follows was durable to its end before that one was made. */
function checkContinues(before: OpenedSegment, end: ScanEnd, after: OpenedSegment): void {
  const isBlankToItsEnd = end.failure.kind === 'blank' && end.stoppedAtBytes === end.endBytes;
  if (isBlankToItsEnd && end.crc === after.headerFrame.previousCrc) return;
  const reason = isBlankToItsEnd
    ? `the log's records end here, but ${segmentFileName(after.name)} continues later ones`
    : `${describe(end.failure.kind)}, and the log goes on in ${segmentFileName(after.name)}`;
  throw corrupt(before.path, end.stoppedAtBytes, reason);
}

function checkSameOwner(path: string, one: WalMetadata, other: WalMetadata): void {
  if (one.clusterId === other.clusterId && one.memberId === other.memberId) return;
  throw new WalError({
    code: 'FOREIGN',
    file: path,
    reason: `${describeOwner(one)}, but later segments belong to ${describeOwner(other)}`,
  });
}

/** A log's owner in words. */
export function describeOwner({ clusterId, memberId }: WalMetadata): string {
  return `cluster ${clusterId.toString(16)} member ${memberId.toString(16)}`;
}

/** All of a file, or its first bytes. */
async function readBytes(disk: Disk, path: string, limitBytes: number): Promise<RecordBytes> {
  const file = await disk.open(path, 'read');
  try {
    const sizeBytes = await file.size();
    if (sizeBytes > MAX_SEGMENT_FILE_BYTES) {
      throw corrupt(path, MAX_SEGMENT_FILE_BYTES, `no segment is ${sizeBytes} bytes large`);
    }
    const bytes = new Uint8Array(Math.min(sizeBytes, limitBytes));
    let done = 0;
    while (done < bytes.length) {
      const count = await file.read(done, bytes.subarray(done));
      if (count === 0) break;
      done += count;
    }
    return recordBytes(bytes.buffer, done);
  } finally {
    await file.close();
  }
}

function corrupt(file: string, offsetBytes: number, reason: string, cause?: unknown): WalError {
  return new WalError({ code: 'CORRUPT', file, offsetBytes, reason, cause });
}

function snapshotMissing(file: string, { index, term }: SnapshotMeta, cause?: unknown): WalError {
  const code: WalErrorCode = 'SNAPSHOT_MISSING';
  const reason = `the log begins behind the snapshot at index ${index} term ${term}, which cannot be had`;
  return new WalError({ code, file, reason, cause });
}

function fromPayload(cause: unknown, file: string, offsetBytes: number): unknown {
  return cause instanceof PayloadError ? corrupt(file, offsetBytes, cause.message, cause) : cause;
}
