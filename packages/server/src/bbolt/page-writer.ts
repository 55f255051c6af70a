/** Two ends for the pages of a file: one counts them, the other makes their bytes. */
import { concatBytes } from '@etcd-ts/base';
import type { PageElements, PageSink, Sized } from './bucket-tree.ts';
import {
  BRANCH_PAGE,
  BUCKET_ELEMENT,
  ELEMENT_BYTES,
  FREELIST_PAGE,
  LEAF_PAGE,
  PAGE_BYTES,
  PAGE_HEAD_BYTES,
  viewOf,
} from './format.ts';
import { type BboltMeta, writeMeta } from './meta.ts';

/** Pages that this many bytes take. */
function pagesOf(bytes: number): number {
  return Math.ceil(bytes / PAGE_BYTES);
}

/** Counts pages. */
export class PageCounter implements PageSink<Sized> {
  /** Pages so far: the number that the next one gets. */
  pages: number;

  /** @param pages That are there already. */
  constructor(pages: number) {
    this.pages = pages;
  }

  leaf({ bytes }: PageElements<Sized, Sized>): number {
    return this.#count(bytes);
  }

  branch({ bytes }: PageElements<Sized, number>): number {
    return this.#count(bytes);
  }

  #count(bytes: number): number {
    const page = this.pages;
    this.pages += pagesOf(bytes);
    return page;
  }
}

/** Makes the bytes of pages, one behind the other from page 0 on, to be taken in pieces. */
export class PageWriter implements PageSink<Uint8Array> {
  #made: Uint8Array[] = [];
  #length = 0;
  #pages = 0;
  /** While true, the values of leaves are buckets. */
  writesBuckets = false;

  /** Bytes that were made and not yet taken. */
  get length(): number {
    return this.#length;
  }

  /** Pages so far, those taken included. */
  get pages(): number {
    return this.#pages;
  }

  meta(meta: BboltMeta): void {
    writeMeta(this.#next(1), this.#pages - 1, meta);
  }

  /** A list of free pages without any. */
  freelist(): void {
    this.#page(FREELIST_PAGE, 0, PAGE_HEAD_BYTES);
  }

  leaf({ keys, values, bytes }: PageElements<Uint8Array, Uint8Array>): number {
    const id = this.#pages;
    const page = this.#page(LEAF_PAGE, keys.length, bytes);
    const view = viewOf(page);
    let dataAt = PAGE_HEAD_BYTES + keys.length * ELEMENT_BYTES;
    for (let i = 0, at = PAGE_HEAD_BYTES; i < keys.length; i++, at += ELEMENT_BYTES) {
      const key = keys[i] as Uint8Array;
      const value = values[i] as Uint8Array;
      if (this.writesBuckets) view.setUint32(at, BUCKET_ELEMENT, true);
      view.setUint32(at + 4, dataAt - at, true);
      view.setUint32(at + 8, key.length, true);
      view.setUint32(at + 12, value.length, true);
      page.set(key, dataAt);
      page.set(value, dataAt + key.length);
      dataAt += key.length + value.length;
    }
    return id;
  }

  branch({ keys, values, bytes }: PageElements<Uint8Array, number>): number {
    const id = this.#pages;
    const page = this.#page(BRANCH_PAGE, keys.length, bytes);
    const view = viewOf(page);
    let dataAt = PAGE_HEAD_BYTES + keys.length * ELEMENT_BYTES;
    for (let i = 0, at = PAGE_HEAD_BYTES; i < keys.length; i++, at += ELEMENT_BYTES) {
      const key = keys[i] as Uint8Array;
      view.setUint32(at, dataAt - at, true);
      view.setUint32(at + 4, key.length, true);
      view.setBigUint64(at + 8, BigInt(values[i] as number), true);
      page.set(key, dataAt);
      dataAt += key.length;
    }
    return id;
  }

  /** What was made since the last call, as one piece. */
  take(): Uint8Array {
    const taken = concatBytes(this.#made);
    this.#made = [];
    this.#length = 0;
    return taken;
  }

  #page(flags: number, count: number, bytes: number): Uint8Array {
    const id = this.#pages;
    const page = this.#next(pagesOf(bytes));
    const view = viewOf(page);
    view.setBigUint64(0, BigInt(id), true);
    view.setUint16(8, flags, true);
    view.setUint16(10, count, true);
    view.setUint32(12, this.#pages - id - 1, true);
    return page;
  }

  #next(pages: number): Uint8Array {
    const page = new Uint8Array(pages * PAGE_BYTES);
    this.#made.push(page);
    this.#length += page.length;
    this.#pages += pages;
    return page;
  }
}
