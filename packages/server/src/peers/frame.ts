/**
 * Frames on a peer connection: length and CRC-32C of the payload, both 32 bits big-endian, then the payload.
 *
 * TCP has a checksum of its own; this one also covers whatever stands between two sockets, and catches a reader that
 * has lost its place.
 */
import { concatBytes, crc32c, EMPTY_BYTES } from '@etcd-ts/base';

/** Length and checksum. */
export const FRAME_HEADER_BYTES = 8;

/** A longer frame breaks the connection off; whoever makes one larger drops it. */
export const MAX_FRAME_BYTES: number = 128 * 1024 * 1024;

/** What makes a connection unusable. */
export class FrameError extends Error {
  override readonly name = 'FrameError';
}

/** Header and payload, as two parts of one write. */
export function frameHeader(payload: Uint8Array): Uint8Array {
  const header = new Uint8Array(FRAME_HEADER_BYTES);
  const view = new DataView(header.buffer);
  view.setUint32(0, payload.length);
  view.setUint32(4, crc32c(payload));
  return header;
}

/** Cuts a byte stream into payloads. */
export class FrameReader {
  #parts: Uint8Array[] = [];
  #length = 0;

  /**
   * Takes what came in.
   *
   * @returns The payloads that are now whole, in order; they may share memory with what came in.
   * @throws FrameError when a length is beyond the limit or a checksum does not match.
   */
  push(bytes: Uint8Array): readonly Uint8Array[] {
    this.#parts.push(bytes);
    this.#length += bytes.length;
    if (this.#length < this.#needed()) return [];
    let rest = this.#parts.length === 1 ? bytes : concatBytes(this.#parts);
    const payloads: Uint8Array[] = [];
    for (;;) {
      const end = frameEnd(rest);
      if (end === undefined || rest.length < end) break;
      payloads.push(verified(rest, end));
      rest = rest.subarray(end);
    }
    this.#parts = rest.length === 0 ? [] : [rest];
    this.#length = rest.length;
    return payloads;
  }

  /** Bytes that must be there before it is worth looking: so that a long frame is put together once. */
  #needed(): number {
    const first = this.#parts[0] ?? EMPTY_BYTES;
    return frameEnd(first) ?? FRAME_HEADER_BYTES;
  }
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** Where the first frame ends; undefined while its length is not there. */
function frameEnd(bytes: Uint8Array): number | undefined {
  if (bytes.length < FRAME_HEADER_BYTES) return undefined;
  const length = viewOf(bytes).getUint32(0);
  if (length > MAX_FRAME_BYTES) {
    throw new FrameError(`a frame of ${length} bytes, the limit is ${MAX_FRAME_BYTES}`);
  }
  return FRAME_HEADER_BYTES + length;
}

function verified(bytes: Uint8Array, end: number): Uint8Array {
  const payload = bytes.subarray(FRAME_HEADER_BYTES, end);
  const expected = viewOf(bytes).getUint32(4);
  const actual = crc32c(payload);
  if (expected !== actual) {
    throw new FrameError(`a frame's checksum is ${actual}, its header says ${expected}`);
  }
  return payload;
}
