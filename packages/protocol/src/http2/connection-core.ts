/**
 * What both sides of an HTTP/2 connection do alike (RFC 9113): frames, flow control, settings, header blocks.
 *
 * It knows no socket, and not what a stream is for: bytes come in, the {@link Http2Role} hears of headers and streams
 * of data, bytes go out. Everything that a turn of the event loop has to say leaves in one write.
 *
 * What always holds
 * - Whatever the peer sends, it costs memory in proportion to what it may have on its way; beyond a named limit the
 *   connection ends with GOAWAY and a reason.
 * - Frames of one stream leave in order. No priority among streams but turns.
 */
import {
  checkSetting,
  DEFAULT_WINDOW_BYTES,
  ErrorCode,
  FrameType,
  Flag,
  Http2Error,
  MAX_WINDOW_BYTES,
  readUint32,
  Setting,
  unpadded,
} from './frame.ts';
import { Http2FrameReader } from './frame-reader.ts';
import { Http2FrameWriter } from './frame-writer.ts';
import { type HeaderList, HpackDecoder, MAX_HEADER_LIST_BYTES } from './hpack.ts';
import { IdleFrames } from './idle-frames.ts';
import { Http2Stream, type StreamTransport } from './stream.ts';

/** Bytes that the peer may have on its way on one stream before we have looked at them. */
export const STREAM_WINDOW_BYTES: number = 1 << 20;
/** The same for all streams of a connection together. */
export const CONNECTION_WINDOW_BYTES: number = 4 << 20;
/** Bytes of DATA that a connection puts out at a time; more waits until these are with the socket. */
export const MAX_OUTPUT_BYTES: number = 256 * 1024;
/** Bytes of one header block before it is decoded; beyond: ENHANCE_YOUR_CALM. */
export const MAX_HEADER_BLOCK_BYTES: number = MAX_HEADER_LIST_BYTES;
/** Frames that one header block may be cut into; beyond: ENHANCE_YOUR_CALM. */
export const MAX_CONTINUATIONS = 32;
/** Bytes of a GOAWAY's text that are looked at. */
const MAX_GOAWAY_TEXT_BYTES = 256;

/** What server and client do differently. What throws an Http2Error ends the connection with it. */
export interface Http2Role {
  /** Whether the peer begins with the preface, as clients do. */
  readonly readsPreface: boolean;
  /** Settings that we send, besides those of {@link Http2Core} itself. */
  readonly settings: readonly (readonly [number, number])[];
  /** A whole header block of a stream. */
  onHeaders(streamId: number, headers: HeaderList, endsStream: boolean): void;
  /** The peer has ended its side of a stream. */
  onRemoteEnd(stream: Http2Stream): void;
  /** We have sent the last frame of a stream. */
  onLocalEnd(stream: Http2Stream): void;
  /** The peer has reset a stream: one that is open, and is removed after this call, or one that has ended already. */
  onReset(isOpen: boolean): void;
  onPing(): void;
  onPingAck(): void;
  /** The peer takes no new streams; those above `lastStreamId` were not looked at. */
  onGoAway(lastStreamId: number, code: number, text: string): void;
  onSetting(identifier: number, value: number): void;
  /** The peer's settings were taken; the first time, the connection may be used. */
  onSettings(): void;
  /** A frame of a stream was put out. */
  onSent(): void;
  /** A stream is gone. */
  onRemoved(): void;
  /** There is something to send: take it before long. */
  onOutput(): void;
  /** The connection is over: send what there is, then hang up. */
  onFinished(): void;
}

/** The part of a connection that both sides share. */
export class Http2Core {
  readonly streams: Map<number, Http2Stream> = new Map<number, Http2Stream>();
  /** The highest id of a stream that was opened. */
  lastStreamId = 0;
  isFinished = false;
  /** Bytes of DATA that wait on all streams. */
  waitingBytes = 0;
  readonly #role: Http2Role;
  readonly #reader: Http2FrameReader;
  readonly #writer = new Http2FrameWriter();
  readonly #hpack = new HpackDecoder();
  readonly #blocked = new Set<Http2Stream>();
  readonly #transport: StreamTransport;
  readonly #idleFrames: IdleFrames;
  /** Window that the peer gives to each new stream. */
  #peerWindow = DEFAULT_WINDOW_BYTES;
  #sendWindow = DEFAULT_WINDOW_BYTES;
  #owedBytes = 0;
  /** Bytes of DATA put out and not taken yet. */
  #outputBytes = 0;
  #isCongested = false;
  /** A header block whose CONTINUATION is to come. */
  #block:
    | { readonly streamId: number; readonly endsStream: boolean; bytes: Uint8Array; frames: number }
    | undefined;
  #hasSettings = false;
  #outputAnnounced = false;

  constructor(role: Http2Role, monotonicMs: () => number) {
    this.#role = role;
    this.#idleFrames = new IdleFrames(monotonicMs);
    this.#reader = new Http2FrameReader(role.readsPreface, (type, flags, streamId, payload) =>
      this.#onFrame(type, flags, streamId, payload),
    );
    this.#transport = this.#makeTransport();
  }

  /** Our settings, and a wide window for the connection: what each side says first. */
  greet(preface?: Uint8Array): void {
    if (preface !== undefined) this.#writer.raw(preface);
    this.#writer.settings([
      ...this.#role.settings,
      [Setting.INITIAL_WINDOW_SIZE, STREAM_WINDOW_BYTES],
      [Setting.MAX_HEADER_LIST_SIZE, MAX_HEADER_LIST_BYTES],
    ]);
    this.word(FrameType.WINDOW_UPDATE, 0, CONNECTION_WINDOW_BYTES - DEFAULT_WINDOW_BYTES);
  }

  /** Takes what the peer has sent. Never throws for it: a peer that breaks the rules is hung up on. */
  receive(chunk: Uint8Array): void {
    if (this.isFinished) return;
    try {
      this.#reader.push(chunk);
    } catch (error) {
      if (!(error instanceof Http2Error)) throw error;
      this.goAway(error.code, error.message);
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

  /** Ends all streams and the connection at once. */
  finish(): void {
    if (this.isFinished) return;
    this.isFinished = true;
    for (const stream of this.streams.values()) stream.close();
    this.streams.clear();
    this.#blocked.clear();
    this.#role.onFinished();
  }

  /** Makes a stream known. */
  open(streamId: number, headers: HeaderList): Http2Stream {
    this.lastStreamId = streamId;
    const stream = new Http2Stream(streamId, headers, this.#peerWindow, this.#transport);
    this.streams.set(streamId, stream);
    return stream;
  }

  /** Forgets a stream that is over. */
  remove(stream: Http2Stream, resetCode?: number): void {
    this.streams.delete(stream.id);
    this.#blocked.delete(stream);
    stream.close(resetCode);
    this.#role.onRemoved();
  }

  /** The peer will send no more on a stream. */
  remoteClosed(stream: Http2Stream): void {
    stream.isRemoteClosed = true;
    stream.user?.onEnd();
    this.#role.onRemoteEnd(stream);
  }

  /** Sends a frame whose payload is one number. */
  word(type: number, streamId: number, value: number): void {
    this.#writer.word(type, streamId, value);
    this.#announceOutput();
  }

  /** Asks for a sign of life. */
  ping(): void {
    this.#writer.frame(FrameType.PING, 0, 0, new Uint8Array(8));
    this.#announceOutput();
  }

  /** Says that no new streams are taken, and why. */
  goAway(code: number, text: string): void {
    this.#writer.goAway(this.lastStreamId, code, text);
    this.#announceOutput();
  }

  #makeTransport(): StreamTransport {
    return {
      receiveWindowBytes: STREAM_WINDOW_BYTES,
      sendableBytes: () =>
        this.#isCongested ? 0 : Math.min(this.#sendWindow, MAX_OUTPUT_BYTES - this.#outputBytes),
      sendFrame: (type, flags, streamId, payload) => {
        this.#writer.frame(type, flags, streamId, payload);
        this.#role.onSent();
        this.#announceOutput();
      },
      sendHeaders: (flags, streamId, block) => {
        this.#writer.headers(flags, streamId, block);
        this.#role.onSent();
        this.#announceOutput();
      },
      sendWindowUpdate: (streamId, bytes) => this.word(FrameType.WINDOW_UPDATE, streamId, bytes),
      spend: (bytes) => {
        this.#sendWindow -= bytes;
        this.#outputBytes += bytes;
        this.#idleFrames.sent(bytes);
      },
      waiting: (bytes) => {
        this.waitingBytes += bytes;
      },
      blocked: (stream) => this.#blocked.add(stream),
      ended: (stream) => this.#role.onLocalEnd(stream),
      reset: (stream, code) => {
        this.word(FrameType.RST_STREAM, stream.id, code);
        this.remove(stream);
      },
    };
  }

  #onFrame(type: number, flags: number, streamId: number, payload: Uint8Array): void {
    if (this.isFinished) return;
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
      case FrameType.PRIORITY:
        return this.#onPriority(streamId, payload);
      case FrameType.RST_STREAM:
        return this.#onReset(streamId, payload);
      case FrameType.SETTINGS:
        return this.#onSettings(flags, streamId, payload);
      case FrameType.PUSH_PROMISE:
        throw protocolError('PUSH_PROMISE, which nobody allowed');
      case FrameType.PING:
        return this.#onPing(flags, streamId, payload);
      case FrameType.GOAWAY:
        return this.#onGoAway(streamId, payload);
      case FrameType.WINDOW_UPDATE:
        return this.#onWindowUpdate(streamId, payload);
      case FrameType.CONTINUATION:
        return this.#onContinuation(flags, payload);
      default:
        return this.#idleFrames.count();
    }
  }

  #onData(flags: number, streamId: number, payload: Uint8Array): void {
    this.#knownStream(streamId);
    this.#owedBytes += payload.length;
    if (this.#owedBytes > CONNECTION_WINDOW_BYTES) throw flowError('connection');
    if (this.#owedBytes * 2 >= CONNECTION_WINDOW_BYTES) {
      this.word(FrameType.WINDOW_UPDATE, 0, this.#owedBytes);
      this.#owedBytes = 0;
    }
    const endsStream = (flags & Flag.END_STREAM) !== 0;
    const data = unpadded(flags, payload);
    if (data.length === 0 && !endsStream) this.#idleFrames.count();
    const stream = this.streams.get(streamId);
    // A stream that is over for us may still have DATA on its way.
    if (stream === undefined) return;
    if (stream.isRemoteClosed)
      throw new Http2Error(ErrorCode.STREAM_CLOSED, 'DATA after END_STREAM');
    if (!stream.receive(data, payload.length)) throw flowError(`stream ${streamId}`);
    if (endsStream) this.remoteClosed(stream);
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
    this.#role.onHeaders(streamId, this.#hpack.decode(block), endsStream);
  }

  #onReset(streamId: number, payload: Uint8Array): void {
    if (payload.length !== 4)
      throw new Http2Error(ErrorCode.FRAME_SIZE_ERROR, 'RST_STREAM of odd length');
    this.#knownStream(streamId);
    const stream = this.streams.get(streamId);
    this.#role.onReset(stream !== undefined);
    if (stream !== undefined) this.remove(stream, readUint32(payload, 0));
  }

  /** Priorities are not heeded, as RFC 9113 allows. */
  #onPriority(streamId: number, payload: Uint8Array): void {
    if (streamId === 0) throw protocolError('PRIORITY on the connection');
    if (payload.length !== 5)
      throw new Http2Error(ErrorCode.FRAME_SIZE_ERROR, 'PRIORITY of odd length');
    this.#idleFrames.count();
  }

  #onGoAway(streamId: number, payload: Uint8Array): void {
    if (streamId !== 0) throw protocolError('GOAWAY on a stream');
    if (payload.length < 8)
      throw new Http2Error(ErrorCode.FRAME_SIZE_ERROR, 'GOAWAY that is too short');
    let text = '';
    for (const byte of payload.subarray(8, 8 + MAX_GOAWAY_TEXT_BYTES))
      text += String.fromCharCode(byte);
    this.#role.onGoAway(readUint32(payload, 0) & MAX_WINDOW_BYTES, readUint32(payload, 4), text);
  }

  #onSettings(flags: number, streamId: number, payload: Uint8Array): void {
    if (streamId !== 0) throw protocolError('SETTINGS on a stream');
    if ((flags & Flag.ACK) !== 0) {
      if (payload.length === 0) return;
      throw new Http2Error(ErrorCode.FRAME_SIZE_ERROR, 'SETTINGS that acknowledge with content');
    }
    if (payload.length % 6 !== 0)
      throw new Http2Error(ErrorCode.FRAME_SIZE_ERROR, 'SETTINGS of odd length');
    if (this.#hasSettings) this.#idleFrames.count();
    this.#hasSettings = true;
    for (let at = 0; at < payload.length; at += 6) {
      const identifier = ((payload[at] as number) << 8) | (payload[at + 1] as number);
      const value = readUint32(payload, at + 2);
      checkSetting(identifier, value);
      if (identifier === Setting.INITIAL_WINDOW_SIZE) this.#onInitialWindow(value);
      else this.#role.onSetting(identifier, value);
    }
    this.#writer.settings([]);
    this.#announceOutput();
    this.#role.onSettings();
  }

  #onInitialWindow(bytes: number): void {
    if (bytes > MAX_WINDOW_BYTES) throw flowError('SETTINGS_INITIAL_WINDOW_SIZE');
    const change = bytes - this.#peerWindow;
    this.#peerWindow = bytes;
    for (const stream of this.streams.values()) {
      if (!stream.addSendWindow(change)) throw flowError(`stream ${stream.id}`);
    }
  }

  #onPing(flags: number, streamId: number, payload: Uint8Array): void {
    if (streamId !== 0) throw protocolError('PING on a stream');
    if (payload.length !== 8)
      throw new Http2Error(ErrorCode.FRAME_SIZE_ERROR, 'PING of odd length');
    if ((flags & Flag.ACK) !== 0) return this.#role.onPingAck();
    this.#writer.frame(FrameType.PING, Flag.ACK, 0, payload);
    this.#announceOutput();
    this.#role.onPing();
  }

  #onWindowUpdate(streamId: number, payload: Uint8Array): void {
    if (payload.length !== 4)
      throw new Http2Error(ErrorCode.FRAME_SIZE_ERROR, 'WINDOW_UPDATE of odd length');
    const bytes = readUint32(payload, 0) & MAX_WINDOW_BYTES;
    if (bytes === 0) throw protocolError('WINDOW_UPDATE of 0');
    this.#idleFrames.windowUpdated();
    if (streamId !== 0) {
      this.#knownStream(streamId);
      const stream = this.streams.get(streamId);
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

  /** @throws Http2Error PROTOCOL_ERROR for a stream that was never opened. */
  #knownStream(streamId: number): void {
    if (streamId === 0 || streamId > this.lastStreamId || streamId % 2 === 0) {
      throw protocolError(`frame on stream ${streamId}, which was never opened`);
    }
  }

  #announceOutput(): void {
    if (this.#outputAnnounced) return;
    this.#outputAnnounced = true;
    this.#role.onOutput();
  }
}

/** The peer has broken the protocol. */
export function protocolError(message: string): Http2Error {
  return new Http2Error(ErrorCode.PROTOCOL_ERROR, message);
}

function flowError(where: string): Http2Error {
  return new Http2Error(ErrorCode.FLOW_CONTROL_ERROR, `window of ${where}`);
}
