/** A database that was damaged counts as lost: the state is made again, from the log or from the other members. */
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { BackendOperation } from '@etcd-ts/mvcc';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { DamagedDatabaseError } from '../src/env.ts';
import { EtcdNode } from '../src/etcd-node.ts';
import { type Logger, silentLogger } from '../src/logger.ts';
import { classicLevelBackends } from '../src/node/level-backends.ts';
import { MemoryDisk } from '@etcd-ts/wal';
import { Cluster } from './support/cluster.ts';
import { WrappedBackends } from './support/wrapped-backends.ts';

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'etcd-ts-damaged-'));
});

afterEach(() => rmSync(folder, { recursive: true, force: true }));

function warnings(): { readonly logger: Logger; readonly said: string[] } {
  const said: string[] = [];
  return { said, logger: { ...silentLogger, warn: (message) => void said.push(message) } };
}

/** Databases that lose the first record with a value, and keep all others. */
function forgetfulBackends(value: string): WrappedBackends {
  let hasLost = false;
  const isLost = (operation: BackendOperation): boolean => {
    if (hasLost || operation.value === undefined) return false;
    hasLost = Buffer.from(operation.value).includes(value);
    return hasLost;
  };
  return new WrappedBackends((operations, write) =>
    write([...operations].filter((operation) => !isLost(operation))),
  );
}

test('one that a batch is missing from is made again from the other members', async () => {
  const cluster = new Cluster(['a', 'b', 'c'], {
    snapshotCount: 20,
    snapshotCatchUpEntries: 2,
    walSegmentBytes: 1_024,
    maxWals: 1,
  });
  cluster.addMachine('c', { disk: new MemoryDisk(), backends: forgetfulBackends('forgotten') });
  await cluster.startAll();
  const client = cluster.client('a');
  for (let i = 0; i < 60; i++) await client.put(`k${i}`, i === 30 ? 'forgotten' : 'kept');
  await cluster.agreed();
  await cluster.node('c').stop();
  const { logger, said } = warnings();
  await cluster.start('c', { logger });
  expect(said).toContain('the database is damaged, and counts as lost');
  expect(said).toContain('the database was lost: its state is fetched from the other members');
  await client.put('after', '');
  await cluster.agreed();
  await cluster.close();
});

describe('a LevelDB database', () => {
  const options = () => ({ dataDir: folder, snapshotCount: 100_000 });
  const database = (): string => {
    const databases = join(folder, 'member', 'db');
    return join(databases, readdirSync(databases)[0] as string);
  };

  async function written(): Promise<void> {
    const node = await EtcdNode.start(options());
    for (let i = 0; i < 20; i++) await node.client().put(`k${i}`, 'v');
    await node.stop();
  }

  test('whose own files are wrong is made again from the whole log', async () => {
    await written();
    for (const file of readdirSync(database())) {
      if (file.startsWith('MANIFEST')) writeFileSync(join(database(), file), 'nonsense');
    }
    const { logger, said } = warnings();
    const node = await EtcdNode.start({ ...options(), logger });
    expect(said).toContain('the database is damaged, and counts as lost');
    expect((await node.client().get('k19'))?.text).toBe('v');
    await node.stop();
  });

  test('without its log is left alone, whole or damaged', async () => {
    await written();
    rmSync(join(folder, 'member', 'wal'), { recursive: true });
    for (const file of readdirSync(database())) {
      if (file.startsWith('MANIFEST')) writeFileSync(join(database(), file), 'nonsense');
    }
    await expect(EtcdNode.start(options())).rejects.toMatchObject({ code: 'CORRUPT_DATA' });
    expect(readdirSync(join(folder, 'member', 'db'))).toHaveLength(1);
  });

  test('that is damaged says so when it is opened, one in use does not', async () => {
    const store = classicLevelBackends(folder);
    const backend = await store.open('db-1');
    await expect(store.open('db-1')).rejects.not.toBeInstanceOf(DamagedDatabaseError);
    await backend.close();
    for (const file of readdirSync(join(folder, 'db-1'))) {
      if (file.startsWith('MANIFEST')) writeFileSync(join(folder, 'db-1', file), 'nonsense');
    }
    await expect(store.open('db-1')).rejects.toBeInstanceOf(DamagedDatabaseError);
  });

  test('half of which was removed before a crash is gone at the next start', async () => {
    const store = classicLevelBackends(folder);
    await (await store.open('db-1')).close();
    mkdirSync(join(folder, 'db-2.removed'));
    writeFileSync(join(folder, 'db-2.removed', 'CURRENT'), 'MANIFEST-000002\n');
    expect(await store.list()).toEqual(['db-1']);
    expect(readdirSync(folder)).toEqual(['db-1']);
    await store.remove('db-1');
    await store.remove('db-1');
    expect(readdirSync(folder)).toEqual([]);
  });
});
