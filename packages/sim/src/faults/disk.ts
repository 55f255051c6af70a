/** Faults of disks (D1 to D17). What may be lost for good the atlas says. */
import type { SimMember } from '../cluster/sim-member.ts';
import { damage } from '../disk/damage.ts';
import type { DiskFault } from '../plan/planned-fault.ts';
import { excuse, NOTHING, type Scene, startAgain, type Undo } from './scene.ts';

/** Lets a fault of a disk begin. */
export function beginDiskFault(scene: Scene, fault: DiskFault): Undo {
  switch (fault.kind) {
    case 'damage':
      return beginDamage(scene, fault);
    case 'lyingSync':
      return beginLyingSync(scene, fault.target);
    case 'oldDisk':
      return beginOldDisk(scene, fault.target);
    case 'lostDatabase':
      return beginLostDatabase(scene, fault.target);
    case 'foreignDisk':
      return beginForeignDisk(scene, fault);
    default:
      return beginPassing(scene, fault);
  }
}

/** What passes, and leaves the disk as it was. */
function beginPassing(
  { cluster }: Scene,
  fault: Extract<
    DiskFault,
    { kind: 'syncStall' | 'syncError' | 'readError' | 'diskFull' | 'shortReads' }
  >,
): Undo {
  const member = cluster.resolve(fault.target);
  const { disk } = member;
  switch (fault.kind) {
    case 'syncStall':
      disk.isStalled = true;
      return () => {
        disk.isStalled = false;
      };
    case 'shortReads':
      disk.readsShort = true;
      return () => {
        disk.readsShort = false;
      };
    case 'syncError': {
      const pardon = excuse(cluster, member);
      disk.failsNextSync = true;
      return () => {
        disk.failsNextSync = false;
        pardon();
      };
    }
    case 'readError': {
      const pardon = excuse(cluster, member);
      disk.failingReads = fault.reads;
      member.kill();
      member.start();
      return () => {
        disk.failingReads = 0;
        pardon();
        startAgain(member);
      };
    }
    case 'diskFull': {
      const pardon = excuse(cluster, member);
      disk.freeBytes = 0;
      return () => {
        disk.freeBytes = Number.MAX_SAFE_INTEGER;
        pardon();
      };
    }
  }
}

/** The member finds out at its next start, and is replaced then. */
function beginDamage(scene: Scene, { target, what }: Extract<DiskFault, { kind: 'damage' }>): Undo {
  const { cluster, random, operator, atlas, count } = scene;
  const member = cluster.member(target);
  if (!atlas.mayFail(member)) return NOTHING;
  member.kill();
  const doDamage = (): void => {
    if (!damage(member.disk, random, '.wal', what)) return;
    count(`damage ${what}`);
    if (what === 'tail') forgive(scene, member);
    else {
      member.isRotten = true;
      member.onCorrupt = () => operator.replace(member, false);
    }
  };
  if (what === 'tail') {
    void atlas.mayForget(member).then((mayForget) => {
      if (mayForget && !member.isRunning) doDamage();
    });
  } else doDamage();
  return () => startAgain(member);
}

/** Everything since then is gone with the power at the end, where others have it. */
function beginLyingSync(scene: Scene, target: number): Undo {
  const { cluster, random, atlas, count, isOver } = scene;
  const member = cluster.member(target);
  if (!atlas.mayFail(member)) return NOTHING;
  const { disk } = member;
  disk.liesAboutSyncs = true;
  const getAwayWithIt = (): void => {
    disk.makeDurable();
    disk.liesAboutSyncs = false;
  };
  return () => {
    if (isOver() || disk !== member.disk || member.isRetired) return getAwayWithIt();
    const applied = member.state?.appliedIndex ?? 0;
    member.kill();
    void atlas.mayForget(member).then((mayForget) => {
      if (mayForget) {
        count('lies that came out');
        cluster.ghost.lostUnnoticed.set(target, applied);
        disk.liesAboutSyncs = false;
        disk.losePower(random);
        forgive(scene, member);
      } else getAwayWithIt();
      startAgain(member);
    });
  };
}

/** A backup of the whole machine is put back, where others have what came since. */
function beginOldDisk(scene: Scene, target: number): Undo {
  const { cluster, atlas, count, isOver } = scene;
  const member = cluster.member(target);
  if (member.isRetired || member.isForeign) return NOTHING;
  const { disk } = member;
  const old = member.copyDisk();
  return () => {
    if (isOver() || disk !== member.disk || !atlas.mayFail(member)) return;
    const applied = member.state?.appliedIndex ?? 0;
    member.kill();
    void atlas.mayForget(member, old.disk).then((mayForget) => {
      if (mayForget) {
        count('old disks put back');
        cluster.ghost.lostUnnoticed.set(target, applied);
        member.mount(old);
        forgive(scene, member);
      }
      startAgain(member);
    });
  };
}

function beginLostDatabase({ cluster, atlas, count }: Scene, target: number): Undo {
  const member = cluster.member(target);
  if (!atlas.mayFail(member)) return NOTHING;
  member.kill();
  member.databases.databases.clear();
  count('databases lost');
  member.lacksDatabase = true;
  // The others may be out of reach: it tries until it has its state again.
  const pardon = excuse(cluster, member);
  member.onceRunning(() => {
    member.lacksDatabase = false;
    pardon();
  });
  return () => startAgain(member);
}

/**
 * What it has lost the others have: it is held to none of its promises. When it finds a gap in its log it is replaced. Its
 * database may go with no log any more, and the others may be out of reach: then it tries until it has its state again.
 */
function forgive({ cluster, operator }: Scene, member: SimMember): void {
  cluster.ghost.promises.forget(member.number);
  const pardon = excuse(cluster, member);
  member.isRotten = true;
  member.onCorrupt = () => operator.replace(member, false);
  member.onceRunning(() => {
    member.isRotten = false;
    member.onCorrupt = undefined;
    pardon();
  });
}

/** It must not serve a single call with another member's disk. */
function beginForeignDisk(
  { cluster, count }: Scene,
  { target, of }: Extract<DiskFault, { kind: 'foreignDisk' }>,
): Undo {
  const [member, other] = [cluster.member(target), cluster.member(of)];
  if (member === other || other.id === 0n || other.isJoining) return NOTHING;
  if ([member, other].some((each) => each.isRetired || each.isForeign)) return NOTHING;
  member.kill();
  const giveBack = member.mountDiskOf(other);
  count('foreign disks mounted');
  member.start();
  return () => {
    giveBack();
    startAgain(member);
  };
}
