/**
 * Every error that this project answers or raises, by its stable code: gRPC status, text on the wire, when.
 *
 * Codes are the names of etcd's errors without `ErrGRPC`; they never change. Texts are etcd's, to the letter, since
 * clients match on them; statuses are those seen on the wire, which are not always those that etcd declares.
 * `mayHaveApplied` marks errors after which a write may have happened all the same.
 *
 * Source: etcd api/v3rpc/rpctypes/error.go and answers of real servers. `docs/errors.md` is generated from this table.
 */
import { AUTH_ERRORS } from './catalogue/auth-errors.ts';
import { CLUSTER_ERRORS } from './catalogue/cluster-errors.ts';
import { GENERIC_ERRORS } from './catalogue/generic-errors.ts';
import { KV_ERRORS } from './catalogue/kv-errors.ts';
import type { Status } from './status.ts';

export { GENERIC_ERRORS };

/** One row of the catalogue. */
export interface CatalogueEntry {
  /** gRPC status on the wire. */
  readonly status: keyof typeof Status;
  /** Text on the wire. */
  readonly message: string;
  /** When it is answered. */
  readonly when: string;
  /** The request may have taken effect. */
  readonly mayHaveApplied?: true;
}

/** What etcd answers. */
export const ETCD_ERRORS: typeof KV_ERRORS & typeof AUTH_ERRORS & typeof CLUSTER_ERRORS = {
  ...KV_ERRORS,
  ...AUTH_ERRORS,
  ...CLUSTER_ERRORS,
};

/** The stable code of an error. */
export type ErrorCode = keyof typeof ETCD_ERRORS | keyof typeof GENERIC_ERRORS;

/** The whole catalogue. */
export const CATALOGUE: { readonly [Code in ErrorCode]: CatalogueEntry } = {
  ...ETCD_ERRORS,
  ...GENERIC_ERRORS,
};

/**
 * Why the server cancels a watch, where it is not the text of an error (`WatchResponse.cancel_reason`; the stream
 * stays open). Below the compact revision the reason is empty and `compact_revision` tells.
 */
export const WATCH_CANCEL_REASONS = {
  /** A negative start revision. */
  COMPACTED: 'etcdserver: mvcc: required revision has been compacted',
  /** The key is not before the end of the range. */
  EMPTY_RANGE: 'mvcc: watcher range is empty',
  /** The id is in use on this stream. */
  DUPLICATE_ID: 'mvcc: duplicate watch ID provided on the WatchStream',
} as const;
