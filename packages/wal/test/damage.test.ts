/**
 * Damage to a log that was written: whatever happens to its bytes, opening gives the log as it was, a whole prefix of it
 * where an unfinished write cannot be told from the damage, or a refusal. Never another log.
 */
import { describe, expect, test } from 'vitest';
import { type OpenedWal, readWal, SECTOR_BYTES, WalError } from '@etcd-ts/wal';
import { CrashDisk } from '@etcd-ts/wal/testing';
import { type Frame, FRAME_HEADER_BYTES, readFrame, recordBytes } from '../src/record.ts';
import { PRELUDE_BYTES } from '../src/segment.ts';
import {
  command,
  DIRECTORY,
  EVERY_KIND,
  expectedLog,
  hardState,
  open,
  recoveredOf,
} from './wal-fixture.ts';

const SMALL = { segmentSizeBytes: 4_096 };

/** Groups over several sectors, so that there is something to swap. */
const GROUPS = [
  ...EVERY_KIND,
  ...[6, 7, 8, 9].map((index) => ({
    entries: [command(index, 2, `${index}`.repeat(60))],
    hardState: hardState(2, index - 1, 0n),
  })),
];

/** The log after so many groups, as text. */
const EXPECTED = Array.from({ length: GROUPS.length + 1 }, (_, count) =>
  JSON.stringify(expectedLog(GROUPS.slice(0, count)), withBigints),
);

async function written(
  how: 'closed' | 'killed',
): Promise<{ disk: CrashDisk; path: string; bytes: Uint8Array }> {
  const disk = new CrashDisk();
  const { wal } = await open(disk, SMALL);
  for (const group of GROUPS) await wal.append(group, { sync: true });
  if (how === 'closed') await wal.close();
  disk.crash();
  const [name] = await disk.list(DIRECTORY);
  const path = `${DIRECTORY}/${name}`;
  return { disk, path, bytes: disk.bytesOf(path) };
}

/** The number of groups that a damaged log still has; `refused` when it is refused. Fails for any other log. */
async function outcome(disk: CrashDisk): Promise<number | 'refused'> {
  return judged(async () => {
    const opened = await open(disk, SMALL);
    await opened.wal.close();
    return opened;
  });
}

/** The same without writing: what opening would say. */
async function readOutcome(disk: CrashDisk): Promise<number | 'refused'> {
  return judged(async () => ({ recovered: await readWal({ disk, directory: DIRECTORY }) }));
}

async function judged(
  run: () => Promise<Pick<OpenedWal, 'recovered'>>,
): Promise<number | 'refused'> {
  let opened: Pick<OpenedWal, 'recovered'>;
  try {
    opened = await run();
  } catch (error) {
    if (error instanceof WalError) return 'refused';
    throw error;
  }
  const text = JSON.stringify(recoveredOf(opened), withBigints);
  const count = EXPECTED.lastIndexOf(text);
  if (count < 0) throw new Error(`a log that was never written: ${text.slice(0, 400)}`);
  return count;
}

function withBigints(_name: string, value: unknown): unknown {
  return typeof value === 'bigint' ? `${value}n` : value;
}

/** End of what was written, less the zeros that are allocated behind it. */
function writtenEnd(bytes: Uint8Array): number {
  return bytes.findLastIndex((byte) => byte !== 0) + 1;
}

describe('a log that was closed in order', () => {
  test('is refused or whole after any bit of it turned', { timeout: 120_000 }, async () => {
    const { disk, path, bytes } = await written('closed');
    const counts = { refused: 0, whole: 0 };
    for (let at = 0; at < writtenEnd(bytes); at++) {
      for (let bit = 0; bit < 8; bit++) {
        const damaged = bytes.slice();
        damaged[at]! ^= 1 << bit;
        disk.overwrite(path, damaged);
        const result = await readOutcome(disk);
        if (result === 'refused') counts.refused += 1;
        else if (result === GROUPS.length) counts.whole += 1;
        else
          expect.fail(
            `bit ${bit} of byte ${at} turned: ${result} of ${GROUPS.length} groups are left`,
          );
      }
    }
    expect(counts.refused).toBeGreaterThan(counts.whole);
  });

  test(
    'is refused or whole after two sectors changed places or one stands twice, the last one aside',
    { timeout: 60_000 },
    async () => {
      const { disk, path, bytes } = await written('closed');
      const sectors = Math.ceil(writtenEnd(bytes) / SECTOR_BYTES);
      const sector = (number: number) =>
        bytes.slice(number * SECTOR_BYTES, (number + 1) * SECTOR_BYTES);
      for (let a = 0; a < sectors; a++) {
        for (let b = 0; b < sectors; b++) {
          if (a === b) continue;
          const twice = bytes.slice();
          twice.set(sector(a), b * SECTOR_BYTES);
          const swapped = twice.slice();
          swapped.set(sector(b), a * SECTOR_BYTES);
          for (const damaged of [twice, swapped]) {
            disk.overwrite(path, damaged);
            const result = await outcome(disk);
            // What was written last has nothing behind it that says that it was durable.
            const isLastHit = b === sectors - 1 || (damaged === swapped && a === sectors - 1);
            if (!isLastHit) expect(['refused', GROUPS.length]).toContain(result);
          }
        }
      }
    },
  );

  test('is refused or whole after any of its sectors was zeroed', async () => {
    const { disk, path, bytes } = await written('closed');
    for (let at = 0; at < writtenEnd(bytes); at += SECTOR_BYTES) {
      const damaged = bytes.slice();
      damaged.fill(0, at, at + SECTOR_BYTES);
      disk.overwrite(path, damaged);
      const result = await outcome(disk);
      // The very last sector holds the mark of the close: without it, it is a log that was not closed.
      if (at + SECTOR_BYTES < writtenEnd(bytes))
        expect(['refused', GROUPS.length]).toContain(result);
    }
  });
});

describe('a log whose process was killed', () => {
  test(
    'is refused, whole, or short of its last group after any bit turned',
    { timeout: 120_000 },
    async () => {
      const { disk, path, bytes } = await written('killed');
      for (let at = 0; at < writtenEnd(bytes); at++) {
        for (let bit = 0; bit < 8; bit++) {
          const damaged = bytes.slice();
          damaged[at]! ^= 1 << bit;
          disk.overwrite(path, damaged);
          expect(['refused', GROUPS.length, GROUPS.length - 1]).toContain(await readOutcome(disk));
        }
      }
    },
  );

  test(
    'has a whole prefix after a cut at any byte, and says what it dropped',
    { timeout: 60_000 },
    async () => {
      const { disk, path, bytes } = await written('killed');
      let last = -1;
      for (let size = 0; size <= writtenEnd(bytes); size++) {
        disk.overwrite(path, bytes.slice(0, size));
        const result = await outcome(disk);
        if (result === 'refused') expect(last).toBe(-1);
        else expect(result).toBeGreaterThanOrEqual(last);
        if (result !== 'refused') last = result;
      }
      expect(last).toBe(GROUPS.length);
    },
  );

  test('is refused when a whole record of another place stands at its end', async () => {
    const { disk, path, bytes } = await written('killed');
    const end = writtenEnd(bytes);
    const records = recordBytes(bytes.slice().buffer);
    let frame = readFrame(records, PRELUDE_BYTES) as Frame;
    for (let next = frame; !('kind' in next); next = readFrame(records, next.end) as Frame)
      frame = next;
    const damaged = bytes.slice();
    damaged.set(bytes.subarray(frame.payloadStart - FRAME_HEADER_BYTES, frame.end), end);
    disk.overwrite(path, damaged);
    await expect(open(disk, SMALL)).rejects.toMatchObject({
      code: 'CORRUPT',
      file: path,
      offsetBytes: end,
      message: expect.stringContaining('it is stale or belongs to another place'),
    });
  });

  test('goes on after its end was cut off and repaired', async () => {
    const { disk, path, bytes } = await written('killed');
    disk.overwrite(path, bytes.slice(0, writtenEnd(bytes) - 20));
    const { wal, recovered } = await open(disk, SMALL);
    expect(recovered?.repaired).toMatchObject({
      file: path,
      reason: expect.stringContaining('unfinished write'),
    });
    const next = (recovered?.entries.at(-1)?.index ?? 0) + 1;
    await wal.append({ entries: [command(next, 3)] }, { sync: true });
    disk.crash();
    const again = await open(disk, SMALL);
    expect(again.recovered?.entries.at(-1)).toEqual(command(next, 3));
    expect(again.recovered?.repaired).toBeUndefined();
  });
});
