/**
 * Room for a start on a disk that is full: a file of zeros beside the databases, which is given up when there is no room,
 * and made again when there is.
 *
 * Opening a database takes room: what LevelDB has in its log and not yet in tables is written as tables first. So the file
 * is as large as what was written lately, up to what LevelDB keeps in logs at most, and a little larger.
 *
 * What always holds
 * - Nothing waits for it but {@link DiskReserve.release} and {@link DiskReserve.close}, and nothing fails for want of it.
 * - It never takes the last {@link KEPT_FREE_BYTES} of the disk: the log goes on in them.
 */
import { type FileHandle, open, rm, stat, statfs } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Logger } from '../logger.ts';

/** Room that the reserve leaves to others. With less than this free, or than its own size, it is given up at a start. */
export const KEPT_FREE_BYTES: number = 2 << 20;
/** The least that a database takes to be opened: names of its tables, an empty log. */
const BASE_BYTES: number = 1 << 20;
/** It grows by as much at a time. */
const STEP_BYTES: number = 1 << 20;

const ZEROS = new Uint8Array(STEP_BYTES);

/** See the file's head. */
export class DiskReserve {
  readonly #path: string;
  readonly #maxBytes: number;
  readonly #log: Logger;
  #sizeBytes = 0;
  #wantedBytes = BASE_BYTES;
  #isClosed = false;
  /** There was no room for more: whoever frees some starts the member anew. */
  #isStuck = false;
  #growing: Promise<void> | undefined;

  /** @param writeBufferBytes What a database gathers in a log before it makes a table of it; it may have two of them. */
  constructor(path: string, writeBufferBytes: number, log: Logger) {
    this.#path = path;
    this.#maxBytes = BASE_BYTES + 2 * writeBufferBytes;
    this.#log = log;
  }

  /** Before a database is opened: gives the reserve up where the disk is full. */
  async release(): Promise<void> {
    const found = await stat(this.#path).catch(() => undefined);
    this.#sizeBytes = found?.size ?? 0;
    const freeBytes = await this.#freeBytes();
    const neededBytes = Math.max(KEPT_FREE_BYTES, this.#sizeBytes);
    if (found === undefined || freeBytes >= neededBytes) return;
    await rm(this.#path, { force: true });
    this.#log.warn('the disk is full: its reserve is given up, for the database to be opened', {
      'free-bytes': freeBytes,
      'reserve-bytes': this.#sizeBytes,
    });
    this.#wantedBytes = Math.max(this.#wantedBytes, this.#sizeBytes);
    this.#sizeBytes = 0;
  }

  /** So much more was written to a database; none: one was opened. */
  cover(writtenBytes: number): void {
    this.#wantedBytes = Math.min(this.#maxBytes, this.#wantedBytes + writtenBytes);
    if (this.#isClosed || this.#isStuck || this.#sizeBytes >= this.#wantedBytes) return;
    this.#growing ??= this.#grow().finally(() => (this.#growing = undefined));
  }

  /** Resolves when the file is left alone. */
  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#growing;
  }

  /** Never rejects. */
  async #grow(): Promise<void> {
    let file: FileHandle | undefined;
    try {
      file = await open(this.#path, 'a', 0o600);
      while (!this.#isClosed && this.#sizeBytes < this.#wantedBytes) {
        const roomBytes = (await this.#freeBytes()) - KEPT_FREE_BYTES;
        if (roomBytes <= 0) throw new Error(`the disk has ${roomBytes} bytes of room`);
        const { bytesWritten } = await file.write(ZEROS, 0, Math.min(STEP_BYTES, roomBytes));
        this.#sizeBytes += bytesWritten;
      }
    } catch (error) {
      this.#isStuck = true;
      const fields = { 'reserve-bytes': this.#sizeBytes, 'wanted-bytes': this.#wantedBytes, error };
      this.#log.debug('there is no room for the whole reserve', fields);
    } finally {
      await file?.close().catch(() => undefined);
    }
  }

  async #freeBytes(): Promise<number> {
    const { bavail, bsize } = await statfs(dirname(this.#path));
    return bavail * bsize;
  }
}
