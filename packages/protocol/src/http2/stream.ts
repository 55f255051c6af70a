import { FrameType, Flag, MAX_FRAME_BYTES, MAX_WINDOW_BYTES } from './frame.ts';
import type { HeaderList } from './hpack.ts';

/** Bytes that wait on one stream before its sender is told to wait. */
export const STREAM_HIGH_WATER_BYTES: number = 64 * 1024;

/** What a stream needs of its connection. */
export interface StreamTransport {
  /** Bytes that may be sent now: the connection's window, or none while its socket is congested. */
  sendableBytes(): number;
  /** Bytes that the client may have on its way on one stream. */
  readonly receiveWindowBytes: number;
  sendFrame(type: number, flags: number, streamId: number, payload: Uint8Array): void;
  /** Sends a header block, however long it is. */
  sendHeaders(flags: number, streamId: number, block: Uint8Array): void;
  sendWindowUpdate(streamId: number, bytes: number): void;
  /** Counts bytes of DATA against the connection's window. */
  spend(bytes: number): void;
  /** Counts what waits on all streams. */
  waiting(bytes: number): void;
  /** The stream has bytes that wait for windows or the socket. */
  blocked(stream: Http2Stream): void;
  /** The stream is over on our side. */
  ended(stream: Http2Stream): void;
  /** Tells the peer that the stream is broken off, and forgets it. */
  reset(stream: Http2Stream, code: number): void;
}

/** Who serves a stream. */
export interface StreamUser {
  /** Bytes came; only valid during the call. */
  onData(bytes: Uint8Array): void;
  /** The client will send no more. */
  onEnd(): void;
  /** There is room again after {@link Http2Stream.write} said that there was none. */
  onDrain(): void;
  /** The stream is over, however; `resetCode` when the peer has reset it. Called once, last. */
  onClose(resetCode?: number): void;
  /** Headers came, of the response or after it. Only for clients. */
  onHeaders?(headers: HeaderList): void;
}

const NOTHING = new Uint8Array(0);

/**
 * One stream: one gRPC call.
 *
 * Invariants
 * - What was written leaves in order, then the trailers, then nothing.
 * - No more DATA leaves than the windows of stream and connection allow.
 * - Nothing that waits is empty: an empty piece could never be sent and would hold up what follows.
 */
export class Http2Stream {
  readonly id: number;
  readonly headers: HeaderList;
  user: StreamUser | undefined;
  isRemoteClosed = false;
  #transport: StreamTransport;
  #sendWindow: number;
  /** Bytes received that the client was not given back yet. */
  #owedBytes = 0;
  #isPaused = false;
  #waiting: Uint8Array[] = [];
  #waitingBytes = 0;
  #trailers: Uint8Array | undefined;
  /** Our side ends with its data, without trailers, as a client's does. */
  #endsWithData = false;
  #hasEnded = false;
  #hasRespondedHeaders = false;
  #isClosed = false;
  #wantsDrain = false;

  constructor(id: number, headers: HeaderList, sendWindow: number, transport: StreamTransport) {
    this.id = id;
    this.headers = headers;
    this.#sendWindow = sendWindow;
    this.#transport = transport;
  }

  /** Nothing can be sent any more. */
  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** Our side has sent its last frame. */
  get hasEnded(): boolean {
    return this.#hasEnded;
  }

  get hasSentHeaders(): boolean {
    return this.#hasRespondedHeaders;
  }

  /** {@link write} has said that there is no room, and there is none yet. */
  get needsDrain(): boolean {
    return this.#wantsDrain && !this.#isClosed;
  }

  /** Sends the headers of the response. */
  respond(block: Uint8Array): void {
    if (this.#isClosed || this.#hasRespondedHeaders) return;
    this.#hasRespondedHeaders = true;
    this.#transport.sendHeaders(0, this.id, block);
  }

  /** Sends bytes, or keeps them until there is room. False: enough for now, wait for `onDrain`. */
  write(bytes: Uint8Array): boolean {
    if (this.#isClosed || this.#hasEnded) return false;
    if (bytes.length === 0) return !this.#wantsDrain;
    if (this.#waitingBytes === 0 && bytes.length <= this.#sendableBytes()) {
      this.#send(bytes);
      return true;
    }
    this.#waiting.push(bytes);
    this.#waitingBytes += bytes.length;
    this.#transport.waiting(bytes.length);
    this.pump();
    this.#wantsDrain =
      this.#waitingBytes >= STREAM_HIGH_WATER_BYTES || this.#transport.sendableBytes() <= 0;
    return !this.#wantsDrain;
  }

  /** Ends the stream with trailers, after what waits. Without headers before them they are the whole response. */
  end(trailers: Uint8Array): void {
    if (this.#isClosed || this.#trailers !== undefined) return;
    this.#hasRespondedHeaders = true;
    this.#trailers = trailers;
    if (this.#waitingBytes === 0) this.#finish();
  }

  /** Sends the last bytes; nothing may follow. */
  writeLast(bytes: Uint8Array): void {
    if (this.#isClosed || this.#hasEnded || this.#endsWithData) return;
    if (this.#waitingBytes === 0 && bytes.length > 0 && bytes.length <= this.#sendableBytes()) {
      this.#hasEnded = true;
      this.#send(bytes, Flag.END_STREAM);
      this.#transport.ended(this);
      return;
    }
    if (bytes.length > 0) this.write(bytes);
    this.#endsWithData = true;
    if (this.#waitingBytes === 0) this.#finish();
  }

  /** Breaks the stream off: its peer must not take what came for all there is. `code` is an {@link ErrorCode}. */
  reset(code: number): void {
    if (!this.#isClosed) this.#transport.reset(this, code);
  }

  /** Sends what waits, as far as windows and socket allow. */
  pump(): void {
    while (this.#waitingBytes > 0) {
      const first = this.#waiting[0] ?? NOTHING;
      const count = Math.min(first.length, this.#sendableBytes());
      if (count === 0) return this.#transport.blocked(this);
      if (count === first.length) this.#waiting.shift();
      else this.#waiting[0] = first.subarray(count);
      this.#waitingBytes -= count;
      this.#transport.waiting(-count);
      this.#send(first.subarray(0, count));
    }
    if (this.#trailers !== undefined || this.#endsWithData) this.#finish();
    else if (this.#wantsDrain) {
      this.#wantsDrain = false;
      this.user?.onDrain();
    }
  }

  /** Keeps the client from sending more than its window. */
  pause(): void {
    this.#isPaused = true;
  }

  resume(): void {
    this.#isPaused = false;
    this.#giveBack();
  }

  /** The client has widened or narrowed the window. False: beyond the largest there is. */
  addSendWindow(bytes: number): boolean {
    this.#sendWindow += bytes;
    if (this.#sendWindow > MAX_WINDOW_BYTES) return false;
    if (bytes > 0 && this.#waitingBytes > 0) this.pump();
    return true;
  }

  /** DATA has come; `windowBytes` counts its padding too. False: more than the window. */
  receive(bytes: Uint8Array, windowBytes: number): boolean {
    this.#owedBytes += windowBytes;
    if (this.#owedBytes > this.#transport.receiveWindowBytes) return false;
    if (bytes.length > 0) this.user?.onData(bytes);
    if (!this.#isPaused) this.#giveBack();
    return true;
  }

  /** The stream is gone: reset, or lost with its connection, or ended. */
  close(resetCode?: number): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#transport.waiting(-this.#waitingBytes);
    this.#waiting = [];
    this.#waitingBytes = 0;
    this.user?.onClose(resetCode);
  }

  /** Half the window is owed: time to give it back. Less is not worth a frame. */
  #giveBack(): void {
    const { receiveWindowBytes } = this.#transport;
    if (this.#owedBytes * 2 < receiveWindowBytes || this.isRemoteClosed || this.#isClosed) return;
    this.#transport.sendWindowUpdate(this.id, this.#owedBytes);
    this.#owedBytes = 0;
  }

  #sendableBytes(): number {
    return Math.max(0, Math.min(this.#sendWindow, this.#transport.sendableBytes()));
  }

  /** Sends DATA; `lastFlags` go with its last frame. */
  #send(bytes: Uint8Array, lastFlags = 0): void {
    this.#sendWindow -= bytes.length;
    this.#transport.spend(bytes.length);
    for (let at = 0; at < bytes.length; at += MAX_FRAME_BYTES) {
      const end = Math.min(at + MAX_FRAME_BYTES, bytes.length);
      const part = at === 0 && end === bytes.length ? bytes : bytes.subarray(at, end);
      const flags = end === bytes.length ? lastFlags : 0;
      this.#transport.sendFrame(FrameType.DATA, flags, this.id, part);
    }
  }

  #finish(): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    if (this.#trailers === undefined) {
      this.#transport.sendFrame(FrameType.DATA, Flag.END_STREAM, this.id, NOTHING);
    } else {
      this.#transport.sendHeaders(Flag.END_STREAM, this.id, this.#trailers);
    }
    this.#transport.ended(this);
  }
}
