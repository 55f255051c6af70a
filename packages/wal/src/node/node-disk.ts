/** The Disk port over the machine's file system. */
import {
  close as closeFile,
  fdatasync,
  fstat,
  fsync,
  ftruncate,
  open as openFile,
  read as readFile,
  writeSync,
} from 'node:fs';
import { mkdir, readdir, rename, stat, statfs, unlink } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import type { DirectoryLock, Disk, DiskFile, OpenMode } from '../disk.ts';
import { DiskError } from '../disk-error.ts';
import { lockDirectory } from './directory-lock.ts';

const FLAGS: Readonly<Record<OpenMode, string>> = { create: 'wx+', write: 'r+', read: 'r' };

/** Permissions of what is made: the owner's alone, as etcd's (client/pkg/fileutil, PrivateFileMode). */
const FILE_MODE = 0o600;
const DIRECTORY_MODE = 0o700;

/** Files of the machine. Stateless: any number of them may be used side by side. */
export class NodeDisk implements Disk {
  async makeDirectory(path: string): Promise<void> {
    const first = await call('makeDirectory', path, () =>
      mkdir(path, { recursive: true, mode: DIRECTORY_MODE }),
    );
    if (first === undefined) return;
    // Every name from the topmost new directory down must survive a crash, each held by the directory above it.
    const top = resolve(first);
    for (let made = resolve(path); ; made = dirname(made)) {
      await this.syncDirectory(dirname(made));
      if (made === top) return;
    }
  }

  async list(path: string): Promise<readonly string[]> {
    const names = await call('list', path, () => readdir(path));
    return names.sort();
  }

  async open(path: string, mode: OpenMode): Promise<DiskFile> {
    const fd = await descriptor('open', path, FLAGS[mode]);
    return new NodeFile(path, fd);
  }

  async rename(from: string, to: string): Promise<void> {
    await call('rename', from, () => rename(from, to));
  }

  async remove(path: string): Promise<void> {
    await call('remove', path, () => unlink(path));
  }

  async syncDirectory(path: string): Promise<void> {
    const fd = await descriptor('syncDirectory', path, 'r');
    try {
      await back('syncDirectory', path, (done) => fsync(fd, done));
    } finally {
      await back('syncDirectory', path, (done) => closeFile(fd, done));
    }
  }

  async stat(path: string): Promise<{ readonly sizeBytes: number } | undefined> {
    try {
      const { size } = await call('stat', path, () => stat(path));
      return { sizeBytes: size };
    } catch (error) {
      if (error instanceof DiskError && error.code === 'ENOENT') return undefined;
      throw error;
    }
  }

  async freeBytes(path: string): Promise<number> {
    const { bavail, bsize } = await call('freeBytes', path, () => statfs(path));
    return bavail * bsize;
  }

  lockDirectory(path: string): Promise<DirectoryLock> {
    return lockDirectory(path);
  }
}

/** An open file. Invariant: `#fd` is open exactly while it is defined. */
class NodeFile implements DiskFile {
  readonly path: string;
  #fd: number | undefined;

  constructor(path: string, fd: number) {
    this.path = path;
    this.#fd = fd;
  }

  async read(positionBytes: number, into: Uint8Array): Promise<number> {
    const fd = this.#open('read');
    return back<number>('read', this.path, (done) =>
      readFile(fd, into, 0, into.length, positionBytes, done),
    );
  }

  write(positionBytes: number, bytes: Uint8Array): void {
    const fd = this.#open('write');
    try {
      for (let at = 0; at < bytes.length;) {
        at += writeSync(fd, bytes, at, bytes.length - at, positionBytes + at);
      }
    } catch (error) {
      throw toDiskError('write', this.path, error);
    }
  }

  async truncate(sizeBytes: number): Promise<void> {
    const fd = this.#open('truncate');
    await back('truncate', this.path, (done) => ftruncate(fd, sizeBytes, done));
  }

  async sync(): Promise<void> {
    const fd = this.#open('sync');
    await back('sync', this.path, (done) => fdatasync(fd, done));
  }

  async size(): Promise<number> {
    const fd = this.#open('size');
    const { size } = await back<{ size: number }>('size', this.path, (done) => fstat(fd, done));
    return size;
  }

  async close(): Promise<void> {
    const fd = this.#fd;
    if (fd === undefined) return;
    this.#fd = undefined;
    await back('close', this.path, (done) => closeFile(fd, done));
  }

  #open(operation: string): number {
    if (this.#fd === undefined) throw new DiskError({ code: 'CLOSED', operation, path: this.path });
    return this.#fd;
  }
}

function descriptor(operation: string, path: string, flags: string): Promise<number> {
  return back<number>(operation, path, (done) => openFile(path, flags, FILE_MODE, done));
}

/** Awaits a promise of the file system, its failure as a DiskError. */
async function call<T>(operation: string, path: string, run: () => Promise<T>): Promise<T> {
  try {
    return await run();
  } catch (error) {
    throw toDiskError(operation, path, error);
  }
}

/** Awaits a callback of the file system: cheaper than its promises, and this is the log's hot path. */
function back<T = void>(
  operation: string,
  path: string,
  run: (done: (error: Error | null, value?: T) => void) => void,
): Promise<T> {
  return new Promise((resolvePromise, reject) => {
    run((error, value) => {
      if (error !== null) reject(toDiskError(operation, path, error));
      else resolvePromise(value as T);
    });
  });
}

function toDiskError(operation: string, path: string, cause: unknown): DiskError {
  const { code, message } = cause as NodeJS.ErrnoException;
  return new DiskError({ code: code ?? 'EIO', operation, path, detail: message, cause });
}
