import { EtcdError } from '@etcd-ts/protocol';
import { DiskError, MemoryDisk } from '@etcd-ts/wal';
import { afterEach, describe, expect, test } from 'vitest';
import { EtcdNode } from '../src/etcd-node.ts';
import type { BackendStore } from '../src/env.ts';
import type { LogFields } from '../src/logger.ts';
import { memoryLevelBackends } from '../src/node/level-backends.ts';
import { systemEnv } from '../src/node/system-env.ts';
import { type EtcdNodeOptions, resolveOptions } from '../src/options.ts';
import { StartError } from '../src/start-error.ts';
import { Cluster } from './support/cluster.ts';

let cluster: Cluster | undefined;

afterEach(async () => {
  await cluster?.close();
  cluster = undefined;
});

function alone(options: EtcdNodeOptions = {}): Cluster {
  cluster = new Cluster(['a'], options);
  return cluster;
}

const failure = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => expect.unreachable(),
    (error: unknown) => error,
  );

describe.each(['raft', 'single-writer'] as const)('a member alone on %s', (engine) => {
  test('answers what was put, also after it was stopped and started', async () => {
    const member = alone({ engine });
    await member.start('a');
    await member.client('a').put('k', 'v');
    await member.node('a').stop();
    await member.start('a');
    expect((await member.client('a').get('k'))?.text).toBe('v');
    expect((await member.client('a').put('k', 'w')).revision).toBe(3);
  });

  test('has everything it acknowledged after a kill', async () => {
    const member = alone({ engine });
    await member.start('a');
    const client = member.client('a');
    const puts = Array.from({ length: 200 }, (_, i) => client.put(`k${i}`, `v${i}`));
    const revisions = (await Promise.all(puts)).map(({ revision }) => revision);
    await member.node('a').kill();
    await member.start('a');
    const again = member.client('a');
    for (const [i, revision] of revisions.entries()) {
      const entry = await again.get(`k${i}`);
      expect([entry?.text, entry?.modRevision]).toEqual([`v${i}`, revision]);
    }
    expect((await again.put('next', '')).revision).toBe(Math.max(...revisions) + 1);
  });

  test('drops its log behind the state, and comes back all the same', async () => {
    const member = alone({ engine, snapshotCount: 50, snapshotCatchUpEntries: 5 });
    const node = await member.start('a');
    for (let i = 0; i < 200; i++) await member.client('a').put('k', String(i));
    const before = node.stateHash().split('-').slice(1);
    await node.kill();
    const again = await member.start('a');
    await again.ready();
    expect((await member.client('a').get('k'))?.text).toBe('199');
    expect(again.stateHash().split('-').slice(1)).toEqual(before);
  });
});

test('without a data directory the log says once that nothing will stay', async () => {
  const lines: string[] = [];
  const say = (message: string): void => void lines.push(message);
  const logger = { debug: say, info: say, warn: say, error: say };
  const node = await EtcdNode.start({ logger });
  await node.ready();
  await node.stop();
  expect(lines.filter((line) => line.includes('kept in memory'))).toHaveLength(1);
});

test('the caller of start sees leadership as an event, and the end as another', async () => {
  const seen: string[] = [];
  const node = await EtcdNode.start();
  node.on('leader', (leader) => seen.push(leader === node.memberId ? 'leads' : 'other'));
  node.on('stopped', (reason) => seen.push(`stopped ${reason?.message}`));
  await node.ready();
  await node.stop();
  await node.stop();
  expect(seen).toEqual(['leads', 'stopped undefined']);
  expect(node.phase).toBe('stopped');
});

test('a request of a stopped node fails, and certainly had no effect', async () => {
  const node = await EtcdNode.start();
  const { port } = node;
  await node.stop();
  const error = EtcdError.from(await failure(port.readBarrier()));
  expect([error.code, error.mayHaveApplied]).toEqual(['STOPPED', false]);
});

test('a node starts and stops on the same ports again and again and leaves nothing behind', async () => {
  const first = await EtcdNode.start({
    listenClientUrls: ['http://127.0.0.1:0'],
    listenPeerUrls: ['http://127.0.0.1:0'],
  });
  const [url] = first.clientUrls;
  await first.stop();
  for (let round = 0; round < 20; round++) {
    const node = await EtcdNode.start({
      listenClientUrls: [url!],
      listenPeerUrls: ['http://127.0.0.1:0'],
    });
    expect(node.clientUrls).toEqual([url]);
    await (round % 2 === 0 ? node.stop() : node.kill());
  }
  const open = (): boolean => process.getActiveResourcesInfo().some((kind) => /TCP/.test(kind));
  // A closed handle is given up some turns later.
  await alone().when(() => (open() ? undefined : true));
});

describe('a start that cannot be', () => {
  test('an address that is taken is named, and the data directory is free again', async () => {
    const member = alone();
    const other = await EtcdNode.start({ listenClientUrls: ['http://127.0.0.1:0'] });
    const [taken] = other.clientUrls;
    const error = await failure(member.start('a', { listenClientUrls: [taken!] }));
    expect(error).toBeInstanceOf(StartError);
    expect((error as StartError).code).toBe('LISTEN_FAILED');
    expect((error as StartError).message).toContain(taken!.replace('http://', ''));
    await other.stop();
    await member.start('a');
  });

  test('a data directory that another node works in is named and left alone', async () => {
    const member = alone();
    await member.start('a');
    const error = await failure(member.start('a'));
    expect((error as StartError).code).toBe('DATA_DIR_IN_USE');
    expect((error as StartError).message).toContain('a.etcd/member is in use');
    await member.client('a').put('still', 'works');
  });

  test('the directory of another member is named with its owner', async () => {
    const member = alone({ dataDir: 'shared' });
    await member.start('a');
    await member.node('a').ready();
    await member.node('a').stop();
    const error = await failure(
      member.start('a', {
        name: 'z',
        initialCluster: 'z=http://z:1',
        initialAdvertisePeerUrls: ['http://z:1'],
      }),
    );
    expect((error as StartError).code).toBe('FOREIGN_DATA_DIR');
    expect((error as StartError).message).toMatch(
      /shared\/member belongs to member .* "a" at http:\/\/a:2380/,
    );
    await member.start('a');
  });

  test('a database without its log is named and left alone', async () => {
    const member = alone();
    await member.start('a');
    await member.client('a').put('k', 'v');
    await member.node('a').stop();
    const error = await failure(member.start('a', { walDir: 'elsewhere' }));
    expect((error as StartError).code).toBe('CORRUPT_DATA');
    expect((error as StartError).message).toMatch(
      /^the database db-0000000000000001 holds entries through \d+, and there is no log in elsewhere/,
    );
    await member.start('a');
    expect((await member.client('a').get('k'))?.text).toBe('v');
  });

  test('a state that the log no longer reaches is refused with what is there', async () => {
    const member = alone({
      snapshotCount: 20,
      snapshotCatchUpEntries: 0,
      walSegmentBytes: 4_096,
      maxWals: 1,
    });
    await member.start('a');
    for (let i = 0; i < 100; i++) await member.client('a').put('k', 'v');
    await member.node('a').stop();
    member.loseDatabase('a');
    const error = await failure(member.start('a'));
    expect((error as StartError).code).toBe('STATE_LOST');
  });
});

/** A disk whose syncs can be made to fail. */
class FailingDisk extends MemoryDisk {
  broken = false;

  override async open(path: string, mode: 'create' | 'write' | 'read') {
    const file = await super.open(path, mode);
    return {
      path,
      read: file.read.bind(file),
      write: file.write.bind(file),
      truncate: file.truncate.bind(file),
      size: file.size.bind(file),
      close: file.close.bind(file),
      sync: async () => {
        if (this.broken) throw new DiskError({ code: 'EIO', operation: 'sync', path });
        return file.sync();
      },
    };
  }
}
test('a disk that fails a sync stops the node, which says why and does nothing more', async () => {
  const disk = new FailingDisk();
  const errors: LogFields[] = [];
  const log = {
    debug: () => undefined,
    info: () => undefined,
    warn: () => undefined,
    error: (_message: string, fields: LogFields = {}) => void errors.push(fields),
  };
  const node = await EtcdNode.start({}, { ...systemEnv(resolveOptions()), disk, log });
  await node.ready();
  const client = node.client();
  await client.put('before', '');
  disk.broken = true;
  const stopped = new Promise<Error | undefined>((resolve) => node.once('stopped', resolve));
  const error = EtcdError.from(await failure(client.put('after', '')));
  expect(error.mayHaveApplied).toBe(true);
  const reason = await stopped;
  expect(String(reason)).toContain('EIO');
  expect(errors).toHaveLength(1);
  expect(node.phase).toBe('stopped');
});

test('a node that cannot close its log says so when it is stopped, and has let go of everything', async () => {
  const disk = new FailingDisk();
  const backends = memoryLevelBackends();
  const env = { ...systemEnv(resolveOptions()), disk, backends };
  const node = await EtcdNode.start({}, env);
  await node.ready();
  await node.client().put('before', '1');
  disk.broken = true;
  expect(String(await failure(node.stop()))).toContain('EIO');
  expect(node.phase).toBe('stopped');
  disk.broken = false;
  const again = await EtcdNode.start({}, env);
  await again.ready();
  expect((await again.client().get('before'))?.text).toBe('1');
  await again.stop();
});

test('where the database is slow applying waits, within the limit, and goes on after it', async () => {
  const inner = memoryLevelBackends();
  let open: () => void = () => undefined;
  const gate = new Promise<void>((resolve) => {
    open = resolve;
  });
  let isClosed = false;
  const backends: BackendStore = {
    ...inner,
    open: async (name) => {
      const backend = await inner.open(name);
      return {
        get: (key) => backend.get(key),
        sync: () => backend.sync(),
        iterate: (start, end) => backend.iterate(start, end),
        sizeBytes: () => backend.sizeBytes(),
        compactRange: (start, end) => backend.compactRange(start, end),
        close: () => backend.close(),
        write: async (operations) => {
          if (isClosed) await gate;
          await backend.write(operations);
        },
      };
    },
  };
  const limit = 1 << 20;
  const node = await EtcdNode.start({ backends, maxDirtyBytes: limit });
  await node.ready();
  isClosed = true;
  const value = new Uint8Array(64 * 1024);
  const client = node.client();
  const puts = Array.from({ length: 100 }, (_, i) => client.put(`k${i}`, value));
  const { store } = node.port.state;
  const behind = (): number => node.status().committedIndex - node.status().appliedIndex;
  await alone().when(() => (store.writeBehind.isFull && behind() > 0 ? true : undefined));
  const stalledAt = node.status().appliedIndex;
  for (let turn = 0; turn < 50; turn++) await new Promise((resolve) => setImmediate(resolve));
  expect(node.status().appliedIndex).toBe(stalledAt);
  // One page more than the limit may be unwritten.
  expect(store.writeBehind.dirtyBytes).toBeLessThan(limit + 256 * 1024);
  open();
  await Promise.all(puts);
  await node.stop();
});
