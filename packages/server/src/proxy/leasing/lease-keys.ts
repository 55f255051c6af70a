/**
 * Where ownership of keys is kept: beside each key, under a prefix, the key of its owner (etcd client/v3/leasing). Two
 * proxies with the same prefix and namespace, ours or etcd's, see each other's.
 */
import { compareBytes, concatBytes, prefixEnd, utf8 } from '@etcd-ts/base';
import {
  Compare,
  CompareResult,
  CompareTarget,
  RangeRequest,
  type RequestOp,
  type TxnRequest,
} from '@etcd-ts/protocol';

/** Keys from one on, up to an end; without end: the one key. */
export interface KeyRange {
  readonly key: Uint8Array;
  readonly rangeEnd: Uint8Array;
}

/** What a key of ownership holds when somebody else wants to write; its owner gives it up then. */
export const REVOKE: Uint8Array = utf8('REVOKE');

/** Ranges of one transaction that are guarded one by one; of more the range around all of them is. */
const MAX_GUARDS = 16;

const NONE = new Uint8Array(0);
const NUL = new Uint8Array(1);

/** Names of ownership. */
export class LeaseKeys {
  /** Before all of them. */
  readonly prefix: Uint8Array;
  readonly #namespace: Uint8Array;

  /**
   * @param namespace Before every key.
   * @param prefix etcd --experimental-leasing-prefix; lies inside the namespace.
   */
  constructor(namespace: Uint8Array, prefix: Uint8Array) {
    this.#namespace = namespace;
    this.prefix = concatBytes([namespace, prefix]);
  }

  /** The key that says who owns a key. */
  of(key: Uint8Array): Uint8Array {
    return concatBytes([this.prefix, key.subarray(this.#namespace.length)]);
  }

  /** The keys that say who owns those of a range. */
  ofRange({ key, rangeEnd }: KeyRange): KeyRange {
    if (rangeEnd.length === 0) return { key: this.of(key), rangeEnd };
    const isOpen = rangeEnd.length === 1 && rangeEnd[0] === 0;
    const isInside = !isOpen && this.#namespace.every((byte, at) => rangeEnd[at] === byte);
    return { key: this.of(key), rangeEnd: isInside ? this.of(rangeEnd) : prefixEnd(this.prefix) };
  }

  /** The key that a key of ownership is about. */
  owned(leaseKey: Uint8Array): Uint8Array {
    return concatBytes([this.#namespace, leaseKey.subarray(this.prefix.length)]);
  }
}

/** What a transaction may write, whichever way it goes; empty: it only reads. */
export function writesOf({ success, failure }: TxnRequest): readonly KeyRange[] {
  const writes = [...success, ...failure].flatMap(({ request }): readonly KeyRange[] => {
    switch (request?.$case) {
      case 'requestPut':
        return [{ key: request.value.key, rangeEnd: NONE }];
      case 'requestDeleteRange':
        return [{ key: request.value.key, rangeEnd: request.value.rangeEnd }];
      case 'requestTxn':
        return writesOf(request.value);
      default:
        return [];
    }
  });
  return writes.length <= MAX_GUARDS ? writes : [around(writes)];
}

/** The range from the least key to behind the greatest. */
function around(ranges: readonly KeyRange[]): KeyRange {
  const isOpen = ({ rangeEnd }: KeyRange): boolean => rangeEnd.length === 1 && rangeEnd[0] === 0;
  const keys = ranges.map(({ key }) => key).sort(compareBytes);
  const ends = ranges.map(({ key, rangeEnd }) =>
    rangeEnd.length === 0 ? concatBytes([key, NUL]) : rangeEnd,
  );
  const end = ranges.some(isOpen) ? NUL : ends.sort(compareBytes).at(-1);
  return { key: keys[0] ?? NUL, rangeEnd: end ?? NUL };
}

/** Holds when each key of a range was created at this revision; at 0: when there is none. */
export function createdAt({ key, rangeEnd }: KeyRange, revision: number): Compare {
  return Compare.fromPartial({
    result: CompareResult.EQUAL,
    target: CompareTarget.CREATE,
    key,
    rangeEnd,
    targetUnion: { $case: 'createRevision', value: revision },
  });
}

/** Holds when a key hangs on no lease: it then goes only by somebody's word. */
export function withoutLease(key: Uint8Array): Compare {
  return Compare.fromPartial({
    result: CompareResult.EQUAL,
    target: CompareTarget.LEASE,
    key,
    targetUnion: { $case: 'lease', value: 0n },
  });
}

/** Reads keys, without their values where those are not needed. */
export function rangeOp({ key, rangeEnd }: KeyRange, keysOnly: boolean): RequestOp {
  const value = RangeRequest.fromPartial({ key, rangeEnd, keysOnly });
  return { request: { $case: 'requestRange', value } };
}
