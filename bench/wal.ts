/**
 * npm run bench -- wal: the log against bare write + fdatasync of the same bytes, on the disk of the current directory.
 *
 * Both run in turns within one process, round by round, so that a slow moment of the disk hits both; what counts is the
 * median of each and their ratio.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { clusterId, memberId } from '@etcd-ts/base';
import { type Entry } from '@etcd-ts/raft';
import { type DiskFile, openWal, type Wal } from '@etcd-ts/wal';
import { NodeDisk } from '@etcd-ts/wal/node';

const ENTRY_BYTES = 256;
const ROUNDS = 300;
const BATCHES = [1, 16, 256] as const;
/** Bare writes go to a file that has its place on the disk already, as the log's segments have. */
const BARE_FILE_BYTES = 64 * 1024 * 1024;

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] as number;
}

async function timed(run: () => Promise<void>): Promise<number> {
  const before = performance.now();
  await run();
  return performance.now() - before;
}

function batchOf(size: number, firstIndex: number): Entry[] {
  const data = new Uint8Array(ENTRY_BYTES).fill(7);
  return Array.from({ length: size }, (_, i) => ({
    index: firstIndex + i,
    term: 1,
    payload: { kind: 'command', data },
  }));
}

async function compareBatches(wal: Wal, bare: DiskFile): Promise<void> {
  console.log('batch  log µs  bare µs  bare/log  (median of', ROUNDS, 'rounds, 256-byte entries)');
  let index = 1;
  let position = 0;
  for (const batch of BATCHES) {
    const logMs: number[] = [];
    const bareMs: number[] = [];
    for (let round = 0; round < ROUNDS; round++) {
      const before = wal.stats().writtenBytes;
      const entries = batchOf(batch, index);
      index += batch;
      logMs.push(await timed(() => wal.append({ entries }, { sync: true })));
      // The very bytes: as many as the log wrote for this batch, framing included.
      const bytes = new Uint8Array(wal.stats().writtenBytes - before);
      bareMs.push(
        await timed(async () => {
          bare.write(position, bytes);
          await bare.sync();
        }),
      );
      position = (position + bytes.length) % (BARE_FILE_BYTES / 2);
    }
    const [log, plain] = [median(logMs), median(bareMs)];
    const cells = [
      batch,
      (log * 1000).toFixed(0),
      (plain * 1000).toFixed(0),
      (plain / log).toFixed(2),
    ];
    console.log(cells.map((cell, i) => String(cell).padStart([5, 8, 9, 10][i] as number)).join(''));
  }
}

async function countSyncs(wal: Wal): Promise<void> {
  const before = wal.stats();
  const first = before.lastIndex + 1;
  const tookMs = await timed(async () => {
    await Promise.all(
      Array.from({ length: 1_000 }, (_, i) =>
        wal.append({ entries: batchOf(1, first + i) }, { sync: true }),
      ),
    );
  });
  const { syncs, writes } = wal.stats();
  console.log(
    `1000 appends at once: ${syncs - before.syncs} fsyncs, ${writes - before.writes} writes, ${tookMs.toFixed(1)} ms`,
  );
}

const folder = mkdtempSync(join(process.cwd(), '.bench-wal-'));
try {
  const disk = new NodeDisk();
  const metadata = { clusterId: clusterId(1n), memberId: memberId(1n) };
  const { wal } = await openWal({ disk, directory: join(folder, 'wal'), metadata });
  const bare = await disk.open(join(folder, 'bare'), 'create');
  const zeros = new Uint8Array(1024 * 1024);
  for (let at = 0; at < BARE_FILE_BYTES; at += zeros.length) bare.write(at, zeros);
  await bare.sync();
  await compareBatches(wal, bare);
  await countSyncs(wal);
  await wal.close();
  await bare.close();
} finally {
  rmSync(folder, { recursive: true, force: true });
}
