/** What a fault works on, and how it is undone. */
import type { Operator } from '../cluster/operator.ts';
import type { SimCluster } from '../cluster/sim-cluster.ts';
import type { SimMember } from '../cluster/sim-member.ts';
import type { RandomStream } from '../world/random.ts';
import type { FaultAtlas } from './atlas.ts';

/** Undoes a fault. */
export type Undo = () => void;

/** Where faults are done. */
export interface Scene {
  readonly cluster: SimCluster;
  readonly random: RandomStream;
  readonly operator: Operator;
  readonly atlas: FaultAtlas;
  /** Counts something that a fault really did. */
  readonly count: (what: string) => void;
  /** True from the moment on from which nothing may go wrong any more. */
  readonly isOver: () => boolean;
}

/** Nothing is to be undone. */
export const NOTHING: Undo = () => undefined;

/** Brings a member up that something took down. */
export function startAgain(member: SimMember): void {
  if (member.process?.isAlive !== true) member.start();
}

/** How long after its end a fault may still make a member stop. */
const EXCUSE_MS = 2_000;

/** A member may end by itself from now on; gives how to say that it may not, a little later. */
export function excuse(cluster: SimCluster, member: SimMember): Undo {
  member.excuses++;
  return () => {
    cluster.world.schedule(EXCUSE_MS * 1000, 'excuse', () => {
      member.excuses--;
    });
  };
}
