import { backendSuite } from '@etcd-ts/mvcc/testing';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DiskImage } from '../src/disk/disk-image.ts';
import { DatabasesImage, SimBackends } from '../src/disk/sim-backends.ts';
import { SimDisk } from '../src/disk/sim-disk.ts';
import { drive } from '../src/world/node/drive.ts';
import { SimProcess } from '../src/world/process.ts';
import { World } from '../src/world/world.ts';

const machine = (seed: number) => {
  const world = new World({ seed });
  const image = new DiskImage();
  const times = { meanSyncUs: 100, meanReadUs: 10 };
  const power = world.random('power');
  const complaints: string[] = [];
  const boot = () => {
    const process = new SimProcess(world, 'p');
    const losePower = (): void => {
      process.kill();
      image.losePower(power);
    };
    const disk = new SimDisk({
      image,
      process,
      random: world.random('disk'),
      times,
      losePower,
      complain: (invariant) => void complaints.push(invariant),
    });
    return { process, disk, losePower };
  };
  return { world, image, boot, complaints };
};
const contentOf = async (disk: SimDisk, path: string): Promise<Uint8Array> => {
  const file = await disk.open(path, 'read');
  const bytes = new Uint8Array(await file.size());
  await file.read(0, bytes);
  return bytes;
};
const sectors = (count: number, fill: number): Uint8Array => new Uint8Array(count * 512).fill(fill);

describe('the simulated disk', () => {
  it.each([
    { name: 'syncs once more (DK3)', fails: 'sync', next: 'sync', found: ['DK3'] },
    {
      name: 'writes on after a sync that failed (DK3)',
      fails: 'sync',
      next: 'write',
      found: ['DK3'],
    },
    {
      name: 'writes on where there was no room (DK4)',
      fails: 'write',
      next: 'write',
      found: ['DK4'],
    },
    { name: 'only goes on running (DK3)', fails: 'sync', next: 'sleep', found: ['DK3'] },
    { name: 'ends', fails: 'sync', next: 'end', found: [] },
  ])('tells of a process that fails to write and $name', async ({ fails, next, found }) => {
    const { world, image, boot, complaints } = machine(1);
    const { disk, process } = boot();
    await drive(world, async () => {
      await disk.makeDirectory('/d');
      const file = await disk.open('/d/f', 'create');
      const write = (): void => file.write(0, sectors(1, 1));
      if (fails === 'write') {
        image.freeBytes = 0;
        expect(write).toThrow('ENOSPC');
        image.freeBytes = 1_000_000;
      } else {
        write();
        image.failsNextSync = true;
        await expect(file.sync()).rejects.toThrow('EIO');
      }
      if (next === 'sync') await file.sync();
      if (next === 'write') write();
      if (next === 'end') process.kill();
      if (next !== 'sleep' && next !== 'end') expect(complaints).toEqual(found);
      await new Promise<void>((resolve) => void world.schedule(6_000_000, 'later', resolve));
    });
    expect([...new Set(complaints)]).toEqual(found);
  });

  it('keeps what was synced over a power loss, and any sectors of the rest', async () => {
    const kept = new Set<string>();
    for (let seed = 0; seed < 40; seed++) {
      const { world, boot } = machine(seed);
      const first = boot();
      await drive(world, async () => {
        await first.disk.makeDirectory('/d');
        const file = await first.disk.open('/d/f', 'create');
        file.write(0, sectors(4, 1));
        await file.sync();
        await first.disk.syncDirectory('/d');
        file.write(512, sectors(2, 2));
        first.losePower();
        const bytes = await contentOf(boot().disk, '/d/f');
        kept.add([0, 1, 2, 3].map((sector) => bytes[sector * 512]).join(''));
        expect(bytes.every((byte, i) => byte === bytes[i - (i % 512)])).toBe(true);
      });
    }
    expect([...kept].sort()).toEqual(['1111', '1121', '1211', '1221']);
  });

  it('loses names that no directory sync made durable, one by one', async () => {
    const outcomes = new Set<string>();
    for (let seed = 0; seed < 40; seed++) {
      const { world, boot } = machine(seed);
      const first = boot();
      await drive(world, async () => {
        await first.disk.makeDirectory('/d');
        await (await first.disk.open('/d/old', 'create')).sync();
        await first.disk.syncDirectory('/d');
        await first.disk.rename('/d/old', '/d/new');
        await first.disk.open('/d/other', 'create');
        first.losePower();
        outcomes.add((await boot().disk.list('/d')).join());
      });
    }
    expect([...outcomes].sort()).toEqual(['new', 'new,other', 'old', 'old,other']);
  });

  it('loses nothing to a killed process', async () => {
    const { world, boot } = machine(1);
    const first = boot();
    await drive(world, async () => {
      await first.disk.makeDirectory('/d');
      const file = await first.disk.open('/d/f', 'create');
      file.write(0, sectors(1, 7));
      first.process.kill();
      expect(await contentOf(boot().disk, '/d/f')).toEqual(sectors(1, 7));
    });
  });

  it('drops what a failed sync was to write, though the next one succeeds', async () => {
    const { world, image, boot } = machine(1);
    const first = boot();
    await drive(world, async () => {
      await first.disk.makeDirectory('/d');
      const file = await first.disk.open('/d/f', 'create');
      await first.disk.syncDirectory('/d');
      file.write(0, sectors(2, 7));
      image.failsNextSync = true;
      await expect(file.sync()).rejects.toMatchObject({ code: 'EIO' });
      file.write(1024, sectors(1, 8));
      await file.sync();
      first.losePower();
      const bytes = await contentOf(boot().disk, '/d/f');
      expect([bytes[0], bytes[512], bytes[1024]]).toEqual([0, 0, 8]);
    });
  });

  it('makes durable what was written before a sync began, and not what came after', async () => {
    const { world, boot } = machine(3);
    const first = boot();
    await drive(world, async () => {
      await first.disk.makeDirectory('/d');
      const file = await first.disk.open('/d/f', 'create');
      await first.disk.syncDirectory('/d');
      file.write(0, sectors(1, 1));
      const synced = file.sync();
      file.write(512, sectors(1, 2));
      file.write(0, sectors(1, 3));
      await synced;
      first.losePower();
      const bytes = await contentOf(boot().disk, '/d/f');
      expect([1, 3]).toContain(bytes[0]);
    });
  });

  it('reads like a plain array of bytes, whatever is written, cut and synced', async () => {
    const act = fc.oneof(
      fc.record({
        do: fc.constant('write' as const),
        at: fc.nat(3000),
        length: fc.integer({ min: 1, max: 1500 }),
      }),
      fc.record({ do: fc.constant('truncate' as const), at: fc.nat(4000), length: fc.constant(0) }),
      fc.record({ do: fc.constant('sync' as const), at: fc.constant(0), length: fc.constant(0) }),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(act, { maxLength: 12 }), async (acts) => {
        const { world, boot } = machine(1);
        const { disk } = boot();
        await drive(world, async () => {
          await disk.makeDirectory('/d');
          const file = await disk.open('/d/f', 'create');
          let naive = new Uint8Array(0);
          let fill = 1;
          for (const { do: what, at, length } of acts) {
            const grown = new Uint8Array(
              what === 'truncate' ? at : Math.max(naive.length, at + length),
            );
            grown.set(naive.subarray(0, grown.length));
            if (what === 'write') {
              grown.fill(fill, at, at + length);
              file.write(at, new Uint8Array(length).fill(fill++));
            } else if (what === 'truncate') await file.truncate(at);
            else await file.sync();
            if (what !== 'sync') naive = grown;
          }
          expect(await contentOf(disk, '/d/f')).toEqual(naive);
        });
      }),
      { numRuns: 60 },
    );
  });

  it('takes the power in the middle of the operation that it was told', async () => {
    for (let operations = 0; operations < 4; operations++) {
      const { world, image, boot } = machine(operations);
      const first = boot();
      await drive(world, async () => {
        await first.disk.makeDirectory('/d');
        const file = await first.disk.open('/d/f', 'create');
        image.operationsToCrash = operations;
        for (let i = 0; i <= operations; i++) {
          if (first.process.isAlive) file.write(i, sectors(1, 1));
        }
        expect(first.process.isAlive).toBe(false);
      });
    }
  });

  it('says of a sync that it has ended well, and has made nothing durable, when it lies', async () => {
    const { world, image, boot } = machine(1);
    const first = boot();
    await drive(world, async () => {
      await first.disk.makeDirectory('/d');
      const file = await first.disk.open('/d/f', 'create');
      await first.disk.syncDirectory('/d');
      image.liesAboutSyncs = true;
      file.write(0, sectors(1, 1));
      await file.sync();
      expect(image.inode('/d/f')?.durable.size).toBe(0);
      image.makeDurable();
      image.liesAboutSyncs = false;
      first.losePower();
      expect(await contentOf(boot().disk, '/d/f')).toEqual(sectors(1, 1));
    });
  });

  it('fails so many reads, and gives fewer bytes than were asked for, when it is told to', async () => {
    const { world, image, boot } = machine(1);
    const { disk } = boot();
    await drive(world, async () => {
      await disk.makeDirectory('/d');
      const file = await disk.open('/d/f', 'create');
      file.write(0, sectors(2, 1));
      image.failingReads = 1;
      await expect(file.read(0, new Uint8Array(8))).rejects.toMatchObject({ code: 'EIO' });
      expect(await file.read(0, new Uint8Array(8))).toBe(8);
      image.readsShort = true;
      const counts = new Set<number>();
      for (let i = 0; i < 50; i++) counts.add(await file.read(0, new Uint8Array(4)));
      expect(counts).toEqual(new Set([1, 2, 3, 4]));
    });
  });

  it('refuses a second claim on a directory until the first process is gone', async () => {
    const { world, boot } = machine(1);
    const first = boot();
    await drive(world, async () => {
      await first.disk.makeDirectory('/d');
      await first.disk.lockDirectory('/d');
      await expect(boot().disk.lockDirectory('/d')).rejects.toMatchObject({ code: 'LOCKED' });
      first.process.kill();
      await (await boot().disk.lockDirectory('/d')).release();
    });
  });

  it('has no room when it is full, but for what is there already', async () => {
    const { world, image, boot } = machine(1);
    const { disk } = boot();
    await drive(world, async () => {
      await disk.makeDirectory('/d');
      const file = await disk.open('/d/f', 'create');
      file.write(0, sectors(1, 1));
      image.freeBytes = 0;
      file.write(0, sectors(1, 2));
      expect(() => file.write(512, sectors(1, 2))).toThrow('ENOSPC');
    });
  });
});

describe('the simulated databases', () => {
  it('keep the synced batches over a power loss and a prefix of the others', async () => {
    const kept = new Set<string>();
    for (let seed = 0; seed < 40; seed++) {
      const world = new World({ seed });
      const image = new DatabasesImage();
      const options = {
        image,
        random: world.random('disk'),
        times: { meanSyncUs: 100, meanReadUs: 10 },
      };
      await drive(world, async () => {
        const process = new SimProcess(world, 'p');
        const first = await new SimBackends({ ...options, process }).open('db');
        const put = (key: number) =>
          first.write([{ key: Uint8Array.of(key), value: Uint8Array.of(1) }]);
        await put(1);
        await first.sync();
        await put(2);
        await put(3);
        void put(4);
        process.kill();
        image.losePower(world.random('power'));
        const second = await new SimBackends({
          ...options,
          process: new SimProcess(world, 'q'),
        }).open('db');
        const page = await second.iterate(Uint8Array.of(0), Uint8Array.of(9)).nextPage(9);
        kept.add(page.map(([key]) => key[0]).join(''));
      });
    }
    expect([...kept].sort()).toEqual(['1', '12', '123', '1234']);
  });
});

describe('a simulated database keeps the contract', () => {
  let world = new World({ seed: 1 });
  const cases = backendSuite(() => {
    const options = {
      image: new DatabasesImage(),
      process: new SimProcess(world, 'p'),
      random: world.random('disk'),
      times: { meanSyncUs: 100, meanReadUs: 10 },
    };
    return new SimBackends(options).open('db');
  });
  it.each(cases)('$name', async ({ run }) => {
    world = new World({ seed: 1 });
    await drive(world, run);
  });
});
