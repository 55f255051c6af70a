/** Why a node did not start, or would not go on. */
export type StartErrorCode =
  /** An option or flag has a value that it cannot have. */
  | 'BAD_OPTION'
  /** Another process works in the data directory. */
  | 'DATA_DIR_IN_USE'
  /** The data directory belongs to another cluster or member. */
  | 'FOREIGN_DATA_DIR'
  /** The data directory was written by a newer format. */
  | 'NEWER_FORMAT'
  /** What is in the data directory contradicts itself or its checksums. */
  | 'CORRUPT_DATA'
  /** The database is gone or too old, and the log no longer reaches back to it. */
  | 'STATE_LOST'
  /** An address cannot be listened on. */
  | 'LISTEN_FAILED'
  /** The members that are there know nothing of this one, or contradict its options. */
  | 'CLUSTER_MISMATCH'
  /** The registry of a discovery has no place for this member, or says nothing that can be used. */
  | 'DISCOVERY_FAILED'
  /** This member has been removed from its cluster. */
  | 'REMOVED'
  /** Disk or database failed. */
  | 'IO';

/** A node that does not start says so with this. The message names the value that is wrong; nothing was written. */
export class StartError extends Error {
  override readonly name = 'StartError';
  readonly code: StartErrorCode;

  constructor(code: StartErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.code = code;
  }
}
