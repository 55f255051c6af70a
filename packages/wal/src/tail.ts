/**
 * What the end of a log means: the clean end, a write that a crash left unfinished, or damage.
 *
 * A write that was never synced may be on disk in any subset of its sectors, the others still zero, since everything behind
 * the log's end is zero. So an unfinished write is found only behind everything that was synced, and shows where its bytes
 * are missing: a sector that is zero from within a record to its own end. Whatever else does not read was durable once and
 * has changed since: it is reported, and nothing is cut away.
 *
 * The evidence that bytes were durable is in later records: each says how much of its segment was durable before it was
 * written. Only what was written last, by a process that did not close its log, has no later record; there a changed byte
 * that leaves a sector looking unfinished cannot be told from an unfinished write.
 */
import { SECTOR_BYTES } from './disk.ts';
import {
  ALIGNMENT_BYTES,
  FRAME_HEADER_BYTES,
  isZero,
  readFrame,
  type RecordBytes,
} from './record.ts';
import type { ScanEnd } from './scan.ts';

/** What stands behind a log's last complete group. */
export type TailVerdict =
  | { readonly kind: 'clean' }
  | { readonly kind: 'torn'; readonly droppedBytes: number; readonly reason: string }
  | { readonly kind: 'corrupt'; readonly offsetBytes: number; readonly reason: string };

/** Judges the last segment of a log by where its scan ended. */
export function judgeTail(segment: RecordBytes, end: ScanEnd): TailVerdict {
  const { bytes } = segment;
  const writtenEnd = lastWrittenByte(segment, end.endBytes);
  const offsetBytes = end.stoppedAtBytes;
  if (writtenEnd === end.endBytes) return { kind: 'clean' };
  const { failure } = end;
  if (failure.kind === 'misplaced') {
    const reason =
      `record with checksum ${hex(failure.frame.crc)} continues ${hex(failure.frame.previousCrc)}: ` +
      'it is stale or belongs to another place';
    return { kind: 'corrupt', offsetBytes, reason };
  }
  const witness = findWitness(segment, end.endBytes, writtenEnd);
  if (witness !== undefined) {
    const reason =
      `${describe(failure.kind)}, but the record at byte ${witness.atBytes} says that everything before byte ` +
      `${witness.syncedBytes} was durable`;
    return { kind: 'corrupt', offsetBytes, reason };
  }
  if (!isTorn(bytes, end)) {
    const reason = `${describe(failure.kind)}, and no byte of it is missing`;
    return { kind: 'corrupt', offsetBytes, reason };
  }
  const droppedBytes = writtenEnd - end.endBytes;
  return { kind: 'torn', droppedBytes, reason: `unfinished write: ${describe(failure.kind)}` };
}

/** What is wrong at the place where a scan ended, in words. */
export function describe(kind: ScanEnd['failure']['kind']): string {
  switch (kind) {
    case 'blank':
      return 'no record where one should be';
    case 'short':
      return 'the file ends within a record';
    case 'shapeless':
      return 'bytes that are no record';
    case 'mismatch':
      return 'checksum mismatch';
    case 'misplaced':
      return 'a record of another place';
  }
}

/** The end of the last byte at or behind `start` that is not zero; `start` when all are. */
export function lastWrittenByte({ bytes, words }: RecordBytes, start: number): number {
  let end = bytes.length;
  // Nearly all of a segment may be room that was never used: four words at a time, once their end is reached.
  while (end > start && end % STRIDE_BYTES !== 0 && bytes[end - 1] === 0) end -= 1;
  if (end % STRIDE_BYTES === 0) {
    let at = end / WORD_BYTES;
    const stop = Math.ceil(start / STRIDE_BYTES) * STRIDE_WORDS;
    while (at > stop && areBlank(words, at - STRIDE_WORDS)) at -= STRIDE_WORDS;
    end = at * WORD_BYTES;
  }
  while (end > start && bytes[end - 1] === 0) end -= 1;
  return end;
}

const WORD_BYTES = Int32Array.BYTES_PER_ELEMENT;
const STRIDE_WORDS = 4;
const STRIDE_BYTES = STRIDE_WORDS * WORD_BYTES;

/** True when a stride of words is zero. */
function areBlank(words: Int32Array, at: number): boolean {
  const one = (words[at] as number) | (words[at + 1] as number);
  return (one | (words[at + 2] as number) | (words[at + 3] as number)) === 0;
}

interface Witness {
  readonly atBytes: number;
  readonly syncedBytes: number;
}

/** A record behind the log's end that was written when bytes behind that end were durable. */
function findWitness(
  segment: RecordBytes,
  endBytes: number,
  writtenEnd: number,
): Witness | undefined {
  const last = writtenEnd - FRAME_HEADER_BYTES;
  for (let at = endBytes; at <= last; at += ALIGNMENT_BYTES) {
    const syncedBytes = segment.view.getUint32(at + 8, true) * ALIGNMENT_BYTES;
    if (syncedBytes <= endBytes || syncedBytes > at) continue;
    if (!('kind' in readFrame(segment, at))) return { atBytes: at, syncedBytes };
  }
  return undefined;
}

/** True when bytes of the record at which a scan ended were never written: a sector of it ends in zeros. */
function isTorn(bytes: Uint8Array, { stoppedAtBytes, failure }: ScanEnd): boolean {
  if (failure.kind === 'blank' || failure.kind === 'short') return true;
  const end = 'end' in failure ? failure.end : stoppedAtBytes + FRAME_HEADER_BYTES;
  for (let at = stoppedAtBytes; at < end;) {
    const sectorEnd = (Math.floor(at / SECTOR_BYTES) + 1) * SECTOR_BYTES;
    const partEnd = Math.min(end, sectorEnd);
    if (isZero(bytes, partEnd - 1, Math.min(sectorEnd, bytes.length))) return true;
    at = sectorEnd;
  }
  return false;
}

function hex(crc: number): string {
  return crc.toString(16).padStart(8, '0');
}
