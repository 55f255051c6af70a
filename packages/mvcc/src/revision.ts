/**
 * Revisions and the names of their records.
 *
 * A revision is a main number, one per write transaction, and a sub number that counts the changes inside it.
 * Record name: `k`, main as 8 bytes big-endian, `_`, sub as 8 bytes big-endian, and `t` when the change is a delete;
 * so byte order of names is order of revisions. The 17 or 18 bytes after the `k` are etcd's own
 * (server/storage/mvcc/revision.go), and HashKV is computed over them.
 */
import { assert } from '@etcd-ts/base';

/** Length of a put's record name, prefix included. */
export const RECORD_NAME_BYTES = 18;
/** First byte of every record name: `k`. */
export const RECORD_PREFIX = 0x6b;
const SEPARATOR = 0x5f;
const TOMBSTONE_MARK = 0x74;
const TWO_32 = 0x1_0000_0000;

/** The name of a revision's record. */
export function recordName(main: number, sub: number, tombstone: boolean): Uint8Array {
  const name = new Uint8Array(recordNameBytes(tombstone));
  writeRecordName(name, main, sub, tombstone);
  return name;
}

/** Length of such a name. */
export function recordNameBytes(tombstone: boolean): number {
  return tombstone ? RECORD_NAME_BYTES + 1 : RECORD_NAME_BYTES;
}

/** Writes such a name into its place, which begins at `start`. */
export function writeRecordName(
  into: Uint8Array,
  main: number,
  sub: number,
  tombstone: boolean,
  start = 0,
): void {
  into[start] = RECORD_PREFIX;
  writeUint64(into, start + 1, main);
  into[start + 9] = SEPARATOR;
  writeUint64(into, start + 10, sub);
  if (tombstone) into[start + RECORD_NAME_BYTES] = TOMBSTONE_MARK;
}

/** Where the records of all revisions lie in the backend: [start, end). */
export const RECORDS_START: Uint8Array = new Uint8Array([RECORD_PREFIX]);
/** Exclusive end of the records. */
export const RECORDS_END: Uint8Array = new Uint8Array([RECORD_PREFIX + 1]);

/** The main revision of a record name. */
export function recordMain(name: Uint8Array): number {
  assert(
    name.length >= RECORD_NAME_BYTES && name[0] === RECORD_PREFIX && name[9] === SEPARATOR,
    () => `not a record name: ${name.length} bytes`,
  );
  return readUint64(name, 1);
}

/** The sub revision of a record name. */
export function recordSub(name: Uint8Array): number {
  return readUint64(name, 10);
}

/** True when the record is a delete. */
export function isTombstoneName(name: Uint8Array): boolean {
  return name.length === RECORD_NAME_BYTES + 1 && name[RECORD_NAME_BYTES] === TOMBSTONE_MARK;
}

/** Writes a safe integer as 8 bytes, big-endian. */
export function writeUint64(into: Uint8Array, at: number, value: number): void {
  const high = Math.floor(value / TWO_32);
  const low = value >>> 0;
  into[at] = high >>> 24;
  into[at + 1] = high >>> 16;
  into[at + 2] = high >>> 8;
  into[at + 3] = high;
  into[at + 4] = low >>> 24;
  into[at + 5] = low >>> 16;
  into[at + 6] = low >>> 8;
  into[at + 7] = low;
}

/** Reads what {@link writeUint64} wrote. */
export function readUint64(from: Uint8Array, at: number): number {
  const value = readUint32(from, at) * TWO_32 + readUint32(from, at + 4);
  assert(Number.isSafeInteger(value), () => `not a safe integer: ${value}`);
  return value;
}

function readUint32(from: Uint8Array, at: number): number {
  const low =
    ((from[at + 1] as number) << 16) | ((from[at + 2] as number) << 8) | (from[at + 3] as number);
  return (from[at] as number) * 0x100_0000 + low;
}
