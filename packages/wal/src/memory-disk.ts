import type { DirectoryLock, Disk, DiskFile, OpenMode } from './disk.ts';
import { DiskError } from './disk-error.ts';
import { PagedBytes } from './paged-bytes.ts';

/** Bytes that a disk in memory says are free. */
const FREE_BYTES: number = 2 ** 40;

/**
 * A file system in memory, gone with the process: syncs have nothing to do. What loses unsynced writes is `CrashDisk` of
 * `@etcd-ts/wal/testing`.
 *
 * Invariant: every file's directory is in `#directories`.
 */
export class MemoryDisk implements Disk {
  readonly #files = new Map<string, PagedBytes>();
  readonly #directories = new Set<string>(['', '.', '/']);
  readonly #locked = new Set<string>();

  async makeDirectory(path: string): Promise<void> {
    for (let at = path; !this.#directories.has(at); at = parentOf(at)) this.#directories.add(at);
  }

  async list(path: string): Promise<readonly string[]> {
    if (!this.#directories.has(path)) throw missing('list', path);
    const names: string[] = [];
    for (const each of [...this.#files.keys(), ...this.#directories]) {
      if (each !== path && parentOf(each) === path)
        names.push(each.slice(each.lastIndexOf('/') + 1));
    }
    return names.sort();
  }

  async open(path: string, mode: OpenMode): Promise<DiskFile> {
    let bytes = this.#files.get(path);
    if (mode === 'create') {
      if (bytes !== undefined) throw new DiskError({ code: 'EEXIST', operation: 'open', path });
      if (!this.#directories.has(parentOf(path))) throw missing('open', path);
      this.#files.set(path, (bytes = new PagedBytes()));
    }
    if (bytes === undefined) throw missing('open', path);
    return new MemoryFile(path, bytes, mode !== 'read');
  }

  async rename(from: string, to: string): Promise<void> {
    const bytes = this.#files.get(from);
    if (bytes === undefined) throw missing('rename', from);
    if (!this.#directories.has(parentOf(to))) throw missing('rename', to);
    this.#files.delete(from);
    this.#files.set(to, bytes);
  }

  async remove(path: string): Promise<void> {
    if (!this.#files.delete(path)) throw missing('remove', path);
  }

  async syncDirectory(path: string): Promise<void> {
    if (!this.#directories.has(path)) throw missing('syncDirectory', path);
  }

  async stat(path: string): Promise<{ readonly sizeBytes: number } | undefined> {
    const bytes = this.#files.get(path);
    if (bytes !== undefined) return { sizeBytes: bytes.sizeBytes };
    return this.#directories.has(path) ? { sizeBytes: 0 } : undefined;
  }

  async freeBytes(_path: string): Promise<number> {
    return FREE_BYTES;
  }

  async lockDirectory(path: string): Promise<DirectoryLock> {
    if (!this.#directories.has(path)) throw missing('lockDirectory', path);
    if (this.#locked.has(path)) {
      const detail = 'the directory is in use by this process';
      throw new DiskError({ code: 'LOCKED', operation: 'lockDirectory', path, detail });
    }
    this.#locked.add(path);
    let held = true;
    return {
      release: async () => {
        if (held) this.#locked.delete(path);
        held = false;
      },
    };
  }
}

class MemoryFile implements DiskFile {
  readonly path: string;
  readonly #bytes: PagedBytes;
  readonly #isWritable: boolean;
  #isClosed = false;

  constructor(path: string, bytes: PagedBytes, isWritable: boolean) {
    this.path = path;
    this.#bytes = bytes;
    this.#isWritable = isWritable;
  }

  async read(positionBytes: number, into: Uint8Array): Promise<number> {
    this.#check('read');
    return this.#bytes.read(positionBytes, into);
  }

  write(positionBytes: number, bytes: Uint8Array): void {
    this.#checkWritable('write');
    this.#bytes.write(positionBytes, bytes);
  }

  async truncate(sizeBytes: number): Promise<void> {
    this.#checkWritable('truncate');
    this.#bytes.resize(sizeBytes);
  }

  async sync(): Promise<void> {
    this.#check('sync');
  }

  async size(): Promise<number> {
    this.#check('size');
    return this.#bytes.sizeBytes;
  }

  async close(): Promise<void> {
    this.#isClosed = true;
  }

  #check(operation: string): void {
    if (this.#isClosed) throw new DiskError({ code: 'CLOSED', operation, path: this.path });
  }

  #checkWritable(operation: string): void {
    this.#check(operation);
    if (!this.#isWritable) throw new DiskError({ code: 'EBADF', operation, path: this.path });
  }
}

function parentOf(path: string): string {
  const slash = path.lastIndexOf('/');
  return slash > 0 ? path.slice(0, slash) : slash === 0 && path !== '/' ? '/' : '';
}

function missing(operation: string, path: string): DiskError {
  return new DiskError({ code: 'ENOENT', operation, path });
}
