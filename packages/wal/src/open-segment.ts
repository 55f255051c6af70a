/**
 * The segment at the end of a log, as a file that is written.
 *
 * Invariants: syncedBytes ≤ positionBytes ≤ allocatedBytes; bytes of the file behind positionBytes are zero.
 */
import { assert } from '@etcd-ts/base';
import type { DiskFile } from './disk.ts';
import type { DiskMeter } from './disk-meter.ts';

/**
 * Before small writes a segment is filled with zeros ahead of the log, in steps of at most this size: a sync of bytes that
 * have their place on the disk already is cheaper by a third, and a full disk shows before a group is half written.
 */
const ZEROED_STEP_BYTES = 1024 * 1024;

/** A young log gets less room, about as much as it has already: whoever reads it reads the room too. */
const FIRST_ZEROED_STEP_BYTES = 64 * 1024;

/** Before writes larger than this the zeros would cost more than they save: the file is only made longer. */
const ZEROED_WRITE_BYTES = 16 * 1024;

/** The same, of writes for which nobody waits in turn: then what counts is how soon one is durable. */
const ZEROED_CALM_WRITE_BYTES = 128 * 1024;

/** How much longer: a sync that finds the size settled is cheaper by a fifth. */
const EXTENDED_STEP_BYTES = 4 * 1024 * 1024;

const ZEROS = new Uint8Array(ZEROED_STEP_BYTES);

/** A segment's file and how far it is written. */
export interface OpenSegmentStart {
  readonly file: DiskFile;
  /** End of its records, all of them durable. */
  readonly positionBytes: number;
  /** Its size; zeros from the position on. */
  readonly allocatedBytes: number;
}

/** A segment that takes records. */
export class OpenSegment {
  readonly #file: DiskFile;
  readonly #meter: DiskMeter;
  /** No use in having more room than a segment can take. */
  readonly #stepLimitBytes: number;
  #positionBytes: number;
  #syncedBytes: number;
  #allocatedBytes: number;
  #zeroedWriteBytes = ZEROED_CALM_WRITE_BYTES;

  constructor(start: OpenSegmentStart, segmentSizeBytes: number, meter: DiskMeter) {
    this.#file = start.file;
    this.#positionBytes = start.positionBytes;
    this.#syncedBytes = start.positionBytes;
    this.#allocatedBytes = start.allocatedBytes;
    this.#stepLimitBytes = segmentSizeBytes;
    this.#meter = meter;
  }

  get path(): string {
    return this.#file.path;
  }

  /** Where the next record goes. */
  get positionBytes(): number {
    return this.#positionBytes;
  }

  /** How much is durable. */
  get syncedBytes(): number {
    return this.#syncedBytes;
  }

  /**
   * Makes room for a large write before it comes; does nothing for a small one.
   *
   * @param isPressed Whether more came in than the disk takes: then room is what costs least, not what is quickest to sync.
   * @throws DiskError
   */
  async extend(sizeBytes: number, isPressed: boolean): Promise<void> {
    this.#zeroedWriteBytes = isPressed ? ZEROED_WRITE_BYTES : ZEROED_CALM_WRITE_BYTES;
    const endBytes = this.#positionBytes + sizeBytes;
    if (sizeBytes <= this.#zeroedWriteBytes || endBytes <= this.#allocatedBytes) return;
    const stepBytes = Math.min(EXTENDED_STEP_BYTES, this.#stepLimitBytes);
    const allocatedBytes = roundUp(endBytes, stepBytes);
    await this.#file.truncate(allocatedBytes);
    assert(this.#positionBytes + sizeBytes === endBytes, 'nothing is written while room is made');
    this.#allocatedBytes = allocatedBytes;
  }

  /** @throws DiskError */
  write(records: Uint8Array): void {
    const startedMs = this.#meter.begin();
    this.#file.write(this.#positionBytes, records);
    this.#positionBytes += records.length;
    if (this.#positionBytes > this.#allocatedBytes) this.#allocate(records.length);
    this.#meter.written(records.length, startedMs);
  }

  /**
   * Makes durable what was written before the call.
   *
   * @throws DiskError
   */
  async sync(): Promise<void> {
    const throughBytes = this.#positionBytes;
    const startedMs = this.#meter.begin();
    await this.#file.sync();
    this.#meter.synced(startedMs);
    this.#syncedBytes = throughBytes;
  }

  /** Does not sync. */
  close(): Promise<void> {
    return this.#file.close();
  }

  #allocate(writtenBytes: number): void {
    const isSmall = writtenBytes <= this.#zeroedWriteBytes;
    const stepBytes = isSmall
      ? Math.min(zeroedStepBytes(this.#positionBytes), this.#stepLimitBytes)
      : 1;
    const allocatedBytes = roundUp(this.#positionBytes, stepBytes);
    const zeros = ZEROS.subarray(0, allocatedBytes - this.#positionBytes);
    if (zeros.length > 0) this.#file.write(this.#positionBytes, zeros);
    this.#allocatedBytes = allocatedBytes;
  }
}

/** Whole steps, so that room always ends where a step of a longer log ends. */
function zeroedStepBytes(positionBytes: number): number {
  let stepBytes = FIRST_ZEROED_STEP_BYTES;
  while (stepBytes < positionBytes && stepBytes < ZEROED_STEP_BYTES) stepBytes *= 2;
  return stepBytes;
}

function roundUp(value: number, step: number): number {
  return Math.ceil(value / step) * step;
}
