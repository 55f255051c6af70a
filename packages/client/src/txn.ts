/**
 * Transactions: compares, then one of two lists of operations, atomically and in one revision.
 *
 * The words are etcd's If, Then, Else; Then is called `do`, since an object with a method `then` would be taken for a
 * promise.
 */
import {
  type Compare,
  CompareResult,
  CompareTarget,
  EtcdError,
  type RequestOp,
  type ResponseOp,
  type TxnRequest,
  type TxnResponse,
} from '@etcd-ts/protocol';
import type { ClientCallOptions } from './caller.ts';
import { type Bytes, type Keys, toBytes, toRange } from './key.ts';
import {
  type DeleteOptions,
  deleteRequest,
  type DeleteResult,
  deleteResult,
  type PutOptions,
  putRequest,
  type PutResult,
  putResult,
  type RangeOptions,
  rangeRequest,
  type RangeResult,
  rangeResult,
} from './kv.ts';

/** How a property must stand to a value. */
export type Operator = '=' | '!=' | '>' | '<';

const OPERATORS = {
  '=': CompareResult.EQUAL,
  '!=': CompareResult.NOT_EQUAL,
  '>': CompareResult.GREATER,
  '<': CompareResult.LESS,
} as const;

type Target = Compare['targetUnion'];

function compareOf(keys: Keys, target: number, operator: Operator, targetUnion: Target): Compare {
  return { ...toRange(keys), target, result: OPERATORS[operator], targetUnion };
}

/**
 * Conditions of a transaction. Given many keys, each must fulfil it. On an absent key all numbers are 0, and a
 * comparison of its value is false, whatever the operator.
 */
export const compare: {
  /** Number of puts since the key came into being. */
  version(keys: Keys, operator: Operator, value: number): Compare;
  /** Revision in which the key came into being. */
  createRevision(keys: Keys, operator: Operator, value: number): Compare;
  /** Revision of the last put. */
  modRevision(keys: Keys, operator: Operator, value: number): Compare;
  /** Bytes of the value, in the order of memcmp. */
  value(keys: Keys, operator: Operator, value: Bytes): Compare;
  /** Lease that the key is attached to. */
  lease(keys: Keys, operator: Operator, value: bigint): Compare;
  /** The key is there. */
  exists(key: Bytes): Compare;
  /** The key is not there. */
  missing(key: Bytes): Compare;
} = {
  version: (keys, operator, value) =>
    compareOf(keys, CompareTarget.VERSION, operator, { $case: 'version', value }),
  createRevision: (keys, operator, value) =>
    compareOf(keys, CompareTarget.CREATE, operator, { $case: 'createRevision', value }),
  modRevision: (keys, operator, value) =>
    compareOf(keys, CompareTarget.MOD, operator, { $case: 'modRevision', value }),
  value: (keys, operator, value) =>
    compareOf(keys, CompareTarget.VALUE, operator, { $case: 'value', value: toBytes(value) }),
  lease: (keys, operator, value) =>
    compareOf(keys, CompareTarget.LEASE, operator, { $case: 'lease', value }),
  exists: (key) => compare.createRevision(key, '>', 0),
  missing: (key) => compare.createRevision(key, '=', 0),
};

/** One operation of a transaction. */
export type Op = RequestOp;

/** Operations of a transaction. */
export const op: {
  get(keys: Keys, options?: RangeOptions): Op;
  put(key: Bytes, value: Bytes, options?: PutOptions): Op;
  delete(keys: Keys, options?: DeleteOptions): Op;
  /** A transaction inside the transaction. Its compares look at the state before the outer one. */
  txn(inner: Txn): Op;
} = {
  get: (keys, options) => ({
    request: { $case: 'requestRange', value: rangeRequest(keys, options) },
  }),
  put: (key, value, options) => ({
    request: { $case: 'requestPut', value: putRequest(key, value, options) },
  }),
  delete: (keys, options) => ({
    request: { $case: 'requestDeleteRange', value: deleteRequest(keys, options) },
  }),
  txn: (inner) => ({ request: { $case: 'requestTxn', value: inner.request() } }),
};

/** What one operation of a transaction did. */
export type OpResult =
  | ({ readonly type: 'get' } & RangeResult)
  | ({ readonly type: 'put' } & PutResult)
  | ({ readonly type: 'delete' } & DeleteResult)
  | ({ readonly type: 'txn' } & TxnResult);

/** What a transaction did. */
export interface TxnResult {
  /** The compares held, so that `do` was done; otherwise `else`. */
  readonly succeeded: boolean;
  /** One for each operation that was done. */
  readonly results: readonly OpResult[];
  /** Revision of the store after it. */
  readonly revision: number;
}

/**
 * A transaction in the making. Each step gives a new one; nothing happens before `commit`.
 *
 * @example
 * const { succeeded } = await client.txn()
 *   .if(compare.missing('leader'))
 *   .do(op.put('leader', 'me', { lease }))
 *   .else(op.get('leader'))
 *   .commit();
 */
export class Txn {
  readonly #commit: (request: TxnRequest, options?: ClientCallOptions) => Promise<TxnResponse>;
  readonly #request: TxnRequest;

  constructor(
    commit: (request: TxnRequest, options?: ClientCallOptions) => Promise<TxnResponse>,
    request: TxnRequest = { compare: [], success: [], failure: [] },
  ) {
    this.#commit = commit;
    this.#request = request;
  }

  /** Adds conditions; all must hold. */
  if(...compares: readonly Compare[]): Txn {
    return this.#with({ compare: [...this.#request.compare, ...compares] });
  }

  /** Adds operations for when all conditions hold. */
  do(...ops: readonly Op[]): Txn {
    return this.#with({ success: [...this.#request.success, ...ops] });
  }

  /** Adds operations for when a condition does not hold. */
  else(...ops: readonly Op[]): Txn {
    return this.#with({ failure: [...this.#request.failure, ...ops] });
  }

  /** The message that this transaction is on the wire. */
  request(): TxnRequest {
    return this.#request;
  }

  /**
   * Does it.
   *
   * @throws EtcdError TOO_MANY_OPS, DUPLICATE_KEY, COMPACTED, FUTURE_REV, LEASE_NOT_FOUND, KEY_NOT_FOUND, NO_SPACE and
   *   what any call may throw; nothing was done then, unless `mayHaveApplied` says otherwise.
   */
  async commit(options?: ClientCallOptions): Promise<TxnResult> {
    return txnResult(await this.#commit(this.#request, options));
  }

  #with(change: Partial<TxnRequest>): Txn {
    return new Txn(this.#commit, { ...this.#request, ...change });
  }
}

/** Whether a transaction changes nothing whichever way it goes. */
export function isReadOnly(request: TxnRequest): boolean {
  return [...request.success, ...request.failure].every(
    ({ request: inner }) =>
      inner?.$case === 'requestRange' || (inner?.$case === 'requestTxn' && isReadOnly(inner.value)),
  );
}

function txnResult(response: TxnResponse): TxnResult {
  return {
    succeeded: response.succeeded,
    results: response.responses.map(opResult),
    revision: response.header?.revision ?? 0,
  };
}

function opResult({ response }: ResponseOp): OpResult {
  switch (response?.$case) {
    case 'responseRange':
      return { type: 'get', ...rangeResult(response.value) };
    case 'responsePut':
      return { type: 'put', ...putResult(response.value) };
    case 'responseDeleteRange':
      return { type: 'delete', ...deleteResult(response.value) };
    case 'responseTxn':
      return { type: 'txn', ...txnResult(response.value) };
    case undefined:
      throw new EtcdError('INTERNAL', { message: 'an operation of the transaction has no answer' });
  }
}
