/**
 * How a command looks in the log: a short envelope, then the request's own wire bytes.
 *
 * ```
 * offset  size  field
 *      0     1  format, 1
 *      1     1  kind (KIND_NUMBERS)
 *      2     2  length of the caller's record, big-endian; 0: no caller
 *      4     8  member that proposed it, big-endian
 *     12     8  its incarnation: drawn anew with every start
 *     20     8  its sequence number, big-endian, from 1
 *     28     n  caller: auth revision (float64), user name (UTF-8)
 *   28+n        the request: protobuf for etcd's messages, msgpack for our own kinds
 * ```
 *
 * The incarnation keeps a replay of entries that an earlier life of this member proposed from answering a caller of
 * this life that happens to have the same sequence number.
 */
import { assert, concatBytes, EMPTY_BYTES, fromUtf8, type MemberId, utf8 } from '@etcd-ts/base';
import {
  AlarmRequest,
  CompactionRequest,
  DeleteRangeRequest,
  LeaseGrantRequest,
  LeaseRevokeRequest,
  PutRequest,
  TxnRequest,
} from '@etcd-ts/protocol';
import { Packr } from 'msgpackr';
import type { Random } from '../clock.ts';
import type { Caller, Command } from './command.ts';

const FORMAT = 1;
const ENVELOPE_BYTES = 28;

/** Bytes that the envelope adds to a request, but for the caller's record. */
export const COMMAND_OVERHEAD_BYTES: number = ENVELOPE_BYTES;

/** Numbers are for ever: a log that was written once must be readable. */
const KIND_NUMBERS = {
  put: 1,
  deleteRange: 2,
  txn: 3,
  compact: 4,
  leaseGrant: 5,
  leaseRevoke: 6,
  leaseRevokeExpired: 7,
  leaseCheckpoint: 8,
  alarm: 9,
  publishMember: 10,
  auth: 11,
  setClusterVersion: 12,
  setDowngrade: 13,
} as const satisfies Record<Command['kind'], number>;

const KINDS = new Map<number, Command['kind']>(
  Object.entries(KIND_NUMBERS).map(([kind, code]) => [code, kind as Command['kind']]),
);

/** Records as plain maps: readable by any msgpack reader, and independent of what was packed before. */
const packr = new Packr({ useRecords: false, int64AsType: 'bigint', moreTypes: false });

/** Writes and reads the commands of one life of a member. */
export class CommandCodec {
  /** Format, kind, lengths, member, incarnation: all but the sequence number. */
  readonly #template: Uint8Array;

  constructor(member: MemberId, random: Random) {
    const template = new Uint8Array(ENVELOPE_BYTES);
    const view = new DataView(template.buffer);
    view.setUint8(0, FORMAT);
    view.setBigUint64(4, member);
    view.setUint32(12, random.uint32());
    view.setUint32(16, random.uint32());
    this.#template = template;
  }

  /**
   * The entry's bytes.
   *
   * @param raw The request's wire bytes when the caller has them; they must decode to `command.request`.
   */
  encode(sequence: number, command: Command, raw?: Uint8Array): Uint8Array {
    const caller = command.caller === undefined ? EMPTY_BYTES : encodeCaller(command.caller);
    const body = raw ?? encodeBody(command);
    const data = new Uint8Array(ENVELOPE_BYTES + caller.length + body.length);
    data.set(this.#template);
    data[1] = KIND_NUMBERS[command.kind];
    data[2] = caller.length >>> 8;
    data[3] = caller.length & 0xff;
    writeUint32(data, 20, Math.floor(sequence / TWO_32));
    writeUint32(data, 24, sequence % TWO_32);
    data.set(caller, ENVELOPE_BYTES);
    data.set(body, ENVELOPE_BYTES + caller.length);
    return data;
  }

  /** The sequence number when this very life of this member proposed the entry; 0 otherwise. */
  ownSequence(data: Uint8Array): number {
    checkFormat(data);
    for (let i = 4; i < 20; i++) if (data[i] !== this.#template[i]) return 0;
    return readUint32(data, 20) * TWO_32 + readUint32(data, 24);
  }

  /**
   * Reads an entry's bytes.
   *
   * @throws InvariantError when the format or the kind is of a newer version: applying past it would make this member
   *   differ from the others, so the node stops.
   */
  decode(data: Uint8Array): Command {
    checkFormat(data);
    const kind = KINDS.get(data[1] as number);
    assert(kind !== undefined, () => `command kind ${data[1]} is unknown to this version`);
    const callerLength = ((data[2] as number) << 8) | (data[3] as number);
    const start = ENVELOPE_BYTES + callerLength;
    const command = decodeBody(kind, data.subarray(start));
    if (callerLength === 0) return command;
    return { ...command, caller: decodeCaller(data.subarray(ENVELOPE_BYTES, start)) };
  }
}

function checkFormat(data: Uint8Array): void {
  assert(data.length >= ENVELOPE_BYTES, () => `a command has ${data.length} bytes`);
  assert(data[0] === FORMAT, () => `command format ${data[0]}, this version knows ${FORMAT}`);
}

const TWO_32 = 2 ** 32;

function writeUint32(into: Uint8Array, at: number, value: number): void {
  into[at] = value >>> 24;
  into[at + 1] = value >>> 16;
  into[at + 2] = value >>> 8;
  into[at + 3] = value;
}

function readUint32(bytes: Uint8Array, at: number): number {
  const [a, b, c, d] = [bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]] as [
    number,
    number,
    number,
    number,
  ];
  return ((a << 24) | (b << 16) | (c << 8) | d) >>> 0;
}

function encodeCaller(caller: Caller): Uint8Array {
  const revision = new Uint8Array(8);
  new DataView(revision.buffer).setFloat64(0, caller.authRevision);
  const bytes = concatBytes([revision, utf8(caller.username)]);
  assert(bytes.length <= 0xffff, () => `user name of ${bytes.length - 8} bytes`);
  return bytes;
}

function decodeCaller(bytes: Uint8Array): Caller {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return { authRevision: view.getFloat64(0), username: fromUtf8(bytes.subarray(8)) };
}

function encodeBody(command: Command): Uint8Array {
  switch (command.kind) {
    case 'put':
      return PutRequest.encode(command.request);
    case 'deleteRange':
      return DeleteRangeRequest.encode(command.request);
    case 'txn':
      return TxnRequest.encode(command.request);
    case 'compact':
      return CompactionRequest.encode(command.request);
    case 'leaseGrant':
      return LeaseGrantRequest.encode(command.request);
    case 'leaseRevoke':
      return LeaseRevokeRequest.encode(command.request);
    case 'alarm':
      return AlarmRequest.encode(command.request);
    case 'auth':
    case 'leaseRevokeExpired':
    case 'leaseCheckpoint':
    case 'publishMember':
    case 'setClusterVersion':
    case 'setDowngrade':
      return packr.pack(ownFields(command));
  }
}

/** What a command of our own says beside kind and caller, which are in the envelope. */
function ownFields(command: Command): object {
  const { kind: _kind, caller: _caller, ...fields } = command;
  return fields;
}

function decodeBody(kind: Command['kind'], body: Uint8Array): Command {
  switch (kind) {
    case 'put':
      return { kind, request: PutRequest.decode(body) };
    case 'deleteRange':
      return { kind, request: DeleteRangeRequest.decode(body) };
    case 'txn':
      return { kind, request: TxnRequest.decode(body) };
    case 'compact':
      return { kind, request: CompactionRequest.decode(body) };
    case 'leaseGrant':
      return { kind, request: LeaseGrantRequest.decode(body) };
    case 'leaseRevoke':
      return { kind, request: LeaseRevokeRequest.decode(body) };
    case 'alarm':
      return { kind, request: AlarmRequest.decode(body) };
    case 'auth':
    case 'leaseRevokeExpired':
    case 'leaseCheckpoint':
    case 'publishMember':
    case 'setClusterVersion':
    case 'setDowngrade':
      return { ...(packr.unpack(body) as Command), kind } as Command;
  }
}
