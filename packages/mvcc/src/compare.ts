/**
 * What a transaction's compare says of a key (etcd server/etcdserver/txn/txn.go, applyCompare).
 *
 * Three facts that surprise: an absent key is zero in everything but its value, of which nothing holds, not even that it
 * is another one; a compare of an unknown target compares equal; an unknown result always holds.
 */
import { compareBytes, EMPTY_BYTES } from '@etcd-ts/base';
import type { KeyValue } from './key-value.ts';
import type { Compare } from './request.ts';

const RESULT_EQUAL = 0;
const RESULT_GREATER = 1;
const RESULT_LESS = 2;
const RESULT_NOT_EQUAL = 3;
const TARGET_VERSION = 0;
const TARGET_CREATE = 1;
const TARGET_MOD = 2;
const TARGET_VALUE = 3;
const TARGET_LEASE = 4;

/** Of a version, what can be compared. */
export type Comparable = Omit<KeyValue, 'key'>;

/** False when the index knows everything that the compare looks at. */
export function comparesValue(compare: Compare): boolean {
  return compare.target === TARGET_VALUE;
}

/** An absent key has no value, so that a compare of values never holds; everything else of it is zero. */
export function holdsOfAbsent(compare: Compare): boolean {
  if (compare.target === TARGET_VALUE) return false;
  const { target } = compare;
  return satisfies(
    compare.result,
    target === TARGET_LEASE ? order(0n, wantedLease(compare)) : order(0, wantedNumber(compare)),
  );
}

/** Whether a live key satisfies the compare. */
export function holdsOf(compare: Compare, kv: Comparable): boolean {
  switch (compare.target) {
    case TARGET_VERSION:
      return satisfies(compare.result, order(kv.version, wantedNumber(compare)));
    case TARGET_CREATE:
      return satisfies(compare.result, order(kv.createRevision, wantedNumber(compare)));
    case TARGET_MOD:
      return satisfies(compare.result, order(kv.modRevision, wantedNumber(compare)));
    case TARGET_LEASE:
      return satisfies(compare.result, order(kv.lease, wantedLease(compare)));
    case TARGET_VALUE: {
      const union = compare.targetUnion;
      const wanted = union?.$case === 'value' ? union.value : EMPTY_BYTES;
      return satisfies(compare.result, compareBytes(kv.value, wanted));
    }
    default:
      return satisfies(compare.result, 0);
  }
}

const NUMBER_CASES: Readonly<Record<number, string>> = {
  [TARGET_VERSION]: 'version',
  [TARGET_CREATE]: 'createRevision',
  [TARGET_MOD]: 'modRevision',
};

/** What a number is compared with; 0 when the request says nothing, or speaks of another target. */
function wantedNumber(compare: Compare): number {
  const union = compare.targetUnion;
  if (union === undefined || union.$case !== NUMBER_CASES[compare.target]) return 0;
  return typeof union.value === 'number' ? union.value : 0;
}

function wantedLease(compare: Compare): bigint {
  return compare.targetUnion?.$case === 'lease' ? compare.targetUnion.value : 0n;
}

function order<T extends number | bigint>(a: T, b: T): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** An operator that etcd does not know holds. */
function satisfies(result: number, difference: number): boolean {
  switch (result) {
    case RESULT_EQUAL:
      return difference === 0;
    case RESULT_GREATER:
      return difference > 0;
    case RESULT_LESS:
      return difference < 0;
    case RESULT_NOT_EQUAL:
      return difference !== 0;
    default:
      return true;
  }
}
