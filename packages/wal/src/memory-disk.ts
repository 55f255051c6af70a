/**
 * A disk in memory that never fails: for a node without a data directory, gone with the process.
 *
 * Everything is durable at once, since nothing survives the process anyway. For a disk that loses what was not synced see
 * `FaultyDisk` in `@etcd-ts/wal/testing`.
 */
import { EMPTY_BYTES } from '@etcd-ts/base';
import type { DirectoryLock, Disk, DiskFile, OpenMode } from './disk.ts';
import { DiskError } from './disk-error.ts';
import { directoryOf, nameOf, normalizePath } from './paths.ts';

/** What {@link Disk.freeBytes} of a disk in memory says when no capacity was given, in bytes. */
export const DEFAULT_MEMORY_CAPACITY_BYTES: number = 2 ** 40;

interface Content {
  bytes: Uint8Array;
  sizeBytes: number;
}

/** A {@link Disk} in memory. */
export class MemoryDisk implements Disk {
  readonly #directories = new Map<string, Map<string, Content>>();
  readonly #locked = new Set<string>();
  readonly #capacityBytes: number;

  /** @param options `capacityBytes`: beyond it writes fail with `ENOSPC`. */
  constructor(options: { readonly capacityBytes?: number } = {}) {
    this.#capacityBytes = options.capacityBytes ?? DEFAULT_MEMORY_CAPACITY_BYTES;
    this.#directories.set('.', new Map()).set('/', new Map());
  }

  makeDirectory(path: string): Promise<void> {
    return attempt(() => {
      for (let at = normalizePath(path); !this.#directories.has(at); at = directoryOf(at)) {
        this.#directories.set(at, new Map());
      }
    });
  }

  list(path: string): Promise<readonly string[]> {
    return attempt(() => {
      const own = normalizePath(path);
      const names = [...this.#directory('list', own).keys()];
      for (const other of this.#directories.keys()) {
        if (other !== own && directoryOf(other) === own) names.push(nameOf(other));
      }
      return names.sort();
    });
  }

  open(path: string, mode: OpenMode): Promise<DiskFile> {
    return attempt(() => {
      const at = normalizePath(path);
      const names = this.#directory('open', directoryOf(at));
      let content = names.get(nameOf(at));
      if (mode === 'create') {
        if (content !== undefined) throw failure('EEXIST', 'open', path);
        content = { bytes: EMPTY_BYTES, sizeBytes: 0 };
        names.set(nameOf(at), content);
      }
      if (content === undefined) throw failure('ENOENT', 'open', path);
      return new MemoryFile(path, content, mode !== 'read', this);
    });
  }

  rename(from: string, to: string): Promise<void> {
    return attempt(() => {
      const source = normalizePath(from);
      const target = normalizePath(to);
      const names = this.#directory('rename', directoryOf(source));
      const content = names.get(nameOf(source));
      if (content === undefined) throw failure('ENOENT', 'rename', from);
      const targetNames = this.#directory('rename', directoryOf(target));
      names.delete(nameOf(source));
      targetNames.set(nameOf(target), content);
    });
  }

  remove(path: string): Promise<void> {
    return attempt(() => {
      const at = normalizePath(path);
      const isThere = this.#directory('remove', directoryOf(at)).delete(nameOf(at));
      if (!isThere) throw failure('ENOENT', 'remove', path);
    });
  }

  syncDirectory(path: string): Promise<void> {
    return attempt(() => void this.#directory('syncDirectory', normalizePath(path)));
  }

  stat(path: string): Promise<{ readonly sizeBytes: number } | undefined> {
    return attempt(() => {
      const at = normalizePath(path);
      if (this.#directories.has(at)) return { sizeBytes: 0 };
      const content = this.#directories.get(directoryOf(at))?.get(nameOf(at));
      return content === undefined ? undefined : { sizeBytes: content.sizeBytes };
    });
  }

  freeBytes(path: string): Promise<number> {
    return attempt(() => {
      this.#directory('freeBytes', normalizePath(path));
      return Math.max(0, this.#capacityBytes - this.usedBytes());
    });
  }

  lockDirectory(path: string): Promise<DirectoryLock> {
    return attempt(() => {
      const at = normalizePath(path);
      this.#directory('lockDirectory', at);
      if (this.#locked.has(at)) {
        const detail = 'this process has it open already';
        throw new DiskError({ code: 'LOCKED', operation: 'lockDirectory', path, detail });
      }
      this.#locked.add(at);
      let isHeld = true;
      const release = (): Promise<void> => {
        if (isHeld) this.#locked.delete(at);
        isHeld = false;
        return Promise.resolve();
      };
      return { release };
    });
  }

  /** Bytes of all files. */
  usedBytes(): number {
    let total = 0;
    for (const names of this.#directories.values()) {
      for (const { sizeBytes } of names.values()) total += sizeBytes;
    }
    return total;
  }

  /**
   * Makes sure that a file may grow.
   *
   * @internal
   */
  reserve(path: string, growthBytes: number): void {
    if (this.#capacityBytes === DEFAULT_MEMORY_CAPACITY_BYTES) return;
    if (this.usedBytes() + growthBytes > this.#capacityBytes) {
      throw failure('ENOSPC', 'write', path);
    }
  }

  #directory(operation: string, path: string): Map<string, Content> {
    const names = this.#directories.get(path);
    if (names === undefined) throw failure('ENOENT', operation, path);
    return names;
  }
}

class MemoryFile implements DiskFile {
  readonly path: string;
  readonly #content: Content;
  readonly #isWritable: boolean;
  readonly #disk: MemoryDisk;
  #isOpen = true;

  constructor(path: string, content: Content, isWritable: boolean, disk: MemoryDisk) {
    this.path = path;
    this.#content = content;
    this.#isWritable = isWritable;
    this.#disk = disk;
  }

  read(positionBytes: number, into: Uint8Array): Promise<number> {
    return attempt(() => {
      this.#assertOpen('read');
      const { bytes, sizeBytes } = this.#content;
      const end = Math.min(sizeBytes, positionBytes + into.length);
      if (end <= positionBytes) return 0;
      into.set(bytes.subarray(positionBytes, end));
      return end - positionBytes;
    });
  }

  write(positionBytes: number, bytes: Uint8Array): void {
    this.#assertOpen('write');
    if (!this.#isWritable) throw failure('EBADF', 'write', this.path);
    if (bytes.length === 0) return;
    this.#resize(Math.max(this.#content.sizeBytes, positionBytes + bytes.length));
    this.#content.bytes.set(bytes, positionBytes);
  }

  truncate(sizeBytes: number): Promise<void> {
    return attempt(() => {
      this.#assertOpen('truncate');
      if (!this.#isWritable) throw failure('EBADF', 'truncate', this.path);
      this.#resize(sizeBytes);
    });
  }

  sync(): Promise<void> {
    return attempt(() => this.#assertOpen('sync'));
  }

  size(): Promise<number> {
    return attempt(() => {
      this.#assertOpen('size');
      return this.#content.sizeBytes;
    });
  }

  close(): Promise<void> {
    this.#isOpen = false;
    return Promise.resolve();
  }

  #resize(sizeBytes: number): void {
    const content = this.#content;
    const before = content.sizeBytes;
    if (sizeBytes > before) this.#disk.reserve(this.path, sizeBytes - before);
    if (sizeBytes > content.bytes.length) {
      const grown = new Uint8Array(Math.max(sizeBytes, content.bytes.length * 2));
      grown.set(content.bytes.subarray(0, before));
      content.bytes = grown;
    } else if (sizeBytes < before) {
      content.bytes.fill(0, sizeBytes, before);
    }
    content.sizeBytes = sizeBytes;
  }

  #assertOpen(operation: string): void {
    if (!this.#isOpen) throw failure('CLOSED', operation, this.path);
  }
}

function failure(code: string, operation: string, path: string): DiskError {
  return new DiskError({ code, operation, path });
}

/** Runs `action` now, and tells how it went as a disk does: later. */
function attempt<T>(action: () => T): Promise<T> {
  try {
    return Promise.resolve(action());
  } catch (error) {
    return Promise.reject(error as Error);
  }
}
