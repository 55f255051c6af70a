/**
 * What is on a machine's disk: what has reached the medium, and what the system's cache shows beyond it.
 *
 * The model of a page cache: a file is its durable sectors plus those written since its last sync; a directory is its
 * durable names plus the changes since its last sync. A power loss keeps any subset of either, sector by sector and
 * change by change, in no order. A killed process loses nothing of it.
 *
 * What always holds
 * - A sector (512 bytes) is written whole or not at all.
 * - What was synced survives every power loss; content that only the cache held never comes back after one.
 */
import { must } from '@etcd-ts/base';
import { SECTOR_BYTES } from '@etcd-ts/wal';
import type { RandomStream } from '../world/random.ts';
import type { SectorArena } from './sector-arena.ts';

/** Stands for every sector of zeros that was written; files are filled with them ahead of their use. */
export const ZERO_SECTOR: Uint8Array = new Uint8Array(SECTOR_BYTES);
/** Sectors are cut from pieces: one allocation for many. A file's first piece has so many, each later one twice as many. */
const FIRST_SLAB_SECTORS = 4;
/** Sectors of the largest pieces. */
const SLAB_SECTORS_MAX = 64;

const NO_SLAB: Uint8Array = new Uint8Array(0);

/** A file's content, wherever its name is. Sectors that are not there are zeros; none ever changes once it is made. */
export class Inode {
  readonly durable: Map<number, Uint8Array> = new Map();
  /** Sectors written since they were last made durable. */
  readonly cached: Map<number, Uint8Array> = new Map();
  /** Sectors of the medium that cannot be read until they are written again. */
  readonly unreadable: Set<number> = new Set();
  /** Of those, the ones that a failed sync was to write: no later sync makes them durable. */
  readonly #forgotten = new Set<number>();
  durableSize = 0;
  size = 0;
  /** Sectors from here on hold nothing but zeros, wherever one looks. */
  contentEnd = 0;
  readonly #arena: SectorArena | undefined;
  #slab: Uint8Array = NO_SLAB;
  #slabEnd = 0;

  /** @param arena Where new sectors come from, as long as it has any; absent: of the file's own memory. */
  constructor(arena?: SectorArena) {
    this.#arena = arena;
  }

  /** The sector as the cache shows it. */
  sector(number: number): Uint8Array | undefined {
    return this.cached.get(number) ?? this.durable.get(number);
  }

  write(position: number, bytes: Uint8Array): void {
    const areZeros = bytes.length > SECTOR_BYTES && areAllZero(bytes);
    let at = 0;
    while (at < bytes.length) {
      const number = Math.floor((position + at) / SECTOR_BYTES);
      const offset = (position + at) % SECTOR_BYTES;
      const count = Math.min(SECTOR_BYTES - offset, bytes.length - at);
      const isBlank = areZeros && count === SECTOR_BYTES;
      if (isBlank) this.cached.set(number, ZERO_SECTOR);
      else this.#put(number, offset, bytes.subarray(at, at + count));
      if (this.#forgotten.size > 0) this.#forgotten.delete(number);
      if (this.unreadable.size > 0) this.unreadable.delete(number);
      at += count;
    }
    this.size = Math.max(this.size, position + bytes.length);
  }

  /** Writes over some of the bytes of a sector. */
  #put(number: number, offset: number, bytes: Uint8Array): void {
    if (bytes.length === SECTOR_BYTES && areAllZero(bytes)) {
      this.cached.set(number, ZERO_SECTOR);
      return;
    }
    const sector = this.#arena?.take() ?? this.#newSector();
    if (bytes.length < SECTOR_BYTES) sector.set(this.sector(number) ?? ZERO_SECTOR);
    sector.set(bytes, offset);
    this.cached.set(number, sector);
    this.contentEnd = Math.max(this.contentEnd, number + 1);
  }

  #newSector(): Uint8Array {
    if (this.#slabEnd === this.#slab.length) {
      const next = Math.max(FIRST_SLAB_SECTORS * SECTOR_BYTES, 2 * this.#slab.length);
      this.#slab = new Uint8Array(Math.min(next, SLAB_SECTORS_MAX * SECTOR_BYTES));
      this.#slabEnd = 0;
    }
    const start = this.#slabEnd;
    this.#slabEnd += SECTOR_BYTES;
    return this.#slab.subarray(start, this.#slabEnd);
  }

  read(position: number, into: Uint8Array): number {
    const count = Math.max(0, Math.min(into.length, this.size - position));
    const contentCount = Math.min(count, this.contentEnd * SECTOR_BYTES - position);
    let at = 0;
    while (at < contentCount) {
      const number = Math.floor((position + at) / SECTOR_BYTES);
      const offset = (position + at) % SECTOR_BYTES;
      const length = Math.min(SECTOR_BYTES - offset, count - at);
      const sector = this.sector(number);
      if (sector === undefined || sector === ZERO_SECTOR) into.fill(0, at, at + length);
      else if (length === SECTOR_BYTES) into.set(sector, at);
      else into.set(sector.subarray(offset, offset + length), at);
      at += length;
    }
    into.fill(0, at, count);
    return count;
  }

  truncate(size: number): void {
    if (size < this.size) this.#cutFrom(size);
    this.size = size;
  }

  /** Everything that a sync begun now will make durable. */
  capture(): CapturedWrites {
    const numbers: number[] = [];
    const sectors: Uint8Array[] = [];
    const mayHaveForgotten = this.#forgotten.size > 0;
    for (const [number, sector] of this.cached) {
      if (mayHaveForgotten && this.#forgotten.has(number)) continue;
      numbers.push(number);
      sectors.push(sector);
    }
    return { numbers, sectors, size: this.size };
  }

  /** The sync has ended well. What was written meanwhile stays in the cache. */
  settle({ numbers, sectors, size }: CapturedWrites): void {
    for (let i = 0; i < numbers.length; i++) {
      const number = numbers[i] as number;
      const sector = sectors[i] as Uint8Array;
      this.durable.set(number, sector);
      if (this.cached.get(number) === sector) this.cached.delete(number);
    }
    this.durableSize = size;
  }

  /** All that reads show is on the medium, also what a failed sync has forgotten. */
  settleAll(): void {
    this.#forgotten.clear();
    this.settle(this.capture());
  }

  /** The sync failed: the system forgets that these sectors were ever to be written, though reads still show them. */
  forget(captured: CapturedWrites): void {
    for (const number of captured.numbers) this.#forgotten.add(number);
  }

  /** Keeps any subset of what was not synced. */
  losePower(random: RandomStream): void {
    const keepsSize = this.size !== this.durableSize && random.chance(0.5);
    for (const [number, sector] of this.cached) {
      if (!this.#forgotten.has(number) && random.chance(0.5)) this.durable.set(number, sector);
    }
    this.cached.clear();
    this.#forgotten.clear();
    if (keepsSize) this.durableSize = this.size;
    this.size = this.durableSize;
    const end = Math.ceil(this.size / SECTOR_BYTES);
    for (const number of this.durable.keys()) if (number >= end) this.durable.delete(number);
  }

  #cutFrom(size: number): void {
    const end = Math.ceil(size / SECTOR_BYTES);
    const last = Math.ceil(this.size / SECTOR_BYTES);
    const isCut = (number: number): boolean => number >= end && number < last;
    // Writing over a sector that is there leaves its place in the walk.
    for (const number of this.cached.keys()) {
      if (isCut(number)) this.cached.set(number, ZERO_SECTOR);
    }
    for (const number of this.durable.keys()) {
      if (isCut(number)) this.cached.set(number, ZERO_SECTOR);
    }
    const offset = size % SECTOR_BYTES;
    const before = offset === 0 ? undefined : this.sector(end - 1);
    if (before === undefined) return;
    const sector = before.slice();
    sector.fill(0, offset);
    this.cached.set(end - 1, sector);
  }
}

/** What was in the cache when a sync began. */
export interface CapturedWrites {
  readonly numbers: readonly number[];
  readonly sectors: readonly Uint8Array[];
  readonly size: number;
}

/** One change of names: all of it survives a power loss, or nothing. */
type NameChange = readonly (readonly [name: string, inode: Inode | undefined])[];

/** A directory of files. */
export class Directory {
  readonly durable: Map<string, Inode> = new Map();
  readonly visible: Map<string, Inode> = new Map();
  #changes: NameChange[] = [];

  change(change: NameChange): void {
    apply(this.visible, change);
    this.#changes.push(change);
  }

  /** The changes that a sync begun now makes durable. */
  capture(): number {
    return this.#changes.length;
  }

  settle(count: number): void {
    for (const change of this.#changes.splice(0, count)) apply(this.durable, change);
  }

  losePower(random: RandomStream): void {
    for (const change of this.#changes) if (random.chance(0.5)) apply(this.durable, change);
    this.#changes = [];
    this.visible.clear();
    for (const [name, inode] of this.durable) {
      inode.losePower(random);
      this.visible.set(name, inode);
    }
  }
}

/** A machine's disk. Survives its processes. */
export class DiskImage {
  /** Memory of its files' sectors. */
  readonly arena: SectorArena | undefined;
  readonly directories: Map<string, Directory> = new Map();
  readonly locks: Set<string> = new Set();
  /** Bytes that may still be allocated; lowered by a fault. */
  freeBytes: number = Number.MAX_SAFE_INTEGER;
  /** Syncs do not end while it is set. */
  isStalled = false;
  /** The next sync fails. */
  failsNextSync = false;
  /** So many of the next reads fail. */
  failingReads = 0;
  /** Reads give fewer bytes than were asked for, now and then. */
  readsShort = false;
  /** Syncs say that they have ended well, and make nothing durable. */
  liesAboutSyncs = false;
  /** Operations until the machine loses power in the middle of one; undefined: never. */
  operationsToCrash: number | undefined;

  constructor(arena?: SectorArena) {
    this.arena = arena;
  }

  directoryOf(path: string): Directory | undefined {
    return this.directories.get(parentOf(path));
  }

  inode(path: string): Inode | undefined {
    return this.directoryOf(path)?.visible.get(nameOf(path));
  }

  losePower(random: RandomStream): void {
    for (const directory of this.directories.values()) directory.losePower(random);
    this.locks.clear();
  }

  /** Everything that the cache holds reaches the medium. */
  makeDurable(): void {
    for (const directory of this.directories.values()) {
      directory.settle(directory.capture());
      for (const inode of directory.visible.values()) inode.settleAll();
    }
  }

  /** A copy, as the cache shows it, with what lies below one directory under the name of another. */
  copy(from: string, to: string): DiskImage {
    const copy = new DiskImage(this.arena);
    for (const [path, directory] of this.directories) {
      const target = new Directory();
      const isBelow = path === from || path.startsWith(`${from}/`);
      copy.directories.set(isBelow ? `${to}${path.slice(from.length)}` : path, target);
      for (const [name, inode] of directory.visible) {
        const file = new Inode(this.arena);
        for (const number of new Set([...inode.durable.keys(), ...inode.cached.keys()])) {
          const sector = inode.sector(number);
          if (sector !== undefined) file.cached.set(number, sector);
        }
        file.size = inode.size;
        file.contentEnd = inode.contentEnd;
        target.change([[name, file]]);
      }
    }
    copy.makeDurable();
    return copy;
  }

  /** Gives the file another name; across directories each of them keeps or loses its half. */
  rename(from: string, to: string): void {
    const inode = must(this.inode(from), `file ${from}`);
    const [source, target] = [this.directoryOf(from), this.directoryOf(to)];
    const away = [nameOf(from), undefined] as const;
    const here = [nameOf(to), inode] as const;
    if (source === target) source?.change([away, here]);
    else {
      target?.change([here]);
      source?.change([away]);
    }
  }
}

function areAllZero(bytes: Uint8Array): boolean {
  if (bytes[0] !== 0 || bytes[bytes.length - 1] !== 0) return false;
  // Every byte is the one before it, and the first one is zero: one comparison, at the speed of memory.
  return Buffer.compare(bytes.subarray(1), bytes.subarray(0, bytes.length - 1)) === 0;
}

/** The directory part of a path. */
export function parentOf(path: string): string {
  return path.slice(0, Math.max(0, path.lastIndexOf('/')));
}

/** The last part of a path. */
export function nameOf(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}

function apply(names: Map<string, Inode>, change: NameChange): void {
  for (const [name, inode] of change) {
    if (inode === undefined) names.delete(name);
    else names.set(name, inode);
  }
}
