/** A disk that is full, or fails, when the log grows: the member stops and says why; a fresh start still answers reads. */
import { type Disk, DiskError, type DiskFile, MemoryDisk } from '@etcd-ts/wal';
import { expect, test } from 'vitest';
import type { Env } from '../src/env.ts';
import { EtcdNode } from '../src/etcd-node.ts';
import { memoryLevelBackends } from '../src/node/level-backends.ts';
import { systemEnv } from '../src/node/system-env.ts';
import { resolveOptions } from '../src/options.ts';

/** From some moment on no file of it grows. */
class FullDisk implements Disk {
  readonly #disk = new MemoryDisk();
  readonly #code: 'ENOSPC' | 'EIO';
  isFull = false;

  constructor(code: 'ENOSPC' | 'EIO') {
    this.#code = code;
  }

  makeDirectory(path: string): Promise<void> {
    return this.#disk.makeDirectory(path);
  }

  list(path: string): Promise<readonly string[]> {
    return this.#disk.list(path);
  }

  rename(from: string, to: string): Promise<void> {
    return this.#disk.rename(from, to);
  }

  remove(path: string): Promise<void> {
    return this.#disk.remove(path);
  }

  syncDirectory(path: string): Promise<void> {
    return this.#disk.syncDirectory(path);
  }

  stat(path: string): ReturnType<Disk['stat']> {
    return this.#disk.stat(path);
  }

  freeBytes(path: string): Promise<number> {
    return this.isFull ? Promise.resolve(0) : this.#disk.freeBytes(path);
  }

  lockDirectory(path: string): ReturnType<Disk['lockDirectory']> {
    return this.#disk.lockDirectory(path);
  }

  async open(path: string, mode: Parameters<Disk['open']>[1]): Promise<DiskFile> {
    const file = await this.#disk.open(path, mode);
    let size = await file.size();
    const grow = (operation: string, end: number): void => {
      if (end <= size) return;
      if (this.isFull) throw new DiskError({ code: this.#code, operation, path });
      size = end;
    };
    return {
      path,
      read: (at, into) => file.read(at, into),
      write: (at, bytes) => {
        grow('write', at + bytes.length);
        file.write(at, bytes);
      },
      truncate: async (end) => {
        grow('truncate', end);
        await file.truncate(end);
        size = end;
      },
      sync: () => file.sync(),
      size: () => file.size(),
      close: () => file.close(),
    };
  }
}

for (const code of ['ENOSPC', 'EIO'] as const) {
  test(`${code} when the log grows stops the member with that reason, and a fresh start answers reads`, async () => {
    const disk = new FullDisk(code);
    const machine: Pick<Env, 'disk' | 'backends'> = { disk, backends: memoryLevelBackends() };
    const start = async (): Promise<EtcdNode> => {
      const node = await EtcdNode.start({}, { ...systemEnv(resolveOptions({})), ...machine });
      await node.ready();
      return node;
    };
    const node = await start();
    const stopped = new Promise<Error | undefined>((resolve) => node.on('stopped', resolve));
    for (let i = 0; i < 5; i++) await node.client().put(`k${i}`, `v${i}`);
    disk.isFull = true;
    const large = 'x'.repeat(100_000);
    const acknowledged: number[] = [];
    for (let i = 0; i < 100; i++) {
      try {
        await node.client().put(`large${i}`, large, { timeoutMs: 5_000 });
        acknowledged.push(i);
      } catch {
        break;
      }
    }
    expect(acknowledged.length).toBeLessThan(100);
    expect(String((await stopped)?.message)).toContain(code);
    expect(node.phase).toBe('stopped');

    const again = await start();
    expect((await again.client().get('k3'))?.text).toBe('v3');
    for (const i of acknowledged) {
      expect((await again.client().get(`large${i}`, { serializable: true }))?.text).toBe(large);
    }
    disk.isFull = false;
    await again.client().put('after', large);
    await again.stop();
  });
}
