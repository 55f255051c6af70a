/** Reading the records of one segment in order, group by group, up to the first that is not in its place. */
import type { Frame, FrameFailure, RecordBytes } from './record.ts';
import { readFrame, RECORD_TYPE } from './record.ts';

/** A frame that proves itself but does not continue the chain: a stale record, or one of another place. */
export interface Misplaced {
  readonly kind: 'misplaced';
  readonly frame: Frame;
}

/** Where a scan ended and why. */
export interface ScanEnd {
  /** The end of the last complete group. */
  readonly endBytes: number;
  /** Checksum of the last record of that group. */
  readonly crc: number;
  /** Bytes of the segment that some record says were durable. */
  readonly provenBytes: number;
  /** Where the record stands that is not one; behind `endBytes` when a group is incomplete. */
  readonly stoppedAtBytes: number;
  readonly failure: FrameFailure | Misplaced;
}

/**
 * Reads on from a record's boundary.
 *
 * @param crc Checksum of the record before `start`.
 * @param onGroup Called with the frames of every complete group, in order.
 */
export function scanRecords(
  segment: RecordBytes,
  start: number,
  crc: number,
  onGroup: (frames: readonly Frame[]) => void,
): ScanEnd {
  const complete = { endBytes: start, crc, provenBytes: 0 };
  let group: Frame[] = [];
  let at = start;
  let chain = crc;
  for (;;) {
    const frame = readFrame(segment, at);
    if ('kind' in frame) return { ...complete, stoppedAtBytes: at, failure: frame };
    if (frame.previousCrc !== chain || frame.type === RECORD_TYPE.segmentHeader) {
      return { ...complete, stoppedAtBytes: at, failure: { kind: 'misplaced', frame } };
    }
    group.push(frame);
    at = frame.end;
    chain = frame.crc;
    complete.provenBytes = Math.max(complete.provenBytes, frame.syncedBytes);
    if (!frame.endsGroup) continue;
    onGroup(group);
    group = [];
    complete.endBytes = at;
    complete.crc = chain;
  }
}
