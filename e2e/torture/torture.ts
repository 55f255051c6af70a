/**
 * Three members as processes, clients on all of them, and everything that can be done to processes and their disks from
 * outside: killed one, two or all at a time, databases deleted, a disk that fills up. At the end every write that was
 * acknowledged is there, revisions have no gap, the watcher missed nothing, and all members hold the same.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect } from '@etcd-ts/client/node';
import { Cluster } from '../harness/cluster.ts';
import { judge } from '../harness/judge.ts';
import { findLeader, pause } from '../harness/leader.ts';
import { Load } from '../harness/load.ts';
import type { Member } from '../harness/member.ts';
import { SmallDisk } from './disk.ts';
import { FullHistory } from './watcher.ts';

/** Small figures, so that snapshots, compaction of the log and elections happen all the time. */
const FLAGS = [
  '--heartbeat-interval=50',
  '--election-timeout=300',
  '--snapshot-count=300',
  '--snapshot-catchup-entries=100',
];

/** A cluster is left alone for so long between two blows, at the least and at the most. */
const PEACE_MS = [50, 500] as const;

/** A write must succeed within so long when a quorum is up. */
const PROGRESS_LIMIT_MS = 60_000;

/** How long, or how often. */
export interface TortureOptions {
  readonly seed: number;
  /** Ends after so many kills … */
  readonly kills?: number;
  /** … or after so many seconds, whichever comes first. */
  readonly seconds?: number;
  readonly say?: (line: string) => void;
}

/** What was done, and what is wrong: nothing, one hopes. */
export interface TortureReport {
  readonly kills: number;
  readonly acknowledged: number;
  readonly unknown: number;
  readonly reads: number;
  readonly wrong: readonly string[];
}

type Blow = 'leader' | 'one' | 'two' | 'all' | 'lose database' | 'fill disk' | 'stop in order';

const BLOWS: readonly Blow[] = [
  'leader',
  'leader',
  'leader',
  'one',
  'one',
  'two',
  'two',
  'all',
  'lose database',
  'fill disk',
  'stop in order',
];

/** Runs it; the members and their data are gone afterwards, unless something is wrong. */
export async function torture(options: TortureOptions): Promise<TortureReport> {
  const scratch = mkdtempSync(join(tmpdir(), 'etcd-ts-torture-'));
  const disk = SmallDisk.mount(join(scratch, 'm1'));
  const run = new Torture(options, disk);
  try {
    return await run.run();
  } finally {
    disk?.unmount();
    rmSync(scratch, { recursive: true, force: true });
  }
}

class Torture {
  readonly #options: TortureOptions;
  readonly #disk: SmallDisk | undefined;
  readonly #draw: () => number;
  #kills = 0;

  constructor(options: TortureOptions, disk: SmallDisk | undefined) {
    this.#options = options;
    this.#disk = disk;
    this.#draw = draws(options.seed);
  }

  async run(): Promise<TortureReport> {
    const disk = this.#disk;
    const cluster = await Cluster.start({
      size: 3,
      flags: FLAGS,
      dataDirOf: (name) =>
        name === 'm1' && disk !== undefined ? join(disk.path, 'data') : undefined,
    });
    const { members } = cluster;
    try {
      await findLeader(members);
      const load = new Load(members, { writers: 2, readers: 1 });
      const history = new FullHistory(members, 'load/');
      await this.#blows(members, load);
      const ledger = await load.stop();
      await findLeader(members);
      const wrong = await judge(members, ledger);
      wrong.push(...(await history.through(await headOf(members[0] as Member))));
      const { acknowledged, unknown, reads } = ledger;
      const counts = { acknowledged: acknowledged.length, unknown: unknown.length, reads };
      return { kills: this.#kills, ...counts, wrong };
    } finally {
      await cluster.dispose();
    }
  }

  async #blows(members: readonly Member[], load: Load): Promise<void> {
    const { kills = Infinity, seconds = Infinity, say } = this.#options;
    const endMs = performance.now() + seconds * 1000;
    while (this.#kills < kills && performance.now() < endMs) {
      await pause(PEACE_MS[0] + (this.#draw() % (PEACE_MS[1] - PEACE_MS[0])));
      const blow = BLOWS[this.#draw() % BLOWS.length] as Blow;
      const before = load.acknowledgedCount;
      await this.#strike(blow, members);
      await progress(load, before);
      say?.(`${this.#kills} kills, ${load.acknowledgedCount} writes acknowledged; last: ${blow}`);
    }
  }

  async #strike(blow: Blow, members: readonly Member[]): Promise<void> {
    const shuffled = shuffle(members, this.#draw);
    const [first, second] = shuffled as [Member, Member];
    switch (blow) {
      case 'leader':
        return this.#killAll([await findLeader(members)]);
      case 'one':
        return this.#killAll([first]);
      case 'two':
        return this.#killAll([first, second]);
      case 'all':
        return this.#killAll(members);
      case 'lose database':
        return this.#loseDatabase(first);
      case 'fill disk':
        return this.#fillDisk(members[0] as Member);
      case 'stop in order':
        await first.stop();
        return first.start();
    }
  }

  async #killAll(victims: readonly Member[]): Promise<void> {
    await Promise.all(victims.map((member) => member.kill()));
    this.#kills += victims.length;
    await pause(this.#draw() % 300);
    await Promise.all(victims.map((member) => member.start()));
  }

  async #loseDatabase(member: Member): Promise<void> {
    await member.kill();
    this.#kills += 1;
    rmSync(join(member.dataDir, 'member', 'db'), { recursive: true, force: true });
    await member.start();
  }

  /** The member stops by itself when it cannot write; with room again it goes on where it was. */
  async #fillDisk(member: Member): Promise<void> {
    if (this.#disk === undefined) return;
    this.#disk.fill();
    await member.ended();
    this.#disk.drain();
    await member.start();
  }
}

async function progress(load: Load, before: number): Promise<void> {
  const deadline = performance.now() + PROGRESS_LIMIT_MS;
  while (load.acknowledgedCount === before) {
    if (performance.now() > deadline)
      throw new Error(`no write succeeded for ${PROGRESS_LIMIT_MS} ms`);
    await pause(20);
  }
}

async function headOf(member: Member): Promise<number> {
  const client = connect({ endpoints: [member.endpoint] });
  const { revision } = await client.getAll('head');
  await client.close();
  return revision;
}

function shuffle<T>(items: readonly T[], draw: () => number): T[] {
  return items
    .map((item) => ({ item, key: draw() }))
    .sort((a, b) => a.key - b.key)
    .map(({ item }) => item);
}

/** A stream of 32-bit numbers from a seed (mulberry32). */
function draws(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)) ^ mixed;
    return (mixed ^ (mixed >>> 14)) >>> 0;
  };
}
