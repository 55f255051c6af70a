/** Faults of processes and machines (P1 to P7), and a leader that does not know that it is none any more. */
import type { ProcessFault } from '../plan/planned-fault.ts';
import { cutLinks, touches } from './network.ts';
import type { SimMember } from '../cluster/sim-member.ts';
import { type Scene, startAgain, type Undo } from './scene.ts';

/** Between the end of one attempt to start and the next, in a crash loop. */
const LOOP_GAP_US = 50_000;

/** Lets a fault of a process begin. */
export function beginProcessFault(scene: Scene, fault: ProcessFault): Undo {
  const { cluster } = scene;
  if (fault.kind === 'powerLoss') {
    const members = fault.targets.map((target) => cluster.resolve(target));
    for (const member of members) member.losePower();
    if (cluster.present.every((member) => !member.isRunning)) scene.count('whole power losses');
    return () => members.forEach(startAgain);
  }
  if (fault.kind === 'staleLeader') return beginStaleLeader(scene);
  const member = cluster.resolve(fault.target);
  switch (fault.kind) {
    case 'kill':
      member.kill();
      return () => startAgain(member);
    case 'crashAtDisk':
      member.disk.operationsToCrash = fault.operations;
      member.onCrash = undefined;
      return () => withdrawCrash(member);
    case 'crashAt': {
      const { point, passes: left, losesPower } = fault;
      member.plannedCrash = { point, left, losesPower };
      return () => {
        member.plannedCrash = undefined;
        startAgain(member);
      };
    }
    case 'crashLoop':
      return beginCrashLoop(scene, fault);
    case 'stop': {
      // A member that loses its process while it stops never says that it has stopped.
      void member.stop();
      return () => {
        member.kill();
        startAgain(member);
      };
    }
    case 'pause': {
      const { process } = member;
      process?.pause();
      return () => process?.resume();
    }
  }
}

/** Loses its power early in every start. */
function beginCrashLoop(
  { cluster, random, count }: Scene,
  fault: Extract<ProcessFault, { kind: 'crashLoop' }>,
): Undo {
  const member = cluster.resolve(fault.target);
  let isOn = true;
  const again = (): void => {
    if (!isOn || member.isRetired) return;
    if (member.process?.isAlive !== true) {
      count('crashes while recovering');
      // The same operation every time would find the same place.
      member.disk.operationsToCrash = random.below(fault.operations);
      member.start();
    }
    cluster.world.schedule(LOOP_GAP_US, 'crash loop', again);
  };
  member.onCrash = undefined;
  member.losePower();
  again();
  return () => {
    isOn = false;
    withdrawCrash(member);
  };
}

/** The operation that was to be the last may be under way by now: who loses power in it is started again, too. */
function withdrawCrash(member: SimMember): void {
  member.disk.operationsToCrash = undefined;
  member.onCrash = () => startAgain(member);
  startAgain(member);
}

/** The others elect another leader; this one's clock does not tell it that it has not heard of them for long. */
function beginStaleLeader(scene: Scene): Undo {
  const { cluster } = scene;
  const { clock, number } = cluster.resolve('leader');
  const mend = cutLinks(scene, touches(number));
  clock.freeze(cluster.world.nowUs);
  return () => {
    clock.thaw(cluster.world.nowUs);
    mend();
  };
}
