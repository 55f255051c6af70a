/**
 * Named blobs beside the keys: where the log stands, and whatever else belongs to the same state (members, leases,
 * users, alarms). Written in the same batch as the keys, so that all of it is of one applied index.
 *
 * All of it is in memory: it is small, and read by name or prefix.
 */
import { EMPTY_BYTES, fromLatin1, toLatin1 } from '@etcd-ts/base';
import type { AppliedPosition } from './write-behind.ts';
import { readUint64, writeUint64 } from './revision.ts';

/** First byte of every meta record's name: `m`. */
export const META_PREFIX = 0x6d;
/** Where meta records lie in the backend: [start, end). */
export const META_START: Uint8Array = new Uint8Array([META_PREFIX]);
/** Exclusive end of the meta records. */
export const META_END: Uint8Array = new Uint8Array([META_PREFIX + 1]);

/** Names that are the store's own. Others must not begin with a dot. */
export const META_APPLIED = '.applied';
/** The compact revision in force. */
export const META_COMPACT = '.compact';
/** The revision through which a compaction has finished. */
export const META_COMPACTED = '.compacted';

/** The revision that the store jumped to; compacted through it, at least. */
export const META_SKIPPED = '.skipped';

/** The record name of a meta name. */
export function metaName(name: string): Uint8Array {
  return fromLatin1(`m${name}`);
}

/** Bytes of a number that may be -1. */
export function numberBytes(value: number): Uint8Array {
  if (value < 0) return EMPTY_BYTES;
  const bytes = new Uint8Array(8);
  writeUint64(bytes, 0, value);
  return bytes;
}

/** The number of such bytes; absent is -1. */
export function bytesNumber(bytes: Uint8Array | undefined): number {
  return bytes === undefined || bytes.length === 0 ? -1 : readUint64(bytes, 0);
}

/** Bytes of an applied position. */
export function positionBytes(position: AppliedPosition): Uint8Array {
  const bytes = new Uint8Array(16);
  writeUint64(bytes, 0, position.index);
  writeUint64(bytes, 8, position.term);
  return bytes;
}

/** The position of such bytes; absent is (0, 0). */
export function bytesPosition(bytes: Uint8Array | undefined): AppliedPosition {
  if (bytes === undefined) return { index: 0, term: 0 };
  return { index: readUint64(bytes, 0), term: readUint64(bytes, 8) };
}

/** See the file's head. Names are latin1. */
export class MetaTable {
  readonly #blobs = new Map<string, Uint8Array>();
  readonly #onChange: (name: string, value: Uint8Array | undefined) => void;
  #bytes = 0;

  /** @param onChange Told of every change; a missing value is a removal. */
  constructor(onChange: (name: string, value: Uint8Array | undefined) => void) {
    this.#onChange = onChange;
  }

  /** Bytes of all names and blobs. */
  get bytes(): number {
    return this.#bytes;
  }

  /** The blob of a name, or undefined. Not to be written to. */
  get(name: string): Uint8Array | undefined {
    return this.#blobs.get(name);
  }

  /** Keeps the array: it must not be written to afterwards. */
  set(name: string, value: Uint8Array): void {
    this.#put(name, value);
    this.#onChange(name, value);
  }

  /** Removes a blob; harmless when there is none. */
  delete(name: string): void {
    const before = this.#blobs.get(name);
    if (before === undefined) return;
    this.#bytes -= name.length + before.length;
    this.#blobs.delete(name);
    this.#onChange(name, undefined);
  }

  /** Names that begin with the prefix, in byte order. */
  names(prefix: string): string[] {
    const found: string[] = [];
    for (const name of this.#blobs.keys()) if (name.startsWith(prefix)) found.push(name);
    return found.sort();
  }

  /** Takes in a record that is in the backend already. @internal */
  load(recordName: Uint8Array, value: Uint8Array): void {
    this.#put(toLatin1(recordName.subarray(1)), value);
  }

  #put(name: string, value: Uint8Array): void {
    const before = this.#blobs.get(name);
    this.#bytes += before === undefined ? name.length + value.length : value.length - before.length;
    this.#blobs.set(name, value);
  }
}
