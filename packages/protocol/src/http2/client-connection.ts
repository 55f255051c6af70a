/** The client's side of one HTTP/2 connection, as far as gRPC needs it. */
import { concatBytes } from '@etcd-ts/base';
import { Http2Core, type Http2Role, protocolError } from './connection-core.ts';
import { ErrorCode, FrameType, PREFACE, Setting } from './frame.ts';
import type { HeaderList } from './hpack.ts';
import { type HeaderSet, HpackEncoder } from './hpack-encoder.ts';
import type { Http2Stream, StreamUser } from './stream.ts';

/** Streams on a server that names no limit, as etcd does not: as many as it is asked for (RFC 9113 section 6.5.2). */
const DEFAULT_MAX_STREAMS: number = Number.POSITIVE_INFINITY;

/** Who uses a connection. */
export interface ClientConnectionUser {
  /** The server has said hello: streams may be opened. */
  onReady(): void;
  /** A stream is gone, so there is room for another, perhaps. */
  onRoom(): void;
  /** The server takes no new streams on this connection; those that are open go on. */
  onDraining(reason: string): void;
  onPingAck(): void;
  /** There is something to send: call {@link Http2ClientConnection.takeOutput} before long. */
  onOutput(): void;
  /** The connection is over: send what there is, then hang up. */
  onFinished(): void;
}

/** One connection of a client. */
export class Http2ClientConnection {
  readonly #user: ClientConnectionUser;
  readonly #core: Http2Core;
  readonly #hpack = new HpackEncoder();
  #maxStreams = DEFAULT_MAX_STREAMS;
  #isReady = false;
  #isDraining = false;
  #nextStreamId = 1;

  constructor(user: ClientConnectionUser, monotonicMs: () => number) {
    this.#user = user;
    this.#core = new Http2Core(this.#makeRole(), monotonicMs);
    this.#core.greet(PREFACE);
  }

  /** A stream may be opened now. */
  get hasRoom(): boolean {
    return this.isUsable && this.#isReady && this.#core.streams.size < this.#maxStreams;
  }

  /** Streams may be opened, now or when there is room. */
  get isUsable(): boolean {
    return !this.#isDraining && !this.#core.isFinished && this.#nextStreamId < 0x7fff_ffff;
  }

  get streamCount(): number {
    return this.#core.streams.size;
  }

  /** See {@link Http2Core.receive}. */
  receive(chunk: Uint8Array): void {
    this.#core.receive(chunk);
  }

  /** See {@link Http2Core.takeOutput}. */
  takeOutput(): Uint8Array[] {
    return this.#core.takeOutput();
  }

  /** See {@link Http2Core.setCongested}. */
  setCongested(isCongested: boolean): void {
    this.#core.setCongested(isCongested);
  }

  /**
   * Opens a stream with these headers. Only while {@link hasRoom}.
   *
   * @param extra A block of headers that are this stream's alone.
   */
  open(headers: HeaderSet, extra: Uint8Array, user: StreamUser): Http2Stream {
    const stream = this.#core.open(this.#nextStreamId, []);
    this.#nextStreamId += 2;
    stream.user = user;
    const shared = this.#hpack.encode(headers);
    stream.respond(extra.length === 0 ? shared : concatBytes([shared, extra]));
    return stream;
  }

  /** Gives a stream up. */
  cancel(stream: Http2Stream): void {
    if (!this.#core.streams.has(stream.id)) return;
    // Where both sides have ended there is nothing to call off: a server counts resets.
    const isOver = stream.isRemoteClosed && stream.hasEnded;
    if (!isOver) this.#core.word(FrameType.RST_STREAM, stream.id, ErrorCode.CANCEL);
    this.#core.remove(stream);
  }

  /** Asks the server for a sign of life. */
  ping(): void {
    this.#core.ping();
  }

  /** Opens no more streams; finishes when those that are open have ended. */
  drain(): void {
    this.#isDraining = true;
    this.#finishWhenDrained();
  }

  /** Ends all streams and the connection at once. */
  finish(): void {
    this.#core.finish();
  }

  #makeRole(): Http2Role {
    return {
      readsPreface: false,
      settings: [[Setting.ENABLE_PUSH, 0]],
      onHeaders: (streamId, headers, endsStream) => this.#onHeaders(streamId, headers, endsStream),
      onRemoteEnd: (stream) => this.#onRemoteEnd(stream),
      onLocalEnd: (stream) => {
        if (stream.isRemoteClosed) this.#core.remove(stream);
      },
      onReset: () => undefined,
      onPing: () => undefined,
      onPingAck: () => this.#user.onPingAck(),
      onGoAway: (lastStreamId, _code, text) => this.#onGoAway(lastStreamId, text),
      onSetting: (identifier, value) => this.#onSetting(identifier, value),
      onSettings: () => this.#onSettings(),
      onSent: () => undefined,
      onRemoved: () => {
        this.#finishWhenDrained();
        if (this.hasRoom) this.#user.onRoom();
      },
      onOutput: () => this.#user.onOutput(),
      onFinished: () => this.#user.onFinished(),
    };
  }

  #onHeaders(streamId: number, headers: HeaderList, endsStream: boolean): void {
    if (streamId % 2 === 0 || streamId > this.#core.lastStreamId) {
      throw protocolError(`HEADERS on stream ${streamId}, which was never opened`);
    }
    const stream = this.#core.streams.get(streamId);
    if (stream === undefined) return;
    if (stream.isRemoteClosed) throw protocolError('HEADERS after END_STREAM');
    stream.user?.onHeaders?.(headers);
    if (endsStream) this.#core.remoteClosed(stream);
  }

  /** The server has said all; what we would still send is of no use to it. */
  #onRemoteEnd(stream: Http2Stream): void {
    if (!stream.hasEnded && !stream.isClosed) {
      this.#core.word(FrameType.RST_STREAM, stream.id, ErrorCode.NO_ERROR);
    }
    this.#core.remove(stream);
  }

  #onGoAway(lastStreamId: number, text: string): void {
    this.#isDraining = true;
    this.#user.onDraining(text);
    for (const stream of this.#core.streams.values()) {
      if (stream.id > lastStreamId) this.#core.remove(stream, ErrorCode.REFUSED_STREAM);
    }
    this.#finishWhenDrained();
  }

  #onSetting(identifier: number, value: number): void {
    if (identifier === Setting.MAX_CONCURRENT_STREAMS) this.#maxStreams = value;
    if (identifier === Setting.HEADER_TABLE_SIZE) this.#hpack.setMaxTableBytes(value);
  }

  #onSettings(): void {
    if (!this.#isReady) {
      this.#isReady = true;
      this.#user.onReady();
    }
    if (this.hasRoom) this.#user.onRoom();
  }

  #finishWhenDrained(): void {
    if (this.#isDraining && this.#core.streams.size === 0) this.#core.finish();
  }
}
