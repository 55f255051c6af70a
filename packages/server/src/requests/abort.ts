import { deferred } from '@etcd-ts/base';
import { EtcdError } from '@etcd-ts/protocol';

/** Why a signal was aborted, as the error that its caller gets. */
export function abortError(signal: AbortSignal, mayHaveApplied: boolean): EtcdError {
  const { reason } = signal as { reason: unknown };
  if (EtcdError.is(reason)) {
    if (reason.mayHaveApplied === mayHaveApplied) return reason;
    return new EtcdError(reason.code, { mayHaveApplied, cause: reason });
  }
  const timedOut = reason instanceof Error && reason.name === 'TimeoutError';
  return new EtcdError(timedOut ? 'DEADLINE_EXCEEDED' : 'CANCELED', {
    mayHaveApplied,
    cause: reason,
  });
}

/** The promise, or the signal's error, whichever is first. To be used where abandoning the work behind it does no harm. */
export function abandon(promise: Promise<void>, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.reject(abortError(signal, false));
  const result = deferred<void>();
  const abort = (): void => result.reject(abortError(signal, false));
  signal.addEventListener('abort', abort, { once: true });
  const settled = (): void => signal.removeEventListener('abort', abort);
  promise.then(
    () => {
      settled();
      result.resolve();
    },
    (error: unknown) => {
      settled();
      result.reject(error);
    },
  );
  return result.promise;
}
