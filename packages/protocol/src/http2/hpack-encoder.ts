/**
 * Header blocks of a client's requests (RFC 7541): what comes with every request is kept in the server's table once and
 * is a byte or two from then on.
 */
import { concatBytes } from '@etcd-ts/base';
import { keptHeader, prefixed } from './header-block.ts';
import { ENTRY_OVERHEAD_BYTES, MAX_TABLE_BYTES, STATIC_TABLE_LENGTH } from './hpack.ts';

/** Headers that are often sent together, with their block as it was last encoded. */
export class HeaderSet {
  readonly headers: readonly (readonly [string, string])[];
  /** @internal The connection that `block` was encoded for, whose table no other has. */
  encoder: HpackEncoder | undefined;
  /** @internal The state of that connection's table. */
  version = -1;
  /** @internal */
  block: Uint8Array = new Uint8Array(0);

  constructor(headers: readonly (readonly [string, string])[]) {
    this.headers = headers;
  }
}

/**
 * The encoder of one connection.
 *
 * Invariant: `#entries` is, entry for entry, the dynamic table of the server's decoder.
 */
export class HpackEncoder {
  /** Oldest first. */
  #entries: { readonly key: string; readonly bytes: number }[] = [];
  /** Number of the entry in the order of their insertion, by name and value. */
  readonly #numbers = new Map<string, number>();
  /** Entries ever inserted. */
  #inserted = 0;
  /** Counts the changes of the table: a block is good for the table that it was encoded for. */
  #version = 0;
  #tableBytes = 0;
  #maxTableBytes = MAX_TABLE_BYTES;
  /** The least size since the last block. */
  #leastTableBytes = MAX_TABLE_BYTES;
  /** A change of the size that the server is to be told with the next block. */
  #resize: Uint8Array | undefined;

  /** The server's SETTINGS_HEADER_TABLE_SIZE. */
  setMaxTableBytes(bytes: number): void {
    const wanted = Math.min(bytes, MAX_TABLE_BYTES);
    if (wanted === this.#maxTableBytes) return;
    this.#maxTableBytes = wanted;
    this.#leastTableBytes = Math.min(this.#leastTableBytes, wanted);
    this.#resize = concatBytes([
      // What was evicted on the way has to go from the server's table as well (RFC 7541 section 4.2).
      prefixed(0x20, 5, this.#leastTableBytes),
      prefixed(0x20, 5, wanted),
    ]);
    this.#version++;
    this.#evict();
  }

  /** The block of these headers. */
  encode(set: HeaderSet): Uint8Array {
    const isCurrent = set.encoder === this && set.version === this.#version;
    if (isCurrent && this.#resize === undefined) return set.block;
    const resize = this.#resize;
    const before = this.#version;
    this.#resize = undefined;
    this.#leastTableBytes = this.#maxTableBytes;
    const block = concatBytes(set.headers.map((header) => this.#encode(header)));
    if (resize !== undefined) return concatBytes([resize, block]);
    // A block that changes the table is good for once.
    if (before === this.#version) {
      set.block = block;
      set.encoder = this;
      set.version = before;
    }
    return block;
  }

  #encode(header: readonly [string, string]): Uint8Array {
    const key = `${header[0]}\0${header[1]}`;
    const number = this.#numbers.get(key);
    if (number !== undefined) {
      return prefixed(0x80, 7, STATIC_TABLE_LENGTH + this.#inserted - number);
    }
    this.#entries.push({ key, bytes: key.length - 1 + ENTRY_OVERHEAD_BYTES });
    this.#tableBytes += key.length - 1 + ENTRY_OVERHEAD_BYTES;
    this.#numbers.set(key, this.#inserted);
    this.#inserted++;
    this.#version++;
    this.#evict();
    return keptHeader(header);
  }

  #evict(): void {
    while (this.#tableBytes > this.#maxTableBytes) {
      const oldest = this.#entries.shift();
      if (oldest === undefined) return;
      this.#tableBytes -= oldest.bytes;
      this.#numbers.delete(oldest.key);
    }
  }
}
