/**
 * Reads the protobuf wire format (https://protobuf.dev/programming-guides/encoding/).
 *
 * Invariant: 0 ≤ position ≤ end ≤ bytes.length, and nothing outside [position, end) of the message being read is looked
 * at. Whatever the bytes are, reading ends: each step consumes at least one byte or throws DecodeError, and allocates
 * in proportion to what it consumes.
 */
import { EMPTY_BYTES } from '@etcd-ts/base';
import { DecodeError } from './decode-error.ts';
import { halves, signed, unsigned } from './word64.ts';

/** Messages inside messages that are read; one more is a DecodeError. Keeps hostile nesting off the call stack. */
export const MAX_NESTING_DEPTH = 1000;

/** Strings up to this many bytes are read byte by byte, which beats TextDecoder for short text. */
const SHORT_STRING_BYTES = 24;

const HIGH_HALF = 0x1_0000_0000;
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** Reads one message, and those inside it. */
export class Reader {
  /** Next byte to read. */
  position = 0;
  /** First byte after the message being read. */
  end: number;
  readonly #bytes: Uint8Array;
  #depth = 0;
  /** Halves of the varint read last. */
  #low = 0;
  #high = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.end = bytes.length;
  }

  /** Tag of the next field: field number × 8 + wire type. */
  tag(): number {
    const bytes = this.#bytes;
    const first = bytes[this.position] as number;
    if (first < 0x80 && first >= 8) {
      this.position++;
      return first;
    }
    const tag = this.uint32();
    if (tag < 8 || this.#high !== 0) throw this.#error(`illegal tag ${tag}`);
    return tag;
  }

  bool(): boolean {
    this.#varint();
    return (this.#low | this.#high) !== 0;
  }

  /** An enum's number; unknown ones are kept. */
  enum(): number {
    this.#varint();
    return this.#low | 0;
  }

  uint32(): number {
    this.#varint();
    return this.#low >>> 0;
  }

  /** Exact up to 2^53 in size; beyond that the nearest number. */
  int64(): number {
    this.#varint();
    return (this.#high | 0) * HIGH_HALF + (this.#low >>> 0);
  }

  /** Exact up to 2^53; beyond that the nearest number. */
  uint64(): number {
    this.#varint();
    return (this.#high >>> 0) * HIGH_HALF + (this.#low >>> 0);
  }

  int64Id(): bigint {
    this.#varint();
    if ((this.#low | this.#high) === 0) return 0n;
    halves[0] = this.#low;
    halves[1] = this.#high;
    return signed[0] as bigint;
  }

  uint64Id(): bigint {
    this.#varint();
    if ((this.#low | this.#high) === 0) return 0n;
    halves[0] = this.#low;
    halves[1] = this.#high;
    return unsigned[0] as bigint;
  }

  /** A view of the bytes, not a copy. */
  bytes(): Uint8Array {
    const length = this.#length();
    if (length === 0) return EMPTY_BYTES;
    const bytes = this.#bytes;
    const view = new Uint8Array(bytes.buffer, bytes.byteOffset + this.position, length);
    this.position += length;
    return view;
  }

  string(): string {
    const length = this.#length();
    if (length === 0) return '';
    const start = this.position;
    const end = start + length;
    this.position = end;
    const bytes = this.#bytes;
    if (length <= SHORT_STRING_BYTES) {
      let text = '';
      let at = start;
      for (; at < end; at++) {
        const code = bytes[at] as number;
        if (code >= 0x80) break;
        text += String.fromCharCode(code);
      }
      if (at === end) return text;
    }
    try {
      return utf8.decode(bytes.subarray(start, end));
    } catch {
      throw new DecodeError('string is not UTF-8', start);
    }
  }

  /** Steps into a message; returns what {@link leave} needs. */
  enter(): number {
    const length = this.#length();
    if (++this.#depth > MAX_NESTING_DEPTH) {
      throw this.#error(`messages nested deeper than ${MAX_NESTING_DEPTH}`);
    }
    const outerEnd = this.end;
    this.end = this.position + length;
    return outerEnd;
  }

  /** Steps out of a message that was read to its end. */
  leave(outerEnd: number): void {
    this.#depth--;
    this.end = outerEnd;
  }

  /** Passes over a field that this version does not know. */
  skip(tag: number): void {
    switch (tag & 7) {
      case 0:
        this.#varint();
        return;
      case 1:
        this.#advance(8);
        return;
      case 2: {
        const length = this.#length();
        this.position += length;
        return;
      }
      case 3:
        this.#skipGroup(tag);
        return;
      case 5:
        this.#advance(4);
        return;
      default:
        throw this.#error(`illegal wire type ${tag & 7}`);
    }
  }

  #skipGroup(tag: number): void {
    if (++this.#depth > MAX_NESTING_DEPTH) {
      throw this.#error(`messages nested deeper than ${MAX_NESTING_DEPTH}`);
    }
    for (;;) {
      if (this.position >= this.end) throw this.#error('unexpected EOF');
      const inner = this.tag();
      if ((inner & 7) === 4) {
        if (inner >>> 3 !== tag >>> 3) throw this.#error('group ends with another field number');
        this.#depth--;
        return;
      }
      this.skip(inner);
    }
  }

  #advance(count: number): void {
    if (count > this.end - this.position) throw this.#error('unexpected EOF');
    this.position += count;
  }

  /** A length that fits into the message. */
  #length(): number {
    const first = this.position < this.end ? (this.#bytes[this.position] as number) : 0x80;
    let length = first;
    if (first < 0x80) {
      this.position++;
    } else {
      length = this.uint64();
    }
    if (length > this.end - this.position) throw this.#error(`unexpected EOF: length ${length}`);
    return length;
  }

  /** Reads 1 to 10 bytes into the two halves. */
  #varint(): void {
    const bytes = this.#bytes;
    const end = this.end;
    let at = this.position;
    let low = 0;
    let high = 0;
    for (let shift = 0; shift < 70; shift += 7) {
      if (at >= end) throw this.#error('unexpected EOF');
      const byte = bytes[at++] as number;
      const bits = byte & 0x7f;
      if (shift < 28) {
        low |= bits << shift;
      } else if (shift === 28) {
        low |= bits << 28;
        high = bits >>> 4;
      } else {
        high |= bits << (shift - 32);
      }
      if (byte < 0x80) {
        this.position = at;
        this.#low = low;
        this.#high = high;
        return;
      }
    }
    throw this.#error('varint longer than 10 bytes');
  }

  #error(what: string): DecodeError {
    return new DecodeError(what, this.position);
  }
}
