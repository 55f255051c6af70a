/**
 * The fault atlas: where disks may lose what they had taken for good, so that each committed entry keeps a clean
 * majority. No cluster can bear more.
 *
 * - Damage that is noticed: one member at a time, which is then replaced.
 * - Loss that nobody can notice (the log ends earlier than it did): only what a majority of the others has anyway, and
 *   only when no vote is forgotten that could be given a second time.
 */
import { type RecoveredLog, WalError } from '@etcd-ts/wal';
import type { Operator } from '../cluster/operator.ts';
import type { SimCluster } from '../cluster/sim-cluster.ts';
import type { SimMember } from '../cluster/sim-member.ts';
import type { DiskImage } from '../disk/disk-image.ts';

/** Says what disks may do. */
export class FaultAtlas {
  readonly #cluster: SimCluster;
  readonly #operator: Operator;

  constructor(cluster: SimCluster, operator: Operator) {
    this.#cluster = cluster;
    this.#operator = operator;
  }

  /** Whether this member's disk may go wrong now: all the others' are clean, and the membership is at rest. */
  mayFail(member: SimMember): boolean {
    const { members, present } = this.#cluster;
    const isTaken = members.some((each) => each.needsTheOthers || each.disk.liesAboutSyncs);
    return !isTaken && this.#operator.isIdle && !member.isRetired && present.length > 2;
  }

  /**
   * Whether the end of this member's log may be lost without a word.
   *
   * @param old What it will have; absent: what it has, but for the last entries.
   */
  async mayForget(member: SimMember, old?: DiskImage): Promise<boolean> {
    const { present, ghost } = this.#cluster;
    // A member that is being replaced is one that has nothing.
    if (!this.#operator.isIdle) return false;
    const own = await readable(member, 'visible');
    const kept = old === undefined ? own : await readable(member, 'visible', old);
    if (own === undefined || kept === undefined) return false;
    const { term } = own.hardState;
    const end = own.entries.at(-1) ?? own.snapshot ?? { index: 0, term: 0 };
    const others: RecoveredLog[] = [];
    for (const other of present) {
      if (other === member) continue;
      const log = await readable(other, 'durable', other.ownDisk);
      // A member that has seen an older term may still stand for this one.
      if (log === undefined || log.hardState.term < term) return false;
      if (holds(log, end)) others.push(log);
    }
    if (2 * others.length <= present.length) return false;
    for (let voted = kept.hardState.term; voted <= term; voted++) {
      if (ghost.claims.candidatesOf(voted) > 1) return false;
      // It may stand itself in a term that it has forgotten.
      if (voted > kept.hardState.term && ghost.hasVoted(member.id, voted)) return false;
    }
    return true;
  }
}

function holds({ snapshot, entries }: RecoveredLog, end: { index: number; term: number }): boolean {
  if (snapshot !== undefined && snapshot.index >= end.index) return true;
  const first = entries[0]?.index ?? 0;
  return entries.length > 0 && entries[end.index - first]?.term === end.term;
}

async function readable(
  member: SimMember,
  view: 'visible' | 'durable',
  image?: DiskImage,
): Promise<RecoveredLog | undefined> {
  try {
    return await member.readLog(view, image);
  } catch (error) {
    if (error instanceof WalError) return undefined;
    throw error;
  }
}
