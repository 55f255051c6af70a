/**
 * What lies on a machine's disk, read without time passing and without a process: for judges. It only reads.
 *
 * Either as the system's cache shows it, or as it would be after the worst power loss: nothing but what is durable.
 */
import { type Disk, DiskError, type DiskFile, type OpenMode, SECTOR_BYTES } from '@etcd-ts/wal';
import { type DiskImage, type Inode, nameOf, parentOf, ZERO_SECTOR } from './disk-image.ts';

/** Which of the two is shown. */
export type DiskView = 'visible' | 'durable';

/** A disk on which nothing moves. */
export class StillDisk implements Disk {
  readonly #image: DiskImage;
  readonly #view: DiskView;

  constructor(image: DiskImage, view: DiskView) {
    this.#image = image;
    this.#view = view;
  }

  async list(path: string): Promise<readonly string[]> {
    return [...this.#names('list', path).keys()].sort((a, b) => (a < b ? -1 : 1));
  }

  async open(path: string, mode: OpenMode): Promise<DiskFile> {
    if (mode !== 'read') throw new DiskError({ code: 'EBADF', operation: 'open', path });
    const inode = this.#names('open', parentOf(path)).get(nameOf(path));
    if (inode === undefined) throw new DiskError({ code: 'ENOENT', operation: 'open', path });
    return new StillFile(path, inode, this.#view);
  }

  async stat(path: string): Promise<{ readonly sizeBytes: number } | undefined> {
    if (this.#image.directories.has(path)) return { sizeBytes: 0 };
    const inode = this.#image.directoryOf(path)?.[this.#view].get(nameOf(path));
    return inode === undefined ? undefined : { sizeBytes: sizeOf(inode, this.#view) };
  }

  freeBytes(): Promise<number> {
    return Promise.resolve(0);
  }

  makeDirectory(path: string): Promise<void> {
    return readsAlone('makeDirectory', path);
  }

  rename(from: string): Promise<void> {
    return readsAlone('rename', from);
  }

  remove(path: string): Promise<void> {
    return readsAlone('remove', path);
  }

  syncDirectory(path: string): Promise<void> {
    return readsAlone('syncDirectory', path);
  }

  lockDirectory(path: string): Promise<never> {
    return readsAlone('lockDirectory', path);
  }

  #names(operation: string, path: string): ReadonlyMap<string, Inode> {
    const directory = this.#image.directories.get(path);
    if (directory === undefined) throw new DiskError({ code: 'ENOENT', operation, path });
    return directory[this.#view];
  }
}

class StillFile implements DiskFile {
  readonly path: string;
  readonly #inode: Inode;
  readonly #view: DiskView;

  constructor(path: string, inode: Inode, view: DiskView) {
    this.path = path;
    this.#inode = inode;
    this.#view = view;
  }

  async read(position: number, into: Uint8Array): Promise<number> {
    if (this.#view === 'visible') return this.#inode.read(position, into);
    const count = Math.max(0, Math.min(into.length, this.#inode.durableSize - position));
    into.fill(0, 0, count);
    const first = Math.floor(position / SECTOR_BYTES);
    const last = Math.floor((position + count - 1) / SECTOR_BYTES);
    for (let number = first; count > 0 && number <= last; number++) {
      const sector = this.#inode.durable.get(number);
      if (sector === undefined || sector === ZERO_SECTOR) continue;
      const from = Math.max(0, position - number * SECTOR_BYTES);
      const at = number * SECTOR_BYTES + from - position;
      into.set(sector.subarray(from, Math.min(SECTOR_BYTES, from + count - at)), at);
    }
    return count;
  }

  async size(): Promise<number> {
    return sizeOf(this.#inode, this.#view);
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  write(): void {
    throw new DiskError({ code: 'EBADF', operation: 'write', path: this.path });
  }

  truncate(): Promise<void> {
    return readsAlone('truncate', this.path);
  }

  sync(): Promise<void> {
    return readsAlone('sync', this.path);
  }
}

/** Zeros at the end are left out but for a sector: a log writes far more of them than of anything else. */
function sizeOf(inode: Inode, view: DiskView): number {
  const sizeBytes = view === 'visible' ? inode.size : inode.durableSize;
  let last = Math.max(0, inode.contentEnd - 1);
  while (last > 0 && isBlank(sectorOf(inode, view, last))) last--;
  return Math.min(sizeBytes, (last + 2) * SECTOR_BYTES);
}

function sectorOf(inode: Inode, view: DiskView, number: number): Uint8Array | undefined {
  return view === 'visible' ? inode.sector(number) : inode.durable.get(number);
}

function isBlank(sector: Uint8Array | undefined): boolean {
  return sector === undefined || sector === ZERO_SECTOR;
}

function readsAlone(operation: string, path: string): Promise<never> {
  return Promise.reject(new DiskError({ code: 'EBADF', operation, path }));
}
