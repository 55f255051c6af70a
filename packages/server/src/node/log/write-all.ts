import { writeSync } from 'node:fs';

/** Tries to write one line into a pipe that is full. */
const WRITE_TRIES = 1_000;

/**
 * Writes a line. A pipe takes part of a long line when nobody reads, and nothing when it is full; a disk may be full: a line
 * that is lost is not fatal.
 */
export function writeAll(descriptor: number, line: string | Uint8Array): void {
  const bytes = Buffer.from(line);
  let at = 0;
  for (let tries = 0; at < bytes.length && tries < WRITE_TRIES; tries++) {
    try {
      at += writeSync(descriptor, bytes, at);
    } catch (error) {
      const { code } = error as { code?: string };
      if (code !== 'EAGAIN') return;
    }
  }
}
