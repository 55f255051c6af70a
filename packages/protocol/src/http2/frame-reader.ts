import {
  ErrorCode,
  FRAME_HEADER_BYTES,
  Http2Error,
  MAX_FRAME_BYTES,
  PREFACE,
  readUint32,
} from './frame.ts';

/** Takes a whole frame. The payload is only valid during the call. */
export type OnFrame = (type: number, flags: number, streamId: number, payload: Uint8Array) => void;

/**
 * Cuts what the peer sends into frames, after its preface.
 *
 * Bounded: at most one frame is held back, and none larger than {@link MAX_FRAME_BYTES} is begun.
 */
export class Http2FrameReader {
  readonly #onFrame: OnFrame;
  /** Bytes of the preface that are still to come. */
  #prefaceLeft: number;
  readonly #header = new Uint8Array(FRAME_HEADER_BYTES);
  #headerBytes = 0;
  /** Payload of a frame that came in parts. */
  #payload: Uint8Array | undefined;
  #payloadBytes = 0;

  /** @param readsPreface The peer begins with {@link PREFACE}, as clients do. */
  constructor(readsPreface: boolean, onFrame: OnFrame) {
    this.#prefaceLeft = readsPreface ? PREFACE.length : 0;
    this.#onFrame = onFrame;
  }

  /** @throws Http2Error PROTOCOL_ERROR for another protocol, FRAME_SIZE_ERROR for a frame that is too large. */
  push(chunk: Uint8Array): void {
    let at = this.#prefaceLeft > 0 ? this.#preface(chunk) : 0;
    while (at < chunk.length) {
      if (this.#payload !== undefined) {
        at = this.#fillPayload(this.#payload, chunk, at);
      } else if (this.#headerBytes === 0 && chunk.length - at >= FRAME_HEADER_BYTES) {
        at = this.#frameInPlace(chunk, at);
      } else {
        at = this.#fillHeader(chunk, at);
      }
    }
  }

  #preface(chunk: Uint8Array): number {
    let at = 0;
    while (this.#prefaceLeft > 0 && at < chunk.length) {
      if (chunk[at] !== PREFACE[PREFACE.length - this.#prefaceLeft]) {
        throw new Http2Error(ErrorCode.PROTOCOL_ERROR, 'not HTTP/2');
      }
      at++;
      this.#prefaceLeft--;
    }
    return at;
  }

  /** A frame whose header lies in the chunk; its payload too, most of the time. */
  #frameInPlace(chunk: Uint8Array, at: number): number {
    const length = lengthOf(chunk, at);
    const start = at + FRAME_HEADER_BYTES;
    const end = start + length;
    if (end > chunk.length) {
      this.#header.set(chunk.subarray(at, start));
      this.#headerBytes = FRAME_HEADER_BYTES;
      this.#payload = new Uint8Array(length);
      return start;
    }
    this.#emit(chunk, at, chunk.subarray(start, end));
    return end;
  }

  #fillHeader(chunk: Uint8Array, from: number): number {
    let at = from;
    while (this.#headerBytes < FRAME_HEADER_BYTES && at < chunk.length) {
      this.#header[this.#headerBytes++] = chunk[at++] as number;
    }
    if (this.#headerBytes < FRAME_HEADER_BYTES) return at;
    this.#payload = new Uint8Array(lengthOf(this.#header, 0));
    this.#finishWhenFull();
    return at;
  }

  #fillPayload(payload: Uint8Array, chunk: Uint8Array, from: number): number {
    const count = Math.min(payload.length - this.#payloadBytes, chunk.length - from);
    payload.set(chunk.subarray(from, from + count), this.#payloadBytes);
    this.#payloadBytes += count;
    this.#finishWhenFull();
    return from + count;
  }

  #finishWhenFull(): void {
    const payload = this.#payload;
    if (payload === undefined || this.#payloadBytes < payload.length) return;
    this.#payload = undefined;
    this.#payloadBytes = 0;
    this.#headerBytes = 0;
    this.#emit(this.#header, 0, payload);
  }

  #emit(header: Uint8Array, at: number, payload: Uint8Array): void {
    const streamId = readUint32(header, at + 5) & 0x7fff_ffff;
    this.#onFrame(header[at + 3] as number, header[at + 4] as number, streamId, payload);
  }
}

function lengthOf(bytes: Uint8Array, at: number): number {
  const length =
    ((bytes[at] as number) << 16) | ((bytes[at + 1] as number) << 8) | (bytes[at + 2] as number);
  if (length > MAX_FRAME_BYTES) {
    throw new Http2Error(
      ErrorCode.FRAME_SIZE_ERROR,
      `frame of ${length} bytes (limit ${MAX_FRAME_BYTES})`,
    );
  }
  return length;
}
