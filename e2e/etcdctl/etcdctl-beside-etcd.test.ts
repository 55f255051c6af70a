/**
 * Real etcdctl 3.5 at three etcd-ts processes, and beside them at three processes of real etcd: every command, in every
 * form of output, must print the same.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { hasEtcd, realEtcd } from '../../tools/peers/real-etcd.ts';
import { Cluster, runTool } from '../harness/cluster.ts';
import { outcomeOf } from './compare.ts';
import { SCENES } from './long-running.ts';
import { CLUSTER, FORMATS, KEYS, LEASES, SECURED, type Step, USERS } from './script.ts';
import { Side } from './side.ts';

const peers = realEtcd();

/** A step's arguments, where they are the same on both sides. */
function shown({ command, args }: Step): string {
  try {
    return args({} as Side, 'simple').join(' ');
  } catch {
    return command;
  }
}

describe.runIf(hasEtcd(peers))('etcdctl prints the same at etcd-ts and at etcd', () => {
  let ours: Side;
  let theirs: Side;

  beforeAll(async () => {
    const { etcd, etcdctl } = peers as { etcd: string; etcdctl: string };
    const flags = ['--bcrypt-cost=4'];
    const [a, b] = await Promise.all([
      Cluster.start({ size: 3, flags }),
      Cluster.start({ size: 3, flags, program: [etcd] }),
    ]);
    ours = new Side(a, etcdctl);
    theirs = new Side(b, etcdctl);
    await Promise.all([ours.learnNames(), theirs.learnNames()]);
  }, 60_000);
  afterAll(async () => {
    await Promise.all([ours?.cluster.dispose(), theirs?.cluster.dispose()]);
  });

  function script(about: string, steps: readonly Step[]): void {
    describe(about, () => {
      for (const step of steps) {
        test(shown(step), { timeout: 60_000 }, async () => {
          for (const format of step.formats ?? FORMATS) {
            const [left, right] = await Promise.all([
              outcomeOf(ours, step, format),
              outcomeOf(theirs, step, format),
            ]);
            expect({ format, ...left }).toEqual({ format, ...right });
          }
        });
      }
    });
  }

  script('keys', KEYS);
  script('leases', LEASES);
  script('members and maintenance', CLUSTER);
  describe('what goes on until it is ended', () => {
    for (const { what, play } of SCENES) {
      test(what, { timeout: 60_000 }, async () => {
        const [left, right] = await Promise.all([play(ours), play(theirs)]);
        expect(left).toEqual(right);
      });
    }
  });
  script('users and roles', USERS);
  script('with authentication on', SECURED);

  // A minute each, and they judge the machine as much as the server.
  describe.runIf(process.env['E2E_LONG'] === '1')('checks', () => {
    test('check perf and check datascale pass', { timeout: 300_000 }, async () => {
      for (const check of ['perf', 'datascale']) {
        const ran = await runTool(
          (peers as { etcdctl: string }).etcdctl,
          [`--endpoints=${ours.cluster.endpoints}`, 'check', check, '--load=s'],
          { timeoutMs: 200_000 },
        );
        expect(ran.stdout + ran.stderr).toContain('PASS');
        expect(ran.stdout + ran.stderr).not.toContain('FAIL');
        expect(ran.code).toBe(0);
      }
    });
  });
});
