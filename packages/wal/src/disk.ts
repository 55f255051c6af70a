/**
 * The port through which this package reaches bytes that survive a crash.
 *
 * What always holds, of every implementation (`diskSuite` proves it):
 * - Content is durable only after {@link DiskFile.sync} of that file, a name only after {@link Disk.syncDirectory} of its
 *   directory. Before that a crash may keep any subset of it, in any order, in pieces of a sector (512 bytes).
 * - Reads see every earlier write of this process at once.
 * - Every failure is a {@link DiskError}. After a failed sync nothing is known of what was written since the last good
 *   one: whoever wrote it stops, and never syncs again to find out.
 *
 * Paths are absolute or relative to wherever the implementation is rooted, with `/` between the parts.
 */

/** The unit in which a disk writes whole or not at all, in bytes. */
export const SECTOR_BYTES = 512;

/**
 * How a file is opened.
 *
 * `create`: for reading and writing; it must not be there yet. `write`: for reading and writing; it must be there.
 * `read`: for reading; it must be there.
 */
export type OpenMode = 'create' | 'write' | 'read';

/** An open file. Whoever opened it closes it. */
export interface DiskFile {
  readonly path: string;
  /**
   * Reads at a position into `into`.
   *
   * @returns How many bytes were read: possibly fewer than asked for; 0 only at the end of the file.
   * @throws DiskError
   */
  read(positionBytes: number, into: Uint8Array): Promise<number>;
  /**
   * Writes all of `bytes` at a position, the file growing as needed, into the system's cache: visible at once, durable
   * after the next {@link sync}. Synchronous, since that costs less than handing it to another thread. `bytes` is not
   * kept: the caller may use it again when this returns.
   *
   * @throws DiskError; a part may have been written then.
   */
  write(positionBytes: number, bytes: Uint8Array): void;
  /**
   * Sets the size; growing adds zeros. Durable after the next {@link sync}.
   *
   * @throws DiskError
   */
  truncate(sizeBytes: number): Promise<void>;
  /**
   * Makes everything written before the call durable, and the size with it (fdatasync). Writes may go on meanwhile; they
   * are then of the next sync.
   *
   * @throws DiskError
   */
  sync(): Promise<void>;
  /**
   * The file's size in bytes.
   *
   * @throws DiskError
   */
  size(): Promise<number>;
  /** Closes it; does not sync. Harmless when repeated. Any later use throws a DiskError of code `CLOSED`. */
  close(): Promise<void>;
}

/** One process's claim on a directory. */
export interface DirectoryLock {
  /** Gives it up. Harmless when repeated. */
  release(): Promise<void>;
}

/** A file system, as much of it as logs and snapshots need. */
export interface Disk {
  /**
   * Makes a directory, and the directories above it, where they are not there yet. The names are durable when it
   * resolves.
   *
   * @throws DiskError
   */
  makeDirectory(path: string): Promise<void>;
  /**
   * Names in a directory, ascending by UTF-16 code units.
   *
   * @throws DiskError of code `ENOENT` when there is no such directory.
   */
  list(path: string): Promise<readonly string[]>;
  /**
   * Opens a file; see {@link OpenMode}.
   *
   * @throws DiskError: `ENOENT` when it is missing, `EEXIST` when it is there and `create` was asked for.
   */
  open(path: string, mode: OpenMode): Promise<DiskFile>;
  /**
   * Gives a file another name in one step; what had that name is gone. Durable after {@link syncDirectory}.
   *
   * @throws DiskError
   */
  rename(from: string, to: string): Promise<void>;
  /**
   * Removes a file. Durable after {@link syncDirectory}.
   *
   * @throws DiskError: `ENOENT` when it is missing.
   */
  remove(path: string): Promise<void>;
  /**
   * Makes the names of a directory durable: files made, renamed and removed in it before the call.
   *
   * @throws DiskError
   */
  syncDirectory(path: string): Promise<void>;
  /**
   * A file's or directory's size in bytes, undefined when there is none of that name.
   *
   * @throws DiskError
   */
  stat(path: string): Promise<{ readonly sizeBytes: number } | undefined>;
  /**
   * Bytes that may still be written below a path.
   *
   * @throws DiskError
   */
  freeBytes(path: string): Promise<number>;
  /**
   * Claims a directory for this process until {@link DirectoryLock.release} or until the process ends, however it ends.
   *
   * @throws DiskError of code `LOCKED` when it is claimed already, by another process or by this one.
   */
  lockDirectory(path: string): Promise<DirectoryLock>;
}
