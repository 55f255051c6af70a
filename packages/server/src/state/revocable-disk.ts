/**
 * A disk that can be taken away at once, as a kill takes it away from a process: from then on nothing is written,
 * synced or renamed, and every lock is given up. What was written before stays as it is.
 */
import {
  type DirectoryLock,
  type Disk,
  DiskError,
  type DiskFile,
  type OpenMode,
} from '@etcd-ts/wal';

/** Passes everything on until {@link revoke}. */
export class RevocableDisk implements Disk {
  readonly #disk: Disk;
  readonly #files = new Set<DiskFile>();
  readonly #locks = new Set<DirectoryLock>();
  #isRevoked = false;

  constructor(disk: Disk) {
    this.#disk = disk;
  }

  /** Takes the disk away. Resolves when files are closed and locks given up. Harmless when repeated. */
  async revoke(): Promise<void> {
    this.#isRevoked = true;
    for (const file of this.#files) await file.close();
    for (const lock of this.#locks) await lock.release();
    this.#files.clear();
    this.#locks.clear();
  }

  async makeDirectory(path: string): Promise<void> {
    this.#check('makeDirectory', path);
    return this.#disk.makeDirectory(path);
  }

  async list(path: string): Promise<readonly string[]> {
    this.#check('list', path);
    return this.#disk.list(path);
  }

  async open(path: string, mode: OpenMode): Promise<DiskFile> {
    this.#check('open', path);
    const file = await this.#disk.open(path, mode);
    if (this.#isRevoked) {
      await file.close();
      this.#check('open', path);
    }
    this.#files.add(file);
    return this.#guarded(file);
  }

  async rename(from: string, to: string): Promise<void> {
    this.#check('rename', from);
    return this.#disk.rename(from, to);
  }

  async remove(path: string): Promise<void> {
    this.#check('remove', path);
    return this.#disk.remove(path);
  }

  async syncDirectory(path: string): Promise<void> {
    this.#check('syncDirectory', path);
    return this.#disk.syncDirectory(path);
  }

  async stat(path: string): Promise<{ readonly sizeBytes: number } | undefined> {
    this.#check('stat', path);
    return this.#disk.stat(path);
  }

  async freeBytes(path: string): Promise<number> {
    this.#check('freeBytes', path);
    return this.#disk.freeBytes(path);
  }

  async lockDirectory(path: string): Promise<DirectoryLock> {
    this.#check('lockDirectory', path);
    const lock = await this.#disk.lockDirectory(path);
    this.#locks.add(lock);
    return {
      release: async () => {
        this.#locks.delete(lock);
        await lock.release();
      },
    };
  }

  #check(operation: string, path: string): void {
    if (this.#isRevoked) throw refusal(operation, path);
  }

  /** What is passed on unless the disk is gone; a call more for each would be paid with every write of the log. */
  #guarded(file: DiskFile): DiskFile {
    const { path } = file;
    const refused = (operation: string): Promise<never> | undefined =>
      this.#isRevoked ? Promise.reject(refusal(operation, path)) : undefined;
    return {
      path,
      read: (positionBytes, into) => refused('read') ?? file.read(positionBytes, into),
      write: (positionBytes, bytes) => {
        this.#check('write', path);
        file.write(positionBytes, bytes);
      },
      truncate: (sizeBytes) => refused('truncate') ?? file.truncate(sizeBytes),
      sync: () => refused('sync') ?? file.sync(),
      size: () => refused('size') ?? file.size(),
      close: async () => {
        this.#files.delete(file);
        return file.close();
      },
    };
  }
}

function refusal(operation: string, path: string): DiskError {
  return new DiskError({ code: 'CLOSED', operation, path, detail: 'the node was killed' });
}
