/** Long lists of keys with their values, cut into pieces of bounded size. */
import type { KeyValue } from '@etcd-ts/protocol';

/** Most keys in a piece. */
export const PIECE_KEYS = 1_000;
/** Bytes of keys and values after which a piece ends: a larger entry is a piece of its own. */
export const PIECE_BYTES: number = 1 << 20;

/** The pieces, in order; none of them is empty. */
export function* kvPieces(kvs: readonly KeyValue[]): Generator<KeyValue[], void, undefined> {
  for (let at = 0; at < kvs.length;) {
    const start = at;
    for (let bytes = 0; at < kvs.length && at < start + PIECE_KEYS; at++) {
      if (bytes >= PIECE_BYTES) break;
      bytes += (kvs[at]?.key.length ?? 0) + (kvs[at]?.value.length ?? 0);
    }
    yield kvs.slice(start, at);
  }
}
