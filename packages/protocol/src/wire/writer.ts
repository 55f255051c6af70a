/**
 * Writes the protobuf wire format from the last byte to the first.
 *
 * Backwards, because then the length of a message inside a message is known when its prefix is due: one pass, no
 * sizes computed beforehand, nothing moved. Fields are written in descending order and so stand in ascending order.
 *
 * Encoded messages are cut from chunks of {@link CHUNK_BYTES}, as Node does for small buffers: results share an
 * ArrayBuffer, so nobody may transfer or detach it. A message larger than a chunk gets its own.
 *
 * Invariant: the bytes [start, limit) hold the message being written; below `start` all is free; above `limit` are
 * results handed out, never written again.
 */
import { halves, signed, unsigned } from './word64.ts';

/** Size of the chunks that small messages share. */
export const CHUNK_BYTES: number = 32 * 1024;

/** Share of a chunk of its own from which on a message keeps it. */
const MOSTLY_FULL = 0.9;

const HIGH_HALF = 0x1_0000_0000;
const INT64_LIMIT = 2 ** 63;
const UINT64_LIMIT = 2 ** 64;
const encoder = new TextEncoder();

/** Writes one message after the other. */
export class Writer {
  #chunk: Uint8Array = new Uint8Array(CHUNK_BYTES);
  #start: number = CHUNK_BYTES;
  #limit: number = CHUNK_BYTES;

  /** Starts a message. What an encoding that threw has left behind is given up. */
  begin(): void {
    this.#limit = this.#start;
  }

  /** The message written since {@link begin}. */
  finish(): Uint8Array {
    const { buffer } = this.#chunk;
    const message = new Uint8Array(buffer, this.#start, this.#limit - this.#start);
    if (this.#chunk.length <= CHUNK_BYTES) return message;
    const size = this.#chunk.length;
    this.#replaceChunk(CHUNK_BYTES);
    // A chunk that grew by doubling may be half empty; who keeps the message would keep all of it.
    return message.length < size * MOSTLY_FULL ? message.slice() : message;
  }

  /** Bytes written since {@link begin}: a mark for {@link message}. */
  mark(): number {
    return this.#limit - this.#start;
  }

  /** Closes a message inside a message: its length, then its tag. */
  message(tag: number, mark: number): void {
    this.#uint32(this.mark() - mark);
    this.#uint32(tag);
  }

  /** Puts gRPC's prefix before all that was written: uncompressed, length. */
  frame(): void {
    const length = this.mark();
    this.#reserve(5);
    const chunk = this.#chunk;
    const at = (this.#start -= 5);
    chunk[at] = 0;
    chunk[at + 1] = length >>> 24;
    chunk[at + 2] = length >>> 16;
    chunk[at + 3] = length >>> 8;
    chunk[at + 4] = length;
  }

  bool(tag: number, value: boolean): void {
    this.#uint32(value ? 1 : 0);
    this.#uint32(tag);
  }

  /** One number of a packed list of enums, without tag. */
  packed(value: number): void {
    if (value >= 0) this.#uint32(value);
    else this.#varint(value >>> 0, 0xffff_ffff);
  }

  /** An enum's number. */
  enum(tag: number, value: number): void {
    this.int64(tag, value);
  }

  uint32(tag: number, value: number): void {
    this.#uint32(value >>> 0);
    this.#uint32(tag);
  }

  /** Numbers outside 64 bits become the nearest that fits. */
  int64(tag: number, value: number): void {
    if (value >= 0 && value < HIGH_HALF) {
      this.#uint32(value);
    } else if (value >= INT64_LIMIT) {
      this.#varint(0xffff_ffff, 0x7fff_ffff);
    } else if (value <= -INT64_LIMIT) {
      this.#varint(0, 0x8000_0000);
    } else {
      this.#varint(value >>> 0, Math.floor(value / HIGH_HALF) >>> 0);
    }
    this.#uint32(tag);
  }

  /** Numbers outside 64 bits become the nearest that fits. */
  uint64(tag: number, value: number): void {
    if (value >= 0 && value < HIGH_HALF) {
      this.#uint32(value);
    } else if (value >= UINT64_LIMIT) {
      this.#varint(0xffff_ffff, 0xffff_ffff);
    } else if (value < 0) {
      this.#uint32(0);
    } else {
      this.#varint(value >>> 0, Math.floor(value / HIGH_HALF) >>> 0);
    }
    this.#uint32(tag);
  }

  int64Id(tag: number, value: bigint): void {
    signed[0] = value;
    this.#varint(halves[0] as number, halves[1] as number);
    this.#uint32(tag);
  }

  uint64Id(tag: number, value: bigint): void {
    unsigned[0] = value;
    this.#varint(halves[0] as number, halves[1] as number);
    this.#uint32(tag);
  }

  bytes(tag: number, value: Uint8Array): void {
    const length = value.length;
    this.#reserve(length);
    this.#start -= length;
    if (length <= 32) {
      const chunk = this.#chunk;
      const start = this.#start;
      for (let i = 0; i < length; i++) chunk[start + i] = value[i] as number;
    } else {
      this.#chunk.set(value, this.#start);
    }
    this.#uint32(length);
    this.#uint32(tag);
  }

  string(tag: number, value: string): void {
    const length = utf8Length(value);
    this.#reserve(length);
    this.#start -= length;
    if (length === value.length) {
      const chunk = this.#chunk;
      const start = this.#start;
      for (let i = 0; i < length; i++) chunk[start + i] = value.charCodeAt(i);
    } else {
      encoder.encodeInto(value, this.#chunk.subarray(this.#start, this.#start + length));
    }
    this.#uint32(length);
    this.#uint32(tag);
  }

  /** A varint of up to 32 bits, 1 to 5 bytes. */
  #uint32(value: number): void {
    if (this.#start < 5) this.#reserve(5);
    const chunk = this.#chunk;
    if (value < 0x80) {
      chunk[--this.#start] = value;
      return;
    }
    this.#last((this.#start -= varintLength(value)), value);
  }

  /** A varint of the two halves of 64 bits, 1 to 10 bytes. */
  #varint(lowHalf: number, highHalf: number): void {
    if (highHalf === 0) {
      this.#uint32(lowHalf);
      return;
    }
    if (this.#start < 10) this.#reserve(10);
    // Seven bits a byte: bits 0 to 27, bits 28 to 55, bits 56 to 63.
    const middle = ((lowHalf >>> 28) | (highHalf << 4)) & 0x0fff_ffff;
    const top = highHalf >>> 24;
    const length = top === 0 ? 4 + varintLength(middle) : top < 0x80 ? 9 : 10;
    let at = (this.#start -= length);
    at = this.#continued(at, lowHalf);
    if (top !== 0) {
      at = this.#continued(at, middle);
      this.#last(at, top);
    } else {
      this.#last(at, middle);
    }
  }

  /** The low 28 bits as four bytes with more to come. */
  #continued(at: number, bits: number): number {
    const chunk = this.#chunk;
    chunk[at] = (bits & 0x7f) | 0x80;
    chunk[at + 1] = ((bits >>> 7) & 0x7f) | 0x80;
    chunk[at + 2] = ((bits >>> 14) & 0x7f) | 0x80;
    chunk[at + 3] = ((bits >>> 21) & 0x7f) | 0x80;
    return at + 4;
  }

  /** The bytes that end a varint. */
  #last(start: number, value: number): void {
    const chunk = this.#chunk;
    let at = start;
    let rest = value >>> 0;
    while (rest >= 0x80) {
      chunk[at++] = (rest & 0x7f) | 0x80;
      rest >>>= 7;
    }
    chunk[at] = rest;
  }

  /** Makes room for so many bytes below `start`. */
  #reserve(count: number): void {
    if (this.#start >= count) return;
    const written = this.mark();
    const old = this.#chunk;
    const message = old.subarray(this.#start, this.#limit);
    const needed = written + count + 16;
    this.#replaceChunk(needed <= CHUNK_BYTES / 4 ? CHUNK_BYTES : Math.max(needed * 2, CHUNK_BYTES));
    this.#start -= written;
    this.#chunk.set(message, this.#start);
  }

  #replaceChunk(length: number): void {
    this.#chunk = new Uint8Array(length);
    this.#start = length;
    this.#limit = length;
  }
}

function varintLength(value: number): number {
  if (value < 0x80) return 1;
  if (value < 0x4000) return 2;
  if (value < 0x20_0000) return 3;
  return value < 0x1000_0000 ? 4 : 5;
}

/** Length in UTF-8; a lone surrogate counts as the U+FFFD that it becomes. */
function utf8Length(text: string): number {
  let length = text.length;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code < 0x80) continue;
    if (code < 0x800) {
      length += 1;
    } else if (code >= 0xd800 && code < 0xdc00 && isLowSurrogate(text.charCodeAt(i + 1))) {
      length += 2;
      i++;
    } else {
      length += 2;
    }
  }
  return length;
}

function isLowSurrogate(code: number): boolean {
  return code >= 0xdc00 && code < 0xe000;
}
