/** The meta pages of a bbolt file: where the root bucket is, and how many pages count. */
import {
  BboltError,
  FORMAT_VERSION,
  MAGIC,
  META_BYTES,
  META_PAGE,
  PAGE_HEAD_BYTES,
  viewOf,
} from './format.ts';

/** What a meta says. */
export interface BboltMeta {
  readonly pageBytes: number;
  readonly rootPage: number;
  readonly freelistPage: number;
  /** Pages of the file, those of the metas included. */
  readonly pages: number;
  /** The later one of two counts. */
  readonly transaction: number;
}

const ROOT_AT = 16;
const FREELIST_AT = 32;
const PAGES_AT = 40;
const TRANSACTION_AT = 48;
const CHECKSUM_AT = 56;
/** Pages of a machine have between 1 and 64 KiB. */
const PAGE_BYTES_MIN = 1024;
const PAGE_BYTES_MAX = 65_536;

const FNV_START = 0xcbf29ce484222325n;
const FNV_PRIME = 0x100000001b3n;

/** Writes a meta page. */
export function writeMeta(page: Uint8Array, id: number, meta: BboltMeta): void {
  const head = viewOf(page);
  head.setBigUint64(0, BigInt(id), true);
  head.setUint16(8, META_PAGE, true);
  const bytes = page.subarray(PAGE_HEAD_BYTES, PAGE_HEAD_BYTES + META_BYTES);
  const view = viewOf(bytes);
  view.setUint32(0, MAGIC, true);
  view.setUint32(4, FORMAT_VERSION, true);
  view.setUint32(8, meta.pageBytes, true);
  view.setBigUint64(ROOT_AT, BigInt(meta.rootPage), true);
  view.setBigUint64(FREELIST_AT, BigInt(meta.freelistPage), true);
  view.setBigUint64(PAGES_AT, BigInt(meta.pages), true);
  view.setBigUint64(TRANSACTION_AT, BigInt(meta.transaction), true);
  view.setBigUint64(CHECKSUM_AT, fnv1a(bytes.subarray(0, CHECKSUM_AT)), true);
}

/** Bytes of a page that have to be read to see its meta. */
export const META_PAGE_BYTES: number = PAGE_HEAD_BYTES + META_BYTES;

/**
 * The meta that counts.
 *
 * @param readAt The first {@link META_PAGE_BYTES} bytes of a page that begins here, or fewer at the end of the file.
 * @throws BboltError when neither is valid.
 */
export async function currentMeta(readAt: (at: number) => Promise<Uint8Array>): Promise<BboltMeta> {
  const first = parseMeta(await readAt(0));
  // Where the second begins is in the first; when that is damaged, it is where one is found.
  let at = first?.pageBytes ?? PAGE_BYTES_MIN;
  let second = parseMeta(await readAt(at));
  while (first === undefined && second?.pageBytes !== at && at < PAGE_BYTES_MAX) {
    at *= 2;
    second = parseMeta(await readAt(at));
  }
  if (first !== undefined && second !== undefined) {
    return second.transaction > first.transaction ? second : first;
  }
  const valid = first ?? second;
  if (valid === undefined) throw new BboltError('invalid database: neither meta page is valid');
  return valid;
}

/** undefined: it is none, or a damaged one. */
function parseMeta(page: Uint8Array): BboltMeta | undefined {
  if (page.length < META_PAGE_BYTES) return undefined;
  const bytes = page.subarray(PAGE_HEAD_BYTES, META_PAGE_BYTES);
  const view = viewOf(bytes);
  if (view.getUint32(0, true) !== MAGIC || view.getUint32(4, true) !== FORMAT_VERSION) {
    return undefined;
  }
  if (view.getBigUint64(CHECKSUM_AT, true) !== fnv1a(bytes.subarray(0, CHECKSUM_AT))) {
    return undefined;
  }
  const pageBytes = view.getUint32(8, true);
  const isPowerOfTwo = (pageBytes & (pageBytes - 1)) === 0;
  if (pageBytes < PAGE_BYTES_MIN || pageBytes > PAGE_BYTES_MAX || !isPowerOfTwo) return undefined;
  return {
    pageBytes,
    rootPage: Number(view.getBigUint64(ROOT_AT, true)),
    freelistPage: Number(view.getBigUint64(FREELIST_AT, true)),
    pages: Number(view.getBigUint64(PAGES_AT, true)),
    transaction: Number(view.getBigUint64(TRANSACTION_AT, true)),
  };
}

/** FNV-1a of 64 bits. */
function fnv1a(bytes: Uint8Array): bigint {
  let hash = FNV_START;
  for (const byte of bytes) hash = BigInt.asUintN(64, (hash ^ BigInt(byte)) * FNV_PRIME);
  return hash;
}
