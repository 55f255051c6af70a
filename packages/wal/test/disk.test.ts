import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { utf8 } from '@etcd-ts/base';
import { type Disk, DiskError, MemoryDisk } from '@etcd-ts/wal';
import { LOCK_NAME, NodeDisk } from '@etcd-ts/wal/node';
import { CrashDisk, DISK_CLAIMS } from '@etcd-ts/wal/testing';

const scratch = mkdtempSync(join(tmpdir(), 'etcd-ts-disk-'));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

const implementations: readonly (readonly [string, () => Disk])[] = [
  ['NodeDisk', () => new NodeDisk()],
  ['MemoryDisk', () => new MemoryDisk()],
  ['CrashDisk', () => new CrashDisk()],
];
for (const [name, make] of implementations) {
  describe(`${name} keeps the contract:`, () => {
    DISK_CLAIMS.forEach((claim, number) => {
      test(claim.name, async () => {
        const disk = make();
        const root = join(scratch, `${name}-${number}`);
        await disk.makeDirectory(root);
        await claim.check(disk, root);
      });
    });
  });
}

const HOLDER = `
  import { NodeDisk } from '@etcd-ts/wal/node';
  await new NodeDisk().lockDirectory(process.argv[1]);
  process.stdout.write('held');
  setInterval(() => undefined, 1000);`;

/** A process that holds a directory, from the moment at which it does. */
async function holderOf(root: string): Promise<ChildProcess> {
  const flags = ['--conditions=@etcd-ts/source', '--import', import.meta.resolve('tsx')];
  const child = spawn(process.execPath, [...flags, '--input-type=module', '-e', HOLDER, root], {
    cwd: import.meta.dirname,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  await once(child.stdout, 'data');
  return child;
}

describe('a directory claimed by another process', () => {
  test(
    'is refused by that process id, and free once it was killed',
    { timeout: 30_000 },
    async () => {
      const disk = new NodeDisk();
      const root = join(scratch, 'claimed');
      await disk.makeDirectory(root);
      const child = await holderOf(root);
      await expect(disk.lockDirectory(root)).rejects.toMatchObject({
        code: 'LOCKED',
        message: expect.stringContaining(`process ${child.pid}`),
      });
      const exited = once(child, 'exit');
      child.kill('SIGKILL');
      await exited;
      // The dead process's socket file is still there; its abstract socket is not.
      expect(await disk.list(root)).toContain('LOCK');
      await (await disk.lockDirectory(root)).release();
      expect(await disk.list(root)).toEqual([]);
    },
  );
});

test('a directory is given up whatever those do who ask who holds it', async () => {
  const disk = new NodeDisk();
  const root = join(scratch, 'asked');
  await disk.makeDirectory(root);
  const lock = await disk.lockDirectory(root);
  const asking = connect({ path: join(root, LOCK_NAME), allowHalfOpen: true });
  await once(asking, 'connect');
  await lock.release();
  await (await disk.lockDirectory(root)).release();
  asking.destroy();
});

test('a directory is free again where the file of its claim cannot be removed', async () => {
  const disk = new NodeDisk();
  const root = join(scratch, 'unremovable');
  await disk.makeDirectory(root);
  const lock = await disk.lockDirectory(root);
  await disk.remove(join(root, LOCK_NAME));
  await disk.makeDirectory(join(root, LOCK_NAME));
  await expect(lock.release()).rejects.toBeInstanceOf(DiskError);
  rmSync(join(root, LOCK_NAME), { recursive: true });
  await (await disk.lockDirectory(root)).release();
});

test('a directory is refused while its holder does not answer', { timeout: 30_000 }, async () => {
  const disk = new NodeDisk();
  const root = join(scratch, 'silent');
  await disk.makeDirectory(root);
  const child = await holderOf(root);
  child.kill('SIGSTOP');
  await expect(disk.lockDirectory(root)).rejects.toMatchObject({ code: 'LOCKED' });
  const exited = once(child, 'exit');
  child.kill('SIGKILL');
  await exited;
  await (await disk.lockDirectory(root)).release();
});

describe('a disk that loses power', () => {
  async function prepared(): Promise<CrashDisk> {
    const disk = new CrashDisk();
    await disk.makeDirectory('d');
    const file = await disk.open('d/f', 'create');
    file.write(0, utf8('durable'));
    await file.sync();
    await disk.syncDirectory('d');
    file.write(0, utf8('changed'));
    file.write(1024, utf8('behind'));
    return disk;
  }

  test('forgets what was not synced, names included', async () => {
    const disk = await prepared();
    await (await disk.open('d/new', 'create')).sync();
    disk.crash();
    expect(disk.bytesOf('d/f')).toEqual(utf8('durable'));
    expect(await disk.list('d')).toEqual(['f']);
  });

  test('keeps any subset of sectors, in any order', async () => {
    const disk = await prepared();
    disk.crash((what) => what.kind === 'sector' && what.sector === 2);
    const bytes = disk.bytesOf('d/f');
    expect(bytes.subarray(0, 7)).toEqual(utf8('durable'));
    expect(bytes.subarray(1024)).toEqual(utf8('behind'));
  });

  test('keeps the beginning of a sector, the rest being what was durable', async () => {
    const disk = await prepared();
    disk.crash((what) => (what.kind === 'sector' && what.sector === 0 ? 3 : false));
    expect(disk.bytesOf('d/f')).toEqual(utf8('chaable'));
  });

  test('loses nothing when only the process ends, and nothing more is durable', async () => {
    const disk = await prepared();
    disk.kill();
    expect(disk.bytesOf('d/f').subarray(0, 7)).toEqual(utf8('changed'));
    disk.crash();
    expect(disk.bytesOf('d/f')).toEqual(utf8('durable'));
  });

  test('makes a truncation durable with the sync, and what is written behind it', async () => {
    const disk = await prepared();
    const file = await disk.open('d/f', 'write');
    await file.truncate(2);
    file.write(4, utf8('x'));
    await file.sync();
    disk.crash();
    expect(disk.bytesOf('d/f')).toEqual(utf8('ch\0\0x'));
  });

  test('kills what was open, and its locks', async () => {
    const disk = await prepared();
    const file = await disk.open('d/f', 'read');
    await disk.lockDirectory('d');
    disk.crash();
    await expect(file.size()).rejects.toMatchObject({ code: 'CLOSED' });
    await (await disk.lockDirectory('d')).release();
  });

  test('after a forgetful sync shows the writes, and the next sync does not make them durable', async () => {
    const disk = await prepared();
    const file = await disk.open('d/f', 'write');
    disk.onOperation = ({ operation }) =>
      operation === 'sync' ? { kind: 'forgetfulError', code: 'EIO' } : undefined;
    await expect(file.sync()).rejects.toMatchObject({ code: 'EIO' });
    disk.onOperation = undefined;
    await file.sync();
    expect(disk.bytesOf('d/f').subarray(0, 7)).toEqual(utf8('changed'));
    disk.crash();
    expect(disk.bytesOf('d/f').subarray(0, 7)).toEqual(utf8('durable'));
  });

  test('after a failed sync drops the writes and lets the next sync succeed', async () => {
    const disk = await prepared();
    const file = await disk.open('d/f', 'write');
    disk.onOperation = ({ operation }) =>
      operation === 'sync' ? { kind: 'error', code: 'EIO' } : undefined;
    await expect(file.sync()).rejects.toMatchObject({ code: 'EIO' });
    disk.onOperation = undefined;
    await file.sync();
    expect(disk.bytesOf('d/f')).toEqual(utf8('durable'));
  });
});
