/** Damage to a log of several segments: nothing before the last one is ever taken for an unfinished write. */
import { beforeEach, describe, expect, test } from 'vitest';
import { memberId } from '@etcd-ts/base';
import { type WalError, WalError as WalFailure } from '@etcd-ts/wal';
import { CrashDisk } from '@etcd-ts/wal/testing';
import { segmentFileName } from '../src/segment.ts';
import { command, DIRECTORY, hardState, mark, METADATA, open } from './wal-fixture.ts';

const SMALL = { segmentSizeBytes: 1_024, maxSegments: 0 };
const ENTRIES = 40;

async function written(metadata = METADATA): Promise<CrashDisk> {
  const disk = new CrashDisk();
  const { wal } = await open(disk, { ...SMALL, metadata });
  for (let index = 1; index <= ENTRIES; index++) {
    const group = { entries: [command(index, 1)], hardState: hardState(1, index - 1) };
    await wal.append(group, { sync: true });
  }
  await wal.close();
  disk.crash();
  return disk;
}

async function refusal(disk: CrashDisk): Promise<WalError> {
  const names = await disk.list(DIRECTORY);
  const before = names.map((name) => disk.bytesOf(`${DIRECTORY}/${name}`));
  const error: unknown = await open(disk, SMALL).then(
    ({ recovered }) => new Error(`accepted: ${recovered?.entries.length} entries`),
    (reason: unknown) => reason,
  );
  if (!(error instanceof WalFailure)) throw error;
  // What is refused is left as it is.
  expect(await disk.list(DIRECTORY)).toEqual(names);
  expect(names.map((name) => disk.bytesOf(`${DIRECTORY}/${name}`))).toEqual(before);
  return error;
}

describe('a log of several segments', () => {
  let disk: CrashDisk;
  let paths: string[];
  beforeEach(async () => {
    disk = await written();
    paths = (await disk.list(DIRECTORY)).map((name) => `${DIRECTORY}/${name}`);
    expect(paths.length).toBeGreaterThan(3);
  });

  test('is refused by file after a cut of any segment but the last, anywhere in its records', async () => {
    for (const path of paths.slice(0, -1)) {
      const bytes = disk.bytesOf(path);
      const end = bytes.findLastIndex((byte) => byte !== 0) + 1;
      for (let size = 0; size < end; size += 97) {
        disk.overwrite(path, bytes.slice(0, size));
        expect(await refusal(disk)).toMatchObject({ code: 'CORRUPT', file: path });
      }
      disk.overwrite(path, bytes);
    }
    expect((await open(disk, SMALL)).recovered?.entries.length).toBe(ENTRIES);
  });

  test('is refused by file after any byte of any segment but the last changed', async () => {
    for (const path of paths.slice(0, -1)) {
      const bytes = disk.bytesOf(path);
      const end = bytes.findLastIndex((byte) => byte !== 0) + 1;
      for (let at = 0; at < end; at += 23) {
        const damaged = bytes.slice();
        damaged[at] = (bytes[at] ?? 0) ^ (1 << (at % 8));
        disk.overwrite(path, damaged);
        const { code, file } = await refusal(disk);
        expect([code, file], `byte ${at}`).toEqual(['CORRUPT', path]);
      }
      disk.overwrite(path, bytes);
    }
  });

  test('is refused when its last records in a segment were lost whole', async () => {
    const [path = ''] = paths;
    const bytes = disk.bytesOf(path);
    const end = bytes.findLastIndex((byte) => byte !== 0) + 1;
    // The last group, an entry and a hard state, read as zeros: the write was acknowledged and never made.
    bytes.fill(0, end - 40, end);
    disk.overwrite(path, bytes);
    const error = await refusal(disk);
    expect(error).toMatchObject({ code: 'CORRUPT', file: path });
  });

  test('is refused when one segment has another one’s bytes', async () => {
    const [, second = '', third = ''] = paths;
    disk.overwrite(third, disk.bytesOf(second));
    const error = await refusal(disk);
    expect(error).toMatchObject({ code: 'CORRUPT', file: third });
    expect(error.message).toContain('segment header says that the file is');
  });

  test('is refused when a segment is of another member’s log', async () => {
    const other = await written({ ...METADATA, memberId: memberId(0xbbn) });
    const [, second = ''] = paths;
    disk.overwrite(second, other.bytesOf(second));
    const error = await refusal(disk);
    expect(error).toMatchObject({ code: 'FOREIGN', file: second });
    expect(error.message).toContain('member bb');
  });

  test('is refused when its first segment is missing, by the index that the log needs', async () => {
    await disk.remove(paths[0] ?? '');
    const error = await refusal(disk);
    expect(error).toMatchObject({ code: 'MISSING_SEGMENT', file: DIRECTORY });
    expect(error.message).toContain('the log needs index 1');
  });

  test('is refused when two segments have one sequence', async () => {
    const copy = segmentFileName({ sequence: 1, firstIndex: 999 });
    const file = await disk.open(`${DIRECTORY}/${copy}`, 'create');
    file.write(0, disk.bytesOf(paths[1] ?? ''));
    const error = await refusal(disk);
    expect(error).toMatchObject({ code: 'CORRUPT' });
    expect(error.message).toContain('two segments have sequence 1');
  });

  test('does not read what is behind a snapshot: damage there harms nobody', async () => {
    const { wal } = await open(disk, SMALL);
    await wal.append(
      { snapshot: mark(ENTRIES, 1), entries: [], hardState: hardState(1, ENTRIES) },
      { sync: true },
    );
    for (let index = ENTRIES + 1; index <= 2 * ENTRIES; index++) {
      await wal.append({ entries: [command(index, 1)] }, { sync: true });
    }
    await wal.close();
    const bytes = disk.bytesOf(paths[1] ?? '');
    bytes[bytes.length - 300] = 99;
    disk.overwrite(paths[1] ?? '', bytes);
    const { recovered } = await open(disk, SMALL);
    expect(recovered?.snapshot?.index).toBe(ENTRIES);
    expect(recovered?.entries.length).toBe(ENTRIES);
  });
});
