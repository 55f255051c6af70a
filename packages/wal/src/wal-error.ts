/**
 * Why a log or a snapshot file was refused. Codes are stable, messages are not.
 *
 * - `NOT_FOUND`: there is no log in the directory, and no metadata to begin one with.
 * - `CORRUPT`: bytes that were durable are not what was written: a bad checksum, a record out of its place, a log that
 *   does not continue. Nothing was changed on disk.
 * - `MISSING_SEGMENT`: a segment of the log is not there.
 * - `UNSUPPORTED_VERSION`: written by a newer format than this one.
 * - `FOREIGN`: the log belongs to another cluster or member.
 * - `SNAPSHOT_MISSING`: the log begins behind a snapshot that is not there or not usable.
 * - `LOCKED`: another process (or this one) has the directory open.
 * - `FAILED`: a write or sync failed earlier; the log takes nothing more until it is opened again. `cause` is the first
 *   failure.
 * - `FULL`: more bytes wait for the disk than `maxPendingBytes`; the group was not taken.
 * - `TOO_LARGE`: a record is larger than the format can hold; the group was not taken.
 * - `CLOSED`: the log was closed.
 */
export type WalErrorCode =
  | 'NOT_FOUND'
  | 'CORRUPT'
  | 'MISSING_SEGMENT'
  | 'UNSUPPORTED_VERSION'
  | 'FOREIGN'
  | 'SNAPSHOT_MISSING'
  | 'LOCKED'
  | 'FAILED'
  | 'FULL'
  | 'TOO_LARGE'
  | 'CLOSED';

/** What a {@link WalError} tells beside its message. */
export interface WalErrorDetail {
  readonly code: WalErrorCode;
  /** What is wrong, with the actual value and the expected one. */
  readonly reason: string;
  /** Path of the file, or of the directory when no single file is to blame. */
  readonly file: string;
  /** Where in the file, in bytes. */
  readonly offsetBytes?: number;
  readonly cause?: unknown;
}

/** A log or snapshot file could not be opened, read or written. */
export class WalError extends Error {
  override readonly name = 'WalError';
  readonly code: WalErrorCode;
  readonly file: string;
  readonly offsetBytes: number | undefined;

  constructor(of: WalErrorDetail) {
    const where = of.offsetBytes === undefined ? of.file : `${of.file} at byte ${of.offsetBytes}`;
    super(`wal: ${of.reason} (${where})`, { cause: of.cause });
    this.code = of.code;
    this.file = of.file;
    this.offsetBytes = of.offsetBytes;
  }
}
