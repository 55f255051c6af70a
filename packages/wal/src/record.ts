/**
 * The frame of one record: FORMAT.md, "Records".
 *
 * What always holds:
 * - A frame's length is a multiple of {@link ALIGNMENT_BYTES}, and its last byte is never zero, so that a write of which
 *   the end is missing can be told from one of which a bit has turned.
 * - A frame proves itself (`crc`) and its place (`previous`, the checksum of the record before it).
 * - `syncedBytes` of a frame was durable before the frame was written: a frame is evidence about everything before it.
 */
import { assert, crc32cWords } from '@etcd-ts/base';

/** Frames begin at multiples of this. */
export const ALIGNMENT_BYTES = 8;

/** Bytes of a frame before its payload. */
export const FRAME_HEADER_BYTES = 16;

/** The longest payload that a frame can hold, in bytes. */
export const MAX_PAYLOAD_BYTES: number = 2 ** 27 - 1;

/** What a record says; the numbers are the format's. */
export const RECORD_TYPE = {
  /** The first record of a segment. */
  segmentHeader: 1,
  hardState: 2,
  snapshotMark: 3,
  emptyEntry: 4,
  commandEntry: 5,
  configEntry: 6,
  /** Says nothing but `syncedBytes`: a log that was closed in order ends with one. */
  syncMark: 7,
} as const;

/** One of the numbers of {@link RECORD_TYPE}. */
export type RecordType = (typeof RECORD_TYPE)[keyof typeof RECORD_TYPE];

const LAST_RECORD_TYPE = RECORD_TYPE.syncMark;
const GROUP_END_BIT = 1 << 27;

/** A frame that was read and proved itself. */
export interface Frame {
  readonly type: RecordType;
  /** The last of its group: with it the group is complete. */
  readonly endsGroup: boolean;
  readonly crc: number;
  readonly previousCrc: number;
  /** Bytes of its segment that were durable before it was written. */
  readonly syncedBytes: number;
  /** Where its payload lies in the segment, and where the frame ends. */
  readonly payloadStart: number;
  readonly payloadEnd: number;
  readonly end: number;
}

/** What stands where a frame should be. */
export type FrameFailure =
  /** Sixteen zero bytes (or the end of the bytes): nothing was written here. */
  | { readonly kind: 'blank' }
  /** The frame goes on behind the end of the bytes. `end` is where it would end. */
  | { readonly kind: 'short'; readonly end: number }
  /** No type of record, or no length that a record can have. */
  | { readonly kind: 'shapeless' }
  /** Checksum or padding do not fit. `end` is where the frame ends. */
  | { readonly kind: 'mismatch'; readonly end: number };

/** Bytes of a segment, or on their way to one, as records are read and written: as bytes, as fields, as words. */
export interface RecordBytes {
  readonly bytes: Uint8Array;
  readonly view: DataView;
  /** Of every whole word: for the checksum. */
  readonly words: Int32Array;
}

/** The three views of a whole buffer. */
export function recordBytes(
  buffer: ArrayBuffer,
  lengthBytes: number = buffer.byteLength,
): RecordBytes {
  return {
    bytes: new Uint8Array(buffer, 0, lengthBytes),
    view: new DataView(buffer, 0, lengthBytes),
    words: new Int32Array(buffer, 0, Math.floor(lengthBytes / 4)),
  };
}

/** The length of a frame with such a payload, in bytes. */
export function frameBytes(payloadBytes: number): number {
  const unpadded = FRAME_HEADER_BYTES + payloadBytes + 1;
  return Math.ceil(unpadded / ALIGNMENT_BYTES) * ALIGNMENT_BYTES;
}

/** What the frame of a record says besides its payload and its place. */
export interface FrameHead {
  readonly type: RecordType;
  readonly endsGroup: boolean;
  readonly syncedBytes: number;
  readonly payloadBytes: number;
}

/**
 * Writes header and padding of the frame at `start`, all but what `chainFrames` adds. The payload goes into its place
 * afterwards: the padding is written as whole words, over the payload's last bytes.
 *
 * @returns Where the payload goes.
 */
export function beginFrame(
  { words }: RecordBytes,
  start: number,
  { type, endsGroup, syncedBytes, payloadBytes }: FrameHead,
): number {
  if (payloadBytes > MAX_PAYLOAD_BYTES || syncedBytes % ALIGNMENT_BYTES !== 0) {
    assert(false, `record of ${payloadBytes} bytes, synced through ${syncedBytes}`);
  }
  const sizeBytes = frameBytes(payloadBytes);
  // Frames are aligned, and the words of every machine that Node runs on are little-endian.
  const word = start / 4;
  const end = word + sizeBytes / 4;
  const padding = (sizeBytes - FRAME_HEADER_BYTES - payloadBytes) * 0x01010101;
  words[end - 1] = padding;
  words[end - 2] = padding;
  words[word + 2] = syncedBytes / ALIGNMENT_BYTES;
  words[word + 3] = payloadBytes + (endsGroup ? GROUP_END_BIT : 0) + type * 2 ** 28;
  return start + FRAME_HEADER_BYTES;
}

/**
 * Reads the frame at `start` of a segment's bytes. It is proved by its checksum; whether it stands in its place is for the
 * caller to see by `previousCrc`.
 */
export function readFrame(segment: RecordBytes, start: number): Frame | FrameFailure {
  const { bytes, view, words } = segment;
  if (start + FRAME_HEADER_BYTES > bytes.length) {
    return isZero(bytes, start, bytes.length)
      ? { kind: 'blank' }
      : { kind: 'short', end: start + FRAME_HEADER_BYTES };
  }
  const shape = view.getUint32(start + 12, true);
  const type = shape >>> 28;
  const payloadBytes = shape & MAX_PAYLOAD_BYTES;
  if (type === 0 || type > LAST_RECORD_TYPE) {
    return { kind: isZero(bytes, start, start + FRAME_HEADER_BYTES) ? 'blank' : 'shapeless' };
  }
  const payloadStart = start + FRAME_HEADER_BYTES;
  const payloadEnd = payloadStart + payloadBytes;
  const end = start + frameBytes(payloadBytes);
  if (end > bytes.length) return { kind: 'short', end };
  const crc = view.getUint32(start, true);
  if (!isPadded(bytes, payloadEnd, end) || crc32cWords(words, (start + 4) / 4, end / 4) !== crc) {
    return { kind: 'mismatch', end };
  }
  return {
    type: type as RecordType, // 1 to LAST_RECORD_TYPE: looked at above
    endsGroup: (shape & GROUP_END_BIT) !== 0,
    crc,
    previousCrc: view.getUint32(start + 4, true),
    syncedBytes: view.getUint32(start + 8, true) * ALIGNMENT_BYTES,
    payloadStart,
    payloadEnd,
    end,
  };
}

/** True when every byte of [start, end) is zero. */
export function isZero(bytes: Uint8Array, start: number, end: number): boolean {
  for (let i = start; i < end; i++) if (bytes[i] !== 0) return false;
  return true;
}

function isPadded(bytes: Uint8Array, payloadEnd: number, end: number): boolean {
  const count = end - payloadEnd;
  for (let i = payloadEnd; i < end; i++) if (bytes[i] !== count) return false;
  return true;
}
