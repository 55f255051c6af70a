/**
 * Reading history for watchers that are behind.
 *
 * A watcher of one key reads that key's versions. Watchers of ranges read together: one walk over the revision log
 * from where the hindmost stands, each change matched to those whom it concerns.
 *
 * A batch ends between revisions, never inside one, and has at most `BATCH_REVISIONS_MAX` of them for a watcher.
 */
import type { HubWatcher } from './hub-watcher.ts';
import type { Event } from './key-value.ts';
import type { StoreState } from './store-state.ts';
import { WatchEvent } from './watch-event.ts';
import { WatcherGroup } from './watcher-group.ts';

/** Most distinct revisions in one catch-up batch of a watcher (etcd: watchBatchMaxRevs). */
export const BATCH_REVISIONS_MAX = 1000;
/** A walk ends at the next revision once the events that it found have this many bytes: 4 MiB. */
export const BATCH_BYTES_MAX: number = 4 << 20;
/** What making an event costs, in entries looked at. */
const EVENT_COST_ENTRIES = 8;

/** What was read. */
export interface History {
  /** Events by watcher, in order; none is empty. */
  readonly batches: ReadonlyMap<HubWatcher, readonly Event[]>;
  /** Everything through this revision was read. */
  readonly through: number;
  /** What it cost, in entries of the log looked at. */
  readonly entries: number;
}

/**
 * Reads on for a cohort: one watcher of a key, or any number of watchers of ranges.
 *
 * @param entriesMax About how many entries of the log to look at.
 */
export function readHistory(
  state: StoreState,
  cohort: readonly HubWatcher[],
  entriesMax: number,
): History {
  const only = cohort[0];
  if (only?.key !== undefined) return readKeyHistory(state, only, only.key, entriesMax);
  return readLog(state, cohort, entriesMax);
}

function readKeyHistory(
  state: StoreState,
  watcher: HubWatcher,
  key: string,
  entriesMax: number,
): History {
  const slot = state.index.findText(key);
  if (slot < 0) return { batches: new Map(), through: state.revision, entries: 0 };
  const walk = new Walk(entriesMax);
  const isWhole = state.index.forEachVersion(slot, watcher.next, (main, sub, isDelete) => {
    if (!walk.enter(main)) return false;
    const event = new WatchEvent(state, { slot, key, main, sub, isDelete });
    if (watcher.wants(event)) walk.add(watcher, event);
    return true;
  });
  return walk.history(isWhole ? state.revision : walk.through);
}

function readLog(state: StoreState, cohort: readonly HubWatcher[], entriesMax: number): History {
  const group = new WatcherGroup<HubWatcher>();
  let from = Infinity;
  for (const watcher of cohort) {
    group.add(watcher);
    from = Math.min(from, watcher.next);
  }
  const walk = new Walk(entriesMax);
  const found: HubWatcher[] = [];
  let isWhole = true;
  state.log.forEachFrom(from, 0, (entry) => {
    if (!walk.enter(entry.main)) {
      isWhole = false;
      return false;
    }
    found.length = 0;
    const { main, sub, slot, tombstone: isDelete } = entry;
    const key = state.index.keyOf(slot);
    group.collectByRange(key, found);
    let event: WatchEvent | undefined;
    for (const watcher of found) {
      if (watcher.next > main || (isDelete ? watcher.noDelete : watcher.noPut)) continue;
      walk.add(watcher, (event ??= new WatchEvent(state, { slot, key, main, sub, isDelete })));
    }
    return true;
  });
  return walk.history(isWhole ? state.revision : walk.through);
}

/** How far a walk has come, and what it has found. */
class Walk {
  readonly batches = new Map<HubWatcher, Event[]>();
  /** The last revision that was read to its end. */
  through = 0;
  readonly #revisions = new Map<HubWatcher, number>();
  readonly #entriesMax: number;
  #entries = 0;
  #bytes = 0;
  #main = 0;
  #isFull = false;

  constructor(entriesMax: number) {
    this.#entriesMax = entriesMax;
  }

  /** @returns false when this revision is to wait for the next walk. */
  enter(main: number): boolean {
    if (main !== this.#main) {
      const isFirst = this.#main === 0;
      this.through = main - 1;
      this.#main = main;
      if (!isFirst && (this.#isFull || this.#entries >= this.#entriesMax)) return false;
    }
    this.#entries++;
    return true;
  }

  history(through: number): History {
    return { batches: this.batches, through, entries: this.#entries };
  }

  add(watcher: HubWatcher, event: WatchEvent): void {
    const batch = this.batches.get(watcher);
    const last = batch?.at(-1)?.kv.modRevision;
    if (batch === undefined) this.batches.set(watcher, [event.for(watcher)]);
    else batch.push(event.for(watcher));
    this.#entries += EVENT_COST_ENTRIES;
    this.#bytes += event.bytes;
    if (last !== event.main) {
      const revisions = (this.#revisions.get(watcher) ?? 0) + 1;
      this.#revisions.set(watcher, revisions);
      if (revisions >= BATCH_REVISIONS_MAX) this.#isFull = true;
    }
    if (this.#bytes >= BATCH_BYTES_MAX) this.#isFull = true;
  }
}
