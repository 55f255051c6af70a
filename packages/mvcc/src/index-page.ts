/**
 * Pages of the key index: what a load needs to know of a run of revisions, without their values and without an array for
 * each, so that a million keys come back in about a second.
 *
 *     page   = entry* · CRC-32C of all bytes before (4, big-endian)
 *     entry  = flags (1) · main, less the entry's before · sub · bytes of the record · length of the key · key
 *              and of a version that was its key's newest then: main less create revision · version ·
 *              checksum of the record (4, big-endian) · lease (8, big-endian), when there is one
 *     flags  1: a delete   2: the newest put of its key   4: with a lease        numbers are base-128 varints
 *
 * Of a version that another one of the same pages replaces no more is needed than that it was there.
 */
import { assert, crc32c } from '@etcd-ts/base';
import type { VersionRef } from './key-index.ts';
import { recordFields, scanRecord } from './record.ts';
import type { LogEntry } from './revision-log.ts';
import { recordChecksum } from './state-hash.ts';
import type { StoreState } from './store-state.ts';

/** A page ends after so many entries … */
export const PAGE_ENTRIES_MAX = 1024;
/** … or bytes: 64 KiB. One entry with a larger key still has a page. */
export const INDEX_PAGE_BYTES: number = 64 << 10;

const DELETE = 1;
const NEWEST = 2;
const LEASED = 4;
const CRC_BYTES = 4;
/** Bytes of an entry beside its key, at most: flags, five varints and two, checksum, lease. */
const ENTRY_BYTES_MAX = 1 + 7 * 8 + 4 + 8;

/** A page that is not what was written. */
export class IndexPageError extends Error {
  override readonly name = 'IndexPageError';
}

/** A page that was made. */
export interface MadePage {
  readonly bytes: Uint8Array;
  readonly entries: number;
  /** Where the next one begins; undefined when there is none. */
  readonly next: VersionRef | undefined;
}

/**
 * Makes the page of the revisions from `from` on, through main ≤ `through`.
 *
 * What is newest is judged as of `through`: later changes may be lost with a crash, and the page must do without them.
 */
export function makePage(
  state: StoreState,
  from: VersionRef,
  through: number,
  entriesMax: number = PAGE_ENTRIES_MAX,
): MadePage {
  const writer = new PageWriter(entriesMax);
  let next: VersionRef | undefined;
  state.log.forEachFrom(from.main, from.sub, (entry) => {
    if (entry.main > through) return false;
    if (writer.isFull) {
      next = { main: entry.main, sub: entry.sub };
      return false;
    }
    // What a compaction is about to drop may have lost its slot to another key.
    if (state.index.has(entry.slot, entry)) writer.add(state, entry, through);
    return true;
  });
  return { bytes: writer.end(), entries: writer.entries, next };
}

class PageWriter {
  entries = 0;
  readonly #entriesMax: number;
  #bytes = new Uint8Array(INDEX_PAGE_BYTES / 4);
  #length = 0;
  #main = 0;
  readonly #fields = recordFields();

  constructor(entriesMax: number) {
    this.#entriesMax = entriesMax;
  }

  get isFull(): boolean {
    return this.entries >= this.#entriesMax || this.#length >= INDEX_PAGE_BYTES;
  }

  add(state: StoreState, entry: LogEntry, through: number): void {
    const { main, sub, slot, tombstone } = entry;
    const { index } = state;
    const key = index.keyOf(slot);
    this.#reserve(ENTRY_BYTES_MAX + key.length);
    const isNewest = !tombstone && index.isSeenAt(slot, entry, through);
    const flagsAt = this.#length++;
    this.#number(main - this.#main);
    this.#number(sub);
    this.#number(entry.bytes);
    this.#number(key.length);
    for (let i = 0; i < key.length; i++) this.#bytes[this.#length++] = key.charCodeAt(i);
    this.#bytes[flagsAt] = (tombstone ? DELETE : 0) | (isNewest ? this.#newest(state, entry) : 0);
    this.#main = main;
    this.entries += 1;
  }

  end(): Uint8Array {
    this.#reserve(CRC_BYTES);
    this.#uint32(crc32c(this.#bytes, 0, 0, this.#length));
    return this.#bytes.subarray(0, this.#length);
  }

  /** @returns The flags that it sets. */
  #newest(state: StoreState, { main, sub, slot }: LogEntry): number {
    const { index, hash } = state;
    let version = index.versionOf(slot);
    let createRevision = index.createOf(slot);
    let lease = index.leaseOf(slot);
    let checksum = hash.checksumOf(slot);
    if (index.mainOf(slot) !== main || index.subOf(slot) !== sub) {
      // A later version is known, and may yet be lost.
      const record = state.readRecord(main, sub, false);
      ({ version, createRevision, lease } = scanRecord(record, this.#fields));
      checksum = recordChecksum(record);
    }
    assert(version > 0, () => `the newest put ${main}/${sub} has version ${version}`);
    this.#number(main - createRevision);
    this.#number(version);
    this.#uint32(checksum);
    if (lease === 0n) return NEWEST;
    this.#uint32(Number(BigInt.asUintN(32, lease >> 32n)));
    this.#uint32(Number(BigInt.asUintN(32, lease)));
    return NEWEST | LEASED;
  }

  #number(value: number): void {
    let rest = value;
    while (rest >= 0x80) {
      this.#bytes[this.#length++] = (rest % 128) | 0x80;
      rest = Math.floor(rest / 128);
    }
    this.#bytes[this.#length++] = rest;
  }

  #uint32(value: number): void {
    this.#bytes[this.#length++] = value >>> 24;
    this.#bytes[this.#length++] = value >>> 16;
    this.#bytes[this.#length++] = value >>> 8;
    this.#bytes[this.#length++] = value;
  }

  #reserve(count: number): void {
    const needed = this.#length + count;
    if (needed <= this.#bytes.length) return;
    const larger = new Uint8Array(Math.max(needed, this.#bytes.length * 2));
    larger.set(this.#bytes);
    this.#bytes = larger;
  }
}

/** What an entry of a page says; filled anew for each. */
export interface PageEntry {
  main: number;
  sub: number;
  isDelete: boolean;
  /** Of the record, its name included. */
  bytes: number;
  keyStart: number;
  keyEnd: number;
  /** Of the newest put of its key; otherwise as of a first one. */
  createRevision: number;
  version: number;
  lease: bigint;
  /** Of the record; 0 when it is not the newest put. */
  checksum: number;
}

/**
 * Reads a page.
 *
 * @param visit Is shown every entry, in order; one object for all.
 * @returns How many there were.
 * @throws IndexPageError when it is damaged; nothing was visited then.
 */
export function readPage(page: Uint8Array, visit: (entry: PageEntry) => void): number {
  const end = page.length - CRC_BYTES;
  const view = new DataView(page.buffer, page.byteOffset, page.byteLength);
  if (end < 0 || view.getUint32(end) !== crc32c(page, 0, 0, end)) {
    throw new IndexPageError('the checksum of an index page does not match');
  }
  const reader = new PageReader(page, view);
  let entries = 0;
  while (reader.at < end) {
    visit(reader.entry());
    entries += 1;
  }
  return entries;
}

class PageReader {
  at = 0;
  readonly #page: Uint8Array;
  readonly #view: DataView;
  readonly #entry: PageEntry = {
    main: 0,
    sub: 0,
    isDelete: false,
    bytes: 0,
    keyStart: 0,
    keyEnd: 0,
    createRevision: 0,
    version: 0,
    lease: 0n,
    checksum: 0,
  };

  constructor(page: Uint8Array, view: DataView) {
    this.#page = page;
    this.#view = view;
  }

  entry(): PageEntry {
    const into = this.#entry;
    const flags = this.#page[this.at++] as number;
    into.main += this.#number();
    into.sub = this.#number();
    into.isDelete = (flags & DELETE) !== 0;
    into.bytes = this.#number();
    const length = this.#number();
    into.keyStart = this.at;
    into.keyEnd = this.at += length;
    into.createRevision = into.main;
    into.version = 1;
    into.checksum = 0;
    into.lease = 0n;
    if ((flags & NEWEST) === 0) return into;
    into.createRevision = into.main - this.#number();
    into.version = this.#number();
    into.checksum = this.#view.getUint32(this.at);
    this.at += 4;
    if ((flags & LEASED) === 0) return into;
    into.lease = this.#view.getBigInt64(this.at);
    this.at += 8;
    return into;
  }

  #number(): number {
    let value = 0;
    let scale = 1;
    for (;;) {
      const byte = this.#page[this.at++] as number;
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) return value;
      scale *= 128;
    }
  }
}
