/**
 * A second opinion on K1 that looks at no revision: each key taken as a register of (value, version), and the search of
 * `wgl.ts` over a stretch of its operations.
 *
 * Keys that a transaction or range joins with others are left out, as are stretches that are too busy for a search.
 */
import { toLatin1 } from '@etcd-ts/base';
import type { RangeResult, TxnRequest, TxnResult } from '@etcd-ts/mvcc';
import type { Operation } from '../history/operation.ts';
import { isSerializable } from './placement.ts';
import { Findings, type Violation } from './violation.ts';
import { wgl, type WglCall, type WglModel } from './wgl.ts';

/** Operations of one key in one search; more are left out. */
export const MAX_SAMPLE_CALLS = 400;
/** Operations with unknown outcome in one search; a key with more is left out, for each doubles the work. */
export const MAX_SAMPLE_UNKNOWN = 10;

/** What a register holds: version 0 when the key is not there. */
export interface RegisterState {
  readonly value: string;
  readonly version: number;
}

/** One operation on a register, with what was seen. */
export type RegisterOp =
  | { readonly kind: 'read'; readonly seen: RegisterState }
  | { readonly kind: 'write'; readonly value: string }
  | { readonly kind: 'delete'; readonly deleted: boolean | undefined }
  /** A compare-and-swap by modification; whether it succeeded is told, against what it compared is not. */
  | { readonly kind: 'swap'; readonly value: string };

/** A register that counts its writes, as a key's version does. */
export const registerModel: WglModel<RegisterState, RegisterOp> = {
  initial: { value: '', version: 0 },
  step(state, op) {
    switch (op.kind) {
      case 'read':
        return state.version === op.seen.version && state.value === op.seen.value
          ? state
          : undefined;
      case 'write':
      case 'swap':
        return { value: op.value, version: state.version + 1 };
      case 'delete':
        if (op.deleted !== undefined && op.deleted !== state.version > 0) return undefined;
        return { value: '', version: 0 };
    }
  },
  nameOf: (state) => `${state.version} ${state.value}`,
  rank: (op) => (op.kind === 'read' ? 0 : 1),
};

/** What the sample said: violations, and how much of the history it covered. */
export interface SampleResult {
  readonly violations: readonly Violation[];
  readonly judgedKeys: number;
  readonly unknownKeys: number;
}

/** Judges every key that can be taken alone. */
export function checkRegisterSample(
  operations: readonly Operation[],
  maxSteps = 200_000,
): SampleResult {
  const findings = new Findings();
  let judgedKeys = 0;
  let unknownKeys = 0;
  for (const [key, calls] of callsByKey(operations)) {
    const unknown = calls.filter((call) => call.returnedAt === Infinity).length;
    if (calls.length > MAX_SAMPLE_CALLS || unknown > MAX_SAMPLE_UNKNOWN) continue;
    const { verdict } = wgl(calls, registerModel, maxSteps);
    if (verdict === 'unknown') unknownKeys++;
    else judgedKeys++;
    if (verdict === 'violation') {
      findings.add('K1', `no order explains the ${calls.length} operations on key ${key}`);
    }
  }
  return { violations: findings.violations, judgedKeys, unknownKeys };
}

function callsByKey(operations: readonly Operation[]): Map<string, WglCall<RegisterOp>[]> {
  const byKey = new Map<string, WglCall<RegisterOp>[]>();
  const joined = new Set<string>();
  let everythingJoined = false;
  for (const operation of operations) {
    if (operation.outcome.kind === 'failed') continue;
    const taken = takeAlone(operation);
    if (taken === 'ignored') continue;
    if (taken === 'joins-all') everythingJoined = true;
    else if ('joins' in taken) for (const key of taken.joins) joined.add(key);
    else {
      const calls = byKey.get(taken.key) ?? [];
      calls.push({
        invokedAt: operation.invokedAt,
        returnedAt: operation.outcome.kind === 'ok' ? operation.returnedAt : Infinity,
        op: taken.op,
      });
      byKey.set(taken.key, calls);
    }
  }
  if (everythingJoined) return new Map();
  for (const key of joined) byKey.delete(key);
  return byKey;
}

type Taken =
  | { readonly key: string; readonly op: RegisterOp }
  | { readonly joins: readonly string[] }
  | 'joins-all'
  | 'ignored';

function takeAlone(operation: Operation): Taken {
  const { request, outcome } = operation;
  const response = outcome.kind === 'ok' ? outcome.response : undefined;
  switch (request.kind) {
    case 'range': {
      const isPlain = request.request.rangeEnd.length === 0 && request.request.revision <= 0;
      if (!isPlain || isSerializable(operation) || response?.kind !== 'range') return 'ignored';
      const key = toLatin1(request.request.key);
      return { key, op: { kind: 'read', seen: seenIn(response.result) } };
    }
    case 'put': {
      const key = toLatin1(request.request.key);
      // A lease may take the key away without a call.
      if (request.request.lease !== 0n || request.request.ignoreValue) return { joins: [key] };
      return { key, op: { kind: 'write', value: toLatin1(request.request.value) } };
    }
    case 'deleteRange': {
      if (request.request.rangeEnd.length > 0) return 'joins-all';
      const deleted = response?.kind === 'deleteRange' ? response.result.deleted > 0 : undefined;
      return { key: toLatin1(request.request.key), op: { kind: 'delete', deleted } };
    }
    case 'txn':
      return takeSwap(request.request, response?.kind === 'txn' ? response.result : undefined);
    case 'leaseRevoke':
      return 'ignored';
    default:
      return 'ignored';
  }
}

/** A transaction that compares and puts one key; a failed one reads it. */
function takeSwap(request: TxnRequest, result: TxnResult | undefined): Taken {
  const keys = new Set<string>();
  let value: string | undefined;
  for (const compare of request.compare) keys.add(toLatin1(compare.key));
  for (const op of [...request.success, ...request.failure]) {
    const inner = op.request;
    if (inner?.$case === 'requestPut') {
      const key = toLatin1(inner.value.key);
      if (inner.value.lease !== 0n) return { joins: [key, ...keys] };
      keys.add(key);
      value = toLatin1(inner.value.value);
    } else if (inner?.$case === 'requestRange') {
      if (inner.value.rangeEnd.length === 0) keys.add(toLatin1(inner.value.key));
    } else return 'joins-all';
  }
  const [key] = keys;
  if (keys.size !== 1 || key === undefined || value === undefined) return { joins: [...keys] };
  if (result === undefined) return { joins: [key] };
  if (result.succeeded) return { key, op: { kind: 'swap', value } };
  const [read] = result.responses;
  if (read?.$case !== 'responseRange') return 'ignored';
  return { key, op: { kind: 'read', seen: seenIn(read.value) } };
}

function seenIn(result: RangeResult): RegisterState {
  const [kv] = result.kvs;
  return kv === undefined
    ? registerModel.initial
    : { value: toLatin1(kv.value), version: kv.version };
}
