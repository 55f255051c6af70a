import type { DirectoryLock, Disk, DiskFile, OpenMode } from '@etcd-ts/wal';

/**
 * A disk that never waits until bytes are on it (`--unsafe-no-fsync`): the operating system writes when it likes. A
 * killed process loses nothing, a power cut loses what was acknowledged.
 */
export class UnsyncedDisk implements Disk {
  readonly #disk: Disk;

  constructor(disk: Disk) {
    this.#disk = disk;
  }

  makeDirectory(path: string): Promise<void> {
    return this.#disk.makeDirectory(path);
  }

  list(path: string): Promise<readonly string[]> {
    return this.#disk.list(path);
  }

  async open(path: string, mode: OpenMode): Promise<DiskFile> {
    const file = await this.#disk.open(path, mode);
    return {
      path: file.path,
      read: (positionBytes, into) => file.read(positionBytes, into),
      write: (positionBytes, bytes) => file.write(positionBytes, bytes),
      truncate: (sizeBytes) => file.truncate(sizeBytes),
      sync: () => Promise.resolve(),
      size: () => file.size(),
      close: () => file.close(),
    };
  }

  rename(from: string, to: string): Promise<void> {
    return this.#disk.rename(from, to);
  }

  remove(path: string): Promise<void> {
    return this.#disk.remove(path);
  }

  syncDirectory(): Promise<void> {
    return Promise.resolve();
  }

  stat(path: string): Promise<{ readonly sizeBytes: number } | undefined> {
    return this.#disk.stat(path);
  }

  freeBytes(path: string): Promise<number> {
    return this.#disk.freeBytes(path);
  }

  lockDirectory(path: string): Promise<DirectoryLock> {
    return this.#disk.lockDirectory(path);
  }
}
