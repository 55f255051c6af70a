import type { EtcdClient } from '@etcd-ts/client';
import { MemoryDisk } from '@etcd-ts/wal';
import type { Env } from '../../src/env.ts';
import { EtcdNode } from '../../src/etcd-node.ts';
import { silentLogger } from '../../src/logger.ts';
import { memoryLevelBackends } from '../../src/node/level-backends.ts';
import { systemClock } from '../../src/node/system-clock.ts';
import { systemEnv } from '../../src/node/system-env.ts';
import { type EtcdNodeOptions, resolveOptions } from '../../src/options.ts';
import { InMemoryNetwork } from '../../src/peers/in-memory-network.ts';

/** What outlives a member's process: its disk and its databases. */
type Machine = Pick<Env, 'disk' | 'backends'>;

/** Members in one process: real time, memory disks that survive a kill, a network that can be cut. */
export class Cluster {
  readonly network: InMemoryNetwork = new InMemoryNetwork(systemClock);
  readonly #options: EtcdNodeOptions;
  readonly #initialCluster: Record<string, string>;
  readonly #machines = new Map<string, Machine>();
  readonly #nodes = new Map<string, EtcdNode>();

  constructor(names: readonly string[], options: EtcdNodeOptions = {}) {
    this.#initialCluster = Object.fromEntries(names.map((name) => [name, `http://${name}:2380`]));
    this.#options = { heartbeatIntervalMs: 10, electionTimeoutMs: 100, ...options };
    for (const name of names) this.addMachine(name);
  }

  /** Gives a member its disk and databases; new ones in memory unless it says otherwise. */
  addMachine(
    name: string,
    { disk, backends }: Machine = { disk: new MemoryDisk(), backends: memoryLevelBackends() },
  ): void {
    this.#machines.set(name, { disk, backends });
  }

  /** Takes a member's database away, as a broken disk does. */
  loseDatabase(name: string): void {
    const machine = this.#machines.get(name);
    if (machine === undefined) throw new Error(`no machine ${name}`);
    this.#machines.set(name, { disk: machine.disk, backends: memoryLevelBackends() });
  }

  /** Changes what a stopped member's databases hold, as a failing disk does: `from` becomes `to` wherever it stands. */
  async harm(name: string, from: string, to: string): Promise<void> {
    const backends = this.#machines.get(name)?.backends;
    let harmed = 0;
    for (const database of (await backends?.list()) ?? []) {
      const backend = await backends!.open(database);
      const entries = backend.iterate(new Uint8Array(0), new Uint8Array([0xff]));
      for (;;) {
        const page = await entries.nextPage(1_000);
        if (page.length === 0) break;
        for (const [key, value] of page) {
          const at = Buffer.from(value).indexOf(from);
          if (at < 0) continue;
          const other = Buffer.from(value);
          other.write(to, at);
          await backend.write([{ key, value: new Uint8Array(other) }]);
          harmed++;
        }
      }
      await entries.close();
      await backend.close();
    }
    if (harmed === 0) throw new Error(`member ${name} does not hold ${from}`);
  }

  async start(
    name: string,
    options: EtcdNodeOptions = {},
    surroundings: Partial<Env> = {},
  ): Promise<EtcdNode> {
    const all: EtcdNodeOptions = {
      name,
      network: this.network,
      initialCluster: this.#initialCluster,
      initialAdvertisePeerUrls: [this.#initialCluster[name] ?? `http://${name}:2380`],
      logger: silentLogger,
      ...this.#options,
      ...options,
    };
    const env = { ...systemEnv(resolveOptions(all)), ...this.#machines.get(name), ...surroundings };
    const node = await EtcdNode.start(all, env);
    this.#nodes.set(name, node);
    return node;
  }

  async startAll(): Promise<readonly EtcdNode[]> {
    const nodes = await Promise.all(
      Object.keys(this.#initialCluster).map((name) => this.start(name)),
    );
    await Promise.all(nodes.map((node) => node.ready()));
    return nodes;
  }

  node(name: string): EtcdNode {
    const node = this.#nodes.get(name);
    if (node === undefined) throw new Error(`member ${name} does not run`);
    return node;
  }

  client(name: string): EtcdClient {
    return this.node(name).client();
  }

  /** The member that leads, as soon as one knows that it does. */
  leader(): Promise<EtcdNode> {
    return this.when(() => this.running().find((node) => node.status().isLeader));
  }

  running(): readonly EtcdNode[] {
    return [...this.#nodes.values()].filter((node) => node.phase === 'running');
  }

  /** What `find` finds, as soon as it finds something. Asked again whenever the loop has turned. */
  async when<T>(find: () => T | undefined): Promise<T> {
    for (;;) {
      const found = find();
      if (found !== undefined) return found;
      await new Promise((resolve) => setImmediate(resolve));
    }
  }

  /** Waits until every running member has applied the same, and gives their digest. */
  async agreed(): Promise<string> {
    return this.when(() => {
      const nodes = this.running();
      const indexes = new Set(nodes.map((node) => node.status().appliedIndex));
      const hashes = new Set(nodes.map((node) => node.stateHash()));
      return indexes.size === 1 && hashes.size === 1 ? [...hashes][0] : undefined;
    });
  }

  async close(): Promise<void> {
    for (const node of this.running()) await node.stop();
  }
}
