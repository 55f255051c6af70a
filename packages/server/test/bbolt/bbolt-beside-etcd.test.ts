/** etcd's own tool checks every page of what is written, and counts and hashes the same entries. */
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { compareBytes, concatBytes, crc32c, toLatin1, utf8 } from '@etcd-ts/base';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { hasEtcd, realEtcd, type RealEtcd } from '../../../../tools/peers/real-etcd.ts';
import { uint64Bytes } from '../../src/backup/etcd-buckets.ts';
import { type BboltEntry } from '../../src/bbolt/format.ts';
import { bucketOf, written } from './support.ts';

const peers = realEtcd();
const run = promisify(execFile);

describe.runIf(hasEtcd(peers))('etcdutl snapshot status', () => {
  const { etcdutl } = peers as RealEtcd;
  let folder = '';
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'etcd-ts-bbolt-'));
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  /** What the tool says of a database of these buckets, in the order of their names. */
  async function status(buckets: readonly (readonly [string, readonly BboltEntry[]])[]) {
    const path = join(folder, 'file.db');
    writeFileSync(path, await written(buckets.map(([name, entries]) => bucketOf(name, entries))));
    const { stdout } = await run(etcdutl, ['snapshot', 'status', path, '-w', 'json']);
    return JSON.parse(stdout) as { hash: number; totalKey: number; revision: number };
  }

  /** The same, reckoned here: names of buckets, keys and values, one behind the other. */
  function reckoned(buckets: readonly (readonly [string, readonly BboltEntry[]])[]) {
    let hash = 0;
    let totalKey = 0;
    for (const [name, entries] of buckets) {
      hash = crc32c(utf8(name), hash);
      for (const [key, value] of entries) {
        hash = crc32c(value, crc32c(key, hash));
        totalKey += 1;
      }
    }
    return { hash, totalKey };
  }

  function revision(main: number): Uint8Array {
    return concatBytes([uint64Bytes(main), utf8('_'), uint64Bytes(0)]);
  }

  test('finds three levels of pages, and values over many, in order', async () => {
    const key = Array.from({ length: 30_000 }, (_, i): BboltEntry => [
      revision(i + 2),
      new Uint8Array(i % 5_000 === 0 ? 100_000 : (i * 7) % 150).fill(i),
    ]);
    const buckets = [
      ['key', key],
      ['meta', []],
    ] as const;
    expect(await status(buckets)).toMatchObject({ ...reckoned(buckets), revision: 30_001 });
  });

  test('finds any entries in order', { timeout: 30_000 }, async () => {
    const bytes = fc.oneof(
      fc.uint8Array({ minLength: 1, maxLength: 20 }),
      fc.integer({ min: 1, max: 6_000 }).map((n) => new Uint8Array(n).fill(n)),
    );
    const entries = fc
      .uniqueArray(fc.tuple(bytes, bytes), { maxLength: 80, selector: ([k]) => toLatin1(k) })
      .map((all): BboltEntry[] => all.sort(([a], [b]) => compareBytes(a, b)));
    const property = fc.asyncProperty(entries, entries, async (a, b) => {
      const buckets = [
        ['authUsers', a],
        ['lease', b],
      ] as const;
      expect(await status(buckets)).toMatchObject(reckoned(buckets));
    });
    await fc.assert(property, { numRuns: 25 });
  });
});
