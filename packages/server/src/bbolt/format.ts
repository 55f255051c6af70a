/**
 * The words of a bbolt file (go.etcd.io/bbolt, version 2 of its format), all numbers little-endian:
 *
 *     file     = page 0 (meta) · page 1 (meta) · pages
 *     page     = id (8) · flags (2) · count (2) · overflow (4) · elements · data; overflow: pages that follow as part of it
 *     leaf     element: flags (4) · position (4) · key bytes (4) · value bytes (4)
 *     branch   element: position (4) · key bytes (4) · page of the child (8); the key is the child's first
 *     meta     magic (4) · version (4) · page size (4) · flags (4) · root bucket (16) · page of the freelist (8) ·
 *              number of pages (8) · transaction (8) · FNV-1a of all that (8)
 *     bucket   root page (8) · sequence (8); root page 0: a page of its own lies behind it, inline
 *
 * A position counts from its element. A bucket is an entry of the root bucket whose flags are 1. Of the two metas the
 * valid one with the later transaction counts.
 */

/** Bytes of the pages that are written here; files of others have those of their machine. */
export const PAGE_BYTES = 4096;
/** Bytes of a page's head. */
export const PAGE_HEAD_BYTES = 16;
/** Bytes of an element, of either kind. */
export const ELEMENT_BYTES = 16;
/** Bytes of a bucket's value, when the bucket is not inline. */
export const BUCKET_BYTES = 16;
/** Bytes of a meta, its checksum included. */
export const META_BYTES = 64;

/** Flags of a page. */
export const BRANCH_PAGE = 0x01;
/** See {@link BRANCH_PAGE}. */
export const LEAF_PAGE = 0x02;
/** See {@link BRANCH_PAGE}. */
export const META_PAGE = 0x04;
/** See {@link BRANCH_PAGE}. */
export const FREELIST_PAGE = 0x10;
/** Flags of a leaf's element that is a bucket. */
export const BUCKET_ELEMENT = 0x01;

/** First field of a meta. */
export const MAGIC = 0xed0cdaed;
/** Version of the format. */
export const FORMAT_VERSION = 2;

/** A key and its value. */
export type BboltEntry = readonly [key: Uint8Array, value: Uint8Array];

/** A file that is not a bbolt database, or a damaged one, and where. */
export class BboltError extends Error {
  override readonly name = 'BboltError';
}

/** A view of bytes as numbers. */
export function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
}
