/**
 * Groups on their way to the disk, encoded one behind the other: the hot path's one copy.
 *
 * Invariant: `bytes[0, length)` are whole groups, each record continuing the one before by its checksum.
 */
import { assert, EMPTY_BYTES } from '@etcd-ts/base';
import type { Entry } from '@etcd-ts/raft';
import type { WalGroup } from './contents.ts';
import { chainFrames } from './frame-chain.ts';
import {
  encodeConfigChange,
  encodeSnapshotMeta,
  ENTRY_HEADER_BYTES,
  HARD_STATE_BYTES,
  putHardState,
  putNumber,
} from './payload.ts';
import {
  beginFrame,
  FRAME_HEADER_BYTES,
  frameBytes,
  MAX_PAYLOAD_BYTES,
  RECORD_TYPE,
  recordBytes,
  type RecordType,
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
    const start = this.#length;
    this.#syncedBytes = syncedBytes;
    this.#remaining =
      entries.length + (snapshot === undefined ? 0 : 1) + (hardState === undefined ? 0 : 1);
    if (snapshot !== undefined) {
      const meta = encodeSnapshotMeta(snapshot);
      const at = this.#begin(RECORD_TYPE.snapshotMark, meta.length);
      this.#records.bytes.set(meta, at);
    }
    for (const entry of entries) this.#entry(entry);
    if (hardState !== undefined) {
      const at = this.#begin(RECORD_TYPE.hardState, HARD_STATE_BYTES);
      putHardState(this.#records.view, at, hardState);
    }
    this.#close(start);
  }

  /** Adds a mark that says how much is durable, and nothing else. */
  pushSyncMark(syncedBytes: number): void {
    const start = this.#length;
    this.#syncedBytes = syncedBytes;
    this.#remaining = 1;
    this.#begin(RECORD_TYPE.syncMark, 0);
    this.#close(start);
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
      case 'command':
        return this.#put(RECORD_TYPE.commandEntry, index, term, payload.data);
      case 'config':
        return this.#put(RECORD_TYPE.configEntry, index, term, encodeConfigChange(payload.change));
      case 'empty':
        return this.#put(RECORD_TYPE.emptyEntry, index, term, EMPTY_BYTES);
    }
  }

  #put(type: RecordType, index: number, term: number, data: Uint8Array): void {
    const at = this.#begin(type, ENTRY_HEADER_BYTES + data.length);
    const { bytes, view } = this.#records;
    putNumber(view, at, index);
    putNumber(view, at + 8, term);
    bytes.set(data, at + ENTRY_HEADER_BYTES);
  }

  /**
   * Begins the next frame, and returns where its payload goes.
   *
   * Growing replaces `#records`: begin first, then look at it.
   */
  #begin(type: RecordType, payloadBytes: number): number {
    const start = this.#length;
    const end = start + frameBytes(payloadBytes);
    if (end > this.#records.bytes.length) {
      this.#resize(Math.max(end, this.#records.bytes.length * 2));
    }
    this.#length = end;
    this.#remaining -= 1;
    const endsGroup = this.#remaining === 0;
    const head = { type, endsGroup, syncedBytes: this.#syncedBytes, payloadBytes };
    return beginFrame(this.#records, start, head);
  }

  /** Closes the group that begins at `start`. */
  #close(start: number): void {
    assert(this.#remaining === 0, 'a group ends with its last record');
    this.#crc = chainFrames(this.#records, start, this.#length, this.#crc);
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
