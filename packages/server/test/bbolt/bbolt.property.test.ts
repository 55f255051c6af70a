/** What is written is read back, and damaged files are refused, whatever is in them. */
import { compareBytes, toLatin1, utf8 } from '@etcd-ts/base';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { BucketTree, type PageElements, type Sized } from '../../src/bbolt/bucket-tree.ts';
import { BboltReader } from '../../src/bbolt/database-reader.ts';
import { type BboltEntry, BboltError, PAGE_BYTES } from '../../src/bbolt/format.ts';
import { planDatabase } from '../../src/bbolt/write-database.ts';
import { fileOfBytes } from '../../src/restore/backup-file.ts';
import { bucketOf, readAll, written } from './support.ts';

const value = fc.oneof(
  { weight: 8, arbitrary: fc.uint8Array({ maxLength: 40 }) },
  { weight: 2, arbitrary: fc.integer({ min: 0, max: 20_000 }).map((n) => new Uint8Array(n)) },
);
const key = fc.oneof(
  { weight: 8, arbitrary: fc.uint8Array({ minLength: 1, maxLength: 20 }) },
  {
    weight: 1,
    arbitrary: fc.integer({ min: 1, max: 9_000 }).map((n) => new Uint8Array(n).fill(7)),
  },
);
const entries = fc
  .uniqueArray(fc.tuple(key, value), { maxLength: 60, selector: ([bytes]) => toLatin1(bytes) })
  .map((all): BboltEntry[] => all.sort(([a], [b]) => compareBytes(a, b)));
const buckets = fc
  .uniqueArray(fc.tuple(fc.stringMatching(/^[a-z]{1,8}$/), entries), {
    maxLength: 6,
    selector: ([name]) => name,
  })
  .map((all) => all.sort(([a], [b]) => (a < b ? -1 : 1)));

/** Names, keys and values as text, which is compared in a fraction of the time. */
function plain(content: Iterable<readonly [string, readonly BboltEntry[]]>): string[] {
  return [...content].flatMap(([name, all]) => [
    name,
    ...all.map(([k, v]) => `${toLatin1(k)} = ${toLatin1(v)}`),
  ]);
}

/** Entries with keys of 17 bytes, as revisions have. */
function many(count: number, valueBytes: number): BboltEntry[] {
  return Array.from({ length: count }, (_, i) => [
    utf8(String(i).padStart(17, '0')),
    new Uint8Array(valueBytes).fill(i),
  ]);
}

describe('a database', () => {
  test('is read as it was written, with empty buckets, long keys and values over many pages', async () => {
    await fc.assert(
      fc.asyncProperty(buckets, async (content) => {
        const sources = content.map(([name, all]) => bucketOf(name, all));
        const file = await written(sources);
        expect(file.length).toBe((await planDatabase(sources)).sizeBytes);
        expect(file.length % PAGE_BYTES).toBe(0);
        expect(plain(await readAll(file))).toEqual(plain(content));
      }),
      { numRuns: 100 },
    );
  });

  test('is read whole when its trees have three levels', async () => {
    const all = many(12_000, 60);
    const read = await readAll(await written([bucketOf('key', all), bucketOf('meta', [])]));
    expect(read.get('meta')).toEqual([]);
    const found = read.get('key') ?? [];
    expect(found).toHaveLength(all.length);
    const wrong = found.findIndex(
      ([k, v], i) => Buffer.compare(k, all[i]![0]) !== 0 || Buffer.compare(v, all[i]![1]) !== 0,
    );
    expect(wrong).toBe(-1);
  });

  test('may have more buckets than a page has room for', async () => {
    const names = Array.from({ length: 300 }, (_, i) => `bucket ${1_000 + i}`);
    const file = await written(names.map((name) => bucketOf(name, [[utf8('k'), utf8(name)]])));
    const read = await readAll(file);
    expect([...read.keys()]).toEqual(names);
    expect(read.get('bucket 1123')).toEqual([[utf8('k'), utf8('bucket 1123')]]);
  });

  test('is read by its second meta page when the first is damaged, and the other way round', async () => {
    const file = await written([bucketOf('b', [[utf8('k'), utf8('v')]])]);
    for (const at of [16, PAGE_BYTES + 40]) {
      const damaged = file.slice();
      damaged[at]! ^= 1;
      expect((await readAll(damaged)).get('b')).toEqual([[utf8('k'), utf8('v')]]);
    }
    const both = file.slice();
    both[16]! ^= 1;
    both[PAGE_BYTES + 16]! ^= 1;
    await expect(readAll(both)).rejects.toThrow('neither meta page is valid');
  });
});

describe('the pages of a bucket', () => {
  /** Makes a tree of these lengths, and says what was given out. */
  function shape(lengths: readonly (readonly [key: number, value: number])[]) {
    const leaves: PageElements<Sized, Sized>[] = [];
    const branches: PageElements<Sized, number>[] = [];
    let [pages, held] = [0, 0];
    const tree = new BucketTree<Sized>({
      leaf: (page) => (leaves.push({ ...page, keys: [...page.keys] }), pages++),
      branch: (page) => (branches.push({ ...page, keys: [...page.keys] }), pages++),
    });
    lengths.forEach(([k, v], at) => {
      tree.add({ length: k }, { length: v });
      const given = leaves.reduce((sum, { keys }) => sum + keys.length, 0);
      held = Math.max(held, at + 1 - given);
    });
    const root = tree.end();
    return { leaves, branches, root, pages, held };
  }

  const lengths = fc.array(
    fc.tuple(fc.integer({ min: 1, max: 3_000 }), fc.integer({ min: 0, max: 5_000 })),
    { maxLength: 120 },
  );

  test('are none of them empty, have two children at least, and are over full only when they must be', () => {
    fc.assert(
      fc.property(lengths, (all) => {
        const { leaves, branches, root, pages } = shape(all);
        expect(root).toBe(pages - 1);
        for (const { keys, bytes } of leaves) {
          if (all.length > 0) expect(keys.length).toBeGreaterThan(0);
          if (bytes > PAGE_BYTES) expect(keys).toHaveLength(1);
        }
        for (const { keys, bytes } of branches) {
          expect(keys.length).toBeGreaterThanOrEqual(2);
          if (bytes > PAGE_BYTES) expect(keys.length).toBeLessThanOrEqual(3);
        }
        // Every page but the root is the child of one branch.
        const children = branches.flatMap(({ values }) => values).sort((a, b) => a - b);
        expect(children).toEqual(Array.from({ length: pages - 1 }, (_, i) => i));
      }),
    );
  });

  test('are given out while entries come: a page of entries is held, of a million', () => {
    const { held, pages } = shape(Array.from({ length: 100_000 }, () => [17, 100] as const));
    expect(held).toBeLessThanOrEqual(PAGE_BYTES / 133 + 1);
    expect(pages).toBeGreaterThan(3_000);
  });
});

describe('a file that is damaged', () => {
  const sound = written([
    bucketOf('a', many(300, 20)),
    bucketOf('b', [[utf8('k'), new Uint8Array(10_000)]]),
    bucketOf('c', []),
  ]);

  /** Reads it all; a damaged one may only end in an error that says so. */
  async function expectEnd(file: Uint8Array): Promise<void> {
    let reads = 0;
    const inner = fileOfBytes(file);
    try {
      const reader = await BboltReader.open({
        sizeBytes: inner.sizeBytes,
        read: (at, bytes) => {
          reads += 1;
          return inner.read(at, bytes);
        },
      });
      for (const bucket of await reader.buckets()) {
        for await (const _ of reader.entries(bucket));
      }
    } catch (error) {
      expect(error).toBeInstanceOf(BboltError);
    }
    expect(reads).toBeLessThan(2_000);
  }

  test('is read to an end or refused, wherever bytes were changed', async () => {
    const file = await sound;
    const change = fc.tuple(fc.nat(file.length - 1), fc.integer({ min: 0, max: 255 }));
    // Heads and elements: the first bytes of every page.
    const inHead = fc
      .tuple(fc.nat(file.length / PAGE_BYTES - 1), fc.nat(63), fc.integer({ min: 0, max: 255 }))
      .map(([page, at, byte]): [number, number] => [page * PAGE_BYTES + at, byte]);
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.oneof(change, inHead), { minLength: 1, maxLength: 8 }),
        async (changes) => {
          const damaged = file.slice();
          for (const [at, byte] of changes) damaged[at] = byte;
          await expectEnd(damaged);
        },
      ),
      { numRuns: 400 },
    );
  });

  test('is refused or read to an end when it is any bytes, or cut off', async () => {
    const file = await sound;
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 300 }), fc.nat(file.length), async (junk, at) => {
        await expectEnd(junk);
        await expectEnd(file.subarray(0, at));
      }),
      { numRuns: 100 },
    );
  });

  /** Points every child of every branch at one page. */
  async function pointedAt(page: (self: number) => number): Promise<Uint8Array> {
    const file = (await sound).slice();
    const view = new DataView(file.buffer);
    for (let at = 0; at < file.length; at += PAGE_BYTES) {
      if (view.getUint16(at + 8, true) !== 1) continue;
      for (let i = 0; i < view.getUint16(at + 10, true); i++) {
        view.setBigUint64(at + 24 + i * 16, BigInt(page(at / PAGE_BYTES)), true);
      }
    }
    return file;
  }

  test('is refused when its pages go in a circle, or are the children of two', async () => {
    await expect(readAll(await pointedAt((self) => self))).rejects.toThrow(
      'bucket a has more pages than the file',
    );
    await expect(readAll(await pointedAt(() => 3))).rejects.toThrow(
      'bucket a: page 3: a key does not come after the one before it',
    );
  });

  test('is refused when a page is not in the file, or says that it is another', async () => {
    await expect(readAll(await pointedAt(() => 1_000))).rejects.toThrow(
      /page 1000 is not in the file, which has \d+/,
    );
    const file = (await sound).slice();
    file[3 * PAGE_BYTES] = 9;
    await expect(readAll(file)).rejects.toThrow('page 3 says that it is page 9');
  });

  test('is refused when elements leave their page, overlap, or are too many', async () => {
    const at = 3 * PAGE_BYTES;
    const refused = async (change: (view: DataView) => void): Promise<unknown> => {
      const file = (await sound).slice();
      change(new DataView(file.buffer));
      return readAll(file).catch((error: unknown) => String(error));
    };
    expect(await refused((view) => view.setUint32(at + 16 + 12, 100_000, true))).toMatch(
      /element 0 lies at \d+ to \d+, and may from \d+ to 4096/,
    );
    expect(await refused((view) => view.setUint32(at + 32 + 4, 16, true))).toMatch('element 1');
    expect(await refused((view) => view.setUint16(at + 10, 5_000, true))).toMatch('5000 elements');
    expect(await refused((view) => view.setUint32(at + 12, 0xffff_ffff, true))).toMatch('goes on');
  });
});
