/** One page of a bbolt file, with nothing in it believed: what leaves the page, or overlaps, is refused. */
import {
  BboltError,
  BRANCH_PAGE,
  BUCKET_ELEMENT,
  ELEMENT_BYTES,
  LEAF_PAGE,
  PAGE_HEAD_BYTES,
  viewOf,
} from './format.ts';

/** An entry of a leaf. Key and value are views of the page. */
export interface LeafElement {
  readonly key: Uint8Array;
  readonly value: Uint8Array;
  readonly isBucket: boolean;
}

/** A leaf with its entries, or a branch with the pages of its children. */
export type TreePage =
  | { readonly kind: 'leaf'; readonly elements: readonly LeafElement[] }
  | { readonly kind: 'branch'; readonly children: readonly number[] };

/** The head of a page. */
export interface PageHead {
  readonly id: number;
  readonly flags: number;
  readonly count: number;
  /** Pages that follow as part of this one. */
  readonly overflow: number;
}

/** Reads a page's head. */
export function readPageHead(page: Uint8Array): PageHead {
  const view = viewOf(page);
  return {
    id: Number(view.getBigUint64(0, true)),
    flags: view.getUint16(8, true),
    count: view.getUint16(10, true),
    overflow: view.getUint32(12, true),
  };
}

/**
 * Reads a page of a tree.
 *
 * @param page All of its bytes, overflow included.
 * @param where For errors: `page 12`.
 * @throws BboltError
 */
export function readTreePage(page: Uint8Array, where: string): TreePage {
  if (page.length < PAGE_HEAD_BYTES) throw new BboltError(`${where} has ${page.length} bytes`);
  const { flags, count } = readPageHead(page);
  if (flags !== LEAF_PAGE && flags !== BRANCH_PAGE) {
    throw new BboltError(`${where} has flags ${flags}, and is neither leaf nor branch`);
  }
  const dataAt = PAGE_HEAD_BYTES + count * ELEMENT_BYTES;
  if (dataAt > page.length) {
    throw new BboltError(`${where} has ${count} elements and only ${page.length} bytes`);
  }
  return flags === LEAF_PAGE
    ? { kind: 'leaf', elements: readLeaf(page, count, where) }
    : { kind: 'branch', children: readBranch(page, count) };
}

function readLeaf(page: Uint8Array, count: number, where: string): LeafElement[] {
  const view = viewOf(page);
  const elements: LeafElement[] = [];
  let freeAt = PAGE_HEAD_BYTES + count * ELEMENT_BYTES;
  for (let i = 0, at = PAGE_HEAD_BYTES; i < count; i++, at += ELEMENT_BYTES) {
    const keyAt = at + view.getUint32(at + 4, true);
    const valueAt = keyAt + view.getUint32(at + 8, true);
    const end = valueAt + view.getUint32(at + 12, true);
    // Data lies in the order of the elements: two of them do not share any.
    if (keyAt < freeAt || end > page.length) {
      throw new BboltError(
        `${where}: element ${i} lies at ${keyAt} to ${end}, and may from ${freeAt} to ${page.length}`,
      );
    }
    freeAt = end;
    elements.push({
      key: page.subarray(keyAt, valueAt),
      value: page.subarray(valueAt, end),
      isBucket: (view.getUint32(at, true) & BUCKET_ELEMENT) !== 0,
    });
  }
  return elements;
}

/** The children alone: for reading all of them their keys are of no use. */
function readBranch(page: Uint8Array, count: number): number[] {
  const view = viewOf(page);
  return Array.from({ length: count }, (_, i) =>
    Number(view.getBigUint64(PAGE_HEAD_BYTES + i * ELEMENT_BYTES + 8, true)),
  );
}
