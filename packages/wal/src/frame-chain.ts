/** Chaining frames by their checksums, a whole group at a time: the log's dearest computation. */
import { CRC32C_WINDOW, CRC32C_WINDOW_BYTES, type Crc32cWindow, crc32cWords } from '@etcd-ts/base';
import { frameBytes, MAX_PAYLOAD_BYTES, type RecordBytes } from './record.ts';

/** Of groups this long it pays to be copied into the window of checksums. */
const WINDOW_GROUP_BYTES = 1024;

/**
 * Closes the frames in [start, end), which `beginFrame` began and whose payloads are in their places: each gets the checksum
 * of the one before, and its own.
 *
 * @returns The last frame's checksum.
 */
export function chainFrames(
  records: RecordBytes,
  start: number,
  end: number,
  previousCrc: number,
): number {
  let crc = previousCrc;
  for (let at = start; at < end;) {
    const window = end - at < WINDOW_GROUP_BYTES ? undefined : CRC32C_WINDOW;
    const link = window && linkByWindow(window, records, [at, end], crc);
    ({ at, crc } = link ?? linkOne(records, at, crc));
  }
  return crc;
}

/** How far frames are closed, and the checksum of the last of them. */
interface Link {
  readonly at: number;
  readonly crc: number;
}

function linkOne({ words }: RecordBytes, start: number, previousCrc: number): Link {
  const word = start / 4;
  const at = start + sizeAt(words, word);
  words[word + 1] = previousCrc;
  const crc = crc32cWords(words, word + 1, at / 4);
  words[word] = crc;
  return { at, crc };
}

/** Closes as many frames as the window holds; undefined when it does not hold one. */
function linkByWindow(
  window: Crc32cWindow,
  { bytes, words }: RecordBytes,
  [start, end]: readonly [number, number],
  previousCrc: number,
): Link | undefined {
  const heldBytes = Math.min(CRC32C_WINDOW_BYTES, end - start);
  window.bytes.set(bytes.subarray(start, start + heldBytes));
  let crc = previousCrc;
  let held = 0;
  while (held < heldBytes) {
    const word = (start + held) / 4;
    const next = held + sizeAt(words, word);
    if (next > heldBytes) break;
    words[word + 1] = crc;
    window.words[held / 4 + 1] = crc;
    crc = window.sum(held + 4, next, 0);
    words[word] = crc;
    held = next;
  }
  return held === 0 ? undefined : { at: start + held, crc };
}

function sizeAt(words: Int32Array, word: number): number {
  return frameBytes((words[word + 3] as number) & MAX_PAYLOAD_BYTES);
}
