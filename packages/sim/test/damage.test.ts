import { clusterId, memberId, utf8 } from '@etcd-ts/base';
import type { Entry } from '@etcd-ts/raft';
import { DiskError, openWal, readWal, WalError } from '@etcd-ts/wal';
import { describe, expect, it } from 'vitest';
import { damage, type Damage, DAMAGES } from '../src/disk/damage.ts';
import { DiskImage } from '../src/disk/disk-image.ts';
import { SimDisk } from '../src/disk/sim-disk.ts';
import { drive } from '../src/world/node/drive.ts';
import { SimProcess } from '../src/world/process.ts';
import { World } from '../src/world/world.ts';

const ENTRIES = 60;
const directory = '/log';
const metadata = { clusterId: clusterId(1n), memberId: memberId(2n) };
const entry = (index: number): Entry => ({
  index,
  term: 1,
  payload: { kind: 'command', data: utf8(`entry ${index} `.repeat(20)) },
});

/** A log of several segments, all of it synced, and its disk. */
async function written(world: World): Promise<{ image: DiskImage; disk: SimDisk }> {
  const image = new DiskImage();
  const disk = new SimDisk({
    image,
    process: new SimProcess(world, 'p'),
    random: world.random('disk'),
    times: { meanSyncUs: 10, meanReadUs: 1 },
    losePower: () => undefined,
  });
  const { wal } = await openWal({ disk, directory, metadata, segmentSizeBytes: 8192 });
  for (let index = 1; index <= ENTRIES; index++) {
    await wal.append({ entries: [entry(index)] }, { sync: true });
  }
  return { image, disk };
}

/** What whoever opens a damaged log gets: how many entries, or why none. */
async function outcomes(what: Damage): Promise<Map<string, number>> {
  const seen = new Map<string, number>();
  for (let seed = 0; seed < 40; seed++) {
    const world = new World({ seed });
    await drive(world, async () => {
      const { image, disk } = await written(world);
      if (!damage(image, world.random('damage'), '.wal', what)) return;
      const outcome = await readWal({ disk, directory }).then(
        ({ entries }) => {
          expect(entries).toEqual(entries.map(({ index }) => entry(index)));
          return `${entries.length === ENTRIES ? 'all' : 'fewer'} entries`;
        },
        (error: unknown) => {
          if (error instanceof WalError || error instanceof DiskError) return error.code;
          throw error;
        },
      );
      seen.set(outcome, (seen.get(outcome) ?? 0) + 1);
    });
  }
  return seen;
}

describe('a log whose disk has gone bad', () => {
  it.each(DAMAGES.filter((each) => each !== 'tail'))(
    'is refused, or read as it was written: %s',
    async (what) => {
      const seen = await outcomes(what);
      expect(seen.get('fewer entries') ?? 0).toBe(0);
      const refused = [...seen].filter(([name]) => name !== 'all entries');
      expect(refused.length).toBeGreaterThan(0);
    },
  );

  it('may end earlier when its last sectors are as before they were written', async () => {
    const seen = await outcomes('tail');
    expect(seen.get('fewer entries') ?? 0).toBeGreaterThan(0);
  });
});

describe('a log whose last write lost the size of its file', () => {
  /** The power goes: this sector is kept of what was not synced, with the size or without it. */
  const losePower = (image: DiskImage, sector: number, keepsSize: boolean): void => {
    const path = [...image.directories.get(directory)!.visible.keys()].find((name) =>
      name.endsWith('.wal'),
    );
    const inode = image.inode(`${directory}/${path}`)!;
    inode.durable.set(sector, inode.cached.get(sector)!);
    inode.cached.clear();
    if (keepsSize) inode.durableSize = inode.size;
    inode.size = inode.durableSize;
    image.locks.clear();
  };

  it('takes nothing for damage of what that write has left behind the end of the file', async () => {
    const world = new World({ seed: 1 });
    await drive(world, async () => {
      const image = new DiskImage();
      const open = async () => {
        const process = new SimProcess(world, 'p');
        const times = { meanSyncUs: 10, meanReadUs: 1 };
        const random = world.random('disk');
        const disk = new SimDisk({ image, process, random, times, losePower: () => undefined });
        const { wal, recovered } = await openWal({ disk, directory, metadata });
        return { wal, recovered, process };
      };
      for (const [sector, keepsSize] of [
        [0, false],
        [1, true],
      ] as const) {
        const { wal, process } = await open();
        const data = utf8(`${sector}`.repeat(800));
        const written: Entry = { index: 1, term: 1, payload: { kind: 'command', data } };
        wal.write({ entries: [written] }, false, () => undefined);
        await new Promise<void>((resolve) => process.soon('written', resolve));
        losePower(image, sector, keepsSize);
        process.kill();
      }
      const { recovered } = await open();
      expect(recovered?.entries).toEqual([]);
      expect(recovered?.repaired?.reason).toMatch('unfinished write');
    });
  });
});
