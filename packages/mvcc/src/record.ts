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
  const size =
    bytesFieldSize(kv.key) +
    numberFieldSize(kv.createRevision) +
    numberFieldSize(kv.modRevision) +
    numberFieldSize(kv.version) +
    bytesFieldSize(kv.value) +
    (kv.lease === 0n ? 0 : 1 + leaseSize(kv.lease));
  const into = new Uint8Array(size);
  let at = writeBytesField(into, 0, KEY, kv.key);
  at = writeNumberField(into, at, CREATE_REVISION, kv.createRevision);
  at = writeNumberField(into, at, MOD_REVISION, kv.modRevision);
  at = writeNumberField(into, at, VERSION, kv.version);
  at = writeBytesField(into, at, VALUE, kv.value);
  if (kv.lease !== 0n) {
    into[at++] = LEASE;
    at = writeLease(into, at, kv.lease);
  }
  assert(at === size, () => `record of ${size} bytes, wrote ${at}`);
  return into;
}

/** The record of a delete. */
export function encodeTombstone(key: Uint8Array): Uint8Array {
  const into = new Uint8Array(bytesFieldSize(key));
  writeBytesField(into, 0, KEY, key);
  return into;
}

/**
 * Reads a record; key and value are views of it.
 *
 * @throws InvariantError when the bytes are not a record: the backend is damaged, and nothing of it is served.
 */
export function decodeRecord(record: Uint8Array): KeyValue {
  const kv: KeyValue = {
    key: EMPTY_BYTES,
    createRevision: 0,
    modRevision: 0,
    version: 0,
    value: EMPTY_BYTES,
    lease: 0n,
  };
  const reader = { at: 0 };
  while (reader.at < record.length) readField(record, reader, kv);
  assert(reader.at === record.length, () => `record of ${record.length} bytes ends early`);
  return kv;
}

interface Reader {
  at: number;
}

function readField(record: Uint8Array, reader: Reader, kv: KeyValue): void {
  const tag = record[reader.at++];
  switch (tag) {
    case KEY:
      kv.key = readBytes(record, reader);
      break;
    case CREATE_REVISION:
      kv.createRevision = readNumber(record, reader);
      break;
    case MOD_REVISION:
      kv.modRevision = readNumber(record, reader);
      break;
    case VERSION:
      kv.version = readNumber(record, reader);
      break;
    case VALUE:
      kv.value = readBytes(record, reader);
      break;
    case LEASE:
      kv.lease = readLease(record, reader);
      break;
    default:
      assert(false, () => `record has an unknown field: tag ${tag} at byte ${reader.at - 1}`);
  }
}

function readBytes(record: Uint8Array, reader: Reader): Uint8Array {
  const length = readNumber(record, reader);
  const start = reader.at;
  reader.at = start + length;
  assert(reader.at <= record.length, () => `field of ${length} bytes leaves its record`);
  return record.subarray(start, reader.at);
}

function readNumber(record: Uint8Array, reader: Reader): number {
  let value = 0;
  let scale = 1;
  for (;;) {
    const byte = record[reader.at++];
    assert(byte !== undefined && scale <= Number.MAX_SAFE_INTEGER, 'record has a broken number');
    value += (byte & 0x7f) * scale;
    if (byte < 0x80) return value;
    scale *= 128;
  }
}

function readLease(record: Uint8Array, reader: Reader): bigint {
  let value = 0n;
  for (let shift = 0n; ; shift += 7n) {
    const byte = record[reader.at++];
    assert(byte !== undefined && shift < 70n, 'record has a broken lease');
    value |= BigInt(byte & 0x7f) << shift;
    if (byte < 0x80) return BigInt.asIntN(64, value);
  }
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
  into.set(bytes, start);
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
