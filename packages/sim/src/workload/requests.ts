/** What a client asks for with one call, by its plan and by what it has seen. */
import { EMPTY_BYTES } from '@etcd-ts/base';
import type { RangeRequest, RequestOp, TxnRequest } from '@etcd-ts/mvcc';
import type { OperationRequest } from '../history/operation.ts';
import type { PlannedStep } from '../plan/plan.ts';
import { compareCreate, compareMod, putOp, rangeOp } from './txn-parts.ts';
import { keyBytes, rangeRequest } from './wire.ts';

/** Every data key begins with it. */
export const KEY_PREFIX = 'key/';
/** The end of all data keys. */
export const KEY_PREFIX_END = 'key0';

const SORT_ASCEND = 1;
const SORT_DESCEND = 2;
const SORT_BY_CREATE = 2;
const SORT_BY_MOD = 3;
const SORT_BY_VALUE = 4;

/** The name of a data key. */
export function keyName(number: number): string {
  return `${KEY_PREFIX}${number}`;
}

/** What a client knows when it asks. */
export interface Known {
  /** The newest revision seen anywhere. */
  readonly revision: number;
  /** Its own leases, the newest at the end. */
  readonly leases: bigint[];
  /** The last modification seen of a key; 0: none. */
  readonly lastMod: (key: string) => number;
  readonly uniqueValue: () => Uint8Array;
}

/** Steps that are one call. */
export type RequestStep = Extract<
  PlannedStep,
  {
    do:
      | 'get'
      | 'list'
      | 'put'
      | 'delete'
      | 'deleteAll'
      | 'swap'
      | 'txn'
      | 'readTxn'
      | 'compact'
      | 'keepAlive'
      | 'keepOther'
      | 'revoke'
      | 'timeToLive';
  }
>;

/** The request of a step; undefined when there is nothing to ask about. */
export function requestOf(known: Known, step: RequestStep): OperationRequest | undefined {
  switch (step.do) {
    case 'get':
      return {
        kind: 'range',
        request: rangeRequest(keyName(step.key), { serializable: step.stale }),
      };
    case 'list': {
      const revision = step.back > 0 ? Math.max(1, known.revision - step.back) : 0;
      const { limit, stale: serializable } = step;
      const more = { rangeEnd: keyBytes(KEY_PREFIX_END), limit, revision, serializable };
      const shape = shapeOf(step.shape ?? 0, known.revision);
      return { kind: 'range', request: rangeRequest(KEY_PREFIX, { ...more, ...shape }) };
    }
    case 'put':
      return put(known, keyName(step.key), step.leased ? (known.leases.at(-1) ?? 0n) : 0n);
    case 'delete':
      return {
        kind: 'deleteRange',
        request: { key: keyBytes(keyName(step.key)), rangeEnd: EMPTY_BYTES, prevKv: true },
      };
    case 'deleteAll':
      return {
        kind: 'deleteRange',
        request: { key: keyBytes(KEY_PREFIX), rangeEnd: keyBytes(KEY_PREFIX_END), prevKv: false },
      };
    case 'swap':
      return { kind: 'txn', request: swap(known, keyName(step.key)) };
    case 'txn':
      return { kind: 'txn', request: txn(known, step.keys.map(keyName), step.nested) };
    case 'readTxn': {
      const reads = step.keys.map((key) => rangeOp(keyName(key)));
      return { kind: 'txn', request: { compare: [], success: reads, failure: [] } };
    }
    case 'compact': {
      const revision = Math.max(1, known.revision - step.back);
      return { kind: 'compact', revision, physical: step.physical };
    }
    case 'keepOther': {
      // The first lease of another client: a session that is kept alive from two sides.
      return { kind: 'leaseKeepAlive', id: leaseName(step.client, 1) };
    }
    case 'keepAlive':
    case 'revoke':
    case 'timeToLive':
      return ofLease(known, step.do);
  }
}

/** The n-th lease that a client asks for. */
export function leaseName(client: number, number: number): bigint {
  return BigInt(client) * 1_000_000n + BigInt(number);
}

/** How many shapes of lists there are. */
export const LIST_SHAPES = 8;

/** What else a list may ask for. */
function shapeOf(shape: number, revision: number): Partial<RangeRequest> {
  const past = Math.max(0, revision - 10);
  const shapes: readonly Partial<RangeRequest>[] = [
    {},
    { keysOnly: true },
    { countOnly: true },
    { sortOrder: SORT_DESCEND, sortTarget: SORT_BY_MOD },
    { sortOrder: SORT_ASCEND, sortTarget: SORT_BY_CREATE },
    { sortOrder: SORT_DESCEND, sortTarget: SORT_BY_VALUE },
    { minModRevision: past },
    { maxCreateRevision: past },
  ];
  return shapes[shape] ?? {};
}

function ofLease(
  known: Known,
  what: 'keepAlive' | 'revoke' | 'timeToLive',
): OperationRequest | undefined {
  const id = what === 'revoke' ? known.leases.shift() : known.leases.at(-1);
  if (id === undefined) return undefined;
  if (what === 'keepAlive') return { kind: 'leaseKeepAlive', id };
  return { kind: what === 'revoke' ? 'leaseRevoke' : 'leaseTimeToLive', id };
}

function put(known: Known, key: string, lease: bigint): OperationRequest {
  const value = known.uniqueValue();
  const flags = { prevKv: value.at(-1) !== 0x30, ignoreValue: false, ignoreLease: false };
  return { kind: 'put', request: { key: keyBytes(key), value, lease, ...flags } };
}

function swap(known: Known, key: string): TxnRequest {
  return {
    compare: [compareMod(key, known.lastMod(key))],
    success: [putOp(key, known.uniqueValue())],
    failure: [rangeOp(key)],
  };
}

function txn(known: Known, keys: readonly string[], nested: boolean): TxnRequest {
  const puts = keys.map((key) => putOp(key, known.uniqueValue()));
  const all = rangeOp(KEY_PREFIX, { rangeEnd: keyBytes(KEY_PREFIX_END) });
  const [first = KEY_PREFIX] = keys;
  const inner: RequestOp = {
    request: {
      $case: 'requestTxn',
      value: {
        compare: [compareCreate(first, 0)],
        success: puts,
        failure: [...puts, rangeOp(first)],
      },
    },
  };
  return { compare: [], success: nested ? [all, inner] : [all, ...puts, all], failure: [] };
}
