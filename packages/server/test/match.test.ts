/** How a log goes on whose database is gone, and whose beginning was let go: behind a state that others have. */
import { clusterId, memberId, must, utf8 } from '@etcd-ts/base';
import type { Entry, SnapshotMeta } from '@etcd-ts/raft';
import { MemoryDisk, openWal, type RecoveredLog } from '@etcd-ts/wal';
import { describe, expect, test } from 'vitest';
import { match } from '../src/bootstrap/match.ts';
import type { RecoveryParts } from '../src/bootstrap/recovery-parts.ts';
import { silentLogger } from '../src/logger.ts';
import type { Database } from '../src/state/databases.ts';

const TERM = 2;
const MARKED = 5;
const WAL = { directory: 'wal', segmentSizeBytes: 1_024, maxSegments: 1 };

const entry = (index: number): Entry => ({
  index,
  term: TERM,
  payload: { kind: 'command', data: utf8('x'.repeat(300)) },
});

const mark = (index: number, term: number): SnapshotMeta => ({
  index,
  term,
  confState: {
    voters: [1n, 2n, 3n].map(memberId),
    votersOutgoing: [],
    learners: [],
    learnersNext: [],
    autoLeave: false,
  },
});

/** A log of entries 1 to 7, all acknowledged, with its newest mark at 5; its first entries are let go. */
async function diskWithLog(): Promise<MemoryDisk> {
  const disk = new MemoryDisk();
  const metadata = { clusterId: clusterId(7n), memberId: memberId(1n) };
  const { wal } = await openWal({ ...WAL, disk, metadata });
  const append = (group: Parameters<typeof wal.append>[0]) => wal.append(group, { sync: true });
  for (let index = 1; index <= MARKED; index++) await append({ entries: [entry(index)] });
  const hardState = { term: TERM, vote: 0n, commit: MARKED };
  await append({ snapshot: mark(MARKED, TERM), entries: [], hardState });
  for (const index of [6, 7]) await append({ entries: [entry(index)] });
  expect(await wal.release(MARKED)).toBeGreaterThan(0);
  await wal.close();
  return disk;
}

/** What it goes on with once its state is fetched, and what is on its disk then. */
async function wentOn(meta: SnapshotMeta): Promise<readonly RecoveredLog[]> {
  const disk = await diskWithLog();
  const { directory: walDirectory, ...walOptions } = WAL;
  const parts: Partial<RecoveryParts> = {
    disk,
    walDirectory,
    walOptions,
    log: silentLogger,
    fetchState: () => Promise.resolve({ database: {} as Database, meta }),
  };
  const { wal, recovered } = await match(parts as RecoveryParts, [], {});
  await wal.close();
  const again = await openWal({ ...WAL, disk });
  await again.wal.close();
  return [recovered, must(again.recovered, 'log')];
}

const indexes = ({ entries }: RecoveredLog): readonly number[] => entries.map(({ index }) => index);

describe('a log without a database', () => {
  test.each([
    [5, [6, 7]],
    [6, [7]],
    [7, []],
  ])(
    'that holds what the fetched state ends with, at %i, keeps what it has acknowledged after it',
    async (index, kept) => {
      for (const log of await wentOn(mark(index, TERM))) {
        expect(log.snapshot).toEqual(mark(index, TERM));
        expect(indexes(log)).toEqual(kept);
      }
    },
  );

  test.each([
    [6, 3],
    [8, 2],
  ])(
    'begins anew behind a state that ends with what it does not hold, at %i of term %i',
    async (index, term) => {
      for (const log of await wentOn(mark(index, term))) {
        expect(log.snapshot).toEqual(mark(index, term));
        expect(indexes(log)).toEqual([]);
      }
    },
  );
});
