/** CRC-32C (Castagnoli), by tables: in JavaScript for short inputs, by {@link CRC32C_WINDOW} for long ones. */
import { CRC32C_WINDOW_BYTES, type Crc32cWindow, makeCrc32cWindow } from './crc32c-window.ts';

const POLYNOMIAL = 0x82f63b78;
/** Bytes of a step of {@link crc32cWords}; {@link crc32c} takes half of it. */
const SLICES = 16;
const TABLES: readonly Uint32Array[] = makeTables();

function makeTables(): Uint32Array[] {
  const first = new Uint32Array(256);
  for (let byte = 0; byte < 256; byte++) {
    let crc = byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ POLYNOMIAL : crc >>> 1;
    first[byte] = crc;
  }
  const tables = [first];
  for (let slice = 1; slice < SLICES; slice++) {
    const previous = tables[slice - 1] as Uint32Array;
    const table = new Uint32Array(256);
    for (let byte = 0; byte < 256; byte++) {
      const crc = previous[byte] as number;
      table[byte] = (crc >>> 8) ^ (first[crc & 0xff] as number);
    }
    tables.push(table);
  }
  return tables;
}

const [T0, T1, T2, T3, T4, T5, T6, T7, T8, T9, T10, T11, T12, T13, T14, T15] = TABLES as [
  Uint32Array,
  Uint32Array,
  Uint32Array,
  Uint32Array,
  Uint32Array,
  Uint32Array,
  Uint32Array,
  Uint32Array,
  Uint32Array,
  Uint32Array,
  Uint32Array,
  Uint32Array,
  Uint32Array,
  Uint32Array,
  Uint32Array,
  Uint32Array,
];

/** The process's window for checksums at double speed; undefined where the platform has no WebAssembly. */
export const CRC32C_WINDOW: Crc32cWindow | undefined = makeCrc32cWindow(TABLES);

/** Of inputs this long it pays to be copied into the window. */
const WINDOW_INPUT_BYTES = 1024;

/** The checksum of all but the last bytes, fewer than four, by way of the window; and where those begin. */
function sumByWindow(
  { bytes: room, sum }: Crc32cWindow,
  bytes: Uint8Array,
  previous: number,
  [start, end]: readonly [number, number],
): readonly [crc: number, rest: number] {
  let crc = previous;
  let at = start;
  for (; end - at >= 4; at += CRC32C_WINDOW_BYTES) {
    const count = Math.min(CRC32C_WINDOW_BYTES, (end - at) & ~3);
    room.set(bytes.subarray(at, at + count));
    crc = sum(0, count, crc);
    if (count < CRC32C_WINDOW_BYTES) return [crc, at + count];
  }
  return [crc, at];
}

/**
 * CRC-32C (Castagnoli).
 *
 * Chains: `crc32c(b, crc32c(a))` equals `crc32c(a ++ b)`.
 *
 * @param previous The checksum of what came before; 0 to begin.
 * @returns An unsigned 32-bit number.
 */
export function crc32c(
  bytes: Uint8Array,
  previous = 0,
  start = 0,
  end: number = bytes.length,
): number {
  if (end - start >= WINDOW_INPUT_BYTES && CRC32C_WINDOW !== undefined) {
    const [crc, rest] = sumByWindow(CRC32C_WINDOW, bytes, previous, [start, end]);
    return crc32cByTables(bytes, crc, rest, end);
  }
  return crc32cByTables(bytes, previous, start, end);
}

/** Eight bytes a step. */
function crc32cByTables(bytes: Uint8Array, previous: number, start: number, end: number): number {
  let crc = ~previous;
  let i = start;
  for (; i + 8 <= end; i += 8) {
    const low =
      crc ^
      ((bytes[i] as number) |
        ((bytes[i + 1] as number) << 8) |
        ((bytes[i + 2] as number) << 16) |
        ((bytes[i + 3] as number) << 24));
    // What does not wait for the step before is put together first: see crc32cWords.
    const high =
      (T3[bytes[i + 4] as number] as number) ^
      (T2[bytes[i + 5] as number] as number) ^
      (T1[bytes[i + 6] as number] as number) ^
      (T0[bytes[i + 7] as number] as number);
    crc =
      high ^
      ((T7[low & 0xff] as number) ^ (T6[(low >>> 8) & 0xff] as number)) ^
      ((T5[(low >>> 16) & 0xff] as number) ^ (T4[low >>> 24] as number));
  }
  for (; i < end; i++) crc = (crc >>> 8) ^ (T0[(crc ^ (bytes[i] as number)) & 0xff] as number);
  return ~crc >>> 0;
}

/**
 * {@link crc32c} of words [start, end), each four bytes in little-endian order: for short inputs half the time, where bytes lie
 * at multiples of four.
 *
 * @param previous The checksum of what came before; 0 to begin.
 * @returns An unsigned 32-bit number.
 */
export function crc32cWords(words: Int32Array, start: number, end: number, previous = 0): number {
  if (4 * (end - start) >= WINDOW_INPUT_BYTES && CRC32C_WINDOW !== undefined) {
    const bytes = new Uint8Array(words.buffer, words.byteOffset, words.byteLength);
    return sumByWindow(CRC32C_WINDOW, bytes, previous, [4 * start, 4 * end])[0];
  }
  let crc = ~previous;
  let i = start;
  for (; i + 4 <= end; i += 4) {
    const a = crc ^ (words[i] as number);
    const b = words[i + 1] as number;
    const c = words[i + 2] as number;
    const d = words[i + 3] as number;
    // Each step waits for the checksum of the one before. Twelve of the sixteen look-ups do not depend on it: put together
    // first and by themselves, they are done while the machine waits. Exclusive-ors in one row took twice as long.
    const others =
      (T11[b & 0xff] as number) ^
      (T10[(b >>> 8) & 0xff] as number) ^
      (T9[(b >>> 16) & 0xff] as number) ^
      (T8[b >>> 24] as number) ^
      (T7[c & 0xff] as number) ^
      (T6[(c >>> 8) & 0xff] as number) ^
      (T5[(c >>> 16) & 0xff] as number) ^
      (T4[c >>> 24] as number) ^
      (T3[d & 0xff] as number) ^
      (T2[(d >>> 8) & 0xff] as number) ^
      (T1[(d >>> 16) & 0xff] as number) ^
      (T0[d >>> 24] as number);
    crc =
      others ^
      ((T15[a & 0xff] as number) ^ (T14[(a >>> 8) & 0xff] as number)) ^
      ((T13[(a >>> 16) & 0xff] as number) ^ (T12[a >>> 24] as number));
  }
  for (; i < end; i++) {
    const a = crc ^ (words[i] as number);
    crc =
      (T3[a & 0xff] as number) ^
      (T2[(a >>> 8) & 0xff] as number) ^
      (T1[(a >>> 16) & 0xff] as number) ^
      (T0[a >>> 24] as number);
  }
  return ~crc >>> 0;
}
