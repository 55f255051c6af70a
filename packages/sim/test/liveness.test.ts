import { describe, expect, it } from 'vitest';
import { type Run, runPlan } from '../src/index.ts';
import { ROOT_CREDENTIALS } from '../src/cluster/auth-switch.ts';
import { sleepIn } from '../src/cluster/run-plan.ts';
import { beginAdminFault } from '../src/faults/admin.ts';
import type { Scene } from '../src/faults/scene.ts';
import { sendUnary } from '../src/workload/wire.ts';
import { quietPlan } from './fixtures/quiet-plan.ts';

const found = (violations: readonly { readonly invariant: string }[]): string[] => [
  ...new Set(violations.map((each) => each.invariant)),
];
const damage = { kind: 'damage', target: 2, what: 'unreadable' } as const;

describe('a healed cluster', { timeout: 60_000 }, () => {
  it('is found wanting when a member does not come back (LV1)', async () => {
    const { violations } = await runPlan(quietPlan(1_000), {
      watch: ({ cluster }: Run) =>
        cluster.world.schedule(900_000, 'planted', () => cluster.member(2).process?.pause()),
    });
    expect(found(violations)).toEqual(['LV1']);
    expect(violations[0]?.message).toContain('do not serve or agree');
  });

  it('is found wanting when leaders go on changing although all is well (LV2)', async () => {
    const { violations } = await runPlan(quietPlan(1_000), {
      watch: ({ cluster }: Run) => {
        for (const [i, atMs] of [4_000, 5_500, 7_000, 8_500].entries()) {
          cluster.world.schedule(atMs * 1000, 'planted', () => {
            const fault = { kind: 'transfer', target: (i % 3) + 1, atMs, forMs: 0 } as const;
            beginAdminFault({ cluster } as Scene, fault);
          });
        }
      },
    });
    expect(found(violations)).toEqual(['LV2']);
  });

  it('is found wanting when a leader is deposed before anything has gone wrong (LV2)', async () => {
    const transfer = { kind: 'transfer', atMs: 5_200, forMs: 0 } as const;
    const plan = quietPlan(6_000, [
      { kind: 'wallStep', target: 1, stepMs: 1, atMs: 5_500, forMs: 0 },
    ]);
    const watch = ({ cluster }: Run): void => {
      cluster.world.schedule(transfer.atMs * 1000, 'planted', () => {
        const { leader } = cluster;
        const target = 1 + ((leader?.number ?? 0) % 3);
        beginAdminFault({ cluster } as Scene, { ...transfer, target });
      });
    };
    expect((await runPlan(plan)).violations).toEqual([]);
    expect(found((await runPlan(plan, { watch })).violations)).toEqual(['LV2']);
  });

  it('may lose a leader once whose tick was set while timers were late (LV2)', async () => {
    const late = { kind: 'lateTimers', target: 'leader', meanMs: 10_000 } as const;
    const { violations } = await runPlan(quietPlan(4_000, [{ atMs: 3_000, forMs: 990, ...late }]));
    expect(violations).toEqual([]);
  });

  it('is known by when its leader last took up a keepalive from another member (L2)', async () => {
    const seen: number[] = [];
    await runPlan(quietPlan(3_000), {
      scenario: async ({ cluster }) => {
        await sleepIn(cluster, 'test', 2_000);
        const id = 7n;
        const sorted = [...cluster.members].sort((a) => (a === cluster.leader ? -1 : 1));
        for (const member of sorted.slice(0, 2)) {
          const channel = cluster.connect('test', member);
          await sendUnary(channel, { kind: 'leaseGrant', id, ttlSeconds: 5 }, {}).catch(
            () => undefined,
          );
          await sendUnary(channel, { kind: 'leaseKeepAlive', id }, {});
          seen.push(cluster.keepAlivePassedOnUs);
        }
      },
    });
    expect(seen.map((atUs) => atUs > 0)).toEqual([false, true]);
  });

  it('gets its members though authentication came on after it had been turned off', async () => {
    const { violations, coverage } = await runPlan(
      quietPlan(4_000, [{ atMs: 1_500, forMs: 100, kind: 'replace', target: 2, asLearner: false }]),
      {
        scenario: async ({ faults: { operator } }) => {
          const options = { noPassword: false };
          const root = { ...ROOT_CREDENTIALS, hashedPassword: '', options };
          const { name } = ROOT_CREDENTIALS;
          await operator.insist('etcdserverpb.Auth/UserAdd', root);
          await operator.insist('etcdserverpb.Auth/RoleAdd', { name });
          await operator.insist('etcdserverpb.Auth/UserGrantRole', { user: name, role: name });
          await operator.insist('etcdserverpb.Auth/AuthEnable', {});
        },
      },
    );
    expect(violations).toEqual([]);
    expect(coverage).toMatchObject({ 'members replaced': 1 });
  });

  it('replaces a member whose log is refused, whatever else the operator has begun', async () => {
    const { violations, coverage } = await runPlan(
      quietPlan(12_000, [
        { atMs: 500, forMs: 7_500, kind: 'grow', asLearner: false, handsOver: false },
        // The machine that was added goes before this one comes back and says what is wrong with its disk.
        { atMs: 7_600, forMs: 1_000, ...damage },
      ]),
    );
    expect(violations).toEqual([]);
    expect(coverage).toMatchObject({
      'corruption noticed': 1,
      'members replaced': 1,
      'members shrunk': 1,
    });
  });

  it("expects a refusal of another member's disk, also after one that is there no more", async () => {
    const foreignDisk = { kind: 'foreignDisk', target: 2, of: 3 } as const;
    const { violations, coverage } = await runPlan(
      quietPlan(9_000, [
        { atMs: 1_500, forMs: 4_500, ...foreignDisk },
        { atMs: 2_000, forMs: 100, kind: 'replace', target: 2, asLearner: false },
        // The first one ends before this one's member has started.
        { atMs: 5_999, forMs: 2_000, ...foreignDisk },
      ]),
    );
    expect(violations).toEqual([]);
    expect(coverage).toMatchObject({ 'fault foreign disks mounted': 2, 'members replaced': 1 });
  });

  it('keeps its sound members until a new one has heard from them', async () => {
    const { violations, coverage } = await runPlan(
      quietPlan(8_000, [
        { atMs: 1_500, forMs: 100, kind: 'replace', target: 3, asLearner: false },
        { atMs: 1_500, forMs: 4_000, kind: 'isolate', target: 3 },
        { atMs: 3_000, forMs: 100, kind: 'replace', target: 2, asLearner: false },
      ]),
    );
    expect(violations).toEqual([]);
    expect(coverage).toMatchObject({ 'members replaced': 1 });
  });

  it('keeps its sound members while the disk of another one has gone bad', async () => {
    const { violations, coverage } = await runPlan(
      quietPlan(8_000, [
        { atMs: 3_000, forMs: 2_000, ...damage },
        { atMs: 4_000, forMs: 100, kind: 'replace', target: 3, asLearner: false },
      ]),
    );
    expect(violations).toEqual([]);
    expect(coverage).toMatchObject({ 'corruption noticed': 1, 'members replaced': 1 });
  });
});
