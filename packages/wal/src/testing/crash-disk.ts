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

/** What an operation meets instead of happening. */
export type Fault =
  /** It fails with this code. A failed sync loses what was written since the last good one, as Linux does. */
  | { readonly kind: 'error'; readonly code: DiskErrorCode }
  /** The power goes before it happens; everything fails until {@link CrashDisk.crash}. */
  | { readonly kind: 'power' };

class Inode {
  current = new PagedBytes();
  durable = new PagedBytes();
  readonly dirty = new Set<number>();

  sync(): void {
    this.durable = this.current.copy();
    this.dirty.clear();
  }

  /** What a crash leaves when it keeps these sectors of what was not synced. */
  settle(keeps: (sector: number) => boolean): void {
    const left = this.durable.copy();
    const sector = new Uint8Array(SECTOR_BYTES);
    for (const number of this.dirty) {
      if (!keeps(number)) continue;
      const count = this.current.read(number * SECTOR_BYTES, sector);
      left.write(number * SECTOR_BYTES, sector.subarray(0, count));
    }
    this.current = left;
    this.sync();
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
  crash(keeps: (what: Unsynced) => boolean = () => false): void {
    const names = new Map(this.#durableNames);
    for (const what of this.unsynced()) {
      if (what.kind !== 'name' || !keeps(what)) continue;
      const inode = this.#names.get(what.path);
      if (inode === undefined) names.delete(what.path);
      else names.set(what.path, inode);
    }
    for (const [path, inode] of new Map([...this.#names, ...names])) {
      inode.settle((sector) => keeps({ kind: 'sector', path, sector }));
    }
    this.#names = names;
    this.#durableNames = new Map(names);
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
    inode.current = new PagedBytes();
    inode.current.write(0, bytes);
    inode.sync();
  }

  /** A second disk with the same durable content. */
  copy(): CrashDisk {
    const copy = new CrashDisk();
    for (const path of this.#directories) copy.#directories.add(path);
    for (const [path, inode] of this.#durableNames) {
      const other = new Inode();
      other.current = inode.durable.copy();
      other.sync();
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
        inode.current.write(positionBytes, bytes);
        const last = Math.floor((positionBytes + bytes.length - 1) / SECTOR_BYTES);
        for (let at = Math.floor(positionBytes / SECTOR_BYTES); at <= last; at++)
          inode.dirty.add(at);
      },
      truncate: async (sizeBytes) => {
        beginWrite('truncate');
        inode.current.resize(sizeBytes);
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
    else if (operation === 'sync') inode?.settle(() => false);
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
