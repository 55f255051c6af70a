/**
 * What went wrong on a disk: the system's own code where it has one.
 *
 * `LOCKED`: the directory is claimed already. `CLOSED`: the file or disk is closed. Everything else (`EIO`, `ENOSPC`,
 * `ENOENT`, `EEXIST`, `EACCES`, `EROFS`, …) is errno's name.
 */
export type DiskErrorCode = 'LOCKED' | 'CLOSED' | (string & {});

/** What a {@link DiskError} tells beside its message. */
export interface DiskErrorDetail {
  readonly code: DiskErrorCode;
  /** What was being done, as the Disk port names it (`write`, `sync`, …). */
  readonly operation: string;
  readonly path: string;
  /** More about it, in words. */
  readonly detail?: string;
  readonly cause?: unknown;
}

/** An operation on a disk failed. `code` is stable, the message is for people. */
export class DiskError extends Error {
  override readonly name = 'DiskError';
  readonly code: DiskErrorCode;
  readonly operation: string;
  readonly path: string;

  constructor(of: DiskErrorDetail) {
    const more = of.detail === undefined ? '' : `: ${of.detail}`;
    super(`${of.operation} ${of.path}: ${of.code}${more}`, { cause: of.cause });
    this.code = of.code;
    this.operation = of.operation;
    this.path = of.path;
  }
}
