/**
 * gRPC over HTTP/2, the parts without a socket: frames of messages, time-outs, metadata, status texts.
 *
 * Source: https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md; texts as grpc-go, which etcd is built with.
 */
import { EMPTY_BYTES } from '@etcd-ts/base';
import { EtcdError } from '../errors.ts';

/** Bytes before each message: one for compression, four for the length. */
export const FRAME_PREFIX_BYTES = 5;

/** Gives a message as it was before it was compressed; what would be larger than `maxBytes` is refused. */
export type Decompress = (bytes: Uint8Array, maxBytes: number) => Uint8Array;

/**
 * Cuts the bytes of a stream into messages.
 *
 * Bounded: a message whose announced length is above the limit is refused before any of it is kept.
 */
export class FrameReader {
  readonly #maxMessageBytes: number;
  readonly #decompress: Decompress | undefined;
  /** Start of a frame whose end is not here yet: the first {@link #waitingBytes} of it. Grows by doubling. */
  #waiting: Uint8Array = EMPTY_BYTES;
  #waitingBytes = 0;

  /** @param decompress For streams whose messages may be compressed. */
  constructor(maxMessageBytes: number, decompress?: Decompress) {
    this.#maxMessageBytes = maxMessageBytes;
    this.#decompress = decompress;
  }

  /** Bytes of a message that is not complete. */
  get waitingBytes(): number {
    return this.#waitingBytes;
  }

  /**
   * Takes bytes; gives the messages that are now complete. Each owns its memory, or most of it.
   *
   * @throws EtcdError RESOURCE_EXHAUSTED for a message that is too large; INTERNAL for a compressed one where none may
   *   be; what decompressing fails with.
   */
  push(chunk: Uint8Array): Uint8Array[] {
    const messages: Uint8Array[] = [];
    let rest = this.#waitingBytes === 0 ? chunk : this.#append(chunk);
    while (rest.length >= FRAME_PREFIX_BYTES) {
      const end = FRAME_PREFIX_BYTES + this.#messageLength(rest);
      if (rest.length < end) break;
      messages.push(this.#message(rest[0] === 1, rest.subarray(FRAME_PREFIX_BYTES, end)));
      rest = rest.subarray(end);
    }
    if (this.#waitingBytes === 0 || messages.length > 0) {
      // Messages may be views of what waited, so what is left begins anew.
      this.#waiting = EMPTY_BYTES;
      this.#waitingBytes = 0;
      this.#append(rest);
    }
    return messages;
  }

  /** Adds to what waits, and gives all of it. */
  #append(chunk: Uint8Array): Uint8Array {
    const length = this.#waitingBytes + chunk.length;
    if (length > this.#waiting.length) {
      const grown = new Uint8Array(Math.max(length, this.#waiting.length * 2));
      grown.set(this.#waiting.subarray(0, this.#waitingBytes));
      this.#waiting = grown;
    }
    this.#waiting.set(chunk, this.#waitingBytes);
    this.#waitingBytes = length;
    return this.#waiting.subarray(0, length);
  }

  #message(isCompressed: boolean, bytes: Uint8Array): Uint8Array {
    return isCompressed && this.#decompress !== undefined
      ? this.#decompress(bytes, this.#maxMessageBytes)
      : ownBytes(bytes);
  }

  #messageLength(frame: Uint8Array): number {
    const [flag = 0, a = 0, b = 0, c = 0, d = 0] = frame;
    if (flag > 1) throw malformed(`received unexpected payload format ${flag}`);
    if (flag === 1 && this.#decompress === undefined) {
      throw malformed('compressed flag set with identity or empty encoding');
    }
    const length = a * 0x100_0000 + (b << 16) + (c << 8) + d;
    if (length > this.#maxMessageBytes) {
      throw new EtcdError('RESOURCE_EXHAUSTED', {
        message: `grpc: received message larger than max (${length} vs. ${this.#maxMessageBytes})`,
      });
    }
    return length;
  }
}

function malformed(what: string): EtcdError {
  return new EtcdError('INTERNAL', { message: `grpc: ${what}`, mayHaveApplied: false });
}

/**
 * The bytes, in memory of their own when they are but a small part of what they are cut from: a request that stays in
 * the log must not hold back what else came with it.
 */
function ownBytes(bytes: Uint8Array): Uint8Array {
  return bytes.length * 2 < bytes.buffer.byteLength ? new Uint8Array(bytes) : bytes;
}

const TIMEOUT_UNITS_MS: Readonly<Record<string, number>> = {
  H: 3_600_000,
  M: 60_000,
  S: 1_000,
  m: 1,
  u: 1e-3,
  n: 1e-6,
};

/** The header `grpc-timeout` in milliseconds; undefined when there is none, NaN when it is malformed. */
export function parseTimeoutMs(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const match = /^(\d{1,8})([HMSmun])$/.exec(text);
  return match === null
    ? Number.NaN
    : Number(match[1]) * (TIMEOUT_UNITS_MS[match[2] ?? ''] ?? Number.NaN);
}

/** Headers that belong to gRPC or HTTP and not to the caller's metadata. */
const RESERVED = new Set(['te', 'content-type', 'user-agent', 'grpc-timeout', 'grpc-encoding']);

/**
 * The caller's text metadata; names are in lower case already, since HTTP/2 wants them so. Of several values of a name
 * the first counts, as wherever etcd looks at metadata.
 */
export function metadataOf(headers: readonly string[]): ReadonlyMap<string, string> {
  const metadata = new Map<string, string>();
  for (let i = 0; i < headers.length; i += 2) {
    const name = headers[i] as string;
    if (name.startsWith(':') || name.endsWith('-bin') || RESERVED.has(name)) continue;
    if (!metadata.has(name)) metadata.set(name, headers[i + 1] as string);
  }
  return metadata;
}

const encoder = new TextEncoder();

/** A status text as the header `grpc-message`: what is not printable ASCII, and `%`, percent-encoded. */
export function encodeStatusText(text: string): string {
  if (/^[ -$&-~]*$/.test(text)) return text;
  let encoded = '';
  for (const byte of encoder.encode(text)) {
    const isPlain = byte >= 0x20 && byte <= 0x7e && byte !== 0x25;
    encoded += isPlain
      ? String.fromCharCode(byte)
      : `%${byte.toString(16).toUpperCase().padStart(2, '0')}`;
  }
  return encoded;
}

/** The status text that a header `grpc-message` holds; what is not validly encoded stays as it is. */
export function decodeStatusText(text: string): string {
  if (!text.includes('%')) return text;
  try {
    return decodeURIComponent(text.replace(/%(?![0-9a-fA-F]{2})/g, '%25'));
  } catch {
    return text;
  }
}

/** Digits that the header `grpc-timeout` may have. */
const MAX_TIMEOUT_VALUE = 99_999_999;

/** A time-out as the header `grpc-timeout`, rounded up, in the smallest unit that has room for it. */
export function formatTimeout(timeoutMs: number): string {
  const ms = Math.max(1, Math.ceil(timeoutMs));
  if (ms <= MAX_TIMEOUT_VALUE) return `${ms}m`;
  const seconds = Math.ceil(ms / 1_000);
  if (seconds <= MAX_TIMEOUT_VALUE) return `${seconds}S`;
  return `${Math.min(MAX_TIMEOUT_VALUE, Math.ceil(seconds / 3_600))}H`;
}
