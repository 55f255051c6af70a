import { concatBytes } from '@etcd-ts/base';
import type { Caller, ClientCallOptions } from './caller.ts';
import { Entry } from './entry.ts';
import type { Keys } from './key.ts';
import { type RangeOptions, rangeRequest } from './kv.ts';

/** Keys of one page, unless told otherwise. */
export const DEFAULT_PAGE_SIZE = 1_000;

const ZERO = new Uint8Array([0]);

/** Reads a range page by page, all at the revision of the first page. At most one page is held at a time. */
export async function* pages(
  caller: Caller,
  keys: Keys,
  options: Pick<RangeOptions, 'revision' | 'serializable' | 'keysOnly'> &
    ClientCallOptions & { readonly pageSize?: number } = {},
): AsyncGenerator<Entry, void, undefined> {
  let request = rangeRequest(keys, { ...options, limit: options.pageSize ?? DEFAULT_PAGE_SIZE });
  for (;;) {
    const page = await caller.unary('etcdserverpb.KV/Range', request, 'read', options);
    for (const kv of page.kvs) yield new Entry(kv);
    const last = page.kvs.at(-1);
    if (!page.more || last === undefined) return;
    const revision = request.revision > 0 ? request.revision : (page.header?.revision ?? 0);
    request = { ...request, key: concatBytes([last.key, ZERO]), revision };
  }
}
