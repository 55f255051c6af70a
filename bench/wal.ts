/**
 * npm run bench -- wal: the log against bare write + fdatasync of the same bytes, on the disk of the current directory.
 *
 * All of them take turns within one process, round by round, so that a slow moment of the disk hits each; what counts is
 * the median of each and their ratio. `append` is bare writing at the end of a file, as a log does it; `overwrite` is bare
 * writing over a file that has its place on the disk already, which is as fast as that disk can be.
 *
 * `alone`: the next batch is made when the last one is durable. `queued`: one batch waits while another is synced, as under
 * load; the log encodes it meanwhile.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { clusterId, memberId } from '@etcd-ts/base';
import { type Entry } from '@etcd-ts/raft';
import { type DiskFile, openWal, type Wal } from '@etcd-ts/wal';
import { NodeDisk } from '@etcd-ts/wal/node';
import { median } from './beside/median.ts';

const ENTRY_BYTES = 256;
const ROUNDS = 300;
const BATCHES = [1, 16, 256] as const;
const QUEUED_BATCHES = 10;
const OVERWRITTEN_BYTES = 64 * 1024 * 1024;

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

/** Bare writing of as many bytes as the log wrote. */
class Bare {
  readonly #file: DiskFile;
  readonly #sizeBytes: number;
  #positionBytes = 0;

  /** @param sizeBytes Where writing begins again; infinite for a file that grows. */
  constructor(file: DiskFile, sizeBytes: number) {
    this.#file = file;
    this.#sizeBytes = sizeBytes;
  }

  async write(bytes: Uint8Array): Promise<void> {
    this.#file.write(this.#positionBytes, bytes);
    await this.#file.sync();
    this.#positionBytes = (this.#positionBytes + bytes.length) % this.#sizeBytes;
  }
}

interface Contest {
  readonly wal: Wal;
  readonly append: Bare;
  readonly overwrite: Bare;
}

type Times = Record<'log' | 'append' | 'overwrite', number[]>;

/** Takes the time of one batch by the log and of the same bytes by each of the others. */
async function compare(
  { wal, append, overwrite }: Contest,
  batch: number,
  queue: number,
): Promise<Times> {
  const times: Times = { log: [], append: [], overwrite: [] };
  for (let round = 0; round < ROUNDS / queue; round++) {
    const before = wal.stats();
    const first = before.lastIndex + 1;
    const batches = Array.from({ length: queue }, (_, i) => batchOf(batch, first + i * batch));
    times.log.push((await timed(() => appendAll(wal, batches))) / queue);
    const sizeBytes = (wal.stats().writtenBytes - before.writtenBytes) / queue;
    const bytes = new Uint8Array(sizeBytes).fill(7);
    for (const name of ['append', 'overwrite'] as const) {
      const bare = name === 'append' ? append : overwrite;
      const tookMs = await timed(async () => {
        for (let i = 0; i < queue; i++) await bare.write(bytes);
      });
      times[name].push(tookMs / queue);
    }
  }
  return times;
}

/** Appends one batch after the other, each handed over while the one before is synced. */
async function appendAll(wal: Wal, batches: readonly Entry[][]): Promise<void> {
  let before = Promise.resolve();
  for (const entries of batches) {
    const last = before;
    before = wal.append({ entries }, { sync: true });
    await last;
    await Promise.resolve();
  }
  await before;
}

async function compareBatches(contest: Contest): Promise<void> {
  console.log(`median of ${ROUNDS} batches of 256-byte entries, µs a batch; ratio = bare / log`);
  console.log('        batch    log  append  ratio  overwrite  ratio');
  for (const [name, queue] of [
    ['alone', 1],
    ['queued', QUEUED_BATCHES],
  ] as const) {
    for (const batch of BATCHES) {
      const times = await compare(contest, batch, queue);
      const [log, append, overwrite] = [times.log, times.append, times.overwrite].map(median);
      const cells = [
        name.padEnd(8),
        String(batch).padStart(5),
        (log! * 1000).toFixed(0).padStart(7),
        (append! * 1000).toFixed(0).padStart(8),
        (append! / log!).toFixed(2).padStart(7),
        (overwrite! * 1000).toFixed(0).padStart(11),
        (overwrite! / log!).toFixed(2).padStart(7),
      ];
      console.log(cells.join(''));
    }
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
  const grown = await disk.open(join(folder, 'append'), 'create');
  const whole = await disk.open(join(folder, 'overwrite'), 'create');
  const zeros = new Uint8Array(1024 * 1024);
  for (let at = 0; at < OVERWRITTEN_BYTES; at += zeros.length) whole.write(at, zeros);
  await whole.sync();
  const append = new Bare(grown, Number.POSITIVE_INFINITY);
  const overwrite = new Bare(whole, OVERWRITTEN_BYTES / 2);
  await compareBatches({ wal, append, overwrite });
  await countSyncs(wal);
  await wal.close();
  await grown.close();
  await whole.close();
} finally {
  rmSync(folder, { recursive: true, force: true });
}
