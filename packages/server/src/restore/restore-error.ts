/** Why a backup was not restored. */
export type RestoreErrorCode =
  /** The directories for the new member hold something already. */
  | 'NOT_EMPTY'
  /** The backup has no checksum behind it, and it was not said that none is expected. */
  | 'NO_HASH'
  /** The backup is not what was saved: checksum, pages or content are wrong. */
  | 'DAMAGED'
  /** Options that contradict one another. */
  | 'BAD_OPTION';

/** A backup that was not restored. What was begun in the new member's directories is removed again. */
export class RestoreError extends Error {
  override readonly name = 'RestoreError';
  readonly code: RestoreErrorCode;

  constructor(code: RestoreErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.code = code;
  }
}
