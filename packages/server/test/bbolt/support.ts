/** Databases in memory, written and read as a whole. */
import { concatBytes } from '@etcd-ts/base';
import { BboltReader } from '../../src/bbolt/database-reader.ts';
import { type BboltEntry } from '../../src/bbolt/format.ts';
import { type BucketSource, planDatabase, writeDatabase } from '../../src/bbolt/write-database.ts';
import { fileOfBytes } from '../../src/restore/backup-file.ts';

/** A bucket of these entries, sorted. */
export function bucketOf(name: string, entries: readonly BboltEntry[]): BucketSource {
  return {
    name,
    measure: (entry) => {
      for (const [key, value] of entries) entry(key.length, value.length);
      return Promise.resolve();
    },
    async *entries() {
      for (const entry of entries) yield [entry];
    },
  };
}

/** The file. */
export async function written(buckets: readonly BucketSource[]): Promise<Uint8Array> {
  const plan = await planDatabase(buckets);
  const pieces: Uint8Array[] = [];
  for await (const piece of writeDatabase(buckets, plan)) pieces.push(piece);
  return concatBytes(pieces);
}

/** What a file holds. */
export async function readAll(file: Uint8Array): Promise<Map<string, BboltEntry[]>> {
  const reader = await BboltReader.open(fileOfBytes(file));
  const found = new Map<string, BboltEntry[]>();
  for (const bucket of await reader.buckets()) {
    const entries: BboltEntry[] = [];
    for await (const batch of reader.entries(bucket)) entries.push(...batch);
    found.set(bucket.name, entries);
  }
  return found;
}
