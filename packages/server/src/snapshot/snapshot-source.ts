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
