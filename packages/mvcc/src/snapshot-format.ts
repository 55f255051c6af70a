/**
 * The bytes of a snapshot: a sequence of frames, cut into chunks anywhere.
 *
 *     frame   = type (1) · name length (4, big-endian) · value length (4) · name · value
 *     stream  = header · meta* · record* · end
 *     header  type 1: name `etcd-ts mvcc snapshot`, value: format version (1 byte)
 *     meta    type 2: a named blob            record  type 3: a revision's record, by name
 *     end     type 4: name: number of frames before it (8); value: CRC-32C of all bytes before it (4)
 *             and then nothing, or zeros
 *
 * Equal states give equal bytes: metas are in byte order, records in order of revision, and of a pending compaction
 * nothing shows. Damage in transit is found by the checksum; lengths are bounded, so that a damaged one allocates
 * nothing absurd.
 */
import {
  concatBytes,
  crc32c,
  crc32cWords,
  EMPTY_BYTES,
  equalBytes,
  fromUtf8,
  utf8,
} from '@etcd-ts/base';
import { recordNameBytes, writeRecordName, writeUint64 } from './revision.ts';

/** Version of the format. */
export const SNAPSHOT_FORMAT = 1;
/** Longest name or value of a frame: 1 GiB. */
export const FRAME_FIELD_BYTES_MAX: number = 1 << 30;

const TITLE = 'etcd-ts mvcc snapshot';
const FRAME_HEAD_BYTES = 9;
const FRAME_HEADER = 1;
const FRAME_META = 2;
const FRAME_RECORD = 3;
const FRAME_END = 4;
const END_COUNT_BYTES = 8;
const END_CRC_BYTES = 4;

/** A snapshot that cannot be used, and why. The backend that it was being written to is to be thrown away. */
export class SnapshotError extends Error {
  override readonly name = 'SnapshotError';
}

/** One thing that a snapshot holds, by its name in the backend. */
export interface SnapshotItem {
  readonly name: Uint8Array;
  readonly value: Uint8Array;
}

/** Room of a piece to begin with. It grows with what is written into it. */
const FIRST_PIECE_BYTES = 4 << 10;
/** A piece has as much room to begin with as the one before, but no more than this. */
const NEXT_PIECE_BYTES_MAX = 256 << 10;

/** Makes the frames of a snapshot, one behind the other, to be taken in pieces. */
export class SnapshotWriter {
  #piece: Piece = newPiece(FIRST_PIECE_BYTES);
  #length = 0;
  /** Bytes of the piece that the checksum covers. */
  #summed = 0;
  #frames = 0;
  #crc = 0;

  /** Bytes that were written and not yet taken. */
  get length(): number {
    return this.#length;
  }

  /** The first frame. */
  header(): void {
    this.#frame(FRAME_HEADER, utf8(TITLE), new Uint8Array([SNAPSHOT_FORMAT]));
  }

  meta(name: Uint8Array, value: Uint8Array): void {
    this.#frame(FRAME_META, name, value);
  }

  /** The record of a revision. */
  record(main: number, sub: number, tombstone: boolean, value: Uint8Array): void {
    const nameBytes = recordNameBytes(tombstone);
    const at = this.#begin(FRAME_RECORD, nameBytes, value.length);
    writeRecordName(this.#piece.bytes, main, sub, tombstone, at);
    this.#piece.bytes.set(value, at + nameBytes);
  }

  /** The last frame. */
  end(): void {
    this.#sum();
    const count = new Uint8Array(END_COUNT_BYTES);
    writeUint64(count, 0, this.#frames);
    const crc = new Uint8Array(END_CRC_BYTES);
    new DataView(crc.buffer).setUint32(0, this.#crc);
    this.#frame(FRAME_END, count, crc);
  }

  /** What was written since the last call. The caller's own from then on. */
  take(): Uint8Array {
    this.#sum();
    const taken = this.#piece.bytes.subarray(0, this.#length);
    this.#piece = newPiece(Math.min(this.#piece.bytes.length, NEXT_PIECE_BYTES_MAX));
    this.#length = 0;
    this.#summed = 0;
    return taken;
  }

  /** Takes what was written since into the checksum: in one go, which costs the half of frame by frame. */
  #sum(): void {
    const { bytes, words } = this.#piece;
    const firstWord = Math.ceil(this.#summed / 4);
    const lastWord = Math.floor(this.#length / 4);
    if (firstWord < lastWord) {
      this.#crc = crc32c(bytes, this.#crc, this.#summed, firstWord * 4);
      this.#crc = crc32cWords(words, firstWord, lastWord, this.#crc);
      this.#crc = crc32c(bytes, this.#crc, lastWord * 4, this.#length);
    } else {
      this.#crc = crc32c(bytes, this.#crc, this.#summed, this.#length);
    }
    this.#summed = this.#length;
  }

  #frame(type: number, name: Uint8Array, value: Uint8Array): void {
    const at = this.#begin(type, name.length, value.length);
    this.#piece.bytes.set(name, at);
    this.#piece.bytes.set(value, at + name.length);
  }

  /** @returns where the name goes, the value right behind it. */
  #begin(type: number, nameBytes: number, valueBytes: number): number {
    const start = this.#length;
    const end = start + FRAME_HEAD_BYTES + nameBytes + valueBytes;
    if (end > this.#piece.bytes.length) this.#grow(end);
    const { bytes, view } = this.#piece;
    bytes[start] = type;
    view.setUint32(start + 1, nameBytes);
    view.setUint32(start + 5, valueBytes);
    this.#length = end;
    this.#frames++;
    return start + FRAME_HEAD_BYTES;
  }

  #grow(needed: number): void {
    const larger = newPiece(Math.max(needed, this.#piece.bytes.length * 2));
    larger.bytes.set(this.#piece.bytes.subarray(0, this.#length));
    this.#piece = larger;
  }
}

/** Bytes on their way out: as bytes, as fields, as words for the checksum. */
interface Piece {
  readonly bytes: Uint8Array;
  readonly view: DataView;
  readonly words: Int32Array;
}

function newPiece(capacityBytes: number): Piece {
  const buffer = new ArrayBuffer(Math.ceil(capacityBytes / 4) * 4);
  return {
    bytes: new Uint8Array(buffer),
    view: new DataView(buffer),
    words: new Int32Array(buffer),
  };
}

/** Takes the bytes of a snapshot in any pieces and gives its items. */
export class SnapshotReader {
  #rest: Uint8Array = EMPTY_BYTES;
  #frames = 0;
  #crc = 0;
  #isEnded = false;

  /** @returns the items that these bytes complete. @throws SnapshotError */
  push(bytes: Uint8Array): SnapshotItem[] {
    const all = this.#rest.length === 0 ? bytes : concatBytes([this.#rest, bytes]);
    const items: SnapshotItem[] = [];
    let at = 0;
    for (;;) {
      if (this.#isEnded) {
        // A file of snapshots is padded to whole pages.
        if (all.subarray(at).some((byte) => byte !== 0)) {
          throw new SnapshotError('snapshot goes on after its end');
        }
        at = all.length;
      }
      const length = frameLength(all, at);
      if (length === undefined || at + length > all.length) break;
      this.#frame(all.subarray(at, at + length), items);
      at += length;
    }
    // A copy: the piece may be the caller's buffer.
    this.#rest = all.slice(at);
    return items;
  }

  /** @throws SnapshotError when the stream stopped before its end. */
  finish(): void {
    if (!this.#isEnded) {
      throw new SnapshotError(`snapshot ends early: after ${this.#frames} frames`);
    }
  }

  #frame(frame: Uint8Array, items: SnapshotItem[]): void {
    const view = new DataView(frame.buffer, frame.byteOffset, frame.length);
    const nameEnd = FRAME_HEAD_BYTES + view.getUint32(1);
    const name = frame.slice(FRAME_HEAD_BYTES, nameEnd);
    const value = frame.slice(nameEnd);
    const type = frame[0];
    if (this.#frames === 0) checkHeader(type, name, value);
    else if (type === FRAME_END) this.#end(name, value);
    else if (type === FRAME_META || type === FRAME_RECORD) items.push({ name, value });
    else throw new SnapshotError(`snapshot frame ${this.#frames} has type ${type}`);
    this.#frames++;
    this.#crc = crc32c(frame, this.#crc);
  }

  #end(count: Uint8Array, crc: Uint8Array): void {
    if (count.length !== END_COUNT_BYTES || crc.length !== END_CRC_BYTES)
      throw new SnapshotError('snapshot end is malformed');
    const frames = new Uint8Array(END_COUNT_BYTES);
    writeUint64(frames, 0, this.#frames);
    if (!equalBytes(frames, count)) {
      throw new SnapshotError(`snapshot has ${this.#frames} frames, its end says another number`);
    }
    const wanted = new DataView(crc.buffer, crc.byteOffset).getUint32(0);
    if (wanted !== this.#crc) {
      throw new SnapshotError(`snapshot checksum ${this.#crc}, its end says ${wanted}`);
    }
    this.#isEnded = true;
  }
}

function checkHeader(type: number | undefined, name: Uint8Array, value: Uint8Array): void {
  if (type !== FRAME_HEADER || fromUtf8(name) !== TITLE) {
    throw new SnapshotError('not a snapshot: it does not begin with the header');
  }
  if (value.length !== 1 || value[0] !== SNAPSHOT_FORMAT) {
    throw new SnapshotError(`snapshot format ${value[0]}, this reads ${SNAPSHOT_FORMAT}`);
  }
}

function frameLength(bytes: Uint8Array, at: number): number | undefined {
  if (bytes.length - at < FRAME_HEAD_BYTES) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset + at, FRAME_HEAD_BYTES);
  const name = view.getUint32(1);
  const value = view.getUint32(5);
  if (name > FRAME_FIELD_BYTES_MAX || value > FRAME_FIELD_BYTES_MAX) {
    const limit = FRAME_FIELD_BYTES_MAX;
    throw new SnapshotError(`snapshot frame of ${name} + ${value} bytes, at most ${limit} each`);
  }
  return FRAME_HEAD_BYTES + name + value;
}
