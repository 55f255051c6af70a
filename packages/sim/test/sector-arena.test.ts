import { must } from '@etcd-ts/base';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Inode } from '../src/disk/disk-image.ts';
import { ARENA_SECTORS_MAX, SectorArena } from '../src/disk/sector-arena.ts';

const contentOf = (inode: Inode): readonly number[] => {
  const bytes = new Uint8Array(inode.size);
  inode.read(0, bytes);
  return [...bytes];
};

describe('memory for sectors', () => {
  it('shows nothing of the run before', () => {
    const arena = new SectorArena();
    new Inode(arena).write(0, new Uint8Array(2048).fill(7));
    arena.recycle();
    const inode = new Inode(arena);
    inode.write(510, Uint8Array.of(1, 2, 3, 4));
    expect(contentOf(inode)).toEqual([...Array.from({ length: 510 }, () => 0), 1, 2, 3, 4]);
  });

  it('is given out once between two recyclings', () => {
    const arena = new SectorArena();
    const first = must(arena.take(), 'sector');
    expect(arena.take()).not.toBe(first);
    arena.recycle();
    expect(arena.take()).toBe(first);
  });

  it('ends, and then files have memory of their own', () => {
    const arena = new SectorArena();
    for (let i = 0; i < ARENA_SECTORS_MAX; i++) must(arena.take(), 'sector');
    expect(arena.take()).toBeUndefined();
    const inode = new Inode(arena);
    inode.write(0, Uint8Array.of(1, 2, 3));
    expect(contentOf(inode)).toEqual([1, 2, 3]);
  });

  it('makes no difference to what is on a disk', () => {
    const arena = new SectorArena();
    const steps = fc.array(
      fc.record({
        position: fc.nat(3000),
        length: fc.integer({ min: 1, max: 1500 }),
        byte: fc.nat(255),
        after: fc.constantFrom('nothing', 'truncate', 'sync'),
      }),
    );
    fc.assert(
      fc.property(steps, (writes) => {
        arena.recycle();
        const [used, plain] = [new Inode(arena), new Inode()];
        for (const { position, length, byte, after } of writes) {
          for (const inode of [used, plain]) {
            inode.write(position, new Uint8Array(length).fill(byte));
            if (after === 'truncate') inode.truncate(position);
            if (after === 'sync') inode.settle(inode.capture());
          }
        }
        expect(contentOf(used)).toEqual(contentOf(plain));
        expect(used.durableSize).toBe(plain.durableSize);
      }),
    );
  });
});
