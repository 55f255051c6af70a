/**
 * The server's side of one HTTP/2 connection, as far as gRPC needs it (RFC 9113): bytes in, streams and bytes out.
 *
 * It knows no socket. node:http2 gives each stream the whole machinery of a Node stream, which costs more than all the
 * rest of a small call; here a call is a few numbers, and everything that a turn of the event loop has to say leaves in
 * one write.
 *
 * What always holds
 * - Whatever the client sends, it costs memory in proportion to what it may have on its way; beyond a named limit the
 *   connection ends with GOAWAY and a reason.
 * - Frames of one stream leave in order. No priority among streams but turns.
 */
import type { PingPolicy } from './ping-policy.ts';
import {
  DEFAULT_WINDOW_BYTES,
  ErrorCode,
  FrameType,
  Flag,
  Http2Error,
  MAX_WINDOW_BYTES,
  readUint32,
  Setting,
} from './frame.ts';
import { Http2FrameReader } from './frame-reader.ts';
import { Http2FrameWriter } from './frame-writer.ts';
import { type HeaderList, HpackDecoder, MAX_HEADER_LIST_BYTES } from './hpack.ts';
import { RateLimit } from './rate-limit.ts';
import { Http2Stream, type StreamTransport } from './stream.ts';

/** Bytes that a client may have on its way on one stream before the server has looked at them. */
export const STREAM_WINDOW_BYTES: number = 1 << 20;
/** The same for all streams of a connection together. */
export const CONNECTION_WINDOW_BYTES: number = 4 << 20;
/** Bytes of answers that wait for a client; beyond, it gets no new streams (REFUSED_STREAM). */
export const MAX_WAITING_BYTES: number = 64 << 20;
/** Bytes of DATA that a connection puts out at a time; more waits until these are with the socket. */
export const MAX_OUTPUT_BYTES: number = 256 * 1024;
/** Bytes of one header block before it is decoded; beyond: ENHANCE_YOUR_CALM. */
export const MAX_HEADER_BLOCK_BYTES: number = MAX_HEADER_LIST_BYTES;
/** Frames that one header block may be cut into; beyond: ENHANCE_YOUR_CALM. */
export const MAX_CONTINUATIONS = 32;
/** Streams that a client may reset at once, and a second in the long run; beyond: ENHANCE_YOUR_CALM. */
export const RESET_BURST = 1_000;
/** See {@link RESET_BURST}. */
export const RESETS_PER_SECOND = 100;
/** Frames that do nothing (SETTINGS, PRIORITY, empty DATA, unknown types), likewise. */
export const IDLE_FRAME_BURST = 10_000;
/** See {@link IDLE_FRAME_BURST}. */
export const IDLE_FRAMES_PER_SECOND = 1_000;

/** Who uses a connection. */
export interface ConnectionUser {
  /** A client has opened a stream; set its `user`. */
  onStream(stream: Http2Stream): void;
  /** There is something to send: call {@link Http2Connection.takeOutput} before long. */
  onOutput(): void;
  /** The connection is over, on purpose or not: send what there is, then hang up. */
  onFinished(): void;
}

/** What a connection may be told. */
export interface ConnectionOptions {
  /** Streams open at a time; one more is refused (REFUSED_STREAM). */
  readonly maxStreams: number;
  readonly pings: PingPolicy;
  readonly monotonicMs: () => number;
}

/** One connection; see the head of this file. */
export class Http2Connection {
  readonly #user: ConnectionUser;
  readonly #options: ConnectionOptions;
  readonly #reader: Http2FrameReader;
  readonly #writer = new Http2FrameWriter();
  readonly #hpack = new HpackDecoder();
  readonly #streams = new Map<number, Http2Stream>();
  readonly #blocked = new Set<Http2Stream>();
  readonly #transport: StreamTransport;
  readonly #resets: RateLimit;
  readonly #idleFrames: RateLimit;
  #lastStreamId = 0;
  /** Window that the client gives to each new stream. */
  #clientWindow = DEFAULT_WINDOW_BYTES;
  #sendWindow = DEFAULT_WINDOW_BYTES;
  #owedBytes = 0;
  #waitingBytes = 0;
  /** Bytes of DATA put out and not taken yet. */
  #outputBytes = 0;
  #isCongested = false;
  /** A header block whose CONTINUATION is to come. */
  #block:
    | { readonly streamId: number; readonly endsStream: boolean; bytes: Uint8Array; frames: number }
    | undefined;
  #hasSettings = false;
  /** `draining`: no new streams; `finished`: nothing more is read or said. */
  #state: 'open' | 'draining' | 'finished' = 'open';
  #outputAnnounced = false;

  constructor(user: ConnectionUser, options: ConnectionOptions) {
    this.#user = user;
    this.#options = options;
    const nowMs = options.monotonicMs();
    this.#resets = new RateLimit(RESET_BURST, RESETS_PER_SECOND, nowMs);
    this.#idleFrames = new RateLimit(IDLE_FRAME_BURST, IDLE_FRAMES_PER_SECOND, nowMs);
    this.#reader = new Http2FrameReader((type, flags, streamId, payload) =>
      this.#onFrame(type, flags, streamId, payload),
    );
    this.#transport = this.#makeTransport();
    this.#writer.settings([
      [Setting.MAX_CONCURRENT_STREAMS, options.maxStreams],
      [Setting.INITIAL_WINDOW_SIZE, STREAM_WINDOW_BYTES],
      [Setting.MAX_HEADER_LIST_SIZE, MAX_HEADER_LIST_BYTES],
    ]);
    this.#writer.word(FrameType.WINDOW_UPDATE, 0, CONNECTION_WINDOW_BYTES - DEFAULT_WINDOW_BYTES);
    this.#announceOutput();
  }

  /** Streams that are open. */
  get streamCount(): number {
    return this.#streams.size;
  }

  get isFinished(): boolean {
    return this.#state === 'finished';
  }

  /** Takes what the client has sent. Never throws for it: a client that breaks the rules is hung up on. */
  receive(chunk: Uint8Array): void {
    if (this.#state === 'finished') return;
    try {
      this.#reader.push(chunk);
    } catch (error) {
      if (!(error instanceof Http2Error)) throw error;
      this.#goAway(error.code, error.message);
      this.finish();
    }
  }

  /** What is to be sent now, in order. Say by {@link setCongested} what became of it. */
  takeOutput(): Uint8Array[] {
    this.#outputAnnounced = false;
    this.#outputBytes = 0;
    return this.#writer.take();
  }

  /** The socket takes no more for now, or takes more: then what waits goes on. */
  setCongested(isCongested: boolean): void {
    this.#isCongested = isCongested;
    if (!isCongested) this.#pumpBlocked();
  }

  /** Takes no new streams; finishes when those that are open have ended. */
  drain(): void {
    if (this.#state !== 'open') return;
    this.#state = 'draining';
    this.#goAway(ErrorCode.NO_ERROR, '');
    if (this.#streams.size === 0) this.finish();
  }

  /** Ends all streams and the connection at once. */
  finish(): void {
    if (this.#state === 'finished') return;
    this.#state = 'finished';
    for (const stream of this.#streams.values()) stream.close();
    this.#streams.clear();
    this.#blocked.clear();
    this.#user.onFinished();
  }

  #makeTransport(): StreamTransport {
    return {
      receiveWindowBytes: STREAM_WINDOW_BYTES,
      sendableBytes: () =>
        this.#isCongested ? 0 : Math.min(this.#sendWindow, MAX_OUTPUT_BYTES - this.#outputBytes),
      sendFrame: (type, flags, streamId, payload) => {
        this.#writer.frame(type, flags, streamId, payload);
        this.#options.pings.forgive();
        this.#announceOutput();
      },
      sendWindowUpdate: (streamId, bytes) => this.#word(FrameType.WINDOW_UPDATE, streamId, bytes),
      spend: (bytes) => {
        this.#sendWindow -= bytes;
        this.#outputBytes += bytes;
      },
      waiting: (bytes) => {
        this.#waitingBytes += bytes;
      },
      blocked: (stream) => this.#blocked.add(stream),
      ended: (stream) => this.#onEnded(stream),
    };
  }

  #onFrame(type: number, flags: number, streamId: number, payload: Uint8Array): void {
    if (this.#state === 'finished') return;
    if (
      this.#block !== undefined &&
      (type !== FrameType.CONTINUATION || streamId !== this.#block.streamId)
    ) {
      throw protocolError('another frame inside a header block');
    }
    if (!this.#hasSettings && type !== FrameType.SETTINGS) throw protocolError('no SETTINGS first');
    switch (type) {
      case FrameType.DATA:
        return this.#onData(flags, streamId, payload);
      case FrameType.HEADERS:
        return this.#onHeaders(flags, streamId, payload);
      case FrameType.RST_STREAM:
        return this.#onReset(streamId, payload);
      case FrameType.SETTINGS:
        return this.#onSettings(flags, streamId, payload);
      case FrameType.PUSH_PROMISE:
        throw protocolError('PUSH_PROMISE of a client');
      case FrameType.PING:
        return this.#onPing(flags, streamId, payload);
      case FrameType.GOAWAY:
        return;
      case FrameType.WINDOW_UPDATE:
        return this.#onWindowUpdate(streamId, payload);
      case FrameType.CONTINUATION:
        return this.#onContinuation(flags, payload);
      default:
        return this.#countIdleFrame();
    }
  }

  #onData(flags: number, streamId: number, payload: Uint8Array): void {
    this.#knownStream(streamId);
    this.#owedBytes += payload.length;
    if (this.#owedBytes > CONNECTION_WINDOW_BYTES) throw flowError('connection');
    if (this.#owedBytes * 2 >= CONNECTION_WINDOW_BYTES) {
      this.#word(FrameType.WINDOW_UPDATE, 0, this.#owedBytes);
      this.#owedBytes = 0;
    }
    const endsStream = (flags & Flag.END_STREAM) !== 0;
    const data = unpadded(flags, payload);
    if (data.length === 0 && !endsStream) this.#countIdleFrame();
    const stream = this.#streams.get(streamId);
    // A stream that has ended on our side may still have DATA on its way.
    if (stream === undefined) return;
    if (stream.isRemoteClosed)
      throw new Http2Error(ErrorCode.STREAM_CLOSED, 'DATA after END_STREAM');
    if (!stream.receive(data, payload.length)) throw flowError(`stream ${streamId}`);
    if (endsStream) this.#remoteClosed(stream);
  }

  #onHeaders(flags: number, streamId: number, payload: Uint8Array): void {
    if (streamId % 2 === 0) throw protocolError(`HEADERS on stream ${streamId}`);
    let block = unpadded(flags, payload);
    if ((flags & Flag.PRIORITY) !== 0) {
      if (block.length < 5)
        throw new Http2Error(ErrorCode.FRAME_SIZE_ERROR, 'HEADERS without priority');
      block = block.subarray(5);
    }
    const endsStream = (flags & Flag.END_STREAM) !== 0;
    if ((flags & Flag.END_HEADERS) !== 0) return this.#onBlock(streamId, endsStream, block);
    this.#block = { streamId, endsStream, bytes: new Uint8Array(block), frames: 0 };
  }

  #onContinuation(flags: number, payload: Uint8Array): void {
    const block = this.#block;
    if (block === undefined) throw protocolError('CONTINUATION without HEADERS');
    const length = block.bytes.length + payload.length;
    block.frames++;
    if (block.frames > MAX_CONTINUATIONS) {
      throw new Http2Error(ErrorCode.ENHANCE_YOUR_CALM, 'too many CONTINUATION frames');
    }
    if (length > MAX_HEADER_BLOCK_BYTES) {
      throw new Http2Error(
        ErrorCode.ENHANCE_YOUR_CALM,
        `header block larger than ${MAX_HEADER_BLOCK_BYTES} bytes`,
      );
    }
    const bytes = new Uint8Array(length);
    bytes.set(block.bytes);
    bytes.set(payload, block.bytes.length);
    block.bytes = bytes;
    if ((flags & Flag.END_HEADERS) === 0) return;
    this.#block = undefined;
    this.#onBlock(block.streamId, block.endsStream, bytes);
  }

  /** A whole header block. It is decoded whatever becomes of it, since it changes the table. */
  #onBlock(streamId: number, endsStream: boolean, block: Uint8Array): void {
    const headers = this.#hpack.decode(block);
    const known = this.#streams.get(streamId);
    if (known !== undefined) {
      if (!endsStream || known.isRemoteClosed) throw protocolError('HEADERS twice on one stream');
      return this.#remoteClosed(known);
    }
    // Trailers of a stream that has ended on our side meanwhile.
    if (streamId <= this.#lastStreamId) return;
    this.#lastStreamId = streamId;
    const isFull =
      this.#streams.size >= this.#options.maxStreams || this.#waitingBytes > MAX_WAITING_BYTES;
    if (this.#state !== 'open' || isFull) {
      return this.#word(FrameType.RST_STREAM, streamId, ErrorCode.REFUSED_STREAM);
    }
    this.#open(streamId, headers, endsStream);
  }

  #open(streamId: number, headers: HeaderList, endsStream: boolean): void {
    const stream = new Http2Stream(streamId, headers, this.#clientWindow, this.#transport);
    this.#streams.set(streamId, stream);
    this.#user.onStream(stream);
    if (endsStream) this.#remoteClosed(stream);
  }

  #remoteClosed(stream: Http2Stream): void {
    stream.isRemoteClosed = true;
    stream.user?.onEnd();
  }

  #onReset(streamId: number, payload: Uint8Array): void {
    if (payload.length !== 4)
      throw new Http2Error(ErrorCode.FRAME_SIZE_ERROR, 'RST_STREAM of odd length');
    this.#knownStream(streamId);
    if (!this.#resets.allows(this.#options.monotonicMs())) {
      throw new Http2Error(ErrorCode.ENHANCE_YOUR_CALM, 'too many resets');
    }
    const stream = this.#streams.get(streamId);
    if (stream !== undefined) this.#remove(stream);
  }

  #onSettings(flags: number, streamId: number, payload: Uint8Array): void {
    if (streamId !== 0) throw protocolError('SETTINGS on a stream');
    if ((flags & Flag.ACK) !== 0) return;
    if (payload.length % 6 !== 0)
      throw new Http2Error(ErrorCode.FRAME_SIZE_ERROR, 'SETTINGS of odd length');
    if (this.#hasSettings) this.#countIdleFrame();
    this.#hasSettings = true;
    for (let at = 0; at < payload.length; at += 6) {
      const identifier = ((payload[at] as number) << 8) | (payload[at + 1] as number);
      if (identifier === Setting.INITIAL_WINDOW_SIZE)
        this.#onInitialWindow(readUint32(payload, at + 2));
    }
    this.#writer.settings([]);
    this.#announceOutput();
  }

  #onInitialWindow(bytes: number): void {
    if (bytes > MAX_WINDOW_BYTES) throw flowError('SETTINGS_INITIAL_WINDOW_SIZE');
    const change = bytes - this.#clientWindow;
    this.#clientWindow = bytes;
    for (const stream of this.#streams.values()) {
      if (!stream.addSendWindow(change)) throw flowError(`stream ${stream.id}`);
    }
  }

  #onPing(flags: number, streamId: number, payload: Uint8Array): void {
    if (streamId !== 0) throw protocolError('PING on a stream');
    if (payload.length !== 8)
      throw new Http2Error(ErrorCode.FRAME_SIZE_ERROR, 'PING of odd length');
    if ((flags & Flag.ACK) !== 0) return;
    this.#writer.frame(FrameType.PING, Flag.ACK, 0, payload);
    this.#announceOutput();
    if (this.#options.pings.allows(this.#options.monotonicMs(), this.#streams.size > 0)) return;
    // The text is what gRPC clients look for; they then ping less often.
    throw new Http2Error(ErrorCode.ENHANCE_YOUR_CALM, 'too_many_pings');
  }

  #onWindowUpdate(streamId: number, payload: Uint8Array): void {
    if (payload.length !== 4)
      throw new Http2Error(ErrorCode.FRAME_SIZE_ERROR, 'WINDOW_UPDATE of odd length');
    const bytes = readUint32(payload, 0) & MAX_WINDOW_BYTES;
    if (bytes === 0) throw protocolError('WINDOW_UPDATE of 0');
    if (streamId !== 0) {
      this.#knownStream(streamId);
      const stream = this.#streams.get(streamId);
      if (stream !== undefined && !stream.addSendWindow(bytes))
        throw flowError(`stream ${streamId}`);
      return;
    }
    this.#sendWindow += bytes;
    if (this.#sendWindow > MAX_WINDOW_BYTES) throw flowError('connection');
    this.#pumpBlocked();
  }

  /** Streams that wait take turns: one that is blocked again goes to the end, those not reached stay in front. */
  #pumpBlocked(): void {
    const waiting = [...this.#blocked];
    for (const stream of waiting) {
      if (this.#transport.sendableBytes() <= 0) return;
      this.#blocked.delete(stream);
      stream.pump();
    }
  }

  /** A stream has sent its last frame. One that the client still sends on is ended for it too. */
  #onEnded(stream: Http2Stream): void {
    if (!stream.isRemoteClosed) this.#word(FrameType.RST_STREAM, stream.id, ErrorCode.NO_ERROR);
    this.#remove(stream);
  }

  #remove(stream: Http2Stream): void {
    this.#streams.delete(stream.id);
    this.#blocked.delete(stream);
    stream.close();
    if (this.#state === 'draining' && this.#streams.size === 0) this.finish();
  }

  /** @throws Http2Error PROTOCOL_ERROR for a stream that was never opened. */
  #knownStream(streamId: number): void {
    if (streamId === 0 || streamId > this.#lastStreamId || streamId % 2 === 0) {
      throw protocolError(`frame on stream ${streamId}, which was never opened`);
    }
  }

  #countIdleFrame(): void {
    if (this.#idleFrames.allows(this.#options.monotonicMs())) return;
    throw new Http2Error(ErrorCode.ENHANCE_YOUR_CALM, 'too many frames without effect');
  }

  #word(type: number, streamId: number, value: number): void {
    this.#writer.word(type, streamId, value);
    this.#announceOutput();
  }

  #goAway(code: number, text: string): void {
    const payload = new Uint8Array(8 + text.length);
    const view = new DataView(payload.buffer);
    view.setUint32(0, this.#lastStreamId);
    view.setUint32(4, code);
    for (let i = 0; i < text.length; i++) payload[8 + i] = text.charCodeAt(i);
    this.#writer.frame(FrameType.GOAWAY, 0, 0, payload);
    this.#announceOutput();
  }

  #announceOutput(): void {
    if (this.#outputAnnounced) return;
    this.#outputAnnounced = true;
    this.#user.onOutput();
  }
}

/** The payload without its padding. */
function unpadded(flags: number, payload: Uint8Array): Uint8Array {
  if ((flags & Flag.PADDED) === 0) return payload;
  const padding = payload[0] ?? 0;
  if (padding >= payload.length) throw protocolError('more padding than payload');
  return payload.subarray(1, payload.length - padding);
}

function protocolError(message: string): Http2Error {
  return new Http2Error(ErrorCode.PROTOCOL_ERROR, message);
}

function flowError(where: string): Http2Error {
  return new Http2Error(ErrorCode.FLOW_CONTROL_ERROR, `window of ${where}`);
}
