/** The contract of the Disk port, as claims that any test runner can run. */
import { assert, equalBytes, utf8 } from '@etcd-ts/base';
import type { Disk } from '../disk.ts';
import { DiskError } from '../disk-error.ts';

/** One claim about a disk. */
export interface DiskClaim {
  readonly name: string;
  /** Rejects when the claim does not hold. `root` is an empty directory of the claim's own. */
  readonly check: (disk: Disk, root: string) => Promise<void>;
}

async function codeOf(run: () => Promise<unknown>): Promise<string | undefined> {
  try {
    await run();
  } catch (error) {
    assert(error instanceof DiskError, () => `not a DiskError: ${String(error)}`);
    return error.code;
  }
  return undefined;
}

function same(actual: unknown, expected: unknown, what: string): void {
  const [a, b] = [JSON.stringify(actual), JSON.stringify(expected)];
  assert(a === b, () => `${what}: ${a}, not ${b}`);
}

async function content(disk: Disk, path: string): Promise<Uint8Array> {
  const file = await disk.open(path, 'read');
  const bytes = new Uint8Array(await file.size());
  let done = 0;
  while (done < bytes.length) {
    const count = await file.read(done, bytes.subarray(done));
    assert(count > 0, `${path} ends at ${done}`);
    done += count;
  }
  await file.close();
  return bytes;
}

async function make(disk: Disk, path: string, text: string): Promise<void> {
  const file = await disk.open(path, 'create');
  file.write(0, utf8(text));
  await file.sync();
  await file.close();
}

/** Every claim; each is to be run on a disk and a directory of its own. */
export const DISK_CLAIMS: readonly DiskClaim[] = [
  {
    name: 'what was written is read, at any position, before any sync',
    check: async (disk, root) => {
      const file = await disk.open(`${root}/f`, 'create');
      file.write(0, utf8('hello world'));
      file.write(6, utf8('there'));
      const into = new Uint8Array(5);
      same([await file.read(6, into), ...into], [5, ...utf8('there')], 'read');
      same(await file.read(11, into), 0, 'read at the end');
      same(await file.size(), 11, 'size');
      await file.close();
    },
  },
  {
    name: 'a write behind the end fills the gap with zeros, and growing adds zeros',
    check: async (disk, root) => {
      const file = await disk.open(`${root}/f`, 'create');
      file.write(3, utf8('x'));
      await file.truncate(6);
      await file.close();
      const expected = Uint8Array.of(0, 0, 0, 120, 0, 0);
      assert(equalBytes(await content(disk, `${root}/f`), expected), 'gap and growth are zeros');
    },
  },
  {
    name: 'what was cut off by truncate does not come back when the file grows again',
    check: async (disk, root) => {
      await make(disk, `${root}/f`, 'abcdef');
      const file = await disk.open(`${root}/f`, 'write');
      await file.truncate(2);
      await file.truncate(4);
      await file.close();
      assert(equalBytes(await content(disk, `${root}/f`), Uint8Array.of(97, 98, 0, 0)), 'zeros');
    },
  },
  {
    name: 'opening says ENOENT for what is missing and EEXIST for what is there',
    check: async (disk, root) => {
      await make(disk, `${root}/f`, 'x');
      same(await codeOf(() => disk.open(`${root}/none`, 'read')), 'ENOENT', 'read');
      same(await codeOf(() => disk.open(`${root}/none`, 'write')), 'ENOENT', 'write');
      same(await codeOf(() => disk.open(`${root}/f`, 'create')), 'EEXIST', 'create');
      same(await codeOf(() => disk.open(`${root}/no/dir`, 'create')), 'ENOENT', 'no directory');
    },
  },
  {
    name: 'a rename replaces what had the name, in one step',
    check: async (disk, root) => {
      await make(disk, `${root}/a`, 'new');
      await make(disk, `${root}/b`, 'old');
      await disk.rename(`${root}/a`, `${root}/b`);
      await disk.syncDirectory(root);
      same(await disk.list(root), ['b'], 'names');
      assert(equalBytes(await content(disk, `${root}/b`), utf8('new')), 'content');
      same(await codeOf(() => disk.rename(`${root}/a`, `${root}/c`)), 'ENOENT', 'rename');
    },
  },
  {
    name: 'directories are made with those above them, listed in order, and missing ones are ENOENT',
    check: async (disk, root) => {
      await disk.makeDirectory(`${root}/x/y/z`);
      await disk.makeDirectory(`${root}/x/y/z`);
      for (const name of ['b', 'a', 'c']) await make(disk, `${root}/x/y/${name}`, name);
      same(await disk.list(`${root}/x/y`), ['a', 'b', 'c', 'z'], 'names');
      same(await codeOf(() => disk.list(`${root}/none`)), 'ENOENT', 'list');
      same(await disk.stat(`${root}/none`), undefined, 'stat of nothing');
      same((await disk.stat(`${root}/x/y/a`))?.sizeBytes, 1, 'stat');
    },
  },
  {
    name: 'a removed file is gone, and removing it again is ENOENT',
    check: async (disk, root) => {
      await make(disk, `${root}/f`, 'x');
      await disk.remove(`${root}/f`);
      same(await disk.stat(`${root}/f`), undefined, 'stat');
      same(await codeOf(() => disk.remove(`${root}/f`)), 'ENOENT', 'remove');
    },
  },
  {
    name: 'a closed file refuses every use, and closing twice is harmless',
    check: async (disk, root) => {
      await make(disk, `${root}/f`, 'x');
      const file = await disk.open(`${root}/f`, 'write');
      await file.close();
      await file.close();
      same(await codeOf(() => file.sync()), 'CLOSED', 'sync');
      same(await codeOf(() => file.read(0, new Uint8Array(1))), 'CLOSED', 'read');
      same(await codeOf(async () => file.write(0, utf8('y'))), 'CLOSED', 'write');
    },
  },
  {
    name: 'a directory has one owner at a time, also within a process',
    check: async (disk, root) => {
      const lock = await disk.lockDirectory(root);
      same(await codeOf(() => disk.lockDirectory(root)), 'LOCKED', 'second');
      await lock.release();
      await lock.release();
      const again = await disk.lockDirectory(root);
      await again.release();
    },
  },
  {
    name: 'there is room to write',
    check: async (disk, root) => {
      assert((await disk.freeBytes(root)) > 0, 'no bytes are free');
    },
  },
];
