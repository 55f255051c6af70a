import { FRAME_HEADER_BYTES, FrameType, Flag, MAX_FRAME_BYTES } from './frame.ts';

/** Size of the chunks that frames are put together in. */
const CHUNK_BYTES = 16 * 1024;

/** Payloads from this size on are not copied but sent as they are. */
const LARGE_PAYLOAD_BYTES = 2 * 1024;

/**
 * Puts frames together to be sent in one write.
 *
 * Invariant: what {@link take} has given is never written to again.
 */
export class Http2FrameWriter {
  #chunk: Uint8Array = new Uint8Array(CHUNK_BYTES);
  /** First byte of the chunk that was not taken yet. */
  #start = 0;
  /** First free byte of the chunk. */
  #end = 0;
  #parts: Uint8Array[] = [];

  get isEmpty(): boolean {
    return this.#parts.length === 0 && this.#start === this.#end;
  }

  /** All frames since the last time, in order. */
  take(): Uint8Array[] {
    this.#seal();
    const parts = this.#parts;
    this.#parts = [];
    return parts;
  }

  /** Bytes that are no frame: the preface. */
  raw(bytes: Uint8Array): void {
    this.#seal();
    this.#parts.push(bytes);
  }

  /** A frame with this payload. */
  frame(type: number, flags: number, streamId: number, payload: Uint8Array): void {
    this.#header(payload.length, type, flags, streamId);
    if (payload.length >= LARGE_PAYLOAD_BYTES) {
      this.#seal();
      this.#parts.push(payload);
      return;
    }
    this.#reserve(payload.length);
    this.#chunk.set(payload, this.#end);
    this.#end += payload.length;
  }

  /** A header block: one HEADERS frame, and what is too long for it in frames of CONTINUATION. */
  headers(flags: number, streamId: number, block: Uint8Array): void {
    let type: number = FrameType.HEADERS;
    let at = 0;
    for (; block.length - at > MAX_FRAME_BYTES; at += MAX_FRAME_BYTES) {
      const part = block.subarray(at, at + MAX_FRAME_BYTES);
      this.frame(type, at === 0 ? flags : 0, streamId, part);
      type = FrameType.CONTINUATION;
    }
    this.frame(type, (at === 0 ? flags : 0) | Flag.END_HEADERS, streamId, block.subarray(at));
  }

  /** A frame whose payload is one number of four bytes: RST_STREAM, WINDOW_UPDATE. */
  word(type: number, streamId: number, value: number): void {
    this.#header(4, type, 0, streamId);
    this.#uint32(value);
  }

  /** SETTINGS of these identifiers and values; none and ACK acknowledges the client's. */
  settings(settings: readonly (readonly [number, number])[]): void {
    this.#header(settings.length * 6, FrameType.SETTINGS, settings.length === 0 ? Flag.ACK : 0, 0);
    for (const [identifier, value] of settings) {
      this.#reserve(6);
      this.#chunk[this.#end++] = identifier >>> 8;
      this.#chunk[this.#end++] = identifier;
      this.#uint32(value);
    }
  }

  /** GOAWAY: no stream above this one was looked at, and why. */
  goAway(lastStreamId: number, code: number, text: string): void {
    const payload = new Uint8Array(8 + text.length);
    const view = new DataView(payload.buffer);
    view.setUint32(0, lastStreamId);
    view.setUint32(4, code);
    for (let i = 0; i < text.length; i++) payload[8 + i] = text.charCodeAt(i);
    this.frame(FrameType.GOAWAY, 0, 0, payload);
  }

  #header(length: number, type: number, flags: number, streamId: number): void {
    this.#reserve(FRAME_HEADER_BYTES);
    const chunk = this.#chunk;
    let at = this.#end;
    chunk[at++] = length >>> 16;
    chunk[at++] = length >>> 8;
    chunk[at++] = length;
    chunk[at++] = type;
    chunk[at++] = flags;
    this.#end = at;
    this.#uint32(streamId);
  }

  #uint32(value: number): void {
    this.#reserve(4);
    const chunk = this.#chunk;
    let at = this.#end;
    chunk[at++] = value >>> 24;
    chunk[at++] = value >>> 16;
    chunk[at++] = value >>> 8;
    chunk[at++] = value;
    this.#end = at;
  }

  #reserve(count: number): void {
    if (this.#end + count <= CHUNK_BYTES) return;
    this.#seal();
    this.#chunk = new Uint8Array(CHUNK_BYTES);
    this.#start = 0;
    this.#end = 0;
  }

  /** What the chunk holds becomes a part; the rest of the chunk is used on. */
  #seal(): void {
    if (this.#end > this.#start) this.#parts.push(this.#chunk.subarray(this.#start, this.#end));
    this.#start = this.#end;
  }
}
