/**
 * What a revision's record holds: the protobuf bytes of mvccpb.KeyValue, exactly as etcd writes them (fields in
 * order of number, zero fields left out), because HashKV is computed over these bytes.
 *
 * A tombstone's record holds the key alone.
 */
import { assert, EMPTY_BYTES } from '@etcd-ts/base';
import type { KeyValue } from './key-value.ts';

// Field number and wire type of mvccpb.KeyValue, one byte each.
const KEY = 0x0a;
const CREATE_REVISION = 0x10;
const MOD_REVISION = 0x18;
const VERSION = 0x20;
const VALUE = 0x2a;
const LEASE = 0x30;

const TWO_32 = 0x1_0000_0000;

/** The record of one version of a key. Copies key and value. */
export function encodeRecord(kv: KeyValue): Uint8Array {
  const into = new Uint8Array(recordSize(kv));
  writeRecord(kv, into, 0);
  return into;
}

/** Bytes of the record of a version; of a tombstone's, which holds the key alone, when all else is zero. */
export function recordSize(kv: KeyValue): number {
  return (
    bytesFieldSize(kv.key) +
    numberFieldSize(kv.createRevision) +
    numberFieldSize(kv.modRevision) +
    numberFieldSize(kv.version) +
    bytesFieldSize(kv.value) +
    (kv.lease === 0n ? 0 : 1 + leaseSize(kv.lease))
  );
}

/** Writes the record of a version. @returns where it ends. */
export function writeRecord(kv: KeyValue, into: Uint8Array, start: number): number {
  let at = writeBytesField(into, start, KEY, kv.key);
  at = writeNumberField(into, at, CREATE_REVISION, kv.createRevision);
  at = writeNumberField(into, at, MOD_REVISION, kv.modRevision);
  at = writeNumberField(into, at, VERSION, kv.version);
  at = writeBytesField(into, at, VALUE, kv.value);
  if (kv.lease !== 0n) {
    into[at++] = LEASE;
    at = writeLease(into, at, kv.lease);
  }
  return at;
}

/** Where a record's fields lie, and its numbers: what {@link scanRecord} finds. */
export interface RecordFields {
  keyStart: number;
  keyEnd: number;
  valueStart: number;
  valueEnd: number;
  createRevision: number;
  modRevision: number;
  version: number;
  lease: bigint;
}

/** Fields to be filled by {@link scanRecord}. */
export function recordFields(): RecordFields {
  return {
    keyStart: 0,
    keyEnd: 0,
    valueStart: 0,
    valueEnd: 0,
    createRevision: 0,
    modRevision: 0,
    version: 0,
    lease: 0n,
  };
}

/** Filled anew by each {@link decodeRecord}: reading is too frequent for an object each. */
const SCANNED: RecordFields = recordFields();

/**
 * Reads a record; key and value are views of it.
 *
 * @throws InvariantError when the bytes are not a record: the backend is damaged, and nothing of it is served.
 */
export function decodeRecord(bytes: Uint8Array): KeyValue {
  const { keyStart, keyEnd, valueStart, valueEnd, createRevision, modRevision, version, lease } =
    scanRecord(bytes, SCANNED);
  return {
    key: keyStart === keyEnd ? EMPTY_BYTES : bytes.subarray(keyStart, keyEnd),
    createRevision,
    modRevision,
    version,
    value: valueStart === valueEnd ? EMPTY_BYTES : bytes.subarray(valueStart, valueEnd),
    lease,
  };
}

/**
 * Finds a record's fields without making a view of any.
 *
 * @returns `into`.
 * @throws InvariantError as {@link decodeRecord}.
 */
export function scanRecord(bytes: Uint8Array, into: RecordFields): RecordFields {
  const end = bytes.length;
  into.keyStart = into.keyEnd = into.valueStart = into.valueEnd = 0;
  into.createRevision = into.modRevision = into.version = 0;
  into.lease = 0n;
  let at = 0;
  while (at < end) {
    const tag = bytes[at++];
    const numberEnd = endOfNumber(bytes, at, end);
    if (tag === LEASE) {
      into.lease = readLease(bytes, at, numberEnd);
      at = numberEnd;
      continue;
    }
    const number = readNumber(bytes, at, numberEnd);
    at = numberEnd;
    if (tag === MOD_REVISION) into.modRevision = number;
    else if (tag === CREATE_REVISION) into.createRevision = number;
    else if (tag === VERSION) into.version = number;
    else {
      assert(tag === KEY || tag === VALUE, () => `record has an unknown field: tag ${tag}`);
      assert(at + number <= end, () => `field of ${number} bytes leaves its record`);
      if (tag === KEY) {
        into.keyStart = at;
        into.keyEnd = at + number;
      } else {
        into.valueStart = at;
        into.valueEnd = at + number;
      }
      at += number;
    }
  }
  return into;
}

/** Where the number that begins here ends: behind its first byte without the high bit. */
function endOfNumber(bytes: Uint8Array, start: number, end: number): number {
  let at = start;
  while (at < end && (bytes[at] as number) >= 0x80) at++;
  assert(at < end && at - start < 10, () => `record has a broken number of ${at - start} bytes`);
  return at + 1;
}

function readNumber(bytes: Uint8Array, start: number, end: number): number {
  let value = 0;
  for (let at = end - 1; at >= start; at--) value = value * 128 + ((bytes[at] as number) & 0x7f);
  assert(Number.isSafeInteger(value), () => `record has a number too large: ${value}`);
  return value;
}

function readLease(bytes: Uint8Array, start: number, end: number): bigint {
  let value = 0n;
  for (let at = end - 1; at >= start; at--) {
    value = (value << 7n) | BigInt((bytes[at] as number) & 0x7f);
  }
  return BigInt.asIntN(64, value);
}

function numberSize(value: number): number {
  if (value < 0x80) return 1;
  if (value < 0x4000) return 2;
  if (value < 0x20_0000) return 3;
  let size = 4;
  for (let rest = Math.floor(value / 0x1000_0000); rest > 0; rest = Math.floor(rest / 128)) size++;
  return size;
}

function numberFieldSize(value: number): number {
  return value === 0 ? 0 : 1 + numberSize(value);
}

function bytesFieldSize(bytes: Uint8Array): number {
  return bytes.length === 0 ? 0 : 1 + numberSize(bytes.length) + bytes.length;
}

function leaseSize(lease: bigint): number {
  let size = 1;
  for (let rest = BigInt.asUintN(64, lease) >> 7n; rest > 0n; rest >>= 7n) size++;
  return size;
}

function writeNumber(into: Uint8Array, start: number, value: number): number {
  let at = start;
  let rest = value;
  while (rest >= TWO_32) {
    into[at++] = (rest % 128) | 0x80;
    rest = Math.floor(rest / 128);
  }
  while (rest >= 0x80) {
    into[at++] = (rest & 0x7f) | 0x80;
    rest >>>= 7;
  }
  into[at++] = rest;
  return at;
}

function writeNumberField(into: Uint8Array, at: number, tag: number, value: number): number {
  if (value === 0) return at;
  into[at] = tag;
  return writeNumber(into, at + 1, value);
}

function writeBytesField(into: Uint8Array, at: number, tag: number, bytes: Uint8Array): number {
  if (bytes.length === 0) return at;
  into[at] = tag;
  const start = writeNumber(into, at + 1, bytes.length);
  // Setting many bytes at once has a price of its own; a key is written sooner by hand.
  if (bytes.length > 64) into.set(bytes, start);
  else for (let i = 0; i < bytes.length; i++) into[start + i] = bytes[i] as number;
  return start + bytes.length;
}

function writeLease(into: Uint8Array, start: number, lease: bigint): number {
  let at = start;
  let rest = BigInt.asUintN(64, lease);
  while (rest >= 0x80n) {
    into[at++] = Number(rest & 0x7fn) | 0x80;
    rest >>= 7n;
  }
  into[at++] = Number(rest);
  return at;
}
