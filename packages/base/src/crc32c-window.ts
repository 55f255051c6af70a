/** A stretch of memory in which checksums cost half: see crc32c-module.ts. */
import { crc32cModule, TABLES_BYTES } from './crc32c-module.ts';

/** Bytes of the module's memory: two of its pages. What the tables leave is the window. */
const MEMORY_BYTES: number = 2 * 64 * 1024;

/** Bytes that the window holds: 112 KiB, which stay in a processor's second cache. */
export const CRC32C_WINDOW_BYTES: number = MEMORY_BYTES - TABLES_BYTES;

/**
 * The window. There is one for the whole process: what lies in it is the caller's until the caller's synchronous stretch
 * of work ends, or until it calls `crc32c` or `crc32cWords`.
 */
export interface Crc32cWindow {
  /** {@link CRC32C_WINDOW_BYTES} of them. */
  readonly bytes: Uint8Array;
  /** The same bytes, as words in little-endian order. */
  readonly words: Int32Array;
  /** CRC-32C of bytes [start, end) of the window, a multiple of four many; chains as `crc32c` does. */
  readonly sum: (start: number, end: number, previous: number) => number;
}

/** What is used of the platform's WebAssembly, as far as it has one. */
interface Platform {
  readonly WebAssembly?: {
    readonly Memory: new (pages: { initial: number; maximum: number }) => { buffer: ArrayBuffer };
    readonly Module: new (bytes: Uint8Array<ArrayBuffer>) => object;
    readonly Instance: new (module: object, imports: object) => { exports: Exports };
  };
}

interface Exports {
  readonly sum: (start: number, end: number, previous: number) => number;
}

/** The process's window; undefined where the platform has no WebAssembly, or forbids it. */
export function makeCrc32cWindow(tables: readonly Uint32Array[]): Crc32cWindow | undefined {
  const { WebAssembly } = globalThis as Platform;
  if (WebAssembly === undefined) return undefined;
  try {
    const memory = new WebAssembly.Memory({ initial: 2, maximum: 2 });
    const imports = { crc32c: { memory } };
    const module = new WebAssembly.Module(crc32cModule());
    const { sum } = new WebAssembly.Instance(module, imports).exports;
    for (const [at, table] of tables.entries())
      new Uint32Array(memory.buffer, at * 1024).set(table);
    return {
      bytes: new Uint8Array(memory.buffer, TABLES_BYTES),
      words: new Int32Array(memory.buffer, TABLES_BYTES),
      sum: (start, end, previous) => sum(start + TABLES_BYTES, end + TABLES_BYTES, previous) >>> 0,
    };
  } catch {
    return undefined; // forbidden, as a content security policy of a page may
  }
}
