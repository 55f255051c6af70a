/**
 * Reads the buckets of a bbolt file from end to end, whoever wrote it: pages of any size and in any order, inline buckets.
 *
 * Nothing in the file is believed, and reading always ends: keys have to ascend over a whole bucket, which no circle of
 * pages does; a tree has a largest depth; and no more pages are read than there are.
 */
import { compareBytes, fromUtf8 } from '@etcd-ts/base';
import { type BboltEntry, BboltError, BUCKET_BYTES, PAGE_HEAD_BYTES, viewOf } from './format.ts';
import { type BboltMeta, currentMeta, META_PAGE_BYTES } from './meta.ts';
import { type LeafElement, readPageHead, readTreePage } from './page-reader.ts';

/** A file that is read here and there. */
export interface RandomAccessFile {
  readonly sizeBytes: number;
  /** The bytes from here on, fewer at the end of the file. Nobody writes to them afterwards. */
  read(at: number, bytes: number): Promise<Uint8Array>;
}

/** A bucket that was found. */
export interface Bucket {
  readonly name: string;
  /** 0: inline. */
  readonly rootPage: number;
  /** The page of an inline one. */
  readonly inline: Uint8Array;
}

/** Levels of a tree: two children each would be more pages than any file has. */
const DEPTH_MAX = 40;
/** Bytes of one page with its overflow: 1 GiB. A damaged number allocates nothing absurd. */
const TREE_PAGE_BYTES_MAX: number = 1 << 30;

/** See the file's head. */
export class BboltReader {
  readonly #file: RandomAccessFile;
  readonly #meta: BboltMeta;

  private constructor(file: RandomAccessFile, meta: BboltMeta) {
    this.#file = file;
    this.#meta = meta;
  }

  /** @throws BboltError when it is not a bbolt file, or shorter than it says. */
  static async open(file: RandomAccessFile): Promise<BboltReader> {
    const meta = await currentMeta((at) => file.read(at, META_PAGE_BYTES));
    const wantedBytes = meta.pages * meta.pageBytes;
    if (wantedBytes > file.sizeBytes) {
      throw new BboltError(
        `file size too small: ${file.sizeBytes} bytes, ${meta.pages} pages have ${wantedBytes}`,
      );
    }
    return new BboltReader(file, meta);
  }

  /** The buckets, in the order of their names. @throws BboltError */
  async buckets(): Promise<readonly Bucket[]> {
    const found: Bucket[] = [];
    for await (const elements of this.#leaves(this.#meta.rootPage, 'the root bucket')) {
      for (const { key, value, isBucket } of elements) {
        const name = fromUtf8(key);
        if (!isBucket || value.length < BUCKET_BYTES) {
          throw new BboltError(`the root bucket has an entry ${name} that is no bucket`);
        }
        const rootPage = Number(viewOf(value).getBigUint64(0, true));
        found.push({ name, rootPage, inline: value.subarray(BUCKET_BYTES) });
      }
    }
    return found;
  }

  /** The entries of a bucket by key, a leaf at a time. @throws BboltError */
  async *entries(bucket: Bucket): AsyncGenerator<readonly BboltEntry[], void, undefined> {
    for await (const elements of this.#leavesOf(bucket)) {
      yield elements.map(({ key, value, isBucket }): BboltEntry => {
        if (isBucket) throw new BboltError(`bucket ${bucket.name} has a bucket within`);
        return [key, value];
      });
    }
  }

  async *#leavesOf({ name, rootPage, inline }: Bucket): AsyncGenerator<readonly LeafElement[]> {
    const where = `bucket ${name}`;
    if (rootPage !== 0) return yield* this.#leaves(rootPage, where);
    const page = readTreePage(inline, where);
    if (page.kind === 'branch') throw new BboltError(`${where} is inline, and a branch`);
    checkOrder(undefined, page.elements, where);
    yield page.elements;
  }

  /** The leaves below a page, from left to right. */
  async *#leaves(root: number, where: string): AsyncGenerator<readonly LeafElement[]> {
    let last: Uint8Array | undefined;
    let pagesLeft = this.#meta.pages;
    const waiting = [{ page: root, depth: 1 }];
    for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
      const { page: id, depth } = next;
      const what = `${where}: page ${id}`;
      if (depth > DEPTH_MAX) throw new BboltError(`${what} is deeper than ${DEPTH_MAX} levels`);
      const bytes = await this.#page(id, what);
      pagesLeft -= bytes.length / this.#meta.pageBytes;
      if (pagesLeft < 0) throw new BboltError(`${where} has more pages than the file`);
      const page = readTreePage(bytes, what);
      const content = page.kind === 'leaf' ? page.elements : page.children;
      if (content.length === 0 && (depth > 1 || page.kind === 'branch')) {
        throw new BboltError(`${what} is empty`);
      }
      if (page.kind === 'leaf') {
        last = checkOrder(last, page.elements, what);
        yield page.elements;
      } else {
        for (const child of page.children.toReversed()) {
          waiting.push({ page: child, depth: depth + 1 });
        }
      }
    }
  }

  /** A page with its overflow. */
  async #page(id: number, what: string): Promise<Uint8Array> {
    const { pageBytes, pages } = this.#meta;
    if (id >= pages) throw new BboltError(`${what} is not in the file, which has ${pages}`);
    const page = await this.#read(id * pageBytes, pageBytes, what);
    const { id: itself, overflow } = readPageHead(page);
    if (itself !== id) throw new BboltError(`${what} says that it is page ${itself}`);
    if (overflow === 0) return page;
    const bytes = (1 + overflow) * pageBytes;
    if (id + overflow >= pages || bytes > TREE_PAGE_BYTES_MAX) {
      throw new BboltError(`${what} goes on over ${overflow} more, of ${pages} in all`);
    }
    return this.#read(id * pageBytes, bytes, what);
  }

  async #read(at: number, bytes: number, what: string): Promise<Uint8Array> {
    const read = await this.#file.read(at, bytes);
    if (read.length < Math.max(bytes, PAGE_HEAD_BYTES)) {
      throw new BboltError(`${what} is cut off after ${read.length} bytes`);
    }
    return read;
  }
}

/** @returns the last key. */
function checkOrder(
  before: Uint8Array | undefined,
  elements: readonly LeafElement[],
  where: string,
): Uint8Array | undefined {
  let last = before;
  for (const { key } of elements) {
    if (last !== undefined && compareBytes(last, key) >= 0) {
      throw new BboltError(`${where}: a key does not come after the one before it`);
    }
    last = key;
  }
  return last;
}
