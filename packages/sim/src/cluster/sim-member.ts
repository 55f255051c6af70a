/**
 * One member of a simulated cluster: a machine (disk, databases, clocks) and the incarnations of the real server on it.
 *
 * What always holds
 * - An incarnation is a fresh EtcdNode in a fresh process: nothing of the one before is left but what is on the disk.
 * - A member that ends by itself was made to: by a failing disk, or by its removal. Anything else is a violation.
 */
import type { Channel } from '@etcd-ts/protocol';
import {
  EtcdNode,
  type EtcdNodeOptions,
  type Env,
  type Logger,
  silentLogger,
  StartError,
} from '@etcd-ts/server';
import { hasWal, readWal, type RecoveredLog, WalError } from '@etcd-ts/wal';
import { DatabasesImage, SimBackends } from '../disk/sim-backends.ts';
import { DiskImage } from '../disk/disk-image.ts';
import { heldOn, type MachineImage } from '../disk/machine-image.ts';
import type { SectorArena } from '../disk/sector-arena.ts';
import { PLAIN_HASHER } from './auth-switch.ts';
import { type DiskView, StillDisk } from '../disk/still-disk.ts';
import { type DiskTimes, SimDisk } from '../disk/sim-disk.ts';
import type { Network } from '../network/network.ts';
import type { MemberDoor } from '../network/sim-channel.ts';
import { type PeerDirectory, SimPeerTransport } from '../network/sim-peer-transport.ts';
import { MachineClock, SimClock } from '../world/clock.ts';
import { SimProcess } from '../world/process.ts';
import type { World } from '../world/world.ts';
import type { CrashPoint, PassPoint, PlannedCrash } from './crash-points.ts';
import type { Ghost, State } from './ghost.ts';
import { passAtSteps } from './pass-at-steps.ts';

/** What a member needs of its cluster. */
export interface SimMemberParts {
  readonly world: World;
  readonly network: Network;
  readonly directory: PeerDirectory;
  readonly ghost: Ghost;
  readonly diskTimes: DiskTimes;
  readonly options: (member: SimMember) => EtcdNodeOptions;
  readonly log?: ((member: number) => Logger) | undefined;
  /** Memory for the disks. */
  readonly arena?: SectorArena | undefined;
}

/** How long a process takes from its start to its first instruction of ours. */
const BOOT_US = 20_000;
/** Between two attempts of a member that could not start. */
const RETRY_US = 500_000;

/** A machine and the member on it. */
export class SimMember {
  readonly number: number;
  readonly peerUrl: string;
  readonly clientUrl: string;
  disk: DiskImage;
  databases: DatabasesImage = new DatabasesImage();
  readonly clock: MachineClock;
  readonly #parts: SimMemberParts;
  incarnation = 0;
  /** The id of the member on it, or of the last one; 0: there was none. */
  id = 0n;
  process: SimProcess | undefined;
  node: EtcdNode | undefined;
  state: State | undefined;
  /** It is to run: it is started again when it ends. */
  isWanted = false;
  /** Faults that are on and may end it or keep it from starting. */
  excuses = 0;
  lastFailure: Error | undefined;
  /** It is to end at this point. */
  plannedCrash: PlannedCrash | undefined;
  /** How often it ended at each point. */
  readonly crashes: Map<CrashPoint, number> = new Map();
  /** A sector of its log has gone bad since it was last replaced. */
  isRotten = false;
  /** Its database is gone, or it is new, and it has not run since: the others have to be there. */
  lacksDatabase = false;
  /** What it lacks the others have: nobody takes one of them away. */
  get needsTheOthers(): boolean {
    return this.isRotten || this.lacksDatabase;
  }
  /** It has refused what its disk holds and is to get another one; nobody starts it with this one. */
  isCondemned = false;
  /** Its own disks, while it is started with another one's. */
  #aside: MachineImage | undefined;
  /** It is started with another one's disk. */
  get isForeign(): boolean {
    return this.#aside !== undefined;
  }
  /** The disk that is its own, in the machine or put aside: what it has taken for good is there. */
  get ownDisk(): DiskImage {
    return this.#aside?.disk ?? this.disk;
  }
  /** Called when it refuses to start since what it has is corrupt, and had reason to. */
  onCorrupt: (() => void) | undefined;
  /** Out of the cluster: nobody starts it. */
  isRetired = false;
  /** It joins a cluster that exists, in place of founding one. */
  isJoining = false;
  /** Power losses that the disk has seen, and starts that it has served. */
  readonly counts: {
    powerLosses: number;
    starts: number;
    failedStarts: number;
    corruptStarts: number;
    refusedDisks: number;
    tornLogs: number;
  } = {
    tornLogs: 0,
    refusedDisks: 0,
    corruptStarts: 0,
    powerLosses: 0,
    starts: 0,
    failedStarts: 0,
  };

  constructor(number: number, parts: SimMemberParts) {
    this.number = number;
    this.#parts = parts;
    this.disk = new DiskImage(parts.arena);
    this.peerUrl = `http://10.0.0.${number}:2380`;
    this.clientUrl = `http://10.0.0.${number}:2379`;
    const startUs = parts.world.random(`clock/m${number}`).below(1_000_000_000);
    this.clock = new MachineClock(startUs);
  }

  /** Where clients come in; undefined while nobody serves. */
  get door(): MemberDoor | undefined {
    return this.#door;
  }

  get isRunning(): boolean {
    return this.node !== undefined;
  }

  /** Starts it, and keeps it running until it is stopped or killed. */
  start(): void {
    if (this.isRetired || this.isCondemned) return;
    if (this.isWanted && this.process?.isAlive === true) return;
    this.isWanted = true;
    this.incarnation++;
    const process = new SimProcess(this.#parts.world, `m${this.number}#${this.incarnation}`);
    this.process = process;
    this.#parts.network.attach(this.peerUrl, process);
    this.#parts.network.attach(this.clientUrl, process);
    process.schedule(BOOT_US, 'boot', () => void this.#boot(process));
  }

  /** Ends the process at once; the machine goes on. */
  kill(): void {
    this.isWanted = false;
    this.#end();
  }

  /** Ends process and machine: what was not synced may be gone. */
  losePower(): void {
    this.kill();
    // A disk that lies loses what it likes only where the atlas allows it.
    if (this.disk.liesAboutSyncs) this.disk.makeDurable();
    const random = this.#parts.world.random(`power/m${this.number}`);
    this.disk.losePower(random);
    this.databases.losePower(random);
    this.counts.powerLosses++;
  }

  /** The process passes a point; when its end is planned here, it is dead afterwards. */
  #pass(process: SimProcess, point: CrashPoint): void {
    const planned = this.plannedCrash;
    if (planned?.point !== point || !process.isAlive || planned.left-- > 0) return;
    this.plannedCrash = undefined;
    this.crashes.set(point, (this.crashes.get(point) ?? 0) + 1);
    if (planned.losesPower) this.losePower();
    else this.kill();
  }

  /** Takes it out of service. */
  retire(): void {
    this.isRetired = true;
    this.kill();
  }

  /** A new disk, with nothing on it. */
  wipe(): void {
    this.isRotten = false;
    this.lacksDatabase = false;
    this.isCondemned = false;
    this.#aside = undefined;
    this.onCorrupt = undefined;
    this.#parts.ghost.promises.forget(this.number);
    this.disk = new DiskImage(this.#parts.arena);
    this.databases = new DatabasesImage();
  }

  /** A copy of all that it has now, as whoever copies a running machine gets it. */
  copyDisk(): MachineImage {
    return this.#copyDiskOf(this);
  }

  /** A copy of what a machine has, with its data where this one looks for them. */
  #copyDiskOf({ number, disk, databases }: SimMember): MachineImage {
    const copy = disk.copy(dataDirOf(number), dataDirOf(this.number));
    return { disk: copy, databases: databases.copy() };
  }

  /** Puts other disks into the machine; nothing runs on it. */
  mount({ disk, databases }: MachineImage): void {
    this.disk = disk;
    this.databases = databases;
  }

  /** Gives it a copy of another machine's disk; returns how to give it its own back, with nothing running on it. */
  mountDiskOf(other: SimMember): () => void {
    const { disk, databases } = this;
    const foreign = this.#copyDiskOf(other);
    this.mount(foreign);
    this.#aside = { disk, databases };
    return () => {
      // It was given a new one meanwhile, which may be foreign too.
      if (this.disk !== foreign.disk) return;
      this.#aside = undefined;
      this.kill();
      this.mount({ disk, databases });
    };
  }

  /** Calls back once, when it next serves; soon when it does. */
  onceRunning(callback: () => void): void {
    if (this.isRunning) callback();
    else this.#onceRunning.push(callback);
  }

  #onceRunning: (() => void)[] = [];

  /** Puts it into service again, as a new member of a cluster that exists. */
  rejoin(): void {
    this.isRetired = false;
    this.isJoining = true;
    this.lacksDatabase = true;
    this.onceRunning(() => (this.lacksDatabase = false));
    this.start();
  }

  /** Asks it to end in order; resolves when it has. Only with a failing disk may it say that it could not. */
  async stop(): Promise<void> {
    this.isWanted = false;
    const { node, process } = this;
    try {
      if (process?.isAlive === true) await node?.stop();
    } catch (error) {
      if (this.excuses === 0) throw error;
      this.#parts.world.trace('stopped badly', this.number);
    }
    if (this.process !== process) return;
    // Where no node had come to be yet, the process ends in the middle of its start.
    if (node !== undefined && process?.isAlive === true) this.#judgeHoldings();
    this.#end();
  }

  #door: MemberDoor | undefined;

  #end(): void {
    if (this.node !== undefined) this.#parts.ghost.life(this.number, false);
    this.#door = undefined;
    this.node = undefined;
    this.state = undefined;
    this.process?.kill();
  }

  async #boot(process: SimProcess): Promise<void> {
    try {
      await this.#checkPromises();
      const node = await EtcdNode.start(this.#parts.options(this), this.#env(process));
      if (!process.isAlive) return;
      this.node = node;
      if (this.isForeign) {
        this.#parts.ghost.findings.add(
          'DK2',
          `member ${this.number} serves with the disk of another member`,
          [],
          this.#parts.world.nowUs,
        );
      }
      for (const callback of this.#onceRunning.splice(0)) callback();
      this.counts.starts++;
      this.#parts.ghost.life(this.number, true);
      const channel: Channel = node.channel();
      this.#door = { process, channel, pass: (point) => this.#pass(process, point) };
      node.on('stopped', (reason) => {
        if (reason !== undefined && process.isAlive) this.#failed(process, reason);
      });
    } catch (error) {
      if (!process.isAlive) return;
      this.counts.failedStarts++;
      this.#failed(process, error instanceof Error ? error : new Error(String(error)));
    }
  }

  /**
   * Its log as the disk holds it, or another one; undefined when there is none.
   *
   * @throws WalError when it cannot be read.
   */
  async readLog(view: DiskView, image: DiskImage = this.disk): Promise<RecoveredLog | undefined> {
    const disk = new StillDisk(image, view);
    const directory = `${dataDirOf(this.number)}/member/wal`;
    return (await hasWal(disk, directory)) ? readWal({ disk, directory }) : undefined;
  }

  /** Its node has ended, or did not come to be, in a process that goes on: another one could be started in it. */
  #judgeHoldings(): void {
    const held = heldOn(this);
    if (held.length === 0) return;
    const message = `member ${this.number} has ended, and holds ${held.join(', ')}`;
    this.#parts.ghost.findings.add('P2', message, [], this.#parts.world.nowUs);
  }

  /** The numbers of the segments that its log has now. */
  segments(): readonly number[] {
    const directory = this.disk.directories.get(`${dataDirOf(this.number)}/member/wal`);
    const names = [...(directory?.visible.keys() ?? [])].filter((name) => name.endsWith('.wal'));
    return names.map((name) => Number.parseInt(name, 16));
  }

  /** What it promised to the others in earlier lives must be on its disk. */
  async #checkPromises(): Promise<void> {
    if (this.isForeign) return;
    try {
      const { promises } = this.#parts.ghost;
      const log = await this.readLog('visible');
      if (log?.repaired !== undefined) this.counts.tornLogs++;
      promises.check(this.number, log);
      if (this.isRotten || this.excuses > 0) promises.forgiveDatabase(this.number, log);
      else promises.checkDatabase(this.number, log, this.databases);
    } catch (error) {
      // It will say itself what is wrong with its log.
      if (!(error instanceof WalError)) throw error;
    }
  }

  /** It ended by itself, or did not start. */
  #failed(process: SimProcess, reason: Error): void {
    this.lastFailure = reason;
    this.#judgeHoldings();
    if (this.isForeign && reason instanceof StartError) {
      this.#parts.world.trace('refused', this.number);
      this.counts.refusedDisks++;
      this.#end();
      this.isWanted = false;
      return;
    }
    if (this.isRotten && reason instanceof StartError && DAMAGE_CODES.has(reason.code)) {
      this.#parts.world.trace('corrupt', this.number);
      this.counts.corruptStarts++;
      this.#end();
      this.isWanted = false;
      this.isCondemned = this.onCorrupt !== undefined;
      this.onCorrupt?.();
      return;
    }
    this.#parts.world.trace('failed', this.number);
    if (this.excuses === 0 && !this.#waitsForTheOthers(reason)) {
      this.#parts.ghost.findings.add(
        'P1',
        `member ${this.number} ended by itself: ${describe(reason)}`,
        [],
        this.#parts.world.nowUs,
      );
    }
    if (this.process !== process) return;
    this.#end();
    this.#parts.world.schedule(RETRY_US, 'retry', () => {
      if (this.isWanted && this.process === process) this.start();
    });
  }

  /** A member that joins needs one of the others to tell it where it is. */
  #waitsForTheOthers(reason: Error): boolean {
    return this.isJoining && reason instanceof StartError && reason.code === 'CLUSTER_MISMATCH';
  }

  #env(process: SimProcess): Env {
    const { world, network, directory, ghost, diskTimes } = this.#parts;
    const name = `m${this.number}`;
    const clock = new SimClock(process, this.clock, world.random(`late/${name}`));
    const random = world.random(`disk/${name}`);
    const pass: PassPoint = (point) => this.#pass(process, point);
    const losePower = (): void => {
      if (process.isAlive) {
        this.losePower();
        this.onCrash?.();
      }
    };
    return {
      clock,
      random: world.random(`node/${name}`),
      log: this.#parts.log?.(this.number) ?? silentLogger,
      hasher: PLAIN_HASHER,
      disk: new SimDisk({
        image: this.disk,
        process,
        random,
        times: diskTimes,
        losePower,
        pass,
        complain: (invariant, message) =>
          ghost.findings.add(invariant, `member ${this.number}: ${message}`, [], world.nowUs),
      }),
      backends: new SimBackends({ image: this.databases, process, random, times: diskTimes, pass }),
      peers: () =>
        new SimPeerTransport({
          network,
          directory,
          process,
          address: this.peerUrl,
          monotonicMs: () => clock.monotonicMs(),
          pass,
        }),
      listen: (_options, served) => {
        this.state = served.node.state;
        ghost.join(this.number, served.node);
        passAtSteps(served.node.state, pass);
        const id = served.node.memberId;
        this.id = id;
        served.node.onStatusChange((status) => ghost.status(this.number, id, status));
        return Promise.resolve({ urls: [this.clientUrl], close: () => Promise.resolve() });
      },
    };
  }

  /** Called when the disk took the machine's power in the middle of an operation. */
  onCrash: (() => void) | undefined;
}

/** Why a member does not start whose log has gone bad. */
const DAMAGE_CODES: ReadonlySet<string> = new Set(['CORRUPT_DATA', 'IO']);

/** Where the member of a machine keeps its data. */
export function dataDirOf(number: number): string {
  return `/m${number}`;
}

function describe(error: Error): string {
  const cause = error.cause instanceof Error ? ` (${describe(error.cause)})` : '';
  return `${error.message}${cause}`;
}
