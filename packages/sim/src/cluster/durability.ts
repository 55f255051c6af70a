/**
 * R8 on the disks themselves: an entry that some member has applied is durable on a quorum, whatever the members say.
 *
 * Reading disks is slow beside everything else, so only now and then.
 */
import type { ConfState } from '@etcd-ts/raft';
import { WalError } from '@etcd-ts/wal';
import { hasQuorum } from './raft-claims.ts';
import type { SimCluster } from './sim-cluster.ts';
import type { SimMember } from './sim-member.ts';

/** Looks in one run; more are left out. */
const MAX_LOOKS = 8;
const MIN_GAP_US = 100_000;
/** Chance of an entry to be looked for, once the gap is over. */
const LOOK_CHANCE = 0.1;

/** Looks at the disks of a cluster whenever an entry is applied for the first time, now and then. */
export function watchDurability(cluster: SimCluster): void {
  const { ghost, world } = cluster;
  const random = world.random('durability');
  let looks = 0;
  let nextUs = 0;
  ghost.onFirstApply = (index, term, configs) => {
    if (looks >= MAX_LOOKS || world.nowUs < nextUs || !random.chance(LOOK_CHANCE)) return;
    looks++;
    nextUs = world.nowUs + MIN_GAP_US;
    void look(cluster, index, term, configs);
  };
}

/** Nothing happens in the world meanwhile: still disks answer at once. */
async function look(
  cluster: SimCluster,
  index: number,
  term: number,
  configs: readonly ConfState[],
): Promise<void> {
  const { ghost, members, world } = cluster;
  const holders = new Set<bigint>();
  for (const member of members) {
    if (member.id === 0n || !(await holds(member, index, term))) continue;
    holders.add(member.id);
    if (configs.some((config) => hasQuorum(config, (voter) => holders.has(voter)))) return;
  }
  ghost.findings.add(
    'R8',
    `entry ${index} of term ${term} is applied, but durable only on ${[...holders].join(', ') || 'no disk'}`,
    [],
    world.nowUs,
  );
}

async function holds(member: SimMember, index: number, term: number): Promise<boolean> {
  // What a disk has lost after it took it is no fault of who wrote it there.
  const { isRotten, ownDisk } = member;
  if (isRotten || ownDisk.liesAboutSyncs) return true;
  try {
    const log = await member.readLog('durable', ownDisk);
    if (log === undefined) return false;
    if (log.snapshot !== undefined && log.snapshot.index >= index) return true;
    const entry = log.entries.find((each) => each.index === index);
    return entry?.term === term;
  } catch (error) {
    if (error instanceof WalError) return false;
    throw error;
  }
}
