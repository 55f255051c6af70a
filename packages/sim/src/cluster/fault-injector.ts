/** Does to a cluster what its plan says, and undoes it in time. */
import type { PlannedFault } from '../plan/plan.ts';
import type { RandomStream } from '../world/random.ts';
import { Operator } from './operator.ts';
import type { SimCluster } from './sim-cluster.ts';
import type { SimMember } from './sim-member.ts';

/** Undoes a fault. */
type Undo = () => void;

/** How long after its end a disk fault may still make a member stop. */
const EXCUSE_MS = 2_000;

/** Carries out the faults of one run. */
export class FaultInjector {
  readonly #cluster: SimCluster;
  readonly #random: RandomStream;
  readonly operator: Operator;
  /** Faults that are on, by kind. */
  readonly active: Map<PlannedFault, Undo> = new Map();
  /** How often each kind came. */
  readonly counts: Map<string, number> = new Map();
  #isOver = false;

  constructor(cluster: SimCluster) {
    this.#cluster = cluster;
    this.#random = cluster.world.random('faults');
    this.operator = new Operator(cluster);
  }

  /** Puts all faults on the agenda. */
  schedule(faults: readonly PlannedFault[]): void {
    const { world } = this.#cluster;
    for (const fault of faults) {
      world.schedule(fault.atMs * 1000, `fault ${fault.kind}`, () => {
        if (this.#isOver) return;
        this.counts.set(fault.kind, (this.counts.get(fault.kind) ?? 0) + 1);
        this.active.set(fault, this.#begin(fault));
        world.schedule(fault.forMs * 1000, `end ${fault.kind}`, () => this.#end(fault));
      });
    }
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
    const { world } = this.#cluster;
    switch (fault.kind) {
      case 'partition':
      case 'oneWay':
      case 'isolate':
      case 'ring':
      case 'clog':
      case 'slow':
      case 'lossy':
      case 'cutClient':
        return this.#beginNetwork(fault);
      case 'kill':
      case 'powerLoss':
      case 'crashAtDisk':
      case 'stop':
      case 'pause':
        return this.#beginProcess(fault);
      case 'syncStall':
      case 'syncError':
      case 'diskFull':
        return this.#beginDisk(fault);
      case 'drift':
      case 'wallStep':
      case 'freezeClock':
      case 'lateTimers':
        return this.#beginClock(fault);
      case 'transfer':
        void this.#transfer(fault.target);
        return () => undefined;
      case 'defragment':
        world.trace('defragment');
        void this.#defragment(this.#cluster.resolve(fault.target));
        return () => undefined;
      case 'bitRot':
        return this.#rot(this.#cluster.member(fault.target));
      case 'replace':
        this.operator.replace(this.#cluster.member(fault.target), fault.asLearner);
        return () => undefined;
      case 'grow': {
        const member = this.operator.grow(fault.asLearner);
        return () => this.operator.shrink(member);
      }
    }
  }

  #beginNetwork(
    fault: Extract<
      PlannedFault,
      {
        kind: 'partition' | 'oneWay' | 'isolate' | 'ring' | 'clog' | 'slow' | 'lossy' | 'cutClient';
      }
    >,
  ): Undo {
    const { network, members } = this.#cluster;
    const numbers = members.map((member) => member.number);
    switch (fault.kind) {
      case 'partition':
        return this.#cutPairs((a, b) => groupOf(fault.groups, a) !== groupOf(fault.groups, b));
      case 'oneWay': {
        const { number } = this.#cluster.resolve(fault.target);
        return this.#cutPairs((a, b) => (fault.deaf ? b : a) === number);
      }
      case 'isolate': {
        const { number } = this.#cluster.resolve(fault.target);
        return this.#cutPairs((a, b) => a === number || b === number);
      }
      case 'ring': {
        const size = numbers.length;
        return this.#cutPairs((a, b) => ![1, size - 1].includes(Math.abs(a - b)));
      }
      case 'clog':
        return this.#clog(fault.targets);
      case 'slow': {
        const { number } = this.#cluster.resolve(fault.target);
        const set = (extraUs: number): void =>
          this.#links((a, b) => a === number || b === number).forEach(([a, b]) =>
            network.slow(a, b, extraUs),
          );
        set(fault.extraMs * 1000);
        return () => set(0);
      }
      case 'lossy': {
        const { number } = this.#cluster.resolve(fault.target);
        const set = (chance: number): void =>
          this.#links((a, b) => a === number || b === number).forEach(([a, b]) =>
            network.drop(a, b, chance),
          );
        set(fault.chance);
        return () => set(0);
      }
      case 'cutClient': {
        const client = `client-${fault.client}`;
        const urls = members.map((member) => member.clientUrl);
        for (const url of urls) {
          network.cut(client, url);
          network.cut(url, client);
        }
        return () => {
          for (const url of urls) {
            network.mend(client, url);
            network.mend(url, client);
          }
        };
      }
    }
  }

  #beginProcess(
    fault: Extract<PlannedFault, { kind: 'kill' | 'powerLoss' | 'crashAtDisk' | 'stop' | 'pause' }>,
  ): Undo {
    if (fault.kind === 'powerLoss') {
      const members = fault.targets.map((target) => this.#cluster.resolve(target));
      for (const member of members) member.losePower();
      return () => members.forEach(startAgain);
    }
    const member = this.#cluster.resolve(fault.target);
    switch (fault.kind) {
      case 'kill':
        member.kill();
        return () => startAgain(member);
      case 'crashAtDisk':
        member.disk.operationsToCrash = fault.operations;
        return () => {
          member.disk.operationsToCrash = undefined;
          startAgain(member);
        };
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

  #beginDisk(fault: Extract<PlannedFault, { kind: 'syncStall' | 'syncError' | 'diskFull' }>): Undo {
    const member = this.#cluster.resolve(fault.target);
    const { disk } = member;
    if (fault.kind === 'syncStall') {
      disk.isStalled = true;
      return () => {
        disk.isStalled = false;
      };
    }
    member.excuses++;
    if (fault.kind === 'syncError') disk.failsNextSync = true;
    else disk.freeBytes = 0;
    return () => {
      disk.failsNextSync = false;
      disk.freeBytes = Number.MAX_SAFE_INTEGER;
      this.#cluster.world.schedule(EXCUSE_MS * 1000, 'excuse', () => {
        member.excuses--;
      });
    };
  }

  #beginClock(
    fault: Extract<PlannedFault, { kind: 'drift' | 'wallStep' | 'freezeClock' | 'lateTimers' }>,
  ): Undo {
    const { world } = this.#cluster;
    const { clock } = this.#cluster.resolve(fault.target);
    switch (fault.kind) {
      case 'drift':
        clock.setDrift(world.nowUs, fault.ppm);
        return () => clock.setDrift(world.nowUs, 0);
      case 'wallStep':
        clock.stepWall(fault.stepMs);
        return () => undefined;
      case 'freezeClock':
        clock.freeze(world.nowUs);
        return () => clock.thaw(world.nowUs);
      case 'lateTimers':
        clock.timerLatenessMeanUs = fault.meanMs * 1000;
        return () => {
          clock.timerLatenessMeanUs = 0;
        };
    }
  }

  /** The atlas: one member with bad sectors at a time, so that every entry keeps a clean majority. */
  #rot(member: SimMember): Undo {
    const { members } = this.#cluster;
    const isTaken = members.some((each) => each.isRotten) || !this.operator.isIdle;
    if (isTaken || member.isRetired) return () => undefined;
    member.kill();
    member.isRotten = member.disk.rot(this.#random, '.wal');
    if (member.isRotten) {
      member.onCorrupt = () => this.operator.replace(member, false);
      this.counts.set('sectors rotten', (this.counts.get('sectors rotten') ?? 0) + 1);
    }
    return () => startAgain(member);
  }

  /** Holds back all links of the targets; lets them go one by one, in another order. */
  #clog(targets: readonly number[]): Undo {
    const { network, world } = this.#cluster;
    const links = this.#links((a, b) => targets.includes(a) || targets.includes(b));
    for (const [a, b] of links) network.clog(a, b);
    return () => {
      for (const [a, b] of this.#random.shuffled(links)) {
        if (this.#isOver) network.unclog(a, b);
        else world.schedule(this.#random.below(500_000), 'unclog', () => network.unclog(a, b));
      }
    };
  }

  #cutPairs(isCut: (from: number, to: number) => boolean): Undo {
    const { network } = this.#cluster;
    const links = this.#links(isCut);
    for (const [a, b] of links) network.cut(a, b);
    return () => {
      for (const [a, b] of links) network.mend(a, b);
    };
  }

  /** Links between members, by their numbers. */
  #links(isMeant: (from: number, to: number) => boolean): [string, string][] {
    const { members } = this.#cluster;
    return members.flatMap((from) =>
      members
        .filter((to) => to !== from && isMeant(from.number, to.number))
        .map((to): [string, string] => [from.peerUrl, to.peerUrl]),
    );
  }

  async #transfer(target: number): Promise<void> {
    const leader = this.#cluster.leader;
    const node = this.#cluster.member(target).node;
    if (leader === undefined || node === undefined) return;
    const request = { targetID: node.memberId };
    try {
      await leader.door?.channel.unary('etcdserverpb.Maintenance/MoveLeader', request);
    } catch {
      // A transfer may fail; leadership stays where it is, or goes wherever an election takes it.
    }
  }

  async #defragment(member: SimMember): Promise<void> {
    try {
      await member.door?.channel.unary('etcdserverpb.Maintenance/Defragment', {});
    } catch {
      // The member may die meanwhile.
    }
  }
}

function groupOf(groups: readonly (readonly number[])[], member: number): number {
  return groups.findIndex((group) => group.includes(member));
}

/** Brings a member up that something took down. */
function startAgain(member: SimMember): void {
  if (member.process?.isAlive !== true) member.start();
}
