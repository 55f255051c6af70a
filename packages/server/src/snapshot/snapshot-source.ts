import { deferred } from '@etcd-ts/base';
import type { SnapshotMeta } from '@etcd-ts/raft';
import type { Clock } from '../clock.ts';
import { nextTurn } from '../turns.ts';

/** The whole state as of one index, ready to be streamed. */
export interface SnapshotSource {
  readonly meta: SnapshotMeta;
  /** The content in bounded chunks; to be iterated once. Leaving early is fine. */
  readonly chunks: AsyncIterable<Uint8Array>;
  /** Frees what the copy holds. Harmless when called twice. */
  close(): Promise<void>;
}

/** The same chunks, with a turn of the event loop for everybody else after each. */
export async function* inTurns(
  chunks: AsyncIterable<Uint8Array>,
  clock: Clock,
): AsyncGenerator<Uint8Array> {
  for await (const chunk of chunks) {
    yield chunk;
    await nextTurn(clock);
  }
}

/** The same chunks, until a signal is aborted: then its reason is thrown, also where the next chunk never comes. */
export async function* whileWanted(
  chunks: AsyncIterable<Uint8Array>,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array> {
  const unwanted = deferred<never>();
  unwanted.promise.catch(() => undefined);
  const onAbort = (): void => unwanted.reject(signal.reason);
  signal.addEventListener('abort', onAbort, { once: true });
  if (signal.aborted) onAbort();
  const source = chunks[Symbol.asyncIterator]();
  try {
    for (;;) {
      const next = await Promise.race([source.next(), unwanted.promise]);
      if (next.done === true) return;
      yield next.value;
    }
  } finally {
    signal.removeEventListener('abort', onAbort);
    // Whoever still waits for a chunk hears of it when that comes.
    source.return?.().catch(() => undefined);
  }
}
