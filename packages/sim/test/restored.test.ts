/** Clusters that are started from a backup, and what their judge makes of restores with one thing wrong. */
import { toLatin1 } from '@etcd-ts/base';
import { restoreBackup } from '@etcd-ts/server';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { checkBackup } from '../src/cluster/backup.ts';
import { type Ending, type Restore, RestoredCluster } from '../src/cluster/restored-cluster.ts';
import type { Run } from '../src/cluster/run-plan.ts';
import type { Knobs, Plan } from '../src/plan/plan.ts';
import { runPlan } from '../src/index.ts';
import { quietPlan } from './fixtures/quiet-plan.ts';

/** Backups are made when the clients have written; half of them are restored with revisions moved on. */
const BACKUPS = 8;

const later = ({ cluster }: Run, delayMs: number): Promise<void> =>
  new Promise((resolve) => {
    cluster.clientProcess('test').schedule(delayMs * 1000, 'later', resolve);
  });

/** Does something to a quiet cluster that has data. Gives what was found. */
const ranWith = async (
  scenario: (run: Run) => Promise<void>,
  knobs: Partial<Knobs> = {},
): Promise<string[]> => {
  const plan = quietPlan(3_000);
  const { violations } = await runPlan(
    { ...plan, knobs: { ...plan.knobs, ...knobs } },
    {
      scenario: async (run) => {
        await later(run, 3_000);
        await scenario(run);
      },
    },
  );
  return [...new Set(violations.map((each) => `${each.invariant}: ${each.message}`))];
};

/** Backs a cluster up again and again, and restores in this way. */
const foundIn = (restore: (run: Run) => Restore): Promise<string[]> =>
  ranWith(async (run) => {
    const member = run.cluster.member(1);
    for (let i = 0; i < BACKUPS; i++) {
      await checkBackup(run.cluster, member, () => undefined, restore(run));
    }
  });

/** Takes the first record of this kind out of a database that was restored. */
const without = (isTaken: (key: Uint8Array) => boolean): Restore =>
  changing(isTaken, () => undefined);

/** Changes the first record of this kind in a database that was restored. */
const changing = (
  isMeant: (key: Uint8Array) => boolean,
  change: (value: Uint8Array) => Uint8Array | undefined,
): Restore => {
  return async (backup, options, places) => {
    const restored = await restoreBackup(backup, options, places);
    const [name = ''] = await places.backends.list();
    const backend = await places.backends.open(name);
    const records = backend.iterate(new Uint8Array(0), new Uint8Array([0xff]));
    const page = await records.nextPage(1_000);
    const record = page.find(([key]) => isMeant(key));
    if (record !== undefined) {
      const [key, value] = record;
      await backend.write([{ key, value: change(value) }]);
    }
    await backend.sync();
    await backend.close();
    return restored;
  };
};

/** Of a key's record; the names of others begin with other letters. */
const RECORD_PREFIX = 0x6b;

/** Of a lease's record: what was left at its last checkpoint, 8 bytes. */
const REMAINING_AT = 16;

/** A lease has a checkpoint when these backups are made and restored. */
const foundWithCheckpoint = (restore: Restore): Promise<string[]> =>
  ranWith(
    async (run) => {
      const { cluster } = run;
      const request = { ID: 7n, TTL: 60 };
      const member = cluster.member(1);
      const channel = cluster.connect('test', member);
      await channel.unary('etcdserverpb.Lease/LeaseGrant', request);
      await later(run, 3_000);
      expect(member.state?.lessor.get(7n)?.checkpointedTtlSeconds).toBeGreaterThan(0);
      for (let i = 0; i < 2; i++) await checkBackup(cluster, member, () => undefined, restore);
    },
    { leaseCheckpoint: true, leaseCheckpointIntervalMs: 1_000 },
  );

/** Authentication is on when these backups are made and restored. */
const foundWhileGuarded = (restore: Restore): Promise<string[]> =>
  ranWith(async ({ cluster, faults }) => {
    const { auth } = faults.operator;
    await auth.enable();
    for (let i = 0; i < 2; i++) {
      await checkBackup(cluster, cluster.member(2), () => undefined, restore);
    }
    await auth.disable();
  });

describe('a cluster that is started from a backup', { timeout: 60_000 }, () => {
  it('has the state that was saved, serves, goes on, and is another cluster', async () => {
    const counts: string[] = [];
    const bumps = new Set<boolean>();
    const found = await ranWith(async ({ cluster }) => {
      for (let i = 0; i < BACKUPS; i++) {
        await checkBackup(
          cluster,
          cluster.member(1 + (i % 3)),
          (what) => counts.push(what),
          (backup, options, places) => {
            bumps.add((options.bumpRevision ?? 0) > 0);
            return restoreBackup(backup, options, places);
          },
        );
      }
    });
    expect(found).toEqual([]);
    expect(counts.filter((what) => what === 'backups restored')).toHaveLength(BACKUPS);
    expect(counts.filter((what) => what === 'clusters started from a backup')).toHaveLength(
      BACKUPS,
    );
    expect(bumps).toEqual(new Set([false, true]));
  });

  it.each<Ending>(['stop', 'kill', 'powerLoss'])(
    'leaves nothing behind, however it ends: %s',
    async (ending) => {
      let isGone = false;
      await ranWith(async ({ cluster }) => {
        const { world, knobs } = cluster;
        const { number, peerUrl } = cluster.member(2);
        let backup: Parameters<Restore>[0] = new Uint8Array(0);
        await checkBackup(
          cluster,
          cluster.member(2),
          () => undefined,
          (bytes, options, places) => {
            backup = bytes;
            return restoreBackup(bytes, options, places);
          },
        );
        const old = cluster.network.processAt(peerUrl);
        const machine = new RestoredCluster({ world, knobs, number, peerUrl });
        await machine.restore(backup, {}, restoreBackup);
        const node = await machine.start(() => undefined);
        const process = machine.network.processAt(peerUrl);
        expect(process?.isAlive).toBe(true);
        const { appliedIndex } = node.status();
        await machine.end(ending);
        expect(process?.isAlive).toBe(false);
        expect(machine.network.processAt(peerUrl)).toBeUndefined();
        let happened = 0;
        process?.schedule(0, 'late', () => happened++);
        const test = cluster.clientProcess('test');
        await new Promise<void>((resolve) => test.schedule(5_000_000, 'later', resolve));
        expect(happened).toBe(0);
        expect(node.status().appliedIndex).toBe(appliedIndex);
        // The old one at the same address has noticed nothing.
        expect(cluster.network.processAt(peerUrl)).toBe(old);
        expect(old?.isAlive).toBe(true);
        isGone = true;
      });
      expect(isGone).toBe(true);
    },
  );
});

/** A backup is made while the clients write. */
const withBackup = (livenessMs: number): Plan => {
  const fault = { kind: 'backup', target: 2, atMs: 2_000, forMs: 0 } as const;
  return { ...quietPlan(3_000, [fault]), livenessMs };
};

describe('a run that ends before the cluster that is started from a backup', () => {
  const stages = ['restore', 'openDatabase', 'start', 'letIn', 'end'] as const;

  /** Does something else when this is done to a restored cluster. */
  const at = (
    stage: (typeof stages)[number],
    does: (original: () => Promise<unknown>) => Promise<unknown>,
  ): void => {
    const { prototype } = RestoredCluster;
    const original = prototype[stage] as (...args: unknown[]) => Promise<unknown>;
    vi.spyOn(prototype, stage).mockImplementation(function (
      this: RestoredCluster,
      ...args: unknown[]
    ) {
      return does(() => original.apply(this, args)) as Promise<never>;
    });
  };

  afterEach(() => {
    vi.restoreAllMocks();
  });

  it.each(stages)('has waited for it in vain, and says so: %s', async (stage) => {
    at(stage, () => new Promise(() => undefined));
    const { violations, coverage } = await runPlan(withBackup(5_000));
    expect(violations.map(({ invariant }) => invariant)).toEqual(['LV1']);
    expect(violations[0]?.message).toMatch(/the operator has yet to do: backup$/);
    expect(coverage['clusters started from a backup']).toBeUndefined();
  });

  it.each(stages)('finds nothing more, and leaves the next run alone: %s', async (stage) => {
    const plan = withBackup(30_000);
    const { digest } = await runPlan(plan);
    const watch = ({ cluster: { ghost } }: Run): void =>
      at(stage, (original) => {
        ghost.findings.add('LV3', 'it is over');
        return original();
      });
    const { violations } = await runPlan(plan, { watch });
    expect(violations.map(({ message }) => message)).toEqual(['it is over']);
    vi.restoreAllMocks();
    expect((await runPlan(plan)).digest).toBe(digest);
  });
});

describe('the judge of restores', { timeout: 60_000 }, () => {
  it('sees one that keeps the ids of the old cluster (SN1)', async () => {
    const [found] = await foundIn(({ cluster }) => (backup, options, places) => {
      const initialCluster = cluster.members
        .map((each) => `m${each.number}=${each.peerUrl}`)
        .join();
      const old = { initialCluster, initialClusterToken: 'etcd-cluster' };
      return restoreBackup(backup, { ...options, ...old }, places);
    });
    expect(found).toMatch(/^SN1: .* an id of the old cluster/);
  });

  it('sees one that moves no revisions although it was asked to (SN2)', async () => {
    const [found] = await foundIn(() => (backup, options, places) => {
      return restoreBackup(backup, { ...options, bumpRevision: 0, markCompacted: false }, places);
    });
    expect(found).toMatch(/^SN2: .* revision is \d+, expected \d+/);
  });

  it('sees one that claims to have moved them (SN2)', async () => {
    const [found] = await foundIn(() => async (backup, options, places) => {
      const { bumpRevision = 0 } = options;
      const plain = { ...options, bumpRevision: 0, markCompacted: false };
      const restored = await restoreBackup(backup, plain, places);
      const revision = restored.revision + bumpRevision;
      return { ...restored, revision, compactRevision: bumpRevision > 0 ? revision : -1 };
    });
    expect(found).toMatch(/^SN2: .* revision is \d+, expected \d+/);
  });

  it('sees one that drops a key, at once or in the cluster that is started (SN1)', async () => {
    const dropped = without(([prefix]) => prefix === RECORD_PREFIX);
    const [plain] = await foundIn(() => dropped);
    expect(plain).toMatch(/^SN1: /);
    let restores = 0;
    const [started] = await foundIn(() => (backup, options, places) => {
      restores++;
      return (restores % 2 === 0 ? dropped : restoreBackup)(backup, options, places);
    });
    expect(started).toMatch(/^SN1: /);
    expect(restores).toBe(2);
  });

  it('sees one that leaves users and roles out, and none that has them (SN1)', async () => {
    expect(await foundWhileGuarded(restoreBackup)).toEqual([]);
    const [found] = await foundWhileGuarded(without((key) => toLatin1(key).includes('auth')));
    expect(found).toMatch(/^SN1: .* digest of its rights is/);
  });

  it('sees one that forgets what was left of a lease, and none that does not (SN1)', async () => {
    expect(await foundWithCheckpoint(restoreBackup)).toEqual([]);
    const isLease = (key: Uint8Array): boolean => toLatin1(key).includes('lease/');
    const forgetting = changing(isLease, (value) =>
      value.slice().fill(0, REMAINING_AT, REMAINING_AT + 8),
    );
    const [found] = await foundWithCheckpoint(forgetting);
    expect(found).toMatch(/^SN1: .* leases is 7 60 0 , expected 7 60 5\d /);
  });

  it('sees one that does not do what it is asked to (SN1)', async () => {
    const [found] = await foundIn(() => () => new Promise(() => undefined));
    expect(found).toMatch(/^SN1: .* did not serve within/);
  });
});
