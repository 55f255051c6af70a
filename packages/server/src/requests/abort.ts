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
