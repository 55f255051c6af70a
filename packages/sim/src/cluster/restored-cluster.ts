/**
 * A cluster of one member that is started from a backup, on a machine and a network of its own, at the address of the
 * member that was saved: as after a disaster that took the old cluster.
 *
 * What always holds
 * - Neither the old cluster nor the ghost knows of it: networks, directories and disks are others.
 * - After {@link RestoredCluster.end} nothing of it happens any more, and nobody is found at its address.
 */
import type { Backend } from '@etcd-ts/mvcc';
import {
  type Env,
  EtcdNode,
  type EtcdNodeOptions,
  type restoreBackup,
  type Restored,
  type RestoreOptions,
  silentLogger,
} from '@etcd-ts/server';
import { DiskImage } from '../disk/disk-image.ts';
import { DatabasesImage, SimBackends } from '../disk/sim-backends.ts';
import { SimDisk } from '../disk/sim-disk.ts';
import { Network } from '../network/network.ts';
import { PeerDirectory, SimPeerTransport } from '../network/sim-peer-transport.ts';
import type { Knobs } from '../plan/plan.ts';
import { MachineClock, SimClock } from '../world/clock.ts';
import { SimProcess } from '../world/process.ts';
import type { World } from '../world/world.ts';
import { PLAIN_HASHER } from './auth-switch.ts';
import type { State } from './ghost.ts';
import { dataDirOf } from './sim-member.ts';

/** How a backup is restored: the server's way, or a broken one that a judge is to see through. */
export type Restore = typeof restoreBackup;

/** A process that ends in order, at once, or with its machine. */
export type Ending = 'stop' | 'kill' | 'powerLoss';

/** What a restored cluster needs of its surroundings. */
export interface RestoredClusterParts {
  readonly world: World;
  readonly knobs: Knobs;
  /** Of the member that was saved, whose address it takes. */
  readonly number: number;
  readonly peerUrl: string;
}

/** What the new cluster has in place of the old one's token. */
const TOKEN = 'restored';
const TIMES = { meanSyncUs: 100, meanReadUs: 10 };

/** The machine, and one process after another on it. */
export class RestoredCluster {
  readonly network: Network;
  readonly #parts: RestoredClusterParts;
  readonly #directory = new PeerDirectory();
  readonly #disk = new DiskImage();
  readonly #databases = new DatabasesImage();
  readonly #clock = new MachineClock(0);
  #process: SimProcess | undefined;
  #node: EtcdNode | undefined;

  constructor(parts: RestoredClusterParts) {
    this.#parts = parts;
    this.network = new Network(parts.world);
  }

  /** Restores a backup to the empty machine; the process that does it is gone afterwards. */
  async restore(
    backup: Parameters<Restore>[0],
    options: Pick<RestoreOptions, 'bumpRevision' | 'markCompacted'>,
    restore: Restore,
  ): Promise<Restored> {
    const process = this.#begin();
    const { disk, backends } = this.#storage(process);
    const restored = await restore(backup, { ...this.#identity(), ...options }, { disk, backends });
    process.kill();
    return restored;
  }

  /** Opens the database of a member that was restored and does not run; close it. */
  async openDatabase(): Promise<Backend> {
    const { backends } = this.#storage(this.#begin());
    const [name = ''] = await backends.list();
    return backends.open(name);
  }

  /**
   * Starts the member; resolves when it serves.
   *
   * @param begins Told of the state before anything is applied to it.
   */
  async start(begins: (state: State) => void): Promise<EtcdNode> {
    const process = this.#begin();
    const node = await EtcdNode.start(
      { ...this.#identity(), ...this.#parts.knobs },
      this.#env(process, this.#parts.peerUrl, begins),
    );
    this.#node = node;
    await node.ready();
    return node;
  }

  /**
   * Lets a machine of the old cluster join with what it knows of the members; resolves if it gets in.
   *
   * @throws StartError with the reason why it does not.
   */
  async letIn(stranger: { readonly number: number; readonly peerUrl: string }): Promise<void> {
    const { number, peerUrl } = this.#parts;
    const name = `m${stranger.number}`;
    const options: EtcdNodeOptions = {
      name,
      initialCluster: `m${number}=${peerUrl},${name}=${stranger.peerUrl}`,
      initialClusterState: 'existing',
      listenPeerUrls: [stranger.peerUrl],
      initialAdvertisePeerUrls: [stranger.peerUrl],
    };
    const process = new SimProcess(this.#parts.world, 'stranger');
    this.network.attach(stranger.peerUrl, process);
    const empty = { disk: new DiskImage(), databases: new DatabasesImage() };
    try {
      await EtcdNode.start(
        options,
        this.#env(process, stranger.peerUrl, () => undefined, empty),
      );
    } finally {
      process.kill();
    }
  }

  /** Ends the process that runs, if one does. */
  async end(how: Ending): Promise<void> {
    if (how === 'stop') await this.#node?.stop();
    this.#node = undefined;
    this.#process?.kill();
    if (how !== 'powerLoss') return;
    const random = this.#parts.world.random('restored/power');
    this.#disk.losePower(random);
    this.#databases.losePower(random);
  }

  #begin(): SimProcess {
    this.#process?.kill();
    this.#process = new SimProcess(this.#parts.world, 'restored');
    return this.#process;
  }

  /** What restore and start have to agree about. */
  #identity(): Pick<RestoreOptions, 'name' | 'dataDir'> & EtcdNodeOptions {
    const { number, peerUrl } = this.#parts;
    return {
      name: `m${number}`,
      dataDir: dataDirOf(number),
      initialCluster: `m${number}=${peerUrl}`,
      initialClusterToken: TOKEN,
      initialAdvertisePeerUrls: [peerUrl],
    };
  }

  #storage(
    process: SimProcess,
    { disk, databases } = { disk: this.#disk, databases: this.#databases },
  ): Pick<Env, 'disk' | 'backends'> {
    const random = this.#parts.world.random('restored/disk');
    const losePower = (): void => process.kill();
    return {
      disk: new SimDisk({ image: disk, process, random, times: TIMES, losePower }),
      backends: new SimBackends({ image: databases, process, random, times: TIMES }),
    };
  }

  #env(
    process: SimProcess,
    address: string,
    begins: (state: State) => void,
    images = { disk: this.#disk, databases: this.#databases },
  ): Env {
    const { world } = this.#parts;
    const clock = new SimClock(process, this.#clock, world.random('restored/late'));
    return {
      ...this.#storage(process, images),
      clock,
      random: world.random('restored/node'),
      log: silentLogger,
      hasher: PLAIN_HASHER,
      peers: () =>
        new SimPeerTransport({
          network: this.network,
          directory: this.#directory,
          process,
          address,
          monotonicMs: () => clock.monotonicMs(),
        }),
      listen: (_options, { node }) => {
        begins(node.state);
        return Promise.resolve({ urls: [], close: () => Promise.resolve() });
      },
    };
  }
}
