import { EtcdError } from '@etcd-ts/protocol';
import type { Clock, Random } from './clock.ts';

/** First wait between two attempts, in milliseconds. */
export const BACKOFF_FIRST_MS = 25;
/** Longest wait between two attempts, in milliseconds. */
export const BACKOFF_LAST_MS = 1_000;

/** How long to wait after so many failures in a row: doubling, and spread over half of that at random. */
export function backoffMs(failures: number, random: Random): number {
  const full = Math.min(BACKOFF_FIRST_MS * 2 ** Math.max(0, failures - 1), BACKOFF_LAST_MS);
  return full / 2 + (full / 2) * (random.uint32() / 2 ** 32);
}

/**
 * Waits.
 *
 * @throws EtcdError what {@link signalError} says, as soon as the signal is aborted.
 */
export function sleep(clock: Clock, delayMs: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted === true) {
      reject(signalError(signal));
      return;
    }
    const onAbort = (): void => {
      timer.cancel();
      if (signal !== undefined) reject(signalError(signal));
    };
    const timer = clock.after(delayMs, () => {
      signal?.removeEventListener('abort', onAbort);
      resolve();
    });
    signal?.addEventListener('abort', onAbort, { once: true });
  });
}

/** The error of a call that its caller gave up: the signal's reason when that is one of ours, else CANCELED. */
export function signalError(signal: AbortSignal, mayHaveApplied = true): EtcdError {
  const reason: unknown = signal.reason;
  if (EtcdError.is(reason) && reason.mayHaveApplied === mayHaveApplied) return reason;
  const code = EtcdError.is(reason) ? reason.code : 'CANCELED';
  return new EtcdError(code, { cause: reason, mayHaveApplied });
}
