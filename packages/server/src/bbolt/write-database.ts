/**
 * A whole bbolt file from buckets, front to back, in pieces: first the lengths of all entries are gone through, which
 * gives the number of every page and so what the metas at the front have to say, and then the entries themselves.
 *
 *     metas (2 pages) · empty freelist (1) · the pages of each bucket, its root last · the root bucket
 */
import { assert, utf8 } from '@etcd-ts/base';
import { BucketTree, type Sized } from './bucket-tree.ts';
import { type BboltEntry, BUCKET_BYTES, PAGE_BYTES, viewOf } from './format.ts';
import type { BboltMeta } from './meta.ts';
import { PageCounter, PageWriter } from './page-writer.ts';

/** A bucket to be written: gone through twice, with the same entries in the order of their keys, no key twice. */
export interface BucketSource {
  readonly name: string;
  /** Tells how long each key and value is. */
  measure(entry: (keyBytes: number, valueBytes: number) => void): Promise<void>;
  entries(): AsyncIterable<readonly BboltEntry[]>;
}

/** What has been counted. */
export interface DatabasePlan {
  /** Bytes of the file. */
  readonly sizeBytes: number;
  readonly meta: Omit<BboltMeta, 'transaction'>;
}

const META_PAGES = 2;
const FREELIST = META_PAGES;
/** A piece ends once it has this many bytes: 128 KiB, or those of one page more. */
const PIECE_BYTES: number = 128 << 10;

/** Goes through the lengths. @param buckets In the order of their names. */
export async function planDatabase(buckets: readonly BucketSource[]): Promise<DatabasePlan> {
  const counter = new PageCounter(FREELIST + 1);
  for (const bucket of buckets) {
    const tree = new BucketTree<Sized>(counter);
    await bucket.measure((keyBytes, valueBytes) => {
      tree.add({ length: keyBytes }, { length: valueBytes });
    });
    tree.end();
  }
  const root = new BucketTree<Sized>(counter);
  for (const { name } of buckets) root.add(utf8(name), { length: BUCKET_BYTES });
  const rootPage = root.end();
  const { pages } = counter;
  return {
    sizeBytes: pages * PAGE_BYTES,
    meta: { pageBytes: PAGE_BYTES, rootPage, freelistPage: FREELIST, pages },
  };
}

/** The file's bytes, of which no more than a piece and a page of each level are held. */
export async function* writeDatabase(
  buckets: readonly BucketSource[],
  { meta }: DatabasePlan,
): AsyncGenerator<Uint8Array, void, undefined> {
  const writer = new PageWriter();
  for (let transaction = 0; transaction < META_PAGES; transaction++) {
    writer.meta({ ...meta, transaction });
  }
  writer.freelist();
  const roots: number[] = [];
  for (const bucket of buckets) {
    const tree = new BucketTree<Uint8Array>(writer);
    for await (const batch of bucket.entries()) {
      for (const [key, value] of batch) tree.add(key, value);
      if (writer.length >= PIECE_BYTES) yield writer.take();
    }
    roots.push(tree.end());
  }
  writer.writesBuckets = true;
  const root = new BucketTree<Uint8Array>(writer);
  buckets.forEach(({ name }, i) => root.add(utf8(name), bucketValue(roots[i] as number)));
  const rootPage = root.end();
  assert(
    rootPage === meta.rootPage && writer.pages === meta.pages,
    () =>
      `${writer.pages} pages with root ${rootPage}; counted were ${meta.pages}, ${meta.rootPage}`,
  );
  yield writer.take();
}

function bucketValue(rootPage: number): Uint8Array {
  const value = new Uint8Array(BUCKET_BYTES);
  viewOf(value).setBigUint64(0, BigInt(rootPage), true);
  return value;
}
