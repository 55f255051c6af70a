/**
 * A disk that loses power: what a crash may leave of unsynced writes and names is for the test to choose.
 *
 * The page-cache model: a file is its durable bytes and the sectors written since its last sync; a directory is its
 * durable names and the names changed since its last sync. {@link CrashDisk.crash} keeps any subset of both.
 */
import type { DirectoryLock, Disk, DiskFile, OpenMode } from '../disk.ts';
import { SECTOR_BYTES } from '../disk.ts';
import { DiskError, type DiskErrorCode } from '../disk-error.ts';
import { PagedBytes } from '../paged-bytes.ts';

/** Something that was not durable when the power went. */
export type Unsynced =
  | { readonly kind: 'sector'; readonly path: string; readonly sector: number }
  | { readonly kind: 'name'; readonly path: string };

/** One operation on the disk, before it happens. */
export interface DiskOperation {
  readonly operation: string;
  readonly path: string;
  /** Position among all operations, from 0. */
  readonly number: number;
}

/**
 * How much of something unsynced a crash keeps: all, nothing, or so many bytes of the beginning of what a sector holds, the
 * rest being what was durable.
 */
export type Keeps = (what: Unsynced) => boolean | number;

/** What an operation meets instead of happening. */
export type Fault =
  /** It fails with this code. A failed sync loses what was written since the last good one, as some systems do. */
  | { readonly kind: 'error'; readonly code: DiskErrorCode }
  /** A sync fails, and the system goes on showing what was written but takes it for written, as Linux does. */
  | { readonly kind: 'forgetfulError'; readonly code: DiskErrorCode }
  /** The power goes before it happens; everything fails until {@link CrashDisk.crash}. */
  | { readonly kind: 'power' };

/** Invariant: `current` and `durable` differ in sectors of `dirty` and behind `lowestSizeBytes` alone. */
class Inode {
  current = new PagedBytes();
  durable = new PagedBytes();
  readonly dirty = new Set<number>();
  /** The smallest size since the last sync: what was behind it is gone. */
  #lowestSizeBytes = 0;

  write(positionBytes: number, bytes: Uint8Array): void {
    this.current.write(positionBytes, bytes);
    const last = Math.floor((positionBytes + bytes.length - 1) / SECTOR_BYTES);
    for (let at = Math.floor(positionBytes / SECTOR_BYTES); at <= last; at++) this.dirty.add(at);
  }

  resize(sizeBytes: number): void {
    this.current.resize(sizeBytes);
    this.#lowestSizeBytes = Math.min(this.#lowestSizeBytes, sizeBytes);
  }

  sync(): void {
    this.durable.resize(Math.min(this.durable.sizeBytes, this.#lowestSizeBytes));
    this.durable.resize(this.current.sizeBytes);
    const bytes = new Uint8Array(SECTOR_BYTES);
    for (const sector of this.dirty) {
      const count = this.current.read(sector * SECTOR_BYTES, bytes);
      if (count > 0) this.durable.write(sector * SECTOR_BYTES, bytes.subarray(0, count));
    }
    this.forget();
  }

  /** Takes what was written for durable, whether it is or not. */
  forget(): void {
    this.dirty.clear();
    this.#lowestSizeBytes = this.current.sizeBytes;
  }

  /** What is durable from now on, and shown. */
  become(bytes: PagedBytes): void {
    this.durable = bytes;
    this.current = bytes.copy();
    this.forget();
  }

  /** What a crash leaves when it keeps this of what was not synced. */
  settle(keeps: (sector: number) => boolean | number): void {
    const left = this.durable.copy();
    const bytes = new Uint8Array(SECTOR_BYTES);
    for (const sector of this.dirty) {
      const kept = keeps(sector);
      const limit = kept === true ? SECTOR_BYTES : kept === false ? 0 : kept;
      const count = Math.min(limit, this.current.read(sector * SECTOR_BYTES, bytes));
      if (count > 0) left.write(sector * SECTOR_BYTES, bytes.subarray(0, count));
    }
    this.become(left);
  }
}

/** A disk for tests of what survives. */
export class CrashDisk implements Disk {
  /** Looks at every operation before it happens. */
  onOperation: ((operation: DiskOperation) => Fault | undefined) | undefined;
  #names = new Map<string, Inode>();
  #durableNames = new Map<string, Inode>();
  readonly #directories = new Set<string>(['', '/']);
  readonly #locked = new Set<string>();
  /** Grows with every crash: what was opened before it is dead. */
  #boot = 0;
  #operations = 0;
  #hasPower = true;

  /** Operations so far. */
  get operations(): number {
    return this.#operations;
  }

  /** Everything that a crash now may keep or lose. */
  unsynced(): Unsynced[] {
    const paths = new Set([...this.#names.keys(), ...this.#durableNames.keys()]);
    const list: Unsynced[] = [];
    for (const path of paths) {
      if (this.#names.get(path) !== this.#durableNames.get(path)) list.push({ kind: 'name', path });
      for (const sector of this.#names.get(path)?.dirty ?? []) {
        list.push({ kind: 'sector', path, sector });
      }
    }
    return list;
  }

  /** The power goes and comes back; `keeps` says what of {@link unsynced} made it to the disk. */
  crash(keeps: Keeps = () => false): void {
    const names = new Map(this.#durableNames);
    for (const what of this.unsynced()) {
      if (what.kind !== 'name' || keeps(what) === false) continue;
      const inode = this.#names.get(what.path);
      if (inode === undefined) names.delete(what.path);
      else names.set(what.path, inode);
    }
    for (const [path, inode] of new Map([...this.#names, ...names])) {
      inode.settle((sector) => keeps({ kind: 'sector', path, sector }));
    }
    this.#names = names;
    this.#durableNames = new Map(names);
    this.kill();
  }

  /** The process ends, the system goes on: nothing is lost, and nothing more of it is durable. */
  kill(): void {
    this.#locked.clear();
    this.#boot += 1;
    this.#hasPower = true;
  }

  /** The bytes of a file as they are now, to look at or to damage (durably) with {@link overwrite}. */
  bytesOf(path: string): Uint8Array {
    const inode = this.#inode('bytesOf', path);
    const bytes = new Uint8Array(inode.current.sizeBytes);
    inode.current.read(0, bytes);
    return bytes;
  }

  /** Replaces a file's content durably, as bit rot or a misdirected write would. */
  overwrite(path: string, bytes: Uint8Array): void {
    const inode = this.#inode('overwrite', path);
    const content = new PagedBytes();
    content.write(0, bytes);
    inode.become(content);
  }

  /** A second disk with the same durable content. */
  copy(): CrashDisk {
    const copy = new CrashDisk();
    for (const path of this.#directories) copy.#directories.add(path);
    for (const [path, inode] of this.#durableNames) {
      const other = new Inode();
      other.become(inode.durable.copy());
      copy.#names.set(path, other);
      copy.#durableNames.set(path, other);
    }
    return copy;
  }

  async makeDirectory(path: string): Promise<void> {
    this.#begin('makeDirectory', path);
    for (let at = path; !this.#directories.has(at); at = parentOf(at)) this.#directories.add(at);
  }

  async list(path: string): Promise<readonly string[]> {
    this.#begin('list', path);
    if (!this.#directories.has(path)) throw missing('list', path);
    const below = [...this.#names.keys(), ...this.#directories];
    return below
      .filter((each) => each !== path && parentOf(each) === path)
      .map((each) => each.slice(each.lastIndexOf('/') + 1))
      .sort();
  }

  async open(path: string, mode: OpenMode): Promise<DiskFile> {
    this.#begin('open', path);
    let inode = this.#names.get(path);
    if (mode === 'create') {
      if (inode !== undefined) throw new DiskError({ code: 'EEXIST', operation: 'open', path });
      if (!this.#directories.has(parentOf(path))) throw missing('open', path);
      this.#names.set(path, (inode = new Inode()));
    }
    if (inode === undefined) throw missing('open', path);
    return this.#file(path, inode, mode !== 'read');
  }

  async rename(from: string, to: string): Promise<void> {
    this.#begin('rename', from);
    const inode = this.#inode('rename', from);
    this.#names.delete(from);
    this.#names.set(to, inode);
  }

  async remove(path: string): Promise<void> {
    this.#begin('remove', path);
    if (!this.#names.delete(path)) throw missing('remove', path);
  }

  async syncDirectory(path: string): Promise<void> {
    this.#begin('syncDirectory', path);
    if (!this.#directories.has(path)) throw missing('syncDirectory', path);
    for (const name of new Set([...this.#names.keys(), ...this.#durableNames.keys()])) {
      if (parentOf(name) !== path) continue;
      const inode = this.#names.get(name);
      if (inode === undefined) this.#durableNames.delete(name);
      else this.#durableNames.set(name, inode);
    }
  }

  async stat(path: string): Promise<{ readonly sizeBytes: number } | undefined> {
    this.#begin('stat', path);
    const inode = this.#names.get(path);
    if (inode !== undefined) return { sizeBytes: inode.current.sizeBytes };
    return this.#directories.has(path) ? { sizeBytes: 0 } : undefined;
  }

  async freeBytes(path: string): Promise<number> {
    this.#begin('freeBytes', path);
    return 2 ** 40;
  }

  async lockDirectory(path: string): Promise<DirectoryLock> {
    this.#begin('lockDirectory', path);
    if (!this.#directories.has(path)) throw missing('lockDirectory', path);
    if (this.#locked.has(path)) {
      throw new DiskError({ code: 'LOCKED', operation: 'lockDirectory', path });
    }
    this.#locked.add(path);
    const boot = this.#boot;
    let isHeld = true;
    return {
      release: async () => {
        if (isHeld && boot === this.#boot) this.#locked.delete(path);
        isHeld = false;
      },
    };
  }

  #file(path: string, inode: Inode, isWritable: boolean): DiskFile {
    const boot = this.#boot;
    let isClosed = false;
    const begin = (operation: string): void => {
      if (isClosed || boot !== this.#boot) {
        throw new DiskError({ code: 'CLOSED', operation, path });
      }
      this.#begin(operation, path, inode);
    };
    const beginWrite = (operation: string): void => {
      if (!isWritable) throw new DiskError({ code: 'EBADF', operation, path });
      begin(operation);
    };
    return {
      path,
      read: async (positionBytes, into) => {
        begin('read');
        return inode.current.read(positionBytes, into);
      },
      write: (positionBytes, bytes) => {
        beginWrite('write');
        inode.write(positionBytes, bytes);
      },
      truncate: async (sizeBytes) => {
        beginWrite('truncate');
        inode.resize(sizeBytes);
      },
      sync: async () => {
        begin('sync');
        inode.sync();
      },
      size: async () => {
        begin('size');
        return inode.current.sizeBytes;
      },
      close: async () => {
        isClosed = true;
      },
    };
  }

  #begin(operation: string, path: string, inode?: Inode): void {
    if (!this.#hasPower) throw new DiskError({ code: 'EIO', operation, path, detail: 'no power' });
    const fault = this.onOperation?.({ operation, path, number: this.#operations });
    this.#operations += 1;
    if (fault === undefined) return;
    if (fault.kind === 'power') this.#hasPower = false;
    else if (operation === 'sync' && fault.kind === 'error') inode?.settle(() => false);
    else if (operation === 'sync') inode?.forget();
    const code = fault.kind === 'power' ? 'EIO' : fault.code;
    throw new DiskError({ code, operation, path, detail: fault.kind });
  }

  #inode(operation: string, path: string): Inode {
    const inode = this.#names.get(path);
    if (inode === undefined) throw missing(operation, path);
    return inode;
  }
}

function parentOf(path: string): string {
  const slash = path.lastIndexOf('/');
  return slash > 0 ? path.slice(0, slash) : slash === 0 && path !== '/' ? '/' : '';
}

function missing(operation: string, path: string): DiskError {
  return new DiskError({ code: 'ENOENT', operation, path });
}
