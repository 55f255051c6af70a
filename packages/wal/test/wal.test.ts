import { describe, expect, test } from 'vitest';
import { crc32c, memberId } from '@etcd-ts/base';
import type { SnapshotMeta } from '@etcd-ts/raft';
import { MemoryDisk, openWal, readWal, type WalError } from '@etcd-ts/wal';
import { CrashDisk } from '@etcd-ts/wal/testing';
import {
  command,
  DIRECTORY,
  EVERY_KIND,
  expectedLog,
  hardState,
  mark,
  METADATA,
  open,
  recoveredOf,
} from './wal-fixture.ts';

const SYNC = { sync: true };

describe('a log that is written and opened again', () => {
  test('holds every kind of record as it was', async () => {
    const disk = new MemoryDisk();
    const { wal, recovered } = await open(disk);
    expect(recovered).toBeUndefined();
    for (const group of EVERY_KIND) await wal.append(group, SYNC);
    await wal.close();
    const again = await open(disk);
    expect(recoveredOf(again)).toEqual(expectedLog(EVERY_KIND));
    expect(again.recovered).toMatchObject({ metadata: METADATA, snapshot: mark(2, 1) });
    expect(again.recovered?.repaired).toBeUndefined();
  });

  test('goes on where it was, over many openings and segments', async () => {
    const disk = new MemoryDisk();
    const options = { segmentSizeBytes: 2_048, maxSegments: 0 };
    for (let run = 0; run < 5; run++) {
      const { wal, recovered } = await open(disk, options);
      expect(recovered?.entries.length ?? 0).toBe(run * 40);
      for (let i = 1; i <= 40; i++) {
        const index = run * 40 + i;
        await wal.append({ entries: [command(index, 1)], hardState: hardState(1, index) }, SYNC);
      }
      expect(wal.stats().segments).toBeGreaterThan(run);
      await wal.close();
    }
    const { recovered } = await open(disk, options);
    expect(recovered?.entries.map(({ index }) => index)).toEqual(
      Array.from({ length: 200 }, (_, i) => i + 1),
    );
    expect(recovered?.hardState).toEqual(hardState(1, 200));
  });

  test('has room ahead of it, as much as its length at first and a step at most', async () => {
    const disk = new MemoryDisk();
    const { wal } = await open(disk);
    const [name = ''] = await disk.list(DIRECTORY);
    const file = await disk.open(`${DIRECTORY}/${name}`, 'read');
    const data = 'x'.repeat(1_024);
    let last = 0;
    const sizes: number[] = [];
    for (let index = 1; index <= 2_500; index++) {
      await wal.append({ entries: [command(index, 1, data)] }, SYNC);
      const size = await file.size();
      if (size !== last) sizes.push(size / 1_024);
      last = size;
    }
    expect(sizes).toEqual([64, 128, 256, 512, 1_024, 2_048, 3_072]);
  });

  test('can be read by tools while it is open, without being claimed', async () => {
    const disk = new MemoryDisk();
    const { wal } = await open(disk);
    await wal.append({ entries: [command(1, 1)] }, SYNC);
    const log = await readWal({ disk, directory: DIRECTORY });
    expect(log.entries).toEqual([command(1, 1)]);
    await wal.append({ entries: [command(2, 1)] }, SYNC);
  });

  test('begins behind the newest mark whose snapshot can be had', async () => {
    const disk = new MemoryDisk();
    const { wal } = await open(disk);
    const entries = [1, 2, 3, 4].map((index) => command(index, 1));
    await wal.append({ entries, hardState: hardState(1, 4) }, SYNC);
    for (const index of [2, 3]) await wal.append({ snapshot: mark(index, 1), entries: [] }, SYNC);
    await wal.close();
    const usable = await open(disk, { isUsableSnapshot: ({ index }) => index < 3 });
    expect(usable.recovered?.snapshot?.index).toBe(2);
    expect(usable.recovered?.entries.map(({ index }) => index)).toEqual([3, 4]);
  });

  test('may begin with entries that replaced others of a segment that was let go', async () => {
    const disk = new MemoryDisk();
    const options = { segmentSizeBytes: 1_024, maxSegments: 1 };
    const { wal } = await open(disk, options);
    const long = 'x'.repeat(300);
    const entries = [1, 2, 3, 4].map((index) => command(index, 1, long));
    await wal.append({ entries, hardState: hardState(1, 2) }, SYNC);
    await wal.append({ entries: [command(3, 2), command(4, 2)] }, SYNC);
    await wal.append({ snapshot: mark(4, 2), entries: [], hardState: hardState(2, 4) }, SYNC);
    expect(await wal.release(4)).toBe(1);
    await wal.append({ entries: [command(5, 2)] }, SYNC);
    await wal.close();
    const { recovered } = await open(disk, options);
    expect(recovered?.snapshot).toEqual(mark(4, 2));
    expect(recovered?.entries).toEqual([command(5, 2)]);
  });

  test('whose first entries were let go for a snapshot that is gone names that snapshot', async () => {
    const disk = new MemoryDisk();
    const options = { segmentSizeBytes: 1_024, maxSegments: 1 };
    const { wal } = await open(disk, options);
    await wal.append({ snapshot: mark(1, 1), entries: [], hardState: hardState(1, 1) }, SYNC);
    const long = 'x'.repeat(300);
    const entries = [2, 3, 4, 5, 6, 7, 8].map((index) => command(index, 1, long));
    for (const entry of entries) await wal.append({ entries: [entry] }, SYNC);
    await wal.append({ snapshot: mark(8, 1), entries: [], hardState: hardState(1, 8) }, SYNC);
    expect(await wal.release(5)).toBe(1);
    await wal.close();
    const isOfFirst = { ...options, isUsableSnapshot: ({ index }: SnapshotMeta) => index === 1 };
    await expect(open(disk, isOfFirst)).rejects.toMatchObject({
      code: 'SNAPSHOT_MISSING',
      message: expect.stringContaining('index 8 term 1'),
    });
    const { recovered } = await open(disk, options);
    expect(recovered?.snapshot).toEqual(mark(8, 1));
  });

  test('that began anew behind a snapshot which is gone is refused', async () => {
    const disk = new MemoryDisk();
    const { wal } = await open(disk);
    await wal.append({ entries: [command(1, 1)] }, SYNC);
    await wal.append({ snapshot: mark(100, 7), entries: [], hardState: hardState(7, 100) }, SYNC);
    await wal.close();
    await expect(open(disk, { isUsableSnapshot: () => false })).rejects.toMatchObject({
      code: 'SNAPSHOT_MISSING',
      message: expect.stringContaining('index 100 term 7'),
    });
  });
});

describe('group commit', () => {
  test('a thousand appends of one turn need one write and one sync', async () => {
    const disk = new CrashDisk();
    const { wal } = await open(disk);
    const before = wal.stats();
    const done: number[] = [];
    await new Promise<void>((resolve) => {
      for (let index = 1; index <= 1_000; index++) {
        wal.write({ entries: [command(index, 1)] }, true, () => {
          done.push(index);
          if (index === 1_000) resolve();
        });
      }
      expect(done).toEqual([]);
    });
    expect(done).toEqual(Array.from({ length: 1_000 }, (_, i) => i + 1));
    const after = wal.stats();
    expect([after.writes - before.writes, after.syncs - before.syncs]).toEqual([1, 1]);
    expect(after.pendingBytes).toBe(0);
  });

  test.each([
    ['its hard state', 4 * 1024, { hardState: hardState(1, 1) }],
    ['its mark', 4 * 1024, {}],
    ['its second growth', 8 * 1024, {}],
  ])(
    'a group is as it was wherever the buffer had to grow for %s',
    async (_, bufferBytes, more) => {
      for (let sizeBytes = bufferBytes - 480; sizeBytes <= bufferBytes; sizeBytes += 8) {
        const disk = new CrashDisk();
        const { wal } = await open(disk);
        const first = { entries: [command(1, 1, 'x'.repeat(sizeBytes / 2 - 48))] };
        const group = { entries: [command(2, 1, 'x'.repeat(sizeBytes / 2 - 48))], ...more };
        const next = { snapshot: mark(1, 1), entries: [command(3, 7)], hardState: hardState(7, 2) };
        const groups = [first, group, next];
        await Promise.all(groups.map((each) => wal.append(each, SYNC)));
        disk.crash();
        const opened = await open(disk);
        expect(recoveredOf(opened), `${sizeBytes}`).toEqual(expectedLog(groups));
      }
    },
  );

  test('what is said to be done survives the crash that follows at once', async () => {
    const disk = new CrashDisk();
    const { wal } = await open(disk);
    await wal.append({ entries: [command(1, 1)], hardState: hardState(1, 0) }, SYNC);
    disk.crash();
    expect((await open(disk)).recovered?.entries).toEqual([command(1, 1)]);
  });

  test('a group that needs no sync is durable with the next one that does', async () => {
    const disk = new CrashDisk();
    const { wal } = await open(disk);
    const syncs = wal.stats().syncs;
    await wal.append({ entries: [], hardState: hardState(1, 0) }, { sync: false });
    expect(wal.stats().syncs).toBe(syncs);
    await wal.append({ entries: [command(1, 1)] }, SYNC);
    disk.crash();
    expect((await open(disk)).recovered).toMatchObject({
      hardState: hardState(1, 0),
      entries: [command(1, 1)],
    });
  });

  test('a segment that fills up while a sync is under way takes what was encoded for it', async () => {
    for (let turns = 0; turns < 12; turns++) {
      const disk = new CrashDisk();
      const { wal } = await open(disk, { segmentSizeBytes: 1_024 });
      const first = wal.append({ entries: [command(1, 1, 'x'.repeat(500))] }, SYNC);
      for (let turn = 0; turn < turns; turn++) await Promise.resolve();
      const rest = [2, 3, 4].map((index) =>
        wal.append({ entries: [command(index, 1, 'x'.repeat(500))] }, SYNC),
      );
      await Promise.all([first, ...rest]);
      disk.crash();
      const { recovered } = await open(disk);
      expect(
        recovered?.entries.map(({ index }) => index),
        `${turns} turns`,
      ).toEqual([1, 2, 3, 4]);
    }
  });

  test('when much waits, the next sync is under way before anybody is told of this one', async () => {
    const disk = new CrashDisk();
    const { wal } = await open(disk);
    let syncs = 0;
    disk.onOperation = ({ operation }) => {
      if (operation === 'sync') syncs += 1;
      return undefined;
    };
    const syncsWhenTold: number[] = [];
    const write = (index: number, text: string): Promise<void> =>
      new Promise((resolve, reject) => {
        wal.write({ entries: [command(index, 1, text)] }, true, (error) => {
          syncsWhenTold.push(syncs);
          if (error === undefined) resolve();
          else reject(error);
        });
      });
    const first = write(1, 'first');
    await Promise.resolve();
    await Promise.resolve();
    expect(syncs).toBe(1);
    const second = write(2, 'x'.repeat(64 * 1024));
    await first;
    // Little waits now: whoever is told and writes at once is of the next sync.
    const third = write(3, 'third');
    await second;
    await Promise.all([third, write(4, 'fourth')]);
    expect(syncsWhenTold).toEqual([2, 2, 3, 3]);
  });

  test('a slow sync is counted and told, with the limit', async () => {
    const disk = new MemoryDisk();
    let nowMs = 0;
    const told: number[][] = [];
    const { wal } = await open(disk, {
      slowSyncLimitMs: 5,
      monotonicMs: () => (nowMs += 3),
      observer: { slowSync: (...args) => told.push(args) },
    });
    await wal.append({ entries: [command(1, 1)] }, SYNC);
    expect(told).toEqual([]);
    nowMs = 0;
    const slow = await open(new MemoryDisk(), {
      slowSyncLimitMs: 2,
      monotonicMs: () => (nowMs += 3),
      observer: { slowSync: (...args) => told.push(args) },
    });
    await slow.wal.append({ entries: [command(1, 1)] }, SYNC);
    expect(told).toEqual([[3, 2]]);
    expect(slow.wal.stats().slowSyncs).toBe(1);
  });
});

describe('fail-stop', () => {
  const cases = [
    ['sync', 'EIO'],
    ['write', 'ENOSPC'],
    ['write', 'EIO'],
    ['truncate', 'ENOSPC'],
  ] as const;
  for (const [operation, code] of cases) {
    test(`after ${code} from ${operation} everything fails with that cause, and the disk is left alone`, async () => {
      const disk = new CrashDisk();
      const { wal } = await open(disk);
      await wal.append({ entries: [command(1, 1)] }, SYNC);
      disk.onOperation = (at) => (at.operation === operation ? { kind: 'error', code } : undefined);
      const failed = await Promise.allSettled([
        // Large enough that the segment is made longer first.
        wal.append({ entries: [command(2, 1, 'x'.repeat(1_100_000))] }, SYNC),
        wal.append({ entries: [command(3, 1)] }, SYNC),
      ]);
      for (const each of failed) {
        expect(each).toMatchObject({
          status: 'rejected',
          reason: { code: 'FAILED', cause: { code } },
        });
      }
      disk.onOperation = undefined;
      const operations = disk.operations;
      await expect(wal.append({ entries: [command(4, 1)] }, SYNC)).rejects.toMatchObject({
        code: 'FAILED',
        cause: { code },
      });
      expect(disk.operations).toBe(operations);
      await wal.close();
      // A fresh start still reads what was durable.
      const { recovered } = await open(disk);
      expect(recovered?.entries[0]).toEqual(command(1, 1));
    });
  }

  test('a group that cannot be written while a sync is under way is told so later, not at once', async () => {
    for (let turns = 0; turns < 12; turns++) {
      const disk = new CrashDisk();
      const { wal } = await open(disk);
      const first = wal.append({ entries: [command(1, 1)] }, SYNC).catch(() => 'failed');
      for (let turn = 0; turn < turns; turn++) await Promise.resolve();
      disk.onOperation = ({ operation }) =>
        operation === 'write' || operation === 'truncate'
          ? { kind: 'error', code: 'ENOSPC' }
          : undefined;
      let hasReturned = false;
      const told = new Promise<unknown>((resolve) => {
        wal.write({ entries: [command(2, 1, 'x'.repeat(1_200_000))] }, true, (error) => {
          expect(hasReturned).toBe(true);
          resolve(error);
        });
      });
      hasReturned = true;
      expect(await told).toMatchObject({ code: 'FAILED', cause: { code: 'ENOSPC' } });
      await first;
      await wal.close();
    }
  });

  test('a release that fails on the directory stops the log, whatever is under way', async () => {
    for (let turns = 0; turns < 12; turns++) {
      const disk = new CrashDisk();
      const { wal } = await open(disk, { segmentSizeBytes: 1_024, maxSegments: 1 });
      for (let index = 1; index <= 40; index++) {
        await wal.append({ entries: [command(index, 1)] }, SYNC);
      }
      await wal.append({ snapshot: mark(40, 1), entries: [] }, SYNC);
      disk.onOperation = ({ operation }) =>
        operation === 'syncDirectory' ? { kind: 'error', code: 'EIO' } : undefined;
      const release = wal.release(40).catch((error: unknown) => error);
      for (let turn = 0; turn < turns; turn++) await Promise.resolve();
      const append = wal.append({ entries: [command(41, 1)] }, SYNC).catch(() => 'failed');
      expect(await release).toMatchObject({ code: 'FAILED', cause: { code: 'EIO' } });
      await append;
      await expect(wal.append({ entries: [] }, SYNC)).rejects.toMatchObject({ code: 'FAILED' });
      await wal.close();
    }
  });

  test('a group beyond the pending limit is refused, and the log goes on', async () => {
    const disk = new MemoryDisk();
    const { wal } = await open(disk, { maxPendingBytes: 1_000 });
    const large = (index: number) => ({ entries: [command(index, 1, 'x'.repeat(900))] });
    const first = wal.append(large(1), SYNC);
    await expect(wal.append(large(2), SYNC)).rejects.toMatchObject({ code: 'FULL' });
    await first;
    await wal.append(large(2), SYNC);
  });

  test('a closed log refuses, and closing twice is harmless', async () => {
    const { wal } = await open(new MemoryDisk());
    await wal.close();
    await wal.close();
    await expect(wal.append({ entries: [command(1, 1)] }, SYNC)).rejects.toMatchObject({
      code: 'CLOSED',
    });
  });

  test("a group that does not continue the log is the caller's mistake, and takes nothing", async () => {
    const { wal } = await open(new MemoryDisk());
    expect(() => wal.write({ entries: [command(2, 1)] }, true, () => undefined)).toThrow(
      'does not follow',
    );
    await wal.append({ entries: [command(1, 1)] }, SYNC);
  });
});

describe('a directory', () => {
  const refused = (run: Promise<unknown>): Promise<WalError> =>
    run.then(
      () => Promise.reject(new Error('accepted')),
      (error: unknown) => error as WalError,
    );

  test("that another member's log is in is refused, with both names", async () => {
    const disk = new MemoryDisk();
    await (await open(disk)).wal.close();
    const error = await refused(
      open(disk, { metadata: { ...METADATA, memberId: memberId(0xbbn) } }),
    );
    expect(error).toMatchObject({ code: 'FOREIGN' });
    expect(error.message).toContain('member a1');
    expect(error.message).toContain('member bb');
  });

  test('in use is refused', async () => {
    const disk = new MemoryDisk();
    await open(disk);
    expect(await refused(open(disk))).toMatchObject({ code: 'LOCKED' });
  });

  test('without a log is NOT_FOUND when none is to be begun', async () => {
    const disk = new MemoryDisk();
    expect(await refused(openWal({ disk, directory: DIRECTORY }))).toMatchObject({
      code: 'NOT_FOUND',
    });
  });

  test('that misses a segment is refused by the number of that segment', async () => {
    const disk = new CrashDisk();
    const { wal } = await open(disk, { segmentSizeBytes: 1_024, maxSegments: 0 });
    for (let index = 1; index <= 60; index++) {
      await wal.append({ entries: [command(index, 1)] }, SYNC);
    }
    await wal.close();
    const names = await disk.list(DIRECTORY);
    await disk.remove(`${DIRECTORY}/${names[1]}`);
    const error = await refused(open(disk));
    expect(error).toMatchObject({ code: 'MISSING_SEGMENT' });
    expect(error.message).toContain('segment 1 is missing');
  });

  test('whose log is of a newer format is refused by both versions', async () => {
    const disk = new CrashDisk();
    await (await open(disk)).wal.close();
    const [name] = await disk.list(DIRECTORY);
    const bytes = disk.bytesOf(`${DIRECTORY}/${name}`);
    const view = new DataView(bytes.buffer);
    view.setUint32(8, 2, true);
    view.setUint32(12, crc32c(bytes, 0, 0, 12), true);
    disk.overwrite(`${DIRECTORY}/${name}`, bytes);
    const error = await refused(open(disk));
    expect(error).toMatchObject({ code: 'UNSUPPORTED_VERSION' });
    expect(error.message).toMatch(/version 2.*version 1/);
  });

  test('loses only segments behind the snapshot, and keeps the number asked for', async () => {
    const disk = new CrashDisk();
    const { wal } = await open(disk, { segmentSizeBytes: 1_024, maxSegments: 3 });
    for (let index = 1; index <= 100; index++)
      await wal.append({ entries: [command(index, 1)] }, SYNC);
    const before = wal.stats().segments;
    await wal.append({ snapshot: mark(90, 1), entries: [], hardState: hardState(1, 90) }, SYNC);
    expect(await wal.release(90)).toBeGreaterThan(0);
    expect(wal.stats().segments).toBeGreaterThanOrEqual(3);
    expect(wal.stats().segments).toBeLessThan(before);
    disk.crash();
    const { recovered } = await open(disk);
    expect(recovered?.entries.map(({ index }) => index)).toEqual([
      91, 92, 93, 94, 95, 96, 97, 98, 99, 100,
    ]);
  });
});
