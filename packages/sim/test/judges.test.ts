/** Judges that look at a whole cluster while it runs: each is shown one with one thing wrong. */
import { must } from '@etcd-ts/base';
import { describe, expect, it } from 'vitest';
import { excessOf, type Load } from '../src/cluster/bounds.ts';
import { checkBackup } from '../src/cluster/backup.ts';
import { watchDurability } from '../src/cluster/durability.ts';
import { Ghost } from '../src/cluster/ghost.ts';
import { checkHashes } from '../src/cluster/hash-check.ts';
import type { Run } from '../src/cluster/run-plan.ts';
import type { SimCluster } from '../src/cluster/sim-cluster.ts';
import { runPlan, type Violation } from '../src/index.ts';
import { quietPlan } from './fixtures/quiet-plan.ts';

const ids = (violations: readonly Violation[]): string[] => [
  ...new Set(violations.map((each) => each.invariant)),
];
const ghostOf = (): Ghost =>
  new Ghost(
    () => 7,
    () => undefined,
  );

/** What a quiet run ends with when something is done to it at a time. */
const ranWith = async (atMs: number, plant: (run: Run) => void): Promise<string[]> => {
  const { violations } = await runPlan(quietPlan(2_000), {
    watch: (run) => run.cluster.world.schedule(atMs * 1000, 'planted', () => plant(run)),
  });
  return ids(violations);
};

describe('the look at the disks of a quorum', () => {
  /** So many members hold the entry, the first of them on a disk that is not in its machine now. */
  const found = async (holders: number, term = 3): Promise<string[]> => {
    const ghost = ghostOf();
    const members = [1, 2, 3].map((number) => {
      const ownDisk = { liesAboutSyncs: false };
      return {
        number,
        id: BigInt(number),
        isRotten: false,
        ownDisk,
        disk: number === 1 ? { liesAboutSyncs: false } : ownDisk,
        readLog: async (_view: string, image: unknown) => ({
          entries: number <= holders && image === ownDisk ? [{ index: 5, term }] : [],
        }),
      };
    });
    const world = { nowUs: 1_000_000, random: () => ({ chance: () => true }) };
    watchDurability({ ghost, members, world } as unknown as SimCluster);
    const config = { voters: [1n, 2n, 3n], votersOutgoing: [] } as never;
    ghost.onFirstApply?.(5, 3, [config]);
    await new Promise((resolve) => setImmediate(resolve));
    return ids(ghost.findings.violations);
  };

  it('accepts an entry that two of three disks hold, one of which was put aside for another one', async () => {
    expect(await found(2)).toEqual([]);
  });

  it('sees an entry that is on one disk alone, or is there of another term (R8)', async () => {
    expect(await found(1)).toEqual(['R8']);
    expect(await found(3, 2)).toEqual(['R8']);
  });
});

describe('the comparison of hashes', () => {
  const found = async (
    answers: readonly { readonly hash: number; readonly compactRevision: number }[],
  ): Promise<string[]> => {
    const ghost = ghostOf();
    const present = answers.map((answer, i) => ({
      number: i + 1,
      answer,
      state: { store: { revision: 9 } },
    }));
    const connect = (_: string, member: (typeof present)[number]) => ({
      unary: async () => member.answer,
    });
    await checkHashes({ ghost, present, world: { nowUs: 7 }, connect } as unknown as SimCluster);
    return ids(ghost.findings.violations);
  };

  it('accepts members that hold the same, and such that have compacted differently', async () => {
    const [a, b] = [
      { hash: 1, compactRevision: 4 },
      { hash: 2, compactRevision: 5 },
    ];
    expect(await found([a, a, b])).toEqual([]);
  });

  it('sees members that have compacted alike and hold something else (CP3)', async () => {
    expect(
      await found([
        { hash: 1, compactRevision: 4 },
        { hash: 2, compactRevision: 4 },
      ]),
    ).toEqual(['CP3']);
  });
});

describe('what a member may hold', () => {
  const bounds: Load = { proposals: 5, unapplied: 5, dirtyBytes: 5, watchEvents: 5, logEntries: 5 };
  it('is accepted up to its bound, and named beyond it (LV3)', () => {
    expect(excessOf(bounds, bounds)).toEqual([]);
    for (const what of Object.keys(bounds) as (keyof Load)[]) {
      expect(excessOf({ ...bounds, [what]: 6 }, bounds)).toHaveLength(1);
    }
  });
});

describe('the judges of a run', { timeout: 60_000 }, () => {
  it('find nothing in a quiet one', async () => {
    expect(await ranWith(1_000, () => undefined)).toEqual([]);
  });

  it('see events that nobody ever takes (LV3)', async () => {
    const found = await ranWith(5_000, ({ cluster }) => {
      const { node } = cluster.member(2);
      if (node !== undefined) node.port.metrics.pendingWatchEvents += 3;
    });
    expect(found).toEqual(['LV3']);
  });

  it('see that what a lying disk lost does not come back (DK5)', async () => {
    const found = await ranWith(5_000, ({ cluster }) => {
      cluster.ghost.lostUnnoticed.set(2, cluster.ghost.lastIndex + 1);
    });
    expect(found).toEqual(['DK5']);
  });

  it('notice disks that lie to a majority', async () => {
    const found = await ranWith(1_000, ({ cluster }) => {
      const { members, world } = cluster;
      for (const { disk } of members) disk.liesAboutSyncs = true;
      world.schedule(1_200_000, 'planted', () => {
        for (const member of members) {
          member.kill();
          member.disk.liesAboutSyncs = false;
          member.disk.losePower(world.random('planted'));
          member.databases.losePower(world.random('planted'));
          member.start();
        }
      });
    });
    // The others hear of it, or the member itself finds its database ahead of its log.
    expect(['DK1', 'R2', 'P1']).toContain(found[0]);
  });

  it('notice a database that is gone, though the log relies on it (DK1)', async () => {
    const plan = quietPlan(2_000);
    const knobs = { ...plan.knobs, snapshotCount: 10, snapshotCatchUpEntries: 0 };
    const { violations } = await runPlan(
      { ...plan, knobs },
      {
        watch: ({ cluster }) =>
          cluster.world.schedule(1_800_000, 'planted', () => {
            const member = cluster.member(2);
            member.kill();
            member.databases.databases.clear();
            member.start();
          }),
      },
    );
    expect(ids(violations)).toEqual(['DK1']);
  });

  it('bear one member with an old disk, which gets back what came since', async () => {
    const plan = quietPlan(6_000);
    const oldDisk = { kind: 'oldDisk', target: 2, atMs: 2_000, forMs: 2_000 } as const;
    const { violations, coverage } = await runPlan({ ...plan, faults: [oldDisk] });
    expect(violations).toEqual([]);
    expect(coverage['fault old disks put back']).toBe(1);
  });

  it('never see an old disk on which a vote is missing that its member would give itself', async () => {
    const { violations, coverage } = await runPlan(
      quietPlan(6_000, [
        { kind: 'oldDisk', target: 2, atMs: 2_000, forMs: 2_000 },
        { kind: 'transfer', target: 3, atMs: 2_500, forMs: 0 },
        { kind: 'transfer', target: 1, atMs: 3_200, forMs: 0 },
      ]),
    );
    expect(violations).toEqual([]);
    expect(coverage).toMatchObject({ 'fault fault oldDisk': 1 });
    expect(coverage['fault old disks put back']).toBeUndefined();
  });

  it('are not called for an operator who takes the one member away that has what another has lost', async () => {
    const plan = quietPlan(9_000);
    const small = {
      snapshotCount: 2,
      snapshotCatchUpEntries: 5,
      walSegmentBytes: 2_000,
      maxWals: 1,
    };
    const knobs = { ...plan.knobs, ...small };
    const { violations, coverage } = await runPlan({
      ...plan,
      knobs,
      faults: [
        { kind: 'isolate', target: 3, atMs: 500, forMs: 7_000 },
        { kind: 'lostDatabase', target: 2, atMs: 4_000, forMs: 1_000 },
        { kind: 'replace', target: 1, asLearner: false, atMs: 4_500, forMs: 1_000 },
      ],
    });
    expect(violations).toEqual([]);
    expect(coverage['fault databases lost']).toBe(1);
  });

  it('notice a majority with old disks', async () => {
    const found = await ranWith(1_000, ({ cluster: { members, world } }) => {
      const old = members.map((member) => member.copyDisk());
      world.schedule(900_000, 'planted', () => {
        for (const [i, member] of members.entries()) {
          member.kill();
          member.mount(must(old[i], 'image'));
          member.start();
        }
      });
    });
    expect(['DK1', 'R2']).toContain(found[0]);
  });

  it('see a backup that is not what it should be (SN1)', async () => {
    const { violations } = await runPlan(quietPlan(6_000), {
      scenario: async ({ cluster }) => {
        const { ghost } = cluster;
        const process = cluster.clientProcess('test');
        await new Promise<void>((resolve) => process.schedule(5_000_000, 'later', resolve));
        ghost.entries.forEach((entry, index) => {
          if (entry !== undefined) ghost.entries[index] = { ...entry, keysHash: 1 };
        });
        await checkBackup(cluster, cluster.member(1), () => undefined);
      },
    });
    expect(ids(violations)).toEqual(['SN1']);
  });
});
