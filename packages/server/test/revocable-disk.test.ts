import { MemoryDisk } from '@etcd-ts/wal';
import { DISK_CLAIMS } from '@etcd-ts/wal/testing';
import { describe, expect, test } from 'vitest';
import { RevocableDisk } from '../src/state/revocable-disk.ts';

describe('until it is revoked it is a disk', () => {
  for (const { name, check } of DISK_CLAIMS) {
    test(name, async () => {
      const disk = new RevocableDisk(new MemoryDisk());
      await disk.makeDirectory('root');
      await check(disk, 'root');
    });
  }
});

test('revoked, it writes, syncs and renames nothing more, and its locks are free', async () => {
  const memory = new MemoryDisk();
  const disk = new RevocableDisk(memory);
  await disk.makeDirectory('d');
  await disk.lockDirectory('d');
  const file = await disk.open('d/f', 'create');
  file.write(0, new Uint8Array([1]));
  await disk.revoke();
  expect(() => file.write(1, new Uint8Array([2]))).toThrow('the node was killed');
  await expect(file.sync()).rejects.toThrow('the node was killed');
  await expect(disk.rename('d/f', 'd/g')).rejects.toThrow('the node was killed');
  await expect(disk.open('d/h', 'create')).rejects.toThrow('the node was killed');
  const next = new RevocableDisk(memory);
  await next.lockDirectory('d');
  const same = await next.open('d/f', 'read');
  expect(await same.size()).toBe(1);
});
