/** Puts a log together from its groups, in the order in which they were written. */
import { EMPTY_BYTES } from '@etcd-ts/base';
import type { Entry, HardState, Payload, SnapshotMeta } from '@etcd-ts/raft';
import { LogTerms } from './log-terms.ts';
import {
  decodeConfigChange,
  decodeSnapshotMeta,
  ENTRY_HEADER_BYTES,
  getHardState,
  getNumber,
  HARD_STATE_BYTES,
  PayloadError,
  type SegmentHeader,
} from './payload.ts';
import { type Frame, RECORD_TYPE, type RecordBytes } from './record.ts';

/** Commands are copied into blocks, so that a segment's bytes are not kept for a few entries: small ones first. */
const FIRST_BLOCK_BYTES = 4 * 1024;
const LAST_BLOCK_BYTES: number = 1024 * 1024;

/** The log as of the groups taken so far. */
export class LogBuilder {
  readonly #isUsable: (snapshot: SnapshotMeta) => boolean;
  readonly #terms: LogTerms;
  #entries: Entry[] = [];
  #hardState: HardState;
  #snapshot: SnapshotMeta | undefined;
  #missing: SnapshotMeta | undefined;
  #passedOver: SnapshotMeta | undefined;
  #block: Uint8Array = EMPTY_BYTES;
  #blockUsedBytes = 0;

  /** Begins where a segment begins. */
  constructor(header: SegmentHeader, isUsable: (snapshot: SnapshotMeta) => boolean) {
    this.#isUsable = isUsable;
    this.#hardState = header.hardState;
    this.#terms = new LogTerms(header.firstIndex - 1, header.firstIndex === 1 ? 0 : undefined);
    if (header.snapshot !== undefined) this.#mark(header.snapshot);
  }

  /** Term, vote and commit as last written. */
  get hardState(): HardState {
    return this.#hardState;
  }

  /** The newest usable mark. */
  get snapshot(): SnapshotMeta | undefined {
    return this.#snapshot;
  }

  /** A mark behind which the log began anew, but whose snapshot cannot be had; undefined when a later one can. */
  get missingSnapshot(): SnapshotMeta | undefined {
    return this.#missing;
  }

  /**
   * The newest mark whose snapshot cannot be had, though what it covers is here: entries before it may have been let go for
   * its sake.
   */
  get passedOver(): SnapshotMeta | undefined {
    return this.#passedOver;
  }

  /** Indexes and terms of the log. */
  get terms(): LogTerms {
    return this.#terms;
  }

  /** The entries after the offset of {@link terms}. */
  get entries(): readonly Entry[] {
    return this.#entries;
  }

  /**
   * Takes the records of a group.
   *
   * @throws PayloadError when one of them does not continue the log.
   */
  take(segment: RecordBytes, frames: readonly Frame[]): void {
    for (const frame of frames) this.#record(segment, frame);
  }

  #record({ bytes, view }: RecordBytes, frame: Frame): void {
    const { type, payloadStart, payloadEnd } = frame;
    switch (type) {
      case RECORD_TYPE.segmentHeader:
        throw new PayloadError('a segment header within a segment');
      case RECORD_TYPE.syncMark:
        return;
      case RECORD_TYPE.hardState:
        if (payloadEnd - payloadStart !== HARD_STATE_BYTES) {
          throw new PayloadError(`a hard state of ${payloadEnd - payloadStart} bytes`);
        }
        this.#hardState = getHardState(view, payloadStart);
        return;
      case RECORD_TYPE.snapshotMark:
        this.#mark(decodeSnapshotMeta(bytes.subarray(payloadStart, payloadEnd)));
        return;
      case RECORD_TYPE.emptyEntry:
      case RECORD_TYPE.commandEntry:
      case RECORD_TYPE.configEntry:
        this.#entry(view, frame, this.#payload(bytes, frame));
    }
  }

  #entry(view: DataView, { payloadStart, payloadEnd }: Frame, payload: Payload): void {
    if (payloadEnd - payloadStart < ENTRY_HEADER_BYTES) {
      throw new PayloadError(`an entry of ${payloadEnd - payloadStart} bytes`);
    }
    const index = getNumber(view, payloadStart, 'index');
    const term = getNumber(view, payloadStart + 8, 'term');
    const refusal = this.#terms.refuses(index, term);
    if (refusal !== undefined) throw new PayloadError(refusal);
    this.#terms.push(index, term);
    this.#entries.length = index - this.#terms.offset - 1;
    this.#entries.push({ index, term, payload });
  }

  #payload(bytes: Uint8Array, { type, payloadStart, payloadEnd }: Frame): Payload {
    const data = bytes.subarray(payloadStart + ENTRY_HEADER_BYTES, payloadEnd);
    if (type === RECORD_TYPE.commandEntry) return { kind: 'command', data: this.#copy(data) };
    if (type === RECORD_TYPE.configEntry) {
      return { kind: 'config', change: decodeConfigChange(data) };
    }
    return { kind: 'empty' };
  }

  #mark(snapshot: SnapshotMeta): void {
    const isUsable = this.#isUsable(snapshot);
    const { index, term } = snapshot;
    const covers = index > this.#terms.offset;
    if (!isUsable && (!covers || this.#terms.termAt(index) === term)) {
      if (index >= this.#terms.offset) this.#passedOver = snapshot;
      return;
    }
    const offsetBefore = this.#terms.offset;
    const outcome = this.#terms.mark(index, term);
    if (outcome === 'kept') this.#entries = this.#entries.slice(index - offsetBefore);
    if (outcome === 'reset') this.#entries = [];
    if (!isUsable) this.#missing = snapshot;
    else if (index >= (this.#missing?.index ?? 0)) this.#missing = undefined;
    if (isUsable && index >= (this.#snapshot?.index ?? 0)) this.#snapshot = snapshot;
  }

  #copy(data: Uint8Array): Uint8Array {
    if (data.length > LAST_BLOCK_BYTES / 4) return data.slice();
    if (this.#blockUsedBytes + data.length > this.#block.length) {
      const doubled = Math.max(FIRST_BLOCK_BYTES, 2 * this.#block.length, 4 * data.length);
      this.#block = new Uint8Array(Math.min(doubled, LAST_BLOCK_BYTES));
      this.#blockUsedBytes = 0;
    }
    const start = this.#blockUsedBytes;
    this.#blockUsedBytes += data.length;
    this.#block.set(data, start);
    return this.#block.subarray(start, this.#blockUsedBytes);
  }
}
