/** What happens to a key or a prefix, for a service that waits for it. */
import { type Deferred, deferred } from '@etcd-ts/base';
import type { Event, WatchBatch, Watcher } from '@etcd-ts/mvcc';
import type { NodePort } from '../../node-port.ts';
import type { CatchUp } from '../watch/catch-up.ts';

/** What is waited for. */
export interface KeyRange {
  readonly key: Uint8Array;
  readonly rangeEnd: Uint8Array;
  /** First revision of interest; above 0. */
  readonly startRevision: number;
}

/** Most events that wait unread; beyond, the events end and the reader looks at the store again. */
const MAX_WAITING_EVENTS = 1_000;

/**
 * The events of a range in their order.
 *
 * They end when the caller's signal is aborted, and also when they cannot go on without a gap: a compaction, a snapshot
 * that replaced the store, a reader that fell behind. Whoever reads then looks at the store again.
 */
export async function* keyEvents(
  { node, catchUp }: { node: NodePort; catchUp: CatchUp },
  range: KeyRange,
  signal: AbortSignal,
): AsyncGenerator<Event, void, undefined> {
  let waiting: Event[] = [];
  let isOver = signal.aborted;
  let changed: Deferred<void> = deferred();
  const wake = (): void => {
    changed.resolve();
    changed = deferred();
  };
  const end = (): void => {
    isOver = true;
    wake();
  };
  const take = ({ events, compactRevision }: WatchBatch): boolean => {
    if (compactRevision > 0 || waiting.length + events.length > MAX_WAITING_EVENTS) end();
    else waiting.push(...events);
    wake();
    return true;
  };
  const watcher: Watcher = node.state.store.hub.watch(
    { ...range, prevKv: false, noPut: false, noDelete: false },
    take,
  );
  const stopObserving = node.state.observe({ replaced: end });
  signal.addEventListener('abort', end, { once: true });
  if (watcher.state === 'behind') catchUp.wake();
  try {
    while (!isOver) {
      const soon = changed.promise;
      if (waiting.length === 0) await soon;
      const events = waiting;
      waiting = [];
      yield* events;
    }
  } finally {
    watcher.cancel();
    stopObserving();
    signal.removeEventListener('abort', end);
  }
}
