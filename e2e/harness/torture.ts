/**
 * Members that die at random: one, two at once, all at once, and with their database gone, while clients write and read
 * through all of them. Marks are set so often that the log is dropped and snapshots are sent all the time.
 */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { Cluster } from './cluster.ts';
import { judge } from './judge.ts';
import { Load } from './load.ts';
import type { Member } from './member.ts';
import { programUnderTest } from './under-test.ts';

/** What is done to the members, and how often of a hundred times. */
const BLOWS = {
  /** One dies. */
  one: 50,
  /** Two die: nobody is answered until one is back. */
  two: 20,
  /** All die. */
  all: 15,
  /** One dies and comes back without its database. */
  database: 15,
} as const;

type Blow = keyof typeof BLOWS;

/** Members live for so long between two blows, at the least and at the most. */
const LIFE_MS = [200, 1_200] as const;

const FLAGS = [
  '--heartbeat-interval=50',
  '--election-timeout=300',
  '--snapshot-count=300',
  '--snapshot-catchup-entries=50',
  '--max-wals=1',
];

/** What a run is to be. */
export interface TortureOptions {
  /** It goes on at least for so long, */
  readonly seconds: number;
  /** and at least until so many processes were killed. @defaultValue 0 */
  readonly kills?: number;
  /** Draws the blows and their moments; processes bring their own chance. */
  readonly seed: number;
  /** Called after each blow. */
  readonly report?: (line: string) => void;
}

/** How a run went. */
export interface TortureResult {
  readonly blows: Readonly<Record<Blow, number>>;
  readonly kills: number;
  readonly acknowledged: number;
  readonly unknown: number;
  readonly reads: number;
  /** Everything that is wrong at the end, in words. */
  readonly wrong: readonly string[];
}

/** Runs a cluster of three processes through blows, and judges what is left. */
export async function torture(options: TortureOptions): Promise<TortureResult> {
  const draw = generator(options.seed);
  const blows = { one: 0, two: 0, all: 0, database: 0 };
  let kills = 0;
  const cluster = await Cluster.start({ size: 3, program: programUnderTest(), flags: FLAGS });
  try {
    const load = new Load(cluster.members, { writers: 3, readers: 1 });
    const endMs = Date.now() + options.seconds * 1000;
    while (Date.now() < endMs || kills < (options.kills ?? 0)) {
      await pause(LIFE_MS[0] + draw() * (LIFE_MS[1] - LIFE_MS[0]));
      const blow = pickBlow(draw);
      const victims = pickMembers(cluster.members, blow, draw);
      blows[blow] += 1;
      kills += victims.length;
      await strike(victims, blow);
      options.report?.(
        `${blow}: ${victims.map(({ name }) => name).join(' ')}, ${load.acknowledgedCount} writes acknowledged`,
      );
    }
    const { acknowledged, unknown, reads, ...ledger } = await load.stop();
    const wrong = await judge(cluster.members, { acknowledged, unknown, reads, ...ledger });
    return {
      blows,
      kills,
      acknowledged: acknowledged.length,
      unknown: unknown.length,
      reads,
      wrong,
    };
  } finally {
    await cluster.dispose();
  }
}

async function strike(victims: readonly Member[], blow: Blow): Promise<void> {
  await Promise.all(victims.map((member) => member.kill()));
  if (blow === 'database') {
    for (const { dataDir } of victims) {
      rmSync(join(dataDir, 'member', 'db'), { recursive: true, force: true });
    }
  }
  await Promise.all(victims.map((member) => member.start()));
}

function pickBlow(draw: () => number): Blow {
  let left = draw() * 100;
  for (const [blow, share] of Object.entries(BLOWS) as [Blow, number][]) {
    if (left < share) return blow;
    left -= share;
  }
  return 'one';
}

function pickMembers(
  members: readonly Member[],
  blow: Blow,
  draw: () => number,
): readonly Member[] {
  const first = Math.floor(draw() * members.length);
  const turned = [...members.slice(first), ...members.slice(0, first)];
  return turned.slice(0, { one: 1, two: 2, all: 3, database: 1 }[blow]);
}

/** Uniform numbers from 0 to 1, the same for the same seed (mulberry32). */
function generator(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
