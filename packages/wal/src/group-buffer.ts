/**
 * Groups on their way to the disk, encoded one behind the other: the hot path's one copy.
 *
 * Invariant: `bytes[0, length)` are whole groups, each record continuing the one before by its checksum.
 */
import { assert } from '@etcd-ts/base';
import type { Entry } from '@etcd-ts/raft';
import type { WalGroup } from './contents.ts';
import {
  encodeConfigChange,
  encodeSnapshotMeta,
  ENTRY_HEADER_BYTES,
  HARD_STATE_BYTES,
  putHardState,
  putNumber,
} from './payload.ts';
import {
  FRAME_HEADER_BYTES,
  frameBytes,
  MAX_PAYLOAD_BYTES,
  RECORD_TYPE,
  recordBytes,
  type RecordType,
  sealFrame,
} from './record.ts';

const INITIAL_CAPACITY_BYTES = 4 * 1024;

/** A buffer that has grown beyond this is given back once it is empty. */
const RETAINED_CAPACITY_BYTES = 4 * 1024 * 1024;

/** Encoded groups that wait to be written. */
export class GroupBuffer {
  #records = recordBytes(new ArrayBuffer(INITIAL_CAPACITY_BYTES));
  #length = 0;
  #crc: number;
  /** Records of the group at hand that are still to come. */
  #remaining = 0;
  #syncedBytes = 0;

  /** @param crc Checksum of the record that the first group continues. */
  constructor(crc: number) {
    this.#crc = crc;
  }

  /** Bytes that wait. */
  get length(): number {
    return this.#length;
  }

  /** Checksum of the last record. */
  get crc(): number {
    return this.#crc;
  }

  /** Adds a group. `syncedBytes` of the segment are durable now. */
  push({ snapshot, entries, hardState }: WalGroup, syncedBytes: number): void {
    this.#syncedBytes = syncedBytes;
    this.#remaining =
      entries.length + (snapshot === undefined ? 0 : 1) + (hardState === undefined ? 0 : 1);
    if (snapshot !== undefined) {
      this.#structured(RECORD_TYPE.snapshotMark, encodeSnapshotMeta(snapshot));
    }
    for (const entry of entries) this.#entry(entry);
    if (hardState !== undefined) {
      const at = this.#reserve(HARD_STATE_BYTES);
      putHardState(this.#records.view, at, hardState);
      this.#seal(RECORD_TYPE.hardState, HARD_STATE_BYTES);
    }
    assert(this.#remaining === 0, 'a group ends with its last record');
  }

  /** Adds a mark that says how much is durable, and nothing else. */
  pushSyncMark(syncedBytes: number): void {
    this.#syncedBytes = syncedBytes;
    this.#remaining = 1;
    this.#reserve(0);
    this.#seal(RECORD_TYPE.syncMark, 0);
  }

  /** Hands what waits to `write`, and is empty then. The bytes are valid during the call alone. */
  drain(write: (bytes: Uint8Array) => void): void {
    write(this.#records.bytes.subarray(0, this.#length));
    this.#length = 0;
    if (this.#records.bytes.length > RETAINED_CAPACITY_BYTES) this.#resize(INITIAL_CAPACITY_BYTES);
  }

  /** What follows continues another record: the header of a new segment. */
  continueFrom(crc: number): void {
    assert(this.#length === 0, 'a segment ends between groups');
    this.#crc = crc;
  }

  #entry({ index, term, payload }: Entry): void {
    switch (payload.kind) {
      case 'command': {
        const { data } = payload;
        const at = this.#reserve(ENTRY_HEADER_BYTES + data.length);
        this.#records.bytes.set(data, at + ENTRY_HEADER_BYTES);
        return this.#entryHead(RECORD_TYPE.commandEntry, at, index, term, data.length);
      }
      case 'config': {
        const change = encodeConfigChange(payload.change);
        const at = this.#reserve(ENTRY_HEADER_BYTES + change.length);
        this.#records.bytes.set(change, at + ENTRY_HEADER_BYTES);
        return this.#entryHead(RECORD_TYPE.configEntry, at, index, term, change.length);
      }
      case 'empty': {
        const at = this.#reserve(ENTRY_HEADER_BYTES);
        return this.#entryHead(RECORD_TYPE.emptyEntry, at, index, term, 0);
      }
    }
  }

  #entryHead(type: RecordType, at: number, index: number, term: number, dataBytes: number): void {
    putNumber(this.#records.view, at, index);
    putNumber(this.#records.view, at + 8, term);
    this.#seal(type, ENTRY_HEADER_BYTES + dataBytes);
  }

  #structured(type: RecordType, payload: Uint8Array): void {
    const at = this.#reserve(payload.length);
    this.#records.bytes.set(payload, at);
    this.#seal(type, payload.length);
  }

  /**
   * Makes room for a frame, and returns where its payload goes.
   *
   * Growing replaces `#records`: reserve first, then look at it.
   */
  #reserve(payloadBytes: number): number {
    const needed = this.#length + frameBytes(payloadBytes);
    if (needed > this.#records.bytes.length)
      this.#resize(Math.max(needed, this.#records.bytes.length * 2));
    return this.#length + FRAME_HEADER_BYTES;
  }

  #seal(type: RecordType, payloadBytes: number): void {
    this.#remaining -= 1;
    this.#crc = sealFrame(this.#records, this.#length, {
      type,
      endsGroup: this.#remaining === 0,
      previousCrc: this.#crc,
      syncedBytes: this.#syncedBytes,
      payloadBytes,
    });
    this.#length += frameBytes(payloadBytes);
  }

  #resize(capacityBytes: number): void {
    const records = recordBytes(new ArrayBuffer(capacityBytes));
    records.bytes.set(this.#records.bytes.subarray(0, this.#length));
    this.#records = records;
  }
}

/** Bytes that a group takes at least; and whether a record of it is larger than a frame can hold. */
export function measureGroup({ entries }: WalGroup): { sizeBytes: number; isTooLarge: boolean } {
  let sizeBytes = 0;
  let isTooLarge = false;
  for (const { payload } of entries) {
    const dataBytes = payload.kind === 'command' ? payload.data.length : 0;
    sizeBytes += FRAME_HEADER_BYTES + ENTRY_HEADER_BYTES + dataBytes;
    if (ENTRY_HEADER_BYTES + dataBytes > MAX_PAYLOAD_BYTES) isTooLarge = true;
  }
  return { sizeBytes, isTooLarge };
}
