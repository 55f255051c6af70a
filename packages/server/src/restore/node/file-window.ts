/** A file that is read here and there, mostly forwards: a larger piece at a time. */
import type { FileHandle } from 'node:fs/promises';
import type { RandomAccessFile } from '../../bbolt/database-reader.ts';

/** Bytes read at a time, at least: 256 KiB. */
const WINDOW_BYTES: number = 256 << 10;

/** Reads from a file that is open, and stays so. */
export async function windowOn(handle: FileHandle): Promise<RandomAccessFile> {
  const { size: sizeBytes } = await handle.stat();
  let windowAt = 0;
  // What was given out of it is never written to again: every window is an array of its own.
  let window = new Uint8Array(0);
  return {
    sizeBytes,
    read: async (at, bytes) => {
      const wanted = Math.max(0, Math.min(bytes, sizeBytes - at));
      if (at < windowAt || at + wanted > windowAt + window.length) {
        window = await readAt(handle, at, Math.max(wanted, WINDOW_BYTES));
        windowAt = at;
      }
      return window.subarray(at - windowAt, at - windowAt + wanted);
    },
  };
}

async function readAt(
  handle: FileHandle,
  at: number,
  bytes: number,
): Promise<Uint8Array<ArrayBuffer>> {
  const into = new Uint8Array(bytes);
  let filled = 0;
  while (filled < bytes) {
    const { bytesRead } = await handle.read(into, filled, bytes - filled, at + filled);
    if (bytesRead === 0) break;
    filled += bytesRead;
  }
  return into.subarray(0, filled);
}
