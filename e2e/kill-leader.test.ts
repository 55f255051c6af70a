/**
 * The leader dies twenty times, at random moments, while clients write and read through all members.
 */
import { expect, test } from 'vitest';
import { Cluster } from './harness/cluster.ts';
import { findLeader, pause } from './harness/leader.ts';
import { judge } from './harness/judge.ts';
import { Load } from './harness/load.ts';
import { programUnderTest } from './harness/under-test.ts';

const KILLS = 20;
/** A leader lives for so long, at the least and at the most, before it is killed. */
const LIFE_MS = [150, 600] as const;
const TIMING = ['--heartbeat-interval=50', '--election-timeout=300'];

test(
  'nothing that was acknowledged is lost when the leader is killed twenty times',
  { timeout: 300_000 },
  async () => {
    const cluster = await Cluster.start({ size: 3, program: programUnderTest(), flags: TIMING });
    try {
      const load = new Load(cluster.members, { writers: 2, readers: 1 });
      for (let kill = 0; kill < KILLS; kill++) {
        const leader = await findLeader(cluster.members);
        await pause(LIFE_MS[0] + Math.random() * (LIFE_MS[1] - LIFE_MS[0]));
        const before = load.acknowledgedCount;
        await leader.kill();
        await findLeader(cluster.members.filter((member) => member.running));
        while (load.acknowledgedCount === before) await pause(20);
        await leader.start();
      }
      const ledger = await load.stop();
      console.log(
        `${ledger.acknowledged.length} writes acknowledged, ${ledger.unknown.length} unknown, ${ledger.reads} reads, ${KILLS} kills`,
      );
      expect((await judge(cluster.members, ledger)).slice(0, 10)).toEqual([]);
      expect(ledger.acknowledged.length).toBeGreaterThan(KILLS * 10);
    } finally {
      await cluster.dispose();
    }
  },
);
