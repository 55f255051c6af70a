/** A member that comes back while others write: one snapshot, and then the log, however much comes in meanwhile. */
import { deferred } from '@etcd-ts/base';
import { MemoryDisk } from '@etcd-ts/wal';
import { afterEach, expect, test } from 'vitest';
import { type Logger, silentLogger } from '../src/logger.ts';
import { Cluster } from './support/cluster.ts';
import { WrappedBackends } from './support/wrapped-backends.ts';

const NAMES = ['a', 'b', 'c'] as const;
let cluster: Cluster;

afterEach(() => cluster.close());

/** Databases whose writes wait at a gate, when it is shut. */
class GatedBackends extends WrappedBackends {
  #gate = Promise.resolve();
  /** Writes that have come to the shut gate. */
  waiting = 0;

  constructor() {
    super(async (operations, write) => {
      this.waiting += 1;
      await this.#gate;
      this.waiting -= 1;
      await write(operations);
    });
  }

  /** Shuts the gate; gives what opens it. */
  shut(): () => void {
    const { promise, resolve } = deferred<void>();
    this.#gate = promise;
    return resolve;
  }
}

test('what comes in while a snapshot is sent and taken in is kept for its receiver', async () => {
  const sent: string[] = [];
  /** How far each member has dropped its log. */
  const compacted: Record<string, number> = {};
  const loggerOf = (name: string): Logger => ({
    ...silentLogger,
    info: (message) => {
      if (message === 'sending database snapshot') sent.push(name);
    },
    debug: (message, fields) => {
      if (message === 'compacted Raft logs') compacted[name] = Number(fields?.['compact-index']);
    },
  });
  const options = { snapshotCount: 20, snapshotCatchUpEntries: 2, electionTimeoutMs: 1_000 };
  cluster = new Cluster(NAMES, options);
  const backends = new GatedBackends();
  cluster.addMachine('c', { disk: new MemoryDisk(), backends });
  await Promise.all(NAMES.map((name) => cluster.start(name, { logger: loggerOf(name) })));
  await cluster.leader();
  await cluster.node('c').stop();
  const leader = await cluster.leader();
  const { name } = leader.options;
  const client = leader.client();
  for (let i = 0; i < 50; i++) await client.put(`before${i}`, '');

  const open = backends.shut();
  const starting = cluster.start('c');
  await cluster.when(() => (sent.length > 0 && backends.waiting > 0 ? true : undefined));
  // Ten marks, behind each of which two entries would stay.
  for (let i = 0; i < 200; i++) await client.put(`meanwhile${i}`, '');
  expect(compacted[name]).toBeLessThan(60);
  open();
  await starting;
  await cluster.agreed();
  expect(sent).toEqual([name]);
  // And when it has caught up, nothing is kept for it any more.
  for (let i = 0; i < 40; i++) await client.put(`after${i}`, '');
  await cluster.agreed();
  expect(compacted[name]).toBeGreaterThan(250);
});
