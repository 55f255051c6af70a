/** What one frame between two peers says. */
import { EtcdError, type ErrorCode, CATALOGUE } from '@etcd-ts/protocol';
import { Packr } from 'msgpackr';
import type { MessageRecord } from './message-codec.ts';

/** The vocabulary of a peer connection. Numbers are for ever. */
export const RECORD = {
  /** `[0, records]`: Raft messages. */
  messages: 0,
  /** `[1, id, method, request]`: a unary call. */
  call: 1,
  /** `[2, id, response]`: its answer. */
  answer: 2,
  /** `[3, id, code, message, mayHaveApplied]`: its failure. */
  failure: 3,
  /** `[4, record, transfer, isResumed]`: a snapshot begins or goes on; on the bulk lane alone, as are the next four. */
  snapshot: 4,
  /** `[5, bytes, number]`: a part of its content; numbers begin at 0. */
  chunk: 5,
  /** `[6]`: its content is complete. */
  end: 6,
  /** `[7]`: it was taken in. */
  taken: 7,
  /** `[8, why]`: it was not. */
  refused: 8,
  /** `[9]`: is anyone there? */
  ping: 9,
  /** `[10]`: yes. */
  pong: 10,
  /** `[11, number]`: every chunk before it is here; on the bulk lane, as is the next. */
  position: 11,
  /** `[12, why]`: the sender gives the transfer up. */
  abandoned: 12,
} as const;

/** A frame's payload as a value. */
export type PeerRecord = readonly [number, ...unknown[]];

const packr = new Packr({ useRecords: false, int64AsType: 'bigint' });

/** The payload's bytes. */
export function packRecord(record: PeerRecord): Uint8Array {
  return packr.pack(record);
}

/**
 * Reads a payload.
 *
 * @throws Error when it is no such record.
 */
export function unpackRecord(payload: Uint8Array): PeerRecord {
  const record: unknown = packr.unpack(payload);
  if (!Array.isArray(record) || typeof record[0] !== 'number') {
    throw new Error('a peer sent a frame that is no record');
  }
  return record as unknown as PeerRecord;
}

/** The message records of a `messages` record. */
export function messagesOf(record: PeerRecord): readonly MessageRecord[] {
  return record[1] as readonly MessageRecord[];
}

/** The record of a failed call. */
export function failureRecord(id: number, error: unknown): PeerRecord {
  const { code, message, mayHaveApplied } = EtcdError.from(error);
  return [RECORD.failure, id, code, message, mayHaveApplied];
}

/** The error of a `failure` record. */
export function failureOf(record: PeerRecord): EtcdError {
  const [, , code, message, mayHaveApplied] = record as readonly [
    number,
    number,
    string,
    string,
    boolean,
  ];
  const known = code in CATALOGUE ? (code as ErrorCode) : 'UNKNOWN';
  return new EtcdError(known, { message, mayHaveApplied });
}
