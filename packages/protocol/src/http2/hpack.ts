/**
 * Header blocks of HTTP/2, read (RFC 7541). Ours are written by `header-block.ts`, which needs no state.
 *
 * Invariants
 * - The dynamic table holds at most {@link MAX_TABLE_BYTES}, as we told the client.
 * - A header list larger than {@link MAX_HEADER_LIST_BYTES} ends the connection before it is built up.
 */
import { ErrorCode, Http2Error } from './frame.ts';
import { decodeHuffman } from './huffman.ts';

/** Size of the dynamic table (SETTINGS_HEADER_TABLE_SIZE, its default). */
export const MAX_TABLE_BYTES = 4096;

/** Names and values of one header list, with 32 bytes for each; a token and some metadata fit many times. */
export const MAX_HEADER_LIST_BYTES: number = 64 * 1024;

/** What an entry counts for besides its name and value (section 4.1). */
export const ENTRY_OVERHEAD_BYTES = 32;

/** Names and values in turn: name, value, name, value … One character per byte. */
export type HeaderList = readonly string[];

const STATIC_TABLE: readonly (readonly [string, string])[] = [
  [':authority', ''],
  [':method', 'GET'],
  [':method', 'POST'],
  [':path', '/'],
  [':path', '/index.html'],
  [':scheme', 'http'],
  [':scheme', 'https'],
  [':status', '200'],
  [':status', '204'],
  [':status', '206'],
  [':status', '304'],
  [':status', '400'],
  [':status', '404'],
  [':status', '500'],
  ['accept-charset', ''],
  ['accept-encoding', 'gzip, deflate'],
  ['accept-language', ''],
  ['accept-ranges', ''],
  ['accept', ''],
  ['access-control-allow-origin', ''],
  ['age', ''],
  ['allow', ''],
  ['authorization', ''],
  ['cache-control', ''],
  ['content-disposition', ''],
  ['content-encoding', ''],
  ['content-language', ''],
  ['content-length', ''],
  ['content-location', ''],
  ['content-range', ''],
  ['content-type', ''],
  ['cookie', ''],
  ['date', ''],
  ['etag', ''],
  ['expect', ''],
  ['expires', ''],
  ['from', ''],
  ['host', ''],
  ['if-match', ''],
  ['if-modified-since', ''],
  ['if-none-match', ''],
  ['if-range', ''],
  ['if-unmodified-since', ''],
  ['last-modified', ''],
  ['link', ''],
  ['location', ''],
  ['max-forwards', ''],
  ['proxy-authenticate', ''],
  ['proxy-authorization', ''],
  ['range', ''],
  ['referer', ''],
  ['refresh', ''],
  ['retry-after', ''],
  ['server', ''],
  ['set-cookie', ''],
  ['strict-transport-security', ''],
  ['transfer-encoding', ''],
  ['user-agent', ''],
  ['vary', ''],
  ['via', ''],
  ['www-authenticate', ''],
];

/** Entries of the static table; the dynamic one begins after it. */
export const STATIC_TABLE_LENGTH: number = STATIC_TABLE.length;

/** The decoder of one connection, with its dynamic table. */
export class HpackDecoder {
  /** Newest first, so that index 62 is entry 0. */
  #entries: (readonly [string, string])[] = [];
  #tableBytes = 0;
  #maxTableBytes = MAX_TABLE_BYTES;
  #block: Uint8Array = new Uint8Array(0);
  #at = 0;

  /**
   * The headers of a block.
   *
   * @throws Http2Error COMPRESSION_ERROR for a malformed block, ENHANCE_YOUR_CALM for a list that is too large.
   */
  decode(block: Uint8Array): HeaderList {
    this.#block = block;
    this.#at = 0;
    const list: string[] = [];
    let listBytes = 0;
    while (this.#at < block.length) {
      const first = block[this.#at] as number;
      if ((first & 0xe0) === 0x20) {
        this.#resize(this.#integer(5), list);
        continue;
      }
      const [name, value] = first >= 0x80 ? this.#entry(this.#integer(7)) : this.#literal(first);
      listBytes += name.length + value.length + ENTRY_OVERHEAD_BYTES;
      if (listBytes > MAX_HEADER_LIST_BYTES) {
        throw new Http2Error(
          ErrorCode.ENHANCE_YOUR_CALM,
          `header list larger than ${MAX_HEADER_LIST_BYTES} bytes`,
        );
      }
      list.push(name, value);
    }
    return list;
  }

  /** A header that is spelt out; kept in the dynamic table when its first bits are 01. */
  #literal(first: number): readonly [string, string] {
    const isKept = first >= 0x40;
    const index = this.#integer(isKept ? 6 : 4);
    const name = index === 0 ? this.#string() : this.#entry(index)[0];
    const entry = [name, this.#string()] as const;
    if (isKept) this.#insert(entry);
    return entry;
  }

  #entry(index: number): readonly [string, string] {
    const entry =
      index <= STATIC_TABLE.length
        ? STATIC_TABLE[index - 1]
        : this.#entries[index - STATIC_TABLE.length - 1];
    if (entry === undefined) throw malformed(`no header with index ${index}`);
    return entry;
  }

  #insert(entry: readonly [string, string]): void {
    this.#entries.unshift(entry);
    this.#tableBytes += sizeOf(entry);
    this.#evict();
  }

  #resize(bytes: number, list: HeaderList): void {
    if (list.length > 0) throw malformed('the table is resized after a header');
    if (bytes > MAX_TABLE_BYTES)
      throw malformed(`table of ${bytes} bytes (limit ${MAX_TABLE_BYTES})`);
    this.#maxTableBytes = bytes;
    this.#evict();
  }

  #evict(): void {
    while (this.#tableBytes > this.#maxTableBytes) {
      const oldest = this.#entries.pop();
      if (oldest === undefined) break;
      this.#tableBytes -= sizeOf(oldest);
    }
  }

  /** An integer whose first bits share a byte with something else (section 5.1). */
  #integer(prefixBits: number): number {
    const mask = (1 << prefixBits) - 1;
    let value = this.#byte() & mask;
    if (value < mask) return value;
    for (let shift = 0; shift <= 21; shift += 7) {
      const byte = this.#byte();
      value += (byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
    throw malformed('integer out of bounds');
  }

  #string(): string {
    const isHuffman = this.#at < this.#block.length && (this.#block[this.#at] as number) >= 0x80;
    const length = this.#integer(7);
    const start = this.#at;
    const end = start + length;
    if (end > this.#block.length) throw malformed(`string of ${length} bytes beyond the end`);
    this.#at = end;
    if (isHuffman) return decodeHuffman(this.#block, start, end);
    let text = '';
    for (let at = start; at < end; at++) text += String.fromCharCode(this.#block[at] as number);
    return text;
  }

  #byte(): number {
    if (this.#at >= this.#block.length) throw malformed('unexpected end');
    return this.#block[this.#at++] as number;
  }
}

function sizeOf([name, value]: readonly [string, string]): number {
  return name.length + value.length + ENTRY_OVERHEAD_BYTES;
}

function malformed(what: string): Http2Error {
  return new Http2Error(ErrorCode.COMPRESSION_ERROR, `malformed header block: ${what}`);
}
