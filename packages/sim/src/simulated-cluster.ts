/** What a user's scenario sees of a simulation: clients, time, chance, and the power to break things. */
import { EtcdClient } from '@etcd-ts/client';
import type { Run } from './cluster/run-plan.ts';
import type { SimMember } from './cluster/sim-member.ts';
import type { RandomStream } from './world/random.ts';
import type { SimProcess } from './world/process.ts';
import { RecordingChannel } from './workload/recording-channel.ts';

/** Numbers of clients that scenarios make begin here; planned ones have smaller numbers. */
const FIRST_SCENARIO_CLIENT = 1_000;

/** One member, as a scenario may treat it. Numbered from 1. */
export interface SimulatedMember {
  readonly number: number;
  readonly isRunning: boolean;
  readonly isLeader: boolean;
  /** Ends the process at once; unsynced writes stay in the system's cache. */
  kill(): void;
  /** Ends process and machine: unsynced writes are lost, in pieces. */
  losePower(): void;
  /** Starts it again after {@link kill} or {@link losePower}. */
  start(): void;
  /** Nothing happens in it until {@link resume}; then everything that fell due happens at once. */
  pause(): void;
  resume(): void;
}

/** What a simulated service is given: its own process, on which all that it does depends. */
export interface ServiceContext {
  readonly name: string;
  readonly client: EtcdClient;
  readonly random: RandomStream;
  /** Virtual milliseconds since the simulation began, as this machine's clock counts them. */
  readonly nowMs: () => number;
  readonly sleep: (milliseconds: number) => Promise<void>;
}

/** A service under way. */
export interface SimulatedService {
  readonly name: string;
  /** Nothing happens in it until {@link resume}. */
  pause(): void;
  resume(): void;
  /** Ends it in this very moment: it finishes nothing. */
  kill(): void;
  /** Resolves when its function has returned, rejects when it threw. Never settles after {@link kill}. */
  readonly done: Promise<void>;
}

/** A cluster in a simulation, for a scenario. */
export class SimulatedCluster {
  readonly #run: Run;
  #nextClient = FIRST_SCENARIO_CLIENT;
  #nextConnection = 1_000_000_000;
  #undoPartition: (() => void) | undefined;

  /** @internal */
  constructor(run: Run) {
    this.#run = run;
  }

  get seed(): number {
    return this.#run.plan.seed;
  }

  /** Virtual milliseconds since the simulation began. */
  get nowMs(): number {
    return this.#run.cluster.world.nowUs / 1000;
  }

  get members(): readonly SimulatedMember[] {
    return this.#run.cluster.members.map((member) => this.#describe(member));
  }

  /** The member that leads, by the newest term that any of them knows; undefined when none does. */
  get leader(): SimulatedMember | undefined {
    const { leader } = this.#run.cluster;
    return leader === undefined ? undefined : this.#describe(leader);
  }

  /** The member of this number, from 1. */
  member(number: number): SimulatedMember {
    return this.#describe(this.#run.cluster.member(number));
  }

  /** Chance for the scenario's own use; the same label gives the same draws for the same seed. */
  random(label: string): RandomStream {
    return this.#run.cluster.world.random(`scenario/${label}`);
  }

  /** Passes virtual time. */
  sleep(milliseconds: number): Promise<void> {
    const process = this.#run.cluster.clientProcess('scenario');
    return new Promise((resolve) => {
      process.schedule(Math.ceil(milliseconds * 1000), 'sleep', resolve);
    });
  }

  /** A client of all members, on a machine of its own. What it does is judged with everything else. */
  client(): EtcdClient {
    return this.#clientOn(`scenario-client-${this.#nextClient}`);
  }

  /** Starts a service: `work` runs in a process of its own, which can be paused and killed. */
  service(name: string, work: (context: ServiceContext) => Promise<void>): SimulatedService {
    const { cluster } = this.#run;
    const { world, network } = cluster;
    const process = cluster.startClientProcess(name);
    network.attach(name, process);
    const sleep = (milliseconds: number): Promise<void> =>
      new Promise((resolve) => {
        process.schedule(Math.ceil(milliseconds * 1000), 'sleep', resolve);
      });
    const context: ServiceContext = {
      name,
      client: this.#clientOn(name, process),
      random: world.random(`service/${name}`),
      nowMs: () => world.nowUs / 1000,
      sleep,
    };
    const done = new Promise<void>((resolve, reject) => {
      process.soon('service', () => void work(context).then(resolve, reject));
    });
    done.catch((error: unknown) => world.fail(error));
    return {
      name,
      pause: () => process.pause(),
      resume: () => process.resume(),
      kill: () => process.kill(),
      done,
    };
  }

  /** Lets members hear only those of their own group; the last partition is undone first. */
  partition(...groups: readonly (readonly number[])[]): void {
    this.healPartition();
    const { network, members } = this.#run.cluster;
    const groupOf = (number: number): number => groups.findIndex((group) => group.includes(number));
    const cut = members.flatMap((from) =>
      members
        .filter((to) => groupOf(from.number) !== groupOf(to.number))
        .map((to) => [from.peerUrl, to.peerUrl] as const),
    );
    for (const [from, to] of cut) network.cut(from, to);
    this.#undoPartition = () => {
      for (const [from, to] of cut) network.mend(from, to);
    };
  }

  /** Undoes {@link partition}. */
  healPartition(): void {
    this.#undoPartition?.();
    this.#undoPartition = undefined;
  }

  #clientOn(name: string, process?: SimProcess): EtcdClient {
    const { cluster, recorder } = this.#run;
    const own = process ?? cluster.clientProcess(name);
    const client = this.#nextClient++;
    const byUrl = new Map(cluster.members.map((member) => [member.clientUrl, member]));
    return new EtcdClient({
      endpoints: [...byUrl.keys()],
      clock: {
        monotonicMs: () => cluster.world.nowUs / 1000,
        after: (delayMs, callback) => own.schedule(Math.ceil(delayMs * 1000), 'timer', callback),
      },
      random: cluster.world.random(`client/${name}`),
      connect: (endpoint) => {
        const member = cluster.memberAt(endpoint);
        const by = { client, member: member.number };
        const channel = cluster.connect(name, member);
        const connection = (): number => this.#connectionOf(client, member);
        return new RecordingChannel(channel, () => ({ ...by, connection: connection() }), recorder);
      },
    });
  }

  /** A new number for each incarnation of the member that a client talks to. */
  #connectionOf(client: number, member: SimMember): number {
    const key = `${client} ${member.number} ${member.incarnation}`;
    let number = this.#connections.get(key);
    if (number === undefined) {
      number = this.#nextConnection++;
      this.#connections.set(key, number);
    }
    return number;
  }

  readonly #connections = new Map<string, number>();

  #describe(member: SimMember): SimulatedMember {
    return {
      number: member.number,
      get isRunning() {
        return member.isRunning;
      },
      get isLeader() {
        return member.node?.status().isLeader === true;
      },
      kill: () => member.kill(),
      losePower: () => member.losePower(),
      start: () => member.start(),
      pause: () => member.process?.pause(),
      resume: () => member.process?.resume(),
    };
  }
}
