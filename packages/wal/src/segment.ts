/** Segments: the files of a log, their names and what stands before their records. FORMAT.md, "Segments". */
import { assert, crc32c } from '@etcd-ts/base';
import type { Disk, DiskFile } from './disk.ts';
import { chainFrames } from './frame-chain.ts';
import { encodeSegmentHeader, type SegmentHeader } from './payload.ts';
import { beginFrame, frameBytes, RECORD_TYPE, recordBytes } from './record.ts';

/** The version of the format that this code writes, and the newest that it reads. */
export const FORMAT_VERSION = 1;

/** Bytes of a segment before its first record. */
export const PRELUDE_BYTES = 16;

/** What a segment's name ends with. */
export const SEGMENT_SUFFIX = '.wal';

/** What the name of a file ends with that is not complete. Swept away when a directory is opened. */
export const TEMPORARY_SUFFIX = '.tmp';

/** A smaller segment would be mostly header. */
export const MIN_SEGMENT_SIZE_BYTES = 1024;

/** The largest size at which a segment may be cut. */
export const MAX_SEGMENT_SIZE_BYTES: number = 1024 * 1024 * 1024;

const MAGIC = new Uint8Array([0x45, 0x54, 0x43, 0x44, 0x54, 0x53, 0x57, 0x4c]); // ETCDTSWL
const NAME = /^([0-9a-f]{16})-([0-9a-f]{16})\.wal$/;

/** A segment as its name tells (etcd server/storage/wal/util.go, walName). */
export interface SegmentName {
  /** Position among the segments, from 0. */
  readonly sequence: number;
  /** The index after the log's last entry when the segment was begun. */
  readonly firstIndex: number;
}

/** The file name of a segment: `<sequence>-<first index>.wal`, sixteen hexadecimal digits each. */
export function segmentFileName({ sequence, firstIndex }: SegmentName): string {
  return `${hex16(sequence)}-${hex16(firstIndex)}${SEGMENT_SUFFIX}`;
}

/** What a file name says; undefined when it is no segment's. */
export function parseSegmentFileName(name: string): SegmentName | undefined {
  const match = NAME.exec(name);
  if (match === null) return undefined;
  const sequence = Number.parseInt(match[1] as string, 16);
  const firstIndex = Number.parseInt(match[2] as string, 16);
  const isSafe = Number.isSafeInteger(sequence) && Number.isSafeInteger(firstIndex);
  return isSafe ? { sequence, firstIndex } : undefined;
}

/** The segments among the names of a directory, oldest first. */
export function segmentsAmong(names: readonly string[]): SegmentName[] {
  return names
    .map(parseSegmentFileName)
    .filter((name) => name !== undefined)
    .sort((a, b) => a.sequence - b.sequence || a.firstIndex - b.firstIndex);
}

/** What stands at the beginning of every segment: magic, format version, and a checksum of the two. */
export function encodePrelude(version: number = FORMAT_VERSION): Uint8Array {
  const bytes = new Uint8Array(PRELUDE_BYTES);
  bytes.set(MAGIC);
  const view = new DataView(bytes.buffer);
  view.setUint32(8, version, true);
  view.setUint32(12, crc32c(bytes, 0, 0, 12), true);
  return bytes;
}

/** What is wrong with the first bytes of a segment, or the version that they name. */
export type Prelude = { readonly version: number } | { readonly reason: string };

/** Reads a segment's prelude. */
export function decodePrelude(bytes: Uint8Array): Prelude {
  if (bytes.length < PRELUDE_BYTES) {
    return { reason: `a segment of ${bytes.length} bytes has no header` };
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, PRELUDE_BYTES);
  if (!MAGIC.every((byte, at) => bytes[at] === byte)) return { reason: 'not a segment: no magic' };
  if (view.getUint32(12, true) !== crc32c(bytes, 0, 0, 12)) {
    return { reason: 'checksum of the prelude does not fit' };
  }
  return { version: view.getUint32(8, true) };
}

/** A segment that was just made: open, durable, holding its header alone. */
export interface NewSegment {
  readonly name: SegmentName;
  readonly file: DiskFile;
  /** Where its next record goes. */
  readonly endBytes: number;
  /** Checksum of its header. */
  readonly crc: number;
}

/**
 * Makes a segment durable under its name: written and synced under a temporary one, renamed, directory synced.
 *
 * @throws DiskError
 */
export async function createSegment(
  disk: Disk,
  directory: string,
  header: SegmentHeader,
  previousCrc: number,
): Promise<NewSegment> {
  const name = { sequence: header.sequence, firstIndex: header.firstIndex };
  const path = `${directory}/${segmentFileName(name)}`;
  const temporary = `${path}${TEMPORARY_SUFFIX}`;
  const { bytes, crc } = encodeSegmentStart(header, previousCrc);
  const making = await disk.open(temporary, 'create');
  try {
    making.write(0, bytes);
    await making.sync();
  } finally {
    await making.close();
  }
  await disk.rename(temporary, path);
  await disk.syncDirectory(directory);
  const file = await disk.open(path, 'write');
  return { name, file, endBytes: bytes.length, crc };
}

/** Prelude and header record of a segment. */
export function encodeSegmentStart(
  header: SegmentHeader,
  previousCrc: number,
): { readonly bytes: Uint8Array; readonly crc: number } {
  assert(header.sequence > 0 || previousCrc === 0, 'the first segment continues nothing');
  const payload = encodeSegmentHeader(header);
  const start = recordBytes(new ArrayBuffer(PRELUDE_BYTES + frameBytes(payload.length)));
  const { bytes } = start;
  bytes.set(encodePrelude());
  const at = beginFrame(start, PRELUDE_BYTES, {
    type: RECORD_TYPE.segmentHeader,
    endsGroup: true,
    syncedBytes: 0,
    payloadBytes: payload.length,
  });
  bytes.set(payload, at);
  return { bytes, crc: chainFrames(start, PRELUDE_BYTES, bytes.length, previousCrc) };
}

function hex16(value: number): string {
  return value.toString(16).padStart(16, '0');
}
