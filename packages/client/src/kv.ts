/** The key-value calls: what they take, and what comes of it. */
import { EMPTY_BYTES } from '@etcd-ts/base';
import {
  type DeleteRangeRequest,
  type DeleteRangeResponse,
  EtcdError,
  type PutRequest,
  type PutResponse,
  type RangeRequest,
  type RangeResponse,
  SortOrder,
  SortTarget,
} from '@etcd-ts/protocol';
import { Entry } from './entry.ts';
import { type Bytes, type Keys, toBytes, toRange } from './key.ts';

/** How to read. All may be left out. */
export interface RangeOptions {
  /** At most so many keys. @defaultValue no limit */
  readonly limit?: number;
  /** Read at this revision. @defaultValue the current one */
  readonly revision?: number;
  /** Order of the answer. @defaultValue by key, ascending */
  readonly sort?: {
    readonly by: 'key' | 'version' | 'create' | 'mod' | 'value';
    readonly order?: 'ascend' | 'descend';
  };
  /**
   * Answer from the member's own state: faster, works without quorum, perhaps stale. @defaultValue false: linearizable
   */
  readonly serializable?: boolean;
  /** Leave out the values. */
  readonly keysOnly?: boolean;
  /** Only the count. */
  readonly countOnly?: boolean;
  /** Inclusive bounds on the revisions of the keys. */
  readonly minModRevision?: number;
  readonly maxModRevision?: number;
  readonly minCreateRevision?: number;
  readonly maxCreateRevision?: number;
}

/** What a range holds. */
export interface RangeResult {
  readonly entries: readonly Entry[];
  /** Number of keys in the range, whatever the limit is. */
  readonly count: number;
  /** The limit has cut keys off. */
  readonly more: boolean;
  /** Revision of the store at the answer. */
  readonly revision: number;
}

/** How to write. */
export interface PutOptions {
  /** Attach the key to this lease. @defaultValue none */
  readonly lease?: bigint;
  /** Answer with the key as it was. */
  readonly previous?: boolean;
  /** Keep the value, change only the lease; the key must exist. */
  readonly ignoreValue?: boolean;
  /** Keep the lease, change only the value; the key must exist. */
  readonly ignoreLease?: boolean;
}

/** What a put did. */
export interface PutResult {
  /** Revision of the put. */
  readonly revision: number;
  /** The key as it was, when asked for and when there was one. */
  readonly previous: Entry | undefined;
}

/** How to delete. */
export interface DeleteOptions {
  /** Answer with the keys as they were. */
  readonly previous?: boolean;
}

/** What a deletion did. */
export interface DeleteResult {
  /** Revision of the deletion; the current one when nothing was there. */
  readonly revision: number;
  readonly deleted: number;
  /** The keys as they were, when asked for. */
  readonly previous: readonly Entry[];
}

const SORT_TARGETS = {
  key: SortTarget.KEY,
  version: SortTarget.VERSION,
  create: SortTarget.CREATE,
  mod: SortTarget.MOD,
  value: SortTarget.VALUE,
} as const;

/**
 * The request of a range.
 *
 * @throws EtcdError EMPTY_KEY; INVALID_ARGUMENT for a limit or revision that is not a whole number.
 */
export function rangeRequest(keys: Keys, options: RangeOptions = {}): RangeRequest {
  const { sort } = options;
  const { key, rangeEnd } = toRange(keys);
  // No spread: an object that grows by a dozen fields afterwards costs kilobytes.
  return {
    key,
    rangeEnd,
    limit: whole('limit', options.limit),
    revision: whole('revision', options.revision),
    sortOrder:
      sort === undefined
        ? SortOrder.NONE
        : sort.order === 'descend'
          ? SortOrder.DESCEND
          : SortOrder.ASCEND,
    sortTarget: sort === undefined ? SortTarget.KEY : SORT_TARGETS[sort.by],
    serializable: options.serializable ?? false,
    keysOnly: options.keysOnly ?? false,
    countOnly: options.countOnly ?? false,
    minModRevision: whole('minModRevision', options.minModRevision),
    maxModRevision: whole('maxModRevision', options.maxModRevision),
    minCreateRevision: whole('minCreateRevision', options.minCreateRevision),
    maxCreateRevision: whole('maxCreateRevision', options.maxCreateRevision),
  };
}

/** What a range's response says. */
export function rangeResult(response: RangeResponse): RangeResult {
  return {
    entries: response.kvs.map((kv) => new Entry(kv)),
    count: response.count,
    more: response.more,
    revision: response.header?.revision ?? 0,
  };
}

/** The request of a put. @throws EtcdError EMPTY_KEY. */
export function putRequest(key: Bytes, value: Bytes, options: PutOptions = {}): PutRequest {
  const bytes = toBytes(key);
  if (bytes.length === 0) throw new EtcdError('EMPTY_KEY');
  return {
    key: bytes,
    value: options.ignoreValue === true ? EMPTY_BYTES : toBytes(value),
    lease: options.lease ?? 0n,
    prevKv: options.previous ?? false,
    ignoreValue: options.ignoreValue ?? false,
    ignoreLease: options.ignoreLease ?? false,
  };
}

/** What a put's response says. */
export function putResult(response: PutResponse): PutResult {
  return {
    revision: response.header?.revision ?? 0,
    previous: response.prevKv === undefined ? undefined : new Entry(response.prevKv),
  };
}

/** The request of a deletion. @throws EtcdError EMPTY_KEY. */
export function deleteRequest(keys: Keys, options: DeleteOptions = {}): DeleteRangeRequest {
  return { ...toRange(keys), prevKv: options.previous ?? false };
}

/** What a deletion's response says. */
export function deleteResult(response: DeleteRangeResponse): DeleteResult {
  return {
    revision: response.header?.revision ?? 0,
    deleted: response.deleted,
    previous: response.prevKvs.map((kv) => new Entry(kv)),
  };
}

/** A whole number, 0 when it is left out. @throws EtcdError INVALID_ARGUMENT. */
export function whole(name: string, value: number | undefined): number {
  if (value === undefined) return 0;
  if (!Number.isSafeInteger(value)) {
    throw new EtcdError('INVALID_ARGUMENT', { message: `${name} is not a whole number: ${value}` });
  }
  return value;
}
