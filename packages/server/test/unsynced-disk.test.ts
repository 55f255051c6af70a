import { type Disk, type DiskFile, MemoryDisk } from '@etcd-ts/wal';
import { afterEach, expect, test } from 'vitest';
import { UnsyncedDisk } from '../src/state/unsynced-disk.ts';
import { memoryLevelBackends } from '../src/node/level-backends.ts';
import { Cluster } from './support/cluster.ts';

let cluster: Cluster | undefined;
afterEach(() => cluster?.close());

/** Counts what is waited for. */
function counting(disk: Disk): { disk: Disk; syncs: () => number } {
  let syncs = 0;
  const watched = new Proxy(disk, {
    get(target, name) {
      const value: unknown = Reflect.get(target, name);
      if (typeof value !== 'function') return value;
      return async (...args: unknown[]) => {
        if (name === 'syncDirectory') syncs++;
        const result: unknown = await Reflect.apply(value, target, args);
        return name === 'open' ? countingFile(result as DiskFile) : result;
      };
    },
  });
  const countingFile = (file: DiskFile): DiskFile => ({
    path: file.path,
    read: (at, into) => file.read(at, into),
    write: (at, bytes) => file.write(at, bytes),
    truncate: (size) => file.truncate(size),
    sync: () => {
      syncs++;
      return file.sync();
    },
    size: () => file.size(),
    close: () => file.close(),
  });
  return { disk: watched, syncs: () => syncs };
}

test('a member that never syncs answers and comes back, and the disk was not waited for', async () => {
  for (const unsafeNoFsync of [false, true]) {
    const { disk, syncs } = counting(new MemoryDisk());
    cluster = new Cluster(['a'], { unsafeNoFsync });
    cluster.addMachine('a', { disk, backends: memoryLevelBackends() });
    const node = await cluster.start('a');
    await node.client().put('k', 'v');
    await node.stop();
    const again = await cluster.start('a');
    expect((await again.client().get('k'))?.text).toBe('v');
    await cluster.close();
    expect(syncs() === 0).toBe(unsafeNoFsync);
  }
});

test('everything but the waiting is passed on', async () => {
  const disk = new UnsyncedDisk(new MemoryDisk());
  await disk.makeDirectory('d');
  const file = await disk.open('d/f', 'create');
  file.write(0, new Uint8Array([1, 2, 3]));
  await file.sync();
  expect(await file.size()).toBe(3);
  expect(await disk.list('d')).toEqual(['f']);
});
