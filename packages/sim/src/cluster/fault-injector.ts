/** Does to a cluster what its plan says, and undoes it in time. */
import { beginAdminFault } from '../faults/admin.ts';
import { FaultAtlas } from '../faults/atlas.ts';
import { beginClockFault } from '../faults/clock.ts';
import { beginDiskFault } from '../faults/disk.ts';
import { beginNetworkFault } from '../faults/network.ts';
import { beginProcessFault } from '../faults/process.ts';
import type { Scene, Undo } from '../faults/scene.ts';
import {
  type AdminFault,
  type ClockFault,
  type DiskFault,
  FAULT_FAMILIES,
  type NetworkFault,
  type PlannedFault,
  type ProcessFault,
} from '../plan/planned-fault.ts';
import { Operator } from './operator.ts';
import type { SimCluster } from './sim-cluster.ts';

/** Carries out the faults of one run. */
export class FaultInjector {
  readonly #cluster: SimCluster;
  readonly #scene: Scene;
  readonly operator: Operator;
  /** Faults that are on, by kind. */
  readonly active: Map<PlannedFault, Undo> = new Map();
  /** How often each kind came, and what it really did. */
  readonly counts: Map<string, number> = new Map();
  #isOver = false;

  /** @param halfRights Whether tenants are given the rights to read and to write apart. */
  constructor(cluster: SimCluster, halfRights?: boolean) {
    this.#cluster = cluster;
    const operator = new Operator(cluster, halfRights);
    this.operator = operator;
    this.#scene = {
      cluster,
      operator,
      random: cluster.world.random('faults'),
      atlas: new FaultAtlas(cluster, operator),
      count: (what) => this.#count(what),
      isOver: () => this.#isOver,
    };
  }

  /** Puts all faults on the agenda. */
  schedule(faults: readonly PlannedFault[]): void {
    const { world } = this.#cluster;
    for (const fault of faults) {
      world.schedule(fault.atMs * 1000, `fault ${fault.kind}`, () => {
        if (this.#isOver) return;
        this.#count(`fault ${fault.kind}`);
        this.active.set(fault, this.#begin(fault));
        world.schedule(fault.forMs * 1000, `end ${fault.kind}`, () => this.#end(fault));
      });
    }
  }

  /** True while a fault of this kind is on. */
  isOn(kind: PlannedFault['kind']): boolean {
    for (const fault of this.active.keys()) if (fault.kind === kind) return true;
    return false;
  }

  /** Ends every fault and brings every member up: from now on nothing goes wrong. */
  heal(): void {
    this.#isOver = true;
    for (const fault of this.active.keys()) this.#end(fault);
    const { network, members, world } = this.#cluster;
    network.heal();
    network.weather = {
      ...network.weather,
      mode: 'stream',
      lossChance: 0,
      duplicateChance: 0,
      replayChance: 0,
    };
    for (const member of members) {
      member.disk.operationsToCrash = undefined;
      member.plannedCrash = undefined;
      member.clock.setDrift(world.nowUs, 0);
      if (member.process?.isAlive !== true) member.start();
    }
  }

  #end(fault: PlannedFault): void {
    const undo = this.active.get(fault);
    this.active.delete(fault);
    undo?.();
  }

  #begin(fault: PlannedFault): Undo {
    if (isOf('network', fault)) return beginNetworkFault(this.#scene, fault);
    if (isOf('process', fault)) return beginProcessFault(this.#scene, fault);
    if (isOf('disk', fault)) return beginDiskFault(this.#scene, fault);
    if (isOf('clock', fault)) return beginClockFault(this.#scene, fault);
    return beginAdminFault(this.#scene, fault as AdminFault);
  }

  #count(what: string): void {
    this.counts.set(what, (this.counts.get(what) ?? 0) + 1);
  }
}

interface Families {
  readonly network: NetworkFault;
  readonly process: ProcessFault;
  readonly disk: DiskFault;
  readonly clock: ClockFault;
}

function isOf<Family extends keyof Families>(
  family: Family,
  fault: PlannedFault,
): fault is PlannedFault & Families[Family] {
  return (FAULT_FAMILIES[family] as readonly string[]).includes(fault.kind);
}
