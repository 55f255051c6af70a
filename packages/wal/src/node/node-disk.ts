/**
 * The system's own file system.
 *
 * A write goes into the page cache in the calling thread (some microseconds; handing it to another thread costs ten times
 * that), everything that waits for the disk goes to the thread pool.
 */
import { close, fdatasync, fsync, ftruncate, open, fstat, read, writeSync } from 'node:fs';
import { mkdir, readdir, rename, stat, statfs, unlink } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { DirectoryLock, Disk, DiskFile, OpenMode } from '../disk.ts';
import { DiskError } from '../disk-error.ts';
import { lockDirectory } from './directory-lock.ts';

const FLAGS: Readonly<Record<OpenMode, string>> = { create: 'wx+', write: 'r+', read: 'r' };

/** Files are for their owner alone, as etcd's are (client/pkg/fileutil, PrivateFileMode). */
const FILE_MODE = 0o600;
const DIRECTORY_MODE = 0o700;

/** {@link Disk} over `node:fs`. */
export class NodeDisk implements Disk {
  async makeDirectory(path: string): Promise<void> {
    const made = await within('makeDirectory', path, () =>
      mkdir(path, { recursive: true, mode: DIRECTORY_MODE }),
    );
    if (made === undefined) return;
    // `made` is the topmost new one: its name, and every name below it, is to last.
    for (let at = path; ; at = dirname(at)) {
      await this.syncDirectory(dirname(at));
      if (at === made || at === dirname(at) || !at.startsWith(made)) return;
    }
  }

  async list(path: string): Promise<readonly string[]> {
    const names = await within('list', path, () => readdir(path));
    return names.sort();
  }

  async open(path: string, mode: OpenMode): Promise<DiskFile> {
    const descriptor = await called<number>('open', path, (done) =>
      open(path, FLAGS[mode], FILE_MODE, done),
    );
    return new NodeFile(path, descriptor);
  }

  async rename(from: string, to: string): Promise<void> {
    await within('rename', from, () => rename(from, to));
  }

  async remove(path: string): Promise<void> {
    await within('remove', path, () => unlink(path));
  }

  async syncDirectory(path: string): Promise<void> {
    const descriptor = await called<number>('syncDirectory', path, (done) => open(path, 'r', done));
    try {
      await called('syncDirectory', path, (done) => fsync(descriptor, (error) => done(error)));
    } finally {
      await called('syncDirectory', path, (done) => close(descriptor, (error) => done(error)));
    }
  }

  async stat(path: string): Promise<{ readonly sizeBytes: number } | undefined> {
    try {
      return { sizeBytes: (await within('stat', path, () => stat(path))).size };
    } catch (error) {
      if (error instanceof DiskError && error.code === 'ENOENT') return undefined;
      throw error;
    }
  }

  async freeBytes(path: string): Promise<number> {
    const { bavail, bsize } = await within('freeBytes', path, () => statfs(path));
    return bavail * bsize;
  }

  lockDirectory(path: string): Promise<DirectoryLock> {
    return lockDirectory(path);
  }
}

class NodeFile implements DiskFile {
  readonly path: string;
  #descriptor: number | undefined;

  constructor(path: string, descriptor: number) {
    this.path = path;
    this.#descriptor = descriptor;
  }

  async read(positionBytes: number, into: Uint8Array): Promise<number> {
    const descriptor = this.#open('read');
    return called<number>('read', this.path, (done) =>
      read(descriptor, into, 0, into.length, positionBytes, done),
    );
  }

  write(positionBytes: number, bytes: Uint8Array): void {
    const descriptor = this.#open('write');
    let written = 0;
    try {
      while (written < bytes.length) {
        written += writeSync(
          descriptor,
          bytes,
          written,
          bytes.length - written,
          positionBytes + written,
        );
      }
    } catch (cause) {
      throw asDiskError('write', this.path, cause);
    }
  }

  async truncate(sizeBytes: number): Promise<void> {
    const descriptor = this.#open('truncate');
    await called('truncate', this.path, (done) =>
      ftruncate(descriptor, sizeBytes, (error) => done(error)),
    );
  }

  async sync(): Promise<void> {
    const descriptor = this.#open('sync');
    await called('sync', this.path, (done) => fdatasync(descriptor, (error) => done(error)));
  }

  async size(): Promise<number> {
    const descriptor = this.#open('size');
    return called<number>('size', this.path, (done) =>
      fstat(descriptor, (error, found) => done(error, error === null ? found.size : 0)),
    );
  }

  async close(): Promise<void> {
    const descriptor = this.#descriptor;
    if (descriptor === undefined) return;
    this.#descriptor = undefined;
    await called('close', this.path, (done) => close(descriptor, (error) => done(error)));
  }

  #open(operation: string): number {
    if (this.#descriptor !== undefined) return this.#descriptor;
    throw new DiskError({ code: 'CLOSED', operation, path: this.path });
  }
}

type Callback<T> = (error: NodeJS.ErrnoException | null | undefined, value?: T) => void;

/** The promise of a call of `node:fs` that takes a callback; its failure is a {@link DiskError}. */
function called<T = void>(
  operation: string,
  path: string,
  call: (done: Callback<T>) => void,
): Promise<T> {
  return new Promise((resolve, reject) => {
    call((error, value) => {
      if (error == null) resolve(value as T); // node:fs gives a value whenever it gives no error
      else reject(asDiskError(operation, path, error));
    });
  });
}

async function within<T>(operation: string, path: string, call: () => Promise<T>): Promise<T> {
  try {
    return await call();
  } catch (cause) {
    throw asDiskError(operation, path, cause);
  }
}

function asDiskError(operation: string, path: string, cause: unknown): DiskError {
  const { code, message } = cause as NodeJS.ErrnoException; // node:fs throws nothing else
  return new DiskError({ code: code ?? 'EIO', operation, path, detail: message, cause });
}
