/** The members of one simulated cluster, the network between them and what can be asked of them all. */
import { must } from '@etcd-ts/base';
import type { MethodName } from '@etcd-ts/protocol';
import type { EtcdNodeOptions, Logger } from '@etcd-ts/server';
import type { SectorArena } from '../disk/sector-arena.ts';
import type { DiskTimes } from '../disk/sim-disk.ts';
import { CALM_WEATHER, Network } from '../network/network.ts';
import { SimChannel } from '../network/sim-channel.ts';
import { PeerDirectory } from '../network/sim-peer-transport.ts';
import type { Knobs, PlannedNetwork } from '../plan/plan.ts';
import type { Target } from '../plan/planned-fault.ts';
import { SimProcess } from '../world/process.ts';
import type { World } from '../world/world.ts';
import { Ghost } from './ghost.ts';
import { dataDirOf, SimMember, type SimMemberParts } from './sim-member.ts';

const KEEP_ALIVE: MethodName = 'etcdserverpb.Lease/LeaseKeepAlive';

/** How a cluster is made. */
export interface SimClusterOptions {
  readonly world: World;
  readonly members: number;
  readonly knobs: Knobs;
  readonly network: PlannedNetwork;
  readonly diskTimes: DiskTimes;
  readonly log?: ((member: number) => Logger) | undefined;
  /** Memory for the disks. */
  readonly arena?: SectorArena | undefined;
}

/** A cluster of real servers in the simulated world. */
export class SimCluster {
  readonly world: World;
  readonly network: Network;
  readonly ghost: Ghost;
  /** Settings of every member. */
  readonly knobs: Knobs;
  /** All machines that there ever were; the retired ones are no members. */
  readonly members: SimMember[];
  /** When a leader last took up a keepalive from another member; 0: never. */
  keepAlivePassedOnUs = 0;
  readonly #parts: SimMemberParts;
  /** How many members founded the cluster. */
  readonly #founders: number;
  readonly #directory = new PeerDirectory();
  readonly #clients = new Map<string, SimProcess>();
  readonly #channels = new Map<string, SimChannel[]>();

  constructor(options: SimClusterOptions) {
    const { world, knobs } = options;
    this.world = world;
    this.knobs = knobs;
    this.network = new Network(world, { ...CALM_WEATHER, ...options.network });
    this.ghost = new Ghost(
      () => world.nowUs,
      (kind, ...values) => world.trace(kind, ...values),
    );
    this.#directory.onSend = (message) => this.ghost.sent(message);
    this.#directory.onCall = (method) => {
      if (method === KEEP_ALIVE) this.keepAlivePassedOnUs = this.world.nowUs;
    };
    this.#directory.onArrive = (messages) => this.ghost.arrived(messages);
    this.#founders = options.members;
    this.#parts = {
      world,
      network: this.network,
      directory: this.#directory,
      ghost: this.ghost,
      diskTimes: options.diskTimes,
      log: options.log,
      arena: options.arena,
      options: (member: SimMember): EtcdNodeOptions => this.#nodeOptions(member, knobs),
    };
    this.members = Array.from(
      { length: options.members },
      (_, i) => new SimMember(i + 1, this.#parts),
    );
  }

  /** Those that belong to the cluster. */
  get present(): readonly SimMember[] {
    return this.members.filter((member) => !member.isRetired);
  }

  /** A further machine, not yet a member. */
  addMachine(): SimMember {
    const member = new SimMember(this.members.length + 1, this.#parts);
    member.isRetired = true;
    this.members.push(member);
    return member;
  }

  /** The member of this number, from 1. */
  member(number: number): SimMember {
    return must(this.members[number - 1], `member ${number}`);
  }

  start(): void {
    for (const member of this.members) member.start();
  }

  /** The member that leads, by the newest term that any of them knows; undefined when none does. */
  get leader(): SimMember | undefined {
    let leader: SimMember | undefined;
    let term = 0;
    for (const member of this.members) {
      const status = member.node?.status();
      if (status?.isLeader === true && status.term > term) {
        leader = member;
        term = status.term;
      }
    }
    return leader;
  }

  /** Whom a fault hits: the leader, or the first member when nobody leads. */
  resolve(target: Target): SimMember {
    return target === 'leader' ? (this.leader ?? this.member(1)) : this.member(target);
  }

  /** A client's own process, made when it is first asked for. */
  clientProcess(name: string): SimProcess {
    let process = this.#clients.get(name);
    if (process === undefined) {
      process = new SimProcess(this.world, name);
      this.#clients.set(name, process);
      this.network.attach(name, process);
    }
    return process;
  }

  /** A fresh process of this name, in place of an earlier one. */
  startClientProcess(name: string): SimProcess {
    this.#clients.get(name)?.kill();
    this.#clients.delete(name);
    return this.clientProcess(name);
  }

  /** The member whose clients come in at this URL. */
  memberAt(clientUrl: string): SimMember {
    const member = this.members.find((each) => each.clientUrl === clientUrl);
    return must(member, `member at ${clientUrl}`);
  }

  /** Connects a client with a member. */
  connect(clientName: string, member: SimMember): SimChannel {
    const channel = new SimChannel({
      network: this.network,
      process: this.clientProcess(clientName),
      clientAddress: clientName,
      memberAddress: member.clientUrl,
      door: () => member.door,
    });
    const channels = this.#channels.get(clientName);
    if (channels === undefined) this.#channels.set(clientName, [channel]);
    else channels.push(channel);
    return channel;
  }

  /** Every connection of a client breaks. */
  reset(clientName: string): void {
    for (const channel of this.#channels.get(clientName) ?? []) channel.reset();
  }

  /** True when every member runs, knows the same leader and has applied the same. */
  get isInAgreement(): boolean {
    const statuses = this.present.map((member) => member.node?.status());
    const [first] = statuses;
    if (first === undefined || first.leader === 0n) return false;
    return statuses.every(
      (status) =>
        status !== undefined &&
        status.leader === first.leader &&
        status.appliedIndex === first.appliedIndex &&
        status.appliedIndex === status.committedIndex,
    );
  }

  #nodeOptions(member: SimMember, knobs: Knobs): EtcdNodeOptions {
    const known = member.isJoining ? this.present : this.members.slice(0, this.#founders);
    const initialCluster = known.map((each) => `m${each.number}=${each.peerUrl}`).join(',');
    return {
      name: `m${member.number}`,
      dataDir: dataDirOf(member.number),
      initialCluster,
      initialClusterState: member.isJoining ? 'existing' : 'new',
      listenPeerUrls: [member.peerUrl],
      initialAdvertisePeerUrls: [member.peerUrl],
      advertiseClientUrls: [member.clientUrl],
      ...knobs,
    };
  }
}
