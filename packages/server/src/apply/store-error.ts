/** The store's refusals in etcd's words. */
import { MvccError, type MvccErrorCode } from '@etcd-ts/mvcc';
import { EtcdError, type ErrorCode } from '@etcd-ts/protocol';

const CODES = {
  COMPACTED: 'COMPACTED',
  FUTURE_REVISION: 'FUTURE_REV',
  KEY_NOT_FOUND: 'KEY_NOT_FOUND',
  LEASE_NOT_FOUND: 'LEASE_NOT_FOUND',
  EMPTY_KEY: 'EMPTY_KEY',
  VALUE_PROVIDED: 'VALUE_PROVIDED',
  LEASE_PROVIDED: 'LEASE_PROVIDED',
  TOO_MANY_OPS: 'TOO_MANY_OPS',
  DUPLICATE_KEY: 'DUPLICATE_KEY',
  INVALID_SORT_OPTION: 'INVALID_SORT_OPTION',
  // Only ever the text of a watch's cancel reason.
  WATCH_EMPTY_RANGE: 'INVALID_ARGUMENT',
  // To be tried again: here a moment later, or at another member.
  CLOSED: 'UNAVAILABLE',
} as const satisfies Record<MvccErrorCode, ErrorCode>;

/** The operational error that a refusal of the store is for the caller. */
export function storeError(error: MvccError): EtcdError {
  const { code, detail } = error;
  const isOwnText = code === 'WATCH_EMPTY_RANGE' || code === 'CLOSED';
  const message = isOwnText ? { message: error.message } : {};
  return new EtcdError(CODES[code], { ...message, detail, cause: error });
}

/**
 * What a call into the store answers, or its refusal as an operational error. Anything else that it throws is a broken
 * invariant and goes on.
 */
export function refusable<T>(call: () => T): T | EtcdError {
  try {
    return call();
  } catch (error) {
    if (error instanceof MvccError) return storeError(error);
    throw error;
  }
}

/** What a call into the store answers. @throws EtcdError its refusal. */
export function orThrow<T>(call: () => T): T {
  const result = refusable(call);
  if (EtcdError.is(result)) throw result;
  return result;
}
