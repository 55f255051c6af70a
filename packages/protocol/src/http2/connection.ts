/** The server's side of one HTTP/2 connection, as far as gRPC needs it. */
import { Http2Core, type Http2Role, protocolError } from './connection-core.ts';
import { ErrorCode, FrameType, Http2Error, Setting } from './frame.ts';
import type { HeaderList } from './hpack.ts';
import type { PingPolicy } from './ping-policy.ts';
import { RateLimit } from './rate-limit.ts';
import { malformedRequest, malformedTrailers } from './request-headers.ts';
import type { Http2Stream } from './stream.ts';

/** Bytes of answers that wait for a client; beyond, it gets no new streams (REFUSED_STREAM). */
export const MAX_WAITING_BYTES: number = 64 << 20;
/** Streams that a client may reset at once, and a second in the long run; beyond: ENHANCE_YOUR_CALM. */
export const RESET_BURST = 1_000;
/** See {@link RESET_BURST}. */
export const RESETS_PER_SECOND = 100;
/** Streams that we have ended and whose resets by their client are not counted, at the most. */
const ENDED_MAX = 10_000;

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

/** One connection of a server. */
export class Http2Connection {
  readonly #user: ConnectionUser;
  readonly #options: ConnectionOptions;
  readonly #core: Http2Core;
  readonly #resets: RateLimit;
  #isDraining = false;
  /** Streams that we have ended, and that their client may still reset: it may not have heard of it. */
  #ended = 0;

  constructor(user: ConnectionUser, options: ConnectionOptions) {
    this.#user = user;
    this.#options = options;
    this.#resets = new RateLimit(RESET_BURST, RESETS_PER_SECOND, options.monotonicMs());
    this.#core = new Http2Core(this.#makeRole(), options.monotonicMs);
    this.#core.greet();
  }

  /** Streams that are open. */
  get streamCount(): number {
    return this.#core.streams.size;
  }

  get isFinished(): boolean {
    return this.#core.isFinished;
  }

  /** Takes what the client has sent. Never throws for it: a client that breaks the rules is hung up on. */
  receive(chunk: Uint8Array): void {
    this.#core.receive(chunk);
  }

  /** What is to be sent now, in order. Say by {@link setCongested} what became of it. */
  takeOutput(): Uint8Array[] {
    return this.#core.takeOutput();
  }

  /** The socket takes no more for now, or takes more: then what waits goes on. */
  setCongested(isCongested: boolean): void {
    this.#core.setCongested(isCongested);
  }

  /** Bytes of answers that wait for the client's windows or its socket. */
  get waitingBytes(): number {
    return this.#core.waitingBytes;
  }

  /** Ends everything, and says why. */
  hangUp(reason: string): void {
    if (this.#core.isFinished) return;
    this.#core.goAway(ErrorCode.ENHANCE_YOUR_CALM, reason);
    this.#core.finish();
  }

  /** Asks the client for a sign of life. */
  ping(): void {
    if (!this.#core.isFinished) this.#core.ping();
  }

  /** Takes no new streams; finishes when those that are open have ended. */
  drain(): void {
    if (this.#isDraining || this.#core.isFinished) return;
    this.#isDraining = true;
    this.#core.goAway(ErrorCode.NO_ERROR, '');
    this.#finishWhenDrained();
  }

  /** Ends all streams and the connection at once. */
  finish(): void {
    this.#core.finish();
  }

  #makeRole(): Http2Role {
    return {
      readsPreface: true,
      settings: [[Setting.MAX_CONCURRENT_STREAMS, this.#options.maxStreams]],
      onHeaders: (streamId, headers, endsStream) => this.#onHeaders(streamId, headers, endsStream),
      onRemoteEnd: () => undefined,
      onLocalEnd: (stream) => this.#onLocalEnd(stream),
      onReset: (isOpen) => this.#onReset(isOpen),
      onPing: () => this.#onPing(),
      onPingAck: () => undefined,
      onGoAway: () => undefined,
      onSetting: () => undefined,
      onSettings: () => undefined,
      onSent: () => this.#options.pings.forgive(),
      onRemoved: () => this.#finishWhenDrained(),
      onOutput: () => this.#user.onOutput(),
      onFinished: () => this.#user.onFinished(),
    };
  }

  #onHeaders(streamId: number, headers: HeaderList, endsStream: boolean): void {
    if (streamId % 2 === 0) throw protocolError(`HEADERS on stream ${streamId}`);
    const core = this.#core;
    const known = core.streams.get(streamId);
    if (known !== undefined) {
      if (!endsStream || known.isRemoteClosed) throw protocolError('HEADERS twice on one stream');
      if (malformedTrailers(headers) !== undefined) return this.#refuseMalformed(known);
      return core.remoteClosed(known);
    }
    // Trailers of a stream that has ended on our side meanwhile.
    if (streamId <= core.lastStreamId) return;
    const isFull =
      core.streams.size >= this.#options.maxStreams || core.waitingBytes > MAX_WAITING_BYTES;
    if (this.#isDraining || isFull) {
      core.lastStreamId = streamId;
      return core.word(FrameType.RST_STREAM, streamId, ErrorCode.REFUSED_STREAM);
    }
    const stream = core.open(streamId, headers);
    if (malformedRequest(headers) !== undefined) return this.#refuseMalformed(stream);
    this.#user.onStream(stream);
    if (endsStream) core.remoteClosed(stream);
  }

  /** A malformed request ends its stream alone. It counts as a reset: the client has brought it about. */
  #refuseMalformed(stream: Http2Stream): void {
    this.#countReset();
    this.#core.word(FrameType.RST_STREAM, stream.id, ErrorCode.PROTOCOL_ERROR);
    this.#core.remove(stream);
  }

  /**
   * Whoever is answered before he has ended his side resets the stream, as HTTP/2 has it, and a reset may cross with the
   * answer: what calls nothing off is no flood.
   */
  #onReset(isOpen: boolean): void {
    if (!isOpen && this.#ended > 0) this.#ended -= 1;
    else this.#countReset();
  }

  #countReset(): void {
    if (this.#resets.allows(this.#options.monotonicMs())) return;
    throw new Http2Error(ErrorCode.ENHANCE_YOUR_CALM, 'too many resets');
  }

  /** A stream has sent its last frame. One that the client still sends on is ended for it too. */
  #onLocalEnd(stream: Http2Stream): void {
    if (!stream.isRemoteClosed) {
      this.#core.word(FrameType.RST_STREAM, stream.id, ErrorCode.NO_ERROR);
    }
    this.#ended = Math.min(this.#ended + 1, ENDED_MAX);
    this.#core.remove(stream);
  }

  #onPing(): void {
    const { pings, monotonicMs } = this.#options;
    if (pings.allows(monotonicMs(), this.#core.streams.size > 0)) return;
    // The text is what gRPC clients look for; they then ping less often.
    throw new Http2Error(ErrorCode.ENHANCE_YOUR_CALM, 'too_many_pings');
  }

  #finishWhenDrained(): void {
    if (this.#isDraining && this.#core.streams.size === 0) this.#core.finish();
  }
}
