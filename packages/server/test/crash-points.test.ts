/**
 * The power goes before every single operation on the disk, from the first start over writes, marks and dropped
 * segments to the stop: each time the member comes back with everything that it acknowledged.
 */
import { CrashDisk, type DiskOperation } from '@etcd-ts/wal/testing';
import type { BackendOperation } from '@etcd-ts/mvcc';
import { expect, test } from 'vitest';
import { EtcdNode } from '../src/etcd-node.ts';
import { silentLogger } from '../src/logger.ts';
import { systemEnv } from '../src/node/system-env.ts';
import { type EtcdNodeOptions, resolveOptions } from '../src/options.ts';
import { StartError } from '../src/start-error.ts';
import { databaseName } from '../src/state/databases.ts';
import { Cluster } from './support/cluster.ts';
import { LossyBackends } from './support/lossy-backends.ts';
import { randomFrom } from './support/random.ts';

/** Marks and segments so small that a short run sees several of them come and go. */
const OPTIONS: EtcdNodeOptions = {
  snapshotCount: 8,
  snapshotCatchUpEntries: 2,
  walSegmentBytes: 1_024,
  maxWals: 1,
};

const WRITES = 24;

class Machine {
  readonly disk = new CrashDisk();
  readonly backends = new LossyBackends();

  start(): Promise<EtcdNode> {
    const { disk, backends } = this;
    return EtcdNode.start(OPTIONS, { ...systemEnv(resolveOptions(OPTIONS)), disk, backends });
  }

  /** A drawn part of what was not durable is gone. */
  crash(seed: number): void {
    const random = randomFrom(seed);
    const keeps = (): boolean => random.uint32() % 2 === 0;
    this.disk.onOperation = undefined;
    this.disk.crash(keeps);
    this.backends.crash(keeps);
  }
}

/** Starts, writes, stops; ends early where the power goes. Gives the revision of every acknowledged write. */
async function run(machine: Machine): Promise<Map<string, number>> {
  const acknowledged = new Map<string, number>();
  let node: EtcdNode | undefined;
  try {
    node = await machine.start();
    const client = node.client();
    for (let i = 0; i < WRITES; i += 3) {
      const batch = [i, i + 1, i + 2].map(async (n) => {
        const { revision } = await client.put(`k${n}`, `v${n}`, { timeoutMs: 1_000 });
        acknowledged.set(`k${n}`, revision);
      });
      await Promise.all(batch);
    }
    await node.stop();
  } catch {
    await node?.kill().catch(() => undefined);
  }
  return acknowledged;
}

async function expectAll(node: EtcdNode, acknowledged: ReadonlyMap<string, number>): Promise<void> {
  const client = node.client();
  for (const [key, revision] of acknowledged) {
    const entry = await client.get(key);
    expect([key, entry?.text, entry?.modRevision]).toEqual([key, key.replace('k', 'v'), revision]);
  }
}

async function operationsOf(): Promise<readonly DiskOperation[]> {
  const machine = new Machine();
  const operations: DiskOperation[] = [];
  machine.disk.onOperation = (operation) => {
    operations.push(operation);
    return undefined;
  };
  const acknowledged = await run(machine);
  expect(acknowledged.size).toBe(WRITES);
  return operations;
}

test(
  'a member comes back from a power cut before any operation on its disk',
  { timeout: 60_000 },
  async () => {
    const operations = await operationsOf();
    const kinds = new Set(operations.map(({ operation }) => operation));
    for (const kind of ['sync', 'write', 'rename', 'remove', 'syncDirectory']) {
      expect(kinds).toContain(kind);
    }
    for (const { number } of operations) {
      const machine = new Machine();
      machine.disk.onOperation = (operation) =>
        operation.number === number ? { kind: 'power' } : undefined;
      const acknowledged = await run(machine);
      machine.crash(number);
      const node = await machine.start().catch((error: unknown) => {
        expect.fail(
          `power cut before operation ${number}: ${error instanceof StartError ? `${error.code} ` : ''}${String(error)}`,
        );
      });
      await expectAll(node, acknowledged);
      const { revision } = await node.client().put('next', '');
      expect(revision).toBeGreaterThan(Math.max(0, ...acknowledged.values()));
      await node.stop();
    }
  },
);

test(
  'a follower comes back from a power cut before any operation of taking a snapshot in',
  { timeout: 60_000 },
  async () => {
    const cluster = new Cluster(['a', 'b', 'c'], { ...OPTIONS, electionTimeoutMs: 200 });
    const machine = new Machine();
    cluster.addMachine('c', machine);
    await cluster.startAll();
    await cluster.node('c').stop();
    const leader = await cluster.leader();
    const client = leader.client();
    let written = 0;
    for (let cut = 0; ; cut++) {
      // Past the start of the leader's log: only a snapshot brings the follower back.
      for (let i = 0; i < 12; i++) written = (await client.put(`k${i}`, String(cut))).revision;
      const first = machine.disk.operations;
      let isCut = false;
      machine.disk.onOperation = ({ number }) => {
        if (number !== first + cut) return undefined;
        isCut = true;
        return { kind: 'power' };
      };
      const node = await cluster.start('c').catch(() => undefined);
      await cluster.when(() => {
        const isDone = node === undefined || node.phase === 'stopped' || has(node, written);
        return isDone ? true : undefined;
      });
      await node?.kill().catch(() => undefined);
      machine.crash(cut);
      // Nothing must have been lost that has to be fetched again: that is for broken disks.
      const warnings: string[] = [];
      const logger = {
        ...silentLogger,
        warn: (message: string): void => void warnings.push(message),
      };
      const back = await cluster.start('c', { logger });
      expect(warnings.filter((message) => message.includes('lost'))).toEqual([]);
      await cluster.when(() => (has(back, written) ? true : undefined));
      await cluster.agreed();
      await back.stop();
      if (!isCut) break;
    }
    await cluster.close();
  },
);

function has(node: EtcdNode, revision: number): boolean {
  return node.port.state.store.revision >= revision;
}

test('a database goes when the one that is gone on with is durable', async () => {
  const machine = new Machine();
  const { backends } = machine;
  const acknowledged = await run(machine);
  const [name = ''] = await backends.list();
  // As a snapshot is left by a process that ended before it synced what it had received.
  const received = await backends.open(databaseName(0));
  const usual = await backends.open(name);
  const content: BackendOperation[] = [];
  const entries = usual.iterate(new Uint8Array(0), new Uint8Array([0xff]));
  for (;;) {
    const page = await entries.nextPage(1_000);
    if (page.length === 0) break;
    for (const [key, value] of page) content.push({ key, value });
  }
  await entries.close();
  await received.write(content);

  const node = await machine.start();
  expect(await backends.list()).toEqual([databaseName(0)]);
  const isKept = (): boolean => false;
  backends.crash(isKept);
  machine.disk.crash(isKept);
  await node.kill();

  const again = await machine.start();
  await expectAll(again, acknowledged);
  await again.stop();
});
