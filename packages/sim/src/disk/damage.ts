/**
 * What a disk does to bytes that it had taken for good: bits flip, sectors cannot be read, writes land elsewhere or never
 * happened, files are gone.
 *
 * The damage is done to the medium, so it is the same at every read until the place is written again.
 */
import { must } from '@etcd-ts/base';
import { SECTOR_BYTES } from '@etcd-ts/wal';
import type { RandomStream } from '../world/random.ts';
import { type DiskImage, type Inode, ZERO_SECTOR } from './disk-image.ts';

/** Kinds of damage to a log. All but `tail` are found by whoever reads it. */
export const DAMAGES = [
  /** One bit is not what was written. */
  'flip',
  /** A sector cannot be read until it is written again. */
  'unreadable',
  /** A write went to another sector: that one holds its content, which is well-formed. */
  'misdirected',
  /** A sector shows zeros: its write never happened, or it was given anew. */
  'zeroed',
  /** A file is not there. */
  'missing',
  /** The last sectors are as before they were written. Cannot be told from a write that was never synced. */
  'tail',
] as const;

/** A kind of damage. */
export type Damage = (typeof DAMAGES)[number];

/** Sectors at the end of a file that only `tail` touches: there damage cannot be told from an unfinished write. */
const SPARED_SECTORS = 8;
/** Sectors that `tail` takes back at most. */
const MAX_TAIL_SECTORS = 4;

interface Place {
  readonly names: Map<string, Inode>;
  readonly name: string;
  readonly inode: Inode;
  /** Sectors with something in them, ascending. */
  readonly written: readonly number[];
}

/**
 * Damages a file of this kind.
 *
 * @returns False when none is long enough.
 */
export function damage(
  image: DiskImage,
  random: RandomStream,
  suffix: string,
  what: Damage,
): boolean {
  const places = placesOf(image, suffix).filter(({ written }) => written.length > SPARED_SECTORS);
  if (places.length === 0) return false;
  if (what === 'missing') {
    // Without its last file a log ends earlier, and nobody can know.
    const all = placesOf(image, suffix).slice(0, -1);
    if (all.length === 0) return false;
    const { names, name } = random.pick(all);
    return names.delete(name);
  }
  const place = what === 'tail' ? must(places.at(-1), 'place') : random.pick(places);
  if (what === 'tail') {
    const count = 1 + random.below(MAX_TAIL_SECTORS);
    for (const number of place.written.slice(-count)) setSector(place.inode, number, undefined);
    return true;
  }
  damageSector(place, random, what);
  return true;
}

function damageSector(
  { inode, written }: Place,
  random: RandomStream,
  what: 'flip' | 'unreadable' | 'misdirected' | 'zeroed',
): void {
  const middle = written.slice(0, -SPARED_SECTORS);
  const number = random.pick(middle);
  switch (what) {
    case 'flip': {
      const sector = must(inode.durable.get(number), `sector ${number}`).slice();
      const at = random.below(SECTOR_BYTES);
      sector[at] = (sector[at] ?? 0) ^ (1 << random.below(8));
      return setSector(inode, number, sector);
    }
    case 'unreadable':
      inode.unreadable.add(number);
      return;
    case 'misdirected': {
      const other = random.pick(written);
      return setSector(inode, number, inode.durable.get(other)?.slice());
    }
    case 'zeroed':
      return setSector(inode, number, undefined);
  }
}

function setSector(inode: Inode, number: number, content: Uint8Array | undefined): void {
  inode.cached.delete(number);
  if (content === undefined) inode.durable.delete(number);
  else inode.durable.set(number, content);
}

/** Files of this kind by name, with their written sectors. */
function placesOf(image: DiskImage, suffix: string): Place[] {
  const places: Place[] = [];
  for (const { visible: names } of image.directories.values()) {
    for (const [name, inode] of names) {
      if (!name.endsWith(suffix)) continue;
      const written = [...inode.durable]
        .filter(([, sector]) => sector !== ZERO_SECTOR && sector.some((byte) => byte !== 0))
        .map(([number]) => number)
        .sort((a, b) => a - b);
      places.push({ names, name, inode, written });
    }
  }
  return places.sort((a, b) => (a.name < b.name ? -1 : 1));
}
