/**
 * The power goes at every operation, and any subset of what was not synced survives: what was acknowledged is there, what
 * is there was written, and the log goes on.
 */
import { describe, expect, test } from 'vitest';
import { SECTOR_BYTES, type WalGroup } from '@etcd-ts/wal';
import { CrashDisk, type Keeps } from '@etcd-ts/wal/testing';
import {
  command,
  DIRECTORY,
  EVERY_KIND,
  expectedLog,
  hardState,
  mark,
  open,
  recoveredOf,
} from './wal-fixture.ts';

/** Small enough that the log is cut several times. */
const OPTIONS = { segmentSizeBytes: 2_048, maxSegments: 1 };

const GROUPS: readonly WalGroup[] = [
  ...EVERY_KIND,
  { entries: [command(6, 2, 'y'.repeat(700)), command(7, 3)], hardState: hardState(3, 5) },
  { snapshot: mark(6, 2), entries: [], hardState: hardState(3, 6) },
  { entries: [command(8, 3, 'z'.repeat(900))] },
  { entries: [command(9, 3)], hardState: hardState(3, 8) },
];

/** A stream of decisions from a seed (mulberry32). */
function decisions(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)) ^ mixed;
    return (mixed ^ (mixed >>> 14)) >>> 0;
  };
}

/** Whole or not, or half a sector. */
function drawKept(draw: () => number): boolean | number {
  return [true, false, draw() % SECTOR_BYTES][draw() % 3] ?? false;
}

/** What may survive of what was not synced: nothing, everything, names or sectors alone, and drawn subsets. */
const SURVIVALS: readonly (readonly [string, () => Keeps])[] = [
  ['nothing', () => () => false],
  ['everything', () => () => true],
  ['names alone', () => (what) => what.kind === 'name'],
  ['sectors alone', () => (what) => what.kind === 'sector'],
  ...[1, 2, 3, 4, 5, 6].map(
    (seed) =>
      [
        `subset ${seed}`,
        () => {
          const draw = decisions(seed);
          return () => drawKept(draw);
        },
      ] as const,
  ),
];

/** Writes all groups, releasing after the marks; counts what was acknowledged and what was begun. */
async function write(disk: CrashDisk): Promise<{ acknowledged: number; begun: number }> {
  const count = { acknowledged: 0, begun: 0 };
  try {
    const { wal, recovered } = await open(disk, OPTIONS);
    expect(recovered?.entries ?? []).toEqual([]);
    for (const group of GROUPS) {
      count.begun += 1;
      await wal.append(group, { sync: true });
      count.acknowledged += 1;
      if (group.snapshot !== undefined) await wal.release(group.snapshot.index);
    }
    await wal.close();
  } catch {
    // The power is gone.
  }
  return count;
}

/** How many groups a recovered log holds; it is exactly those. */
function groupsIn(recovered: ReturnType<typeof recoveredOf>): number {
  if (recovered === undefined) return 0;
  for (let count = GROUPS.length; count >= 0; count--) {
    try {
      expect(recovered).toEqual(expectedLog(GROUPS.slice(0, count)));
      return count;
    } catch {
      continue;
    }
  }
  throw new Error(
    `a log that was never written: ${recovered.entries.map(({ index, term }) => `${term}/${index}`).join(' ')}`,
  );
}

async function operationsOf(run: (disk: CrashDisk) => Promise<unknown>): Promise<number> {
  const disk = new CrashDisk();
  await run(disk);
  return disk.operations;
}

describe('the power goes at every operation of writing, and what survives is', () => {
  for (const [name, survival] of SURVIVALS) {
    test(name, { timeout: 60_000 }, async () => {
      const total = await operationsOf(write);
      expect(total).toBeGreaterThan(40);
      for (let at = 0; at < total; at++) {
        const disk = new CrashDisk();
        disk.onOperation = ({ number }) => (number === at ? { kind: 'power' } : undefined);
        const { acknowledged, begun } = await write(disk);
        disk.onOperation = undefined;
        disk.crash(survival());
        const opened = await open(disk, OPTIONS);
        const there = groupsIn(recoveredOf(opened));
        expect(there, `crash at operation ${at}`).toBeGreaterThanOrEqual(acknowledged);
        expect(there, `crash at operation ${at}`).toBeLessThanOrEqual(begun);
        for (const group of GROUPS.slice(there)) await opened.wal.append(group, { sync: true });
        disk.crash();
        expect(groupsIn(recoveredOf(await open(disk, OPTIONS)))).toBe(GROUPS.length);
      }
    });
  }
});

test(
  'the power goes at every operation of recovery, again and again, and nothing is lost',
  { timeout: 60_000 },
  async () => {
    const prepared = new CrashDisk();
    const { wal } = await open(prepared, OPTIONS);
    for (const group of GROUPS.slice(0, -1)) await wal.append(group, { sync: true });
    void wal.append(GROUPS.at(-1) as WalGroup, { sync: false }).catch(() => undefined);
    const draw = decisions(7);
    prepared.crash(() => draw() % 2 === 0);
    const probe = prepared.copy();
    await open(probe, OPTIONS);
    for (let at = 0; at < probe.operations; at++) {
      const disk = prepared.copy();
      for (let again = 0; again < 3; again++) {
        const from = disk.operations;
        disk.onOperation = ({ number }) => (number === from + at ? { kind: 'power' } : undefined);
        await open(disk, OPTIONS).catch(() => undefined);
        disk.onOperation = undefined;
        disk.crash(() => draw() % 2 === 0);
      }
      expect(groupsIn(recoveredOf(await open(disk, OPTIONS)))).toBeGreaterThanOrEqual(
        GROUPS.length - 1,
      );
    }
    expect(await prepared.list(DIRECTORY)).not.toEqual([]);
  },
);

test(
  'of many groups written at once a prefix survives, whatever sectors of them do',
  { timeout: 60_000 },
  async () => {
    for (let seed = 1; seed <= 300; seed++) {
      const draw = decisions(seed);
      const disk = new CrashDisk();
      const { wal } = await open(disk, { segmentSizeBytes: 64 * 1_024 });
      const count = 1 + (draw() % 30);
      let acknowledged = 0;
      const dies = draw() % 3;
      disk.onOperation = ({ operation }) =>
        operation === 'sync' && dies > 0 ? { kind: 'power' } : undefined;
      for (let index = 1; index <= count; index++) {
        const text = 'v'.repeat(draw() % 900);
        wal.write(
          { entries: [command(index, 1, text)], hardState: hardState(1, index - 1) },
          true,
          (error) => {
            if (error === undefined) acknowledged = index;
          },
        );
        if (draw() % 4 === 0) await Promise.resolve();
      }
      for (let turn = 0; turn < draw() % 40; turn++) await Promise.resolve();
      disk.onOperation = undefined;
      disk.crash(() => drawKept(draw));
      const { recovered } = await open(disk, { segmentSizeBytes: 64 * 1_024 });
      const indexes = recovered?.entries.map(({ index }) => index) ?? [];
      expect(indexes).toEqual(Array.from({ length: indexes.length }, (_, i) => i + 1));
      expect(indexes.length, `seed ${seed}`).toBeGreaterThanOrEqual(acknowledged);
      expect(recovered?.hardState.commit ?? 0).toBe(Math.max(0, indexes.length - 1));
    }
  },
);

test('what a process reads after its predecessor was killed in a failed sync is durable when it says so', async () => {
  for (const there of [1, 2, 3]) {
    const disk = new CrashDisk();
    const { wal } = await open(disk);
    for (let index = 1; index < there; index++) {
      await wal.append({ entries: [command(index, 1)] }, { sync: true });
    }
    disk.onOperation = ({ operation }) =>
      operation === 'sync' ? { kind: 'forgetfulError', code: 'EIO' } : undefined;
    const lost = wal.append({ entries: [command(there, 1, 'w'.repeat(3_000))] }, { sync: true });
    await expect(lost).rejects.toMatchObject({ code: 'FAILED', cause: { code: 'EIO' } });
    disk.onOperation = undefined;
    disk.kill();
    const { recovered } = await open(disk);
    expect(recovered?.entries.at(-1)?.index).toBe(there);
    disk.crash();
    expect((await open(disk)).recovered?.entries).toEqual(recovered?.entries);
  }
});
