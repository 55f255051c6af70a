/**
 * The Disk port of one process on its machine's simulated disk: every operation takes virtual time, may fail, and may
 * be the one in whose middle the machine loses power.
 *
 * What always holds: a dead process completes nothing; a write is visible at once and durable only by a sync that began
 * after it.
 */
import {
  type DirectoryLock,
  type Disk,
  DiskError,
  type DiskFile,
  type OpenMode,
  SECTOR_BYTES,
} from '@etcd-ts/wal';
import type { SimProcess } from '../world/process.ts';
import type { RandomStream } from '../world/random.ts';
import type { PassPoint } from '../cluster/crash-points.ts';
import { Directory, type DiskImage, Inode, nameOf, parentOf } from './disk-image.ts';

/** How long operations take. Means of an exponential distribution. */
export interface DiskTimes {
  readonly meanSyncUs: number;
  readonly meanReadUs: number;
}

/** What a disk needs. */
export interface SimDiskOptions {
  readonly image: DiskImage;
  readonly process: SimProcess;
  readonly random: RandomStream;
  readonly times: DiskTimes;
  /** Ends the process and takes the machine's power; called in the middle of an operation. */
  readonly losePower: () => void;
  /** Told of the points at which the process may be made to end. */
  readonly pass?: PassPoint;
  /** Told of what no process may do whose disk has failed (DK3, DK4). */
  readonly complain?: (invariant: 'DK3' | 'DK4', message: string) => void;
}

/** A process whose disk has failed ends within this time. */
const END_AFTER_FAILURE_US = 5_000_000;

/** How long a stalled sync sleeps before it looks again. */
const STALL_RECHECK_US = 10_000;

/** A process's view of its disk. */
export class SimDisk implements Disk {
  readonly #options: SimDiskOptions;
  readonly #ownLocks = new Set<string>();
  /** What failed, and by which rule nothing may be written any more. */
  #failure: { readonly invariant: 'DK3' | 'DK4'; readonly what: string } | undefined;

  constructor(options: SimDiskOptions) {
    this.#options = options;
    const { image, process } = options;
    process.onKill(() => {
      for (const path of this.#ownLocks) image.locks.delete(path);
    });
  }

  async makeDirectory(path: string): Promise<void> {
    await this.#operation('makeDirectory');
    const { directories } = this.#options.image;
    for (let at = path; at !== '' && !directories.has(at); at = parentOf(at)) {
      directories.set(at, new Directory());
    }
  }

  async list(path: string): Promise<readonly string[]> {
    await this.#operation('list');
    const { directories } = this.#options.image;
    const directory = this.#directory('list', path);
    const below = [...directories.keys()].filter((each) => parentOf(each) === path).map(nameOf);
    return [...directory.visible.keys(), ...below].sort((a, b) => (a < b ? -1 : 1));
  }

  async open(path: string, mode: OpenMode): Promise<DiskFile> {
    await this.#operation('open');
    const directory = this.#directory('open', parentOf(path));
    const name = nameOf(path);
    let inode = directory.visible.get(name);
    if (mode === 'create') {
      if (inode !== undefined) throw new DiskError({ code: 'EEXIST', operation: 'open', path });
      this.#options.pass?.('create');
      inode = new Inode(this.#options.image.arena);
      if (this.#options.process.isAlive) directory.change([[name, inode]]);
      this.#options.pass?.('created');
    }
    if (inode === undefined) throw new DiskError({ code: 'ENOENT', operation: 'open', path });
    return new SimFile(path, inode, this, mode === 'read');
  }

  async rename(from: string, to: string): Promise<void> {
    await this.#operation('rename');
    const { image } = this.#options;
    this.#directory('rename', parentOf(to));
    if (image.inode(from) === undefined) {
      throw new DiskError({ code: 'ENOENT', operation: 'rename', path: from });
    }
    this.#options.pass?.('rename');
    if (this.#options.process.isAlive) image.rename(from, to);
    this.#options.pass?.('renamed');
  }

  async remove(path: string): Promise<void> {
    await this.#operation('remove');
    const directory = this.#directory('remove', parentOf(path));
    if (!directory.visible.has(nameOf(path))) {
      throw new DiskError({ code: 'ENOENT', operation: 'remove', path });
    }
    this.#options.pass?.('remove');
    if (this.#options.process.isAlive) directory.change([[nameOf(path), undefined]]);
    this.#options.pass?.('removed');
  }

  async syncDirectory(path: string): Promise<void> {
    const directory = this.#directory('syncDirectory', path);
    const captured = directory.capture();
    this.#options.pass?.('syncDirectory');
    if (await this.#sync('syncDirectory', path, () => undefined)) directory.settle(captured);
    this.#options.pass?.('directorySynced');
  }

  async stat(path: string): Promise<{ readonly sizeBytes: number } | undefined> {
    await this.#operation('stat');
    const inode = this.#options.image.inode(path);
    if (inode !== undefined) return { sizeBytes: inode.size };
    return this.#options.image.directories.has(path) ? { sizeBytes: 0 } : undefined;
  }

  async freeBytes(): Promise<number> {
    await this.#operation('freeBytes');
    return this.#options.image.freeBytes;
  }

  async lockDirectory(path: string): Promise<DirectoryLock> {
    await this.#operation('lockDirectory');
    const { locks } = this.#options.image;
    if (locks.has(path)) throw new DiskError({ code: 'LOCKED', operation: 'lockDirectory', path });
    locks.add(path);
    this.#ownLocks.add(path);
    return {
      release: async () => {
        if (this.#ownLocks.delete(path)) locks.delete(path);
      },
    };
  }

  /** @internal */
  async readFile(path: string, inode: Inode, position: number, into: Uint8Array): Promise<number> {
    await this.#operation('read');
    const { image, random } = this.#options;
    const isFailing = image.failingReads > 0;
    if (isFailing) image.failingReads--;
    if (isFailing || hasUnreadable(inode, position, into.length)) {
      throw new DiskError({ code: 'EIO', operation: 'read', path });
    }
    const isShort = image.readsShort && into.length > 1 && random.chance(0.5);
    return inode.read(position, isShort ? into.subarray(0, 1 + random.below(into.length)) : into);
  }

  /** @internal */
  writeFile(path: string, inode: Inode, position: number, bytes: Uint8Array): void {
    const { image, process, pass } = this.#options;
    pass?.('write');
    if (!process.isAlive) return;
    this.#mayGoOn('writes', path);
    const last = Math.floor((position + bytes.length - 1) / SECTOR_BYTES);
    if (image.freeBytes < SECTOR_BYTES && inode.sector(last) === undefined) {
      this.#failed('DK4', `a write to ${path} found no room`);
      throw new DiskError({ code: 'ENOSPC', operation: 'write', path });
    }
    const isBefore = this.#options.random.chance(0.5);
    const crashes = this.#countDown();
    if (!crashes || !isBefore) inode.write(position, bytes);
    if (crashes) this.#options.losePower();
    pass?.('written');
  }

  /** @internal */
  async truncateFile(path: string, inode: Inode, size: number): Promise<void> {
    await this.#operation('truncate');
    if (this.#options.image.freeBytes < SECTOR_BYTES && size > inode.size) {
      throw new DiskError({ code: 'ENOSPC', operation: 'truncate', path });
    }
    this.#options.pass?.('truncate');
    if (this.#options.process.isAlive) inode.truncate(size);
  }

  /** @internal */
  async syncFile(path: string, inode: Inode): Promise<void> {
    const captured = inode.capture();
    this.#options.pass?.('sync');
    if (await this.#sync('sync', path, () => inode.forget(captured))) inode.settle(captured);
    this.#options.pass?.('synced');
  }

  /** @returns False when the disk lies: it says that it is done, and nothing is durable. */
  async #sync(operation: string, path: string, forget: () => void): Promise<boolean> {
    const { image, process, random, times } = this.#options;
    this.#mayGoOn('syncs', path);
    const crashes = this.#countDown();
    const isBefore = random.chance(0.5);
    if (crashes && isBefore) this.#options.losePower();
    await this.#elapse(operation, 1 + random.exponential(times.meanSyncUs));
    while (image.isStalled && process.isAlive) await this.#elapse(operation, STALL_RECHECK_US);
    if (image.failsNextSync) {
      image.failsNextSync = false;
      forget();
      this.#failed('DK3', `a sync of ${path} failed`);
      throw new DiskError({ code: 'EIO', operation, path });
    }
    if (image.liesAboutSyncs) return false;
    if (crashes && !isBefore) {
      // The sync had ended on the medium, and nobody was told.
      process.world.schedule(0, 'power', () => this.#options.losePower());
    }
    return true;
  }

  /** From now on the process may only end, and has to. */
  #failed(invariant: 'DK3' | 'DK4', what: string): void {
    const { process, complain } = this.#options;
    if (complain === undefined || this.#failure !== undefined) return;
    this.#failure = { invariant, what };
    process.schedule(END_AFTER_FAILURE_US, 'failed disk', () => {
      complain(invariant, `${what}, and the process runs ${END_AFTER_FAILURE_US} us later`);
    });
  }

  #mayGoOn(does: string, path: string): void {
    const { process, complain } = this.#options;
    if (this.#failure === undefined || !process.isAlive) return;
    const { invariant, what } = this.#failure;
    complain?.(invariant, `${what}, and the process ${does} ${path} all the same`);
  }

  /** Time passes, and perhaps the power goes. */
  async #operation(operation: string): Promise<void> {
    const { random, times } = this.#options;
    if (this.#countDown()) this.#options.losePower();
    await this.#elapse(operation, 1 + random.exponential(times.meanReadUs));
  }

  #elapse(operation: string, delayUs: number): Promise<void> {
    return new Promise((resolve) => {
      this.#options.process.schedule(delayUs, operation, resolve);
    });
  }

  #countDown(): boolean {
    const { image } = this.#options;
    if (image.operationsToCrash === undefined) return false;
    image.operationsToCrash--;
    if (image.operationsToCrash >= 0) return false;
    image.operationsToCrash = undefined;
    return true;
  }

  #directory(operation: string, path: string): Directory {
    const directory = this.#options.image.directories.get(path);
    if (directory === undefined) throw new DiskError({ code: 'ENOENT', operation, path });
    return directory;
  }
}

function hasUnreadable({ unreadable }: Inode, position: number, length: number): boolean {
  for (const number of unreadable) {
    const start = number * SECTOR_BYTES;
    if (start < position + length && start + SECTOR_BYTES > position) return true;
  }
  return false;
}

class SimFile implements DiskFile {
  readonly path: string;
  readonly #inode: Inode;
  readonly #disk: SimDisk;
  readonly #isReadOnly: boolean;
  #isClosed = false;

  constructor(path: string, inode: Inode, disk: SimDisk, isReadOnly: boolean) {
    this.path = path;
    this.#inode = inode;
    this.#disk = disk;
    this.#isReadOnly = isReadOnly;
  }

  read(positionBytes: number, into: Uint8Array): Promise<number> {
    return (
      this.#refused('read') ?? this.#disk.readFile(this.path, this.#inode, positionBytes, into)
    );
  }

  write(positionBytes: number, bytes: Uint8Array): void {
    this.#check('write');
    if (this.#isReadOnly) {
      throw new DiskError({ code: 'EBADF', operation: 'write', path: this.path });
    }
    if (bytes.length > 0) this.#disk.writeFile(this.path, this.#inode, positionBytes, bytes);
  }

  truncate(sizeBytes: number): Promise<void> {
    return this.#refused('truncate') ?? this.#disk.truncateFile(this.path, this.#inode, sizeBytes);
  }

  sync(): Promise<void> {
    return this.#refused('sync') ?? this.#disk.syncFile(this.path, this.#inode);
  }

  async size(): Promise<number> {
    this.#check('size');
    return this.#inode.size;
  }

  async close(): Promise<void> {
    this.#isClosed = true;
  }

  #check(operation: string): void {
    if (this.#isClosed) throw new DiskError({ code: 'CLOSED', operation, path: this.path });
  }

  #refused(operation: string): Promise<never> | undefined {
    if (!this.#isClosed) return undefined;
    return Promise.reject(new DiskError({ code: 'CLOSED', operation, path: this.path }));
  }
}
