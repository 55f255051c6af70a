/**
 * All watchers of a store (after etcd server/storage/mvcc/watchable_store.go).
 *
 *     watch(start in the past) ──► behind ──step──► synced ◄── watch(start now or later)
 *                                    ▲  │             │
 *                           resume() │  └── no room ──┤
 *                                    └──── parked ◄───┘
 *
 * Synced watchers get events in the turn of the write. When a sink has no room its watcher is parked; it holds no
 * events, only the revision to go on from, so a slow reader costs nothing but its own delay: it reads history again
 * when there is room. Watchers that are behind take turns in bounded steps.
 *
 * Invariants: a watcher is in exactly one place (synced group, queue of those behind, parked, ended); whatever
 * matches below `next` has been delivered, and nothing at or above it.
 */
import { assert } from '@etcd-ts/base';
import { readHistory } from './catch-up.ts';
import { HubWatcher, type WatcherOwner } from './hub-watcher.ts';
import type { Event } from './key-value.ts';
import type { StoreState } from './store-state.ts';
import type { Watcher, WatchBatch, WatchRequest, WatchSink } from './watch.ts';
import { WatchEvent } from './watch-event.ts';
import { WatcherGroup } from './watcher-group.ts';
import type { Change } from './write-txn.ts';

/** Most watchers that read history together in one step (etcd: maxWatchersPerSync). */
export const COHORT_MAX = 512;

/** What the turn of a cohort costs beside its reading, in entries looked at. */
const TURN_COST_ENTRIES = 16;

/** How many watchers there are, by state. */
export interface WatcherCounts {
  readonly synced: number;
  readonly behind: number;
  readonly parked: number;
}

/** See the file's head. */
export class WatchHub implements WatcherOwner {
  #state: StoreState;
  readonly #synced = new WatcherGroup<HubWatcher>();
  /** In turn order. */
  readonly #behind = new Set<HubWatcher>();
  readonly #parked = new Set<HubWatcher>();
  /** Reused for every change. */
  readonly #found: HubWatcher[] = [];

  /** @internal */
  constructor(state: StoreState) {
    this.#state = state;
  }

  /** The store's revision. */
  get revision(): number {
    return this.#state.revision;
  }

  get counts(): WatcherCounts {
    return { synced: this.#synced.size, behind: this.#behind.size, parked: this.#parked.size };
  }

  /** True when `step` has something to do. */
  get hasWork(): boolean {
    return this.#behind.size > 0;
  }

  /**
   * Starts a watch. Nothing is delivered before this returns.
   *
   * The request has passed `checkWatch`. A start revision that is compacted is not an error here: the watcher's first
   * batch is the cancellation.
   */
  watch(request: WatchRequest, sink: WatchSink): Watcher {
    const { startRevision } = request;
    const isPast = startRevision !== 0 && startRevision <= this.revision;
    const next = isPast ? startRevision : Math.max(startRevision, this.revision + 1);
    const watcher = new HubWatcher(this, request, sink, next);
    if (isPast) this.#behind.add(watcher);
    else this.#moveToSynced(watcher);
    return watcher;
  }

  /**
   * Lets watchers that are behind read on.
   *
   * @param entriesMax About how many revisions to look at: bounds the time of one call.
   * @returns true when there is more to do now.
   */
  step(entriesMax: number): boolean {
    let left = entriesMax;
    while (left > 0 && this.hasWork) left -= this.#stepCohort(left);
    return this.hasWork;
  }

  /**
   * The revision of a progress notice to these watchers: all of them have been given everything through it.
   *
   * @returns undefined while one of them is not synced, or waits for a start revision in the future, or when there is
   * none at all.
   */
  progress(watchers: Iterable<Watcher>): number | undefined {
    let isEmpty = true;
    for (const watcher of watchers) {
      if (watcher.state !== 'synced' || watcher.startRevision > this.revision) return undefined;
      isEmpty = false;
    }
    return isEmpty ? undefined : this.revision;
  }

  /** Events of a write, at once. @internal */
  publish(changes: readonly Change[]): void {
    if (this.#synced.size === 0) return;
    const first = changes[0];
    if (first !== undefined && changes.length === 1) this.#publishOne(first);
    else if (first !== undefined) this.#publishMany(changes);
  }

  /**
   * The store was replaced (a snapshot was installed): everyone reads on from the new one's history.
   *
   * @internal
   */
  moveTo(state: StoreState): void {
    const synced = Array.from(this.#synced);
    for (const watcher of synced) {
      watcher.next = watcher.nextRevision;
      this.#synced.delete(watcher);
      watcher.state = 'behind';
      this.#behind.add(watcher);
    }
    this.#state = state;
  }

  /** A parked watcher's sink has room again. @internal */
  resume(watcher: HubWatcher): void {
    if (!this.#parked.delete(watcher)) return;
    watcher.state = 'behind';
    this.#behind.add(watcher);
  }

  /** @internal */
  cancel(watcher: HubWatcher): void {
    if (watcher.state === 'ended') return;
    watcher.next = watcher.nextRevision;
    if (watcher.state === 'synced') this.#synced.delete(watcher);
    this.#behind.delete(watcher);
    this.#parked.delete(watcher);
    watcher.state = 'ended';
  }

  /** @returns what it cost, in entries looked at. */
  #stepCohort(entriesMax: number): number {
    const cohort = this.#nextCohort(entriesMax);
    const cost = TURN_COST_ENTRIES + cohort.length;
    if (cohort.length === 0) return cost;
    const { batches, through, entries } = readHistory(this.#state, cohort, entriesMax);
    for (const watcher of cohort) {
      // A sink may have cancelled its neighbours.
      if (watcher.state !== 'behind' || watcher.next > through) continue;
      const events = batches.get(watcher);
      if (events !== undefined && !this.#deliver(watcher, events)) continue;
      watcher.next = through + 1;
      if (watcher.next > this.revision) this.#moveToSynced(watcher);
      else this.#toTheEnd(watcher);
    }
    return cost + entries;
  }

  #publishOne(change: Change): void {
    const found = this.#found;
    this.#collect(change, found);
    if (found.length === 0) return;
    const event = new WatchEvent(this.#state, change);
    let plain: readonly Event[] | undefined;
    let full: readonly Event[] | undefined;
    for (const watcher of found) {
      if (watcher.state !== 'synced' || watcher.next > event.main || !watcher.wants(event))
        continue;
      if (watcher.prevKv) this.#deliverSynced(watcher, (full ??= [event.for(watcher)]), event.main);
      else this.#deliverSynced(watcher, (plain ??= [event.for(watcher)]), event.main);
    }
    found.length = 0;
  }

  /** Adds to `into` the synced watchers of the key: those of the key alone first. */
  #collect({ slot, key }: Change, into: HubWatcher[]): void {
    const { quiet } = this.#state;
    if (!quiet.has(slot)) {
      this.#synced.collectByKey(key, into);
      if (into.length === 0) quiet.add(slot);
    }
    this.#synced.collectByRange(key, into);
  }

  #publishMany(changes: readonly Change[]): void {
    const batches = new Map<HubWatcher, Event[]>();
    const found = this.#found;
    let main = 0;
    for (const change of changes) {
      found.length = 0;
      this.#collect(change, found);
      if (found.length === 0) continue;
      const event = new WatchEvent(this.#state, change);
      main = event.main;
      for (const watcher of found) {
        if (watcher.next > main || !watcher.wants(event)) continue;
        const batch = batches.get(watcher);
        if (batch === undefined) batches.set(watcher, [event.for(watcher)]);
        else batch.push(event.for(watcher));
      }
    }
    found.length = 0;
    for (const [watcher, events] of batches) {
      if (watcher.state === 'synced') this.#deliverSynced(watcher, events, main);
    }
  }

  #deliverSynced(watcher: HubWatcher, events: readonly Event[], main: number): void {
    if (watcher.sink({ events, revision: this.revision, compactRevision: 0 })) {
      watcher.next = main + 1;
    } else if (watcher.state === 'synced') {
      this.#synced.delete(watcher);
      watcher.next = main;
      this.#park(watcher);
    }
  }

  /** @returns true when the sink took them. */
  #deliver(watcher: HubWatcher, events: readonly Event[]): boolean {
    const batch: WatchBatch = { events, revision: this.revision, compactRevision: 0 };
    if (watcher.sink(batch)) return watcher.state === 'behind';
    if (watcher.state === 'behind') {
      this.#behind.delete(watcher);
      this.#park(watcher);
    }
    return false;
  }

  #park(watcher: HubWatcher): void {
    watcher.state = 'parked';
    this.#parked.add(watcher);
  }

  #moveToSynced(watcher: HubWatcher): void {
    assert(watcher.next > this.revision, () => `synced at ${watcher.next} of ${this.revision}`);
    this.#behind.delete(watcher);
    watcher.state = 'synced';
    this.#synced.add(watcher);
    if (watcher.key === undefined) return;
    const slot = this.#state.index.findText(watcher.key);
    if (slot >= 0) this.#state.quiet.wake(slot);
  }

  /**
   * Whose turn it is: a watcher of one key alone (it reads that key's history), or many of ranges, who share one walk
   * over the log. Settles on the way those that need no reading.
   *
   * The first of the queue leads: the walk begins where it stands, and only those come along whom the walk may reach.
   * So each step brings its leader on, however far behind others are. Who was brought on goes to the end of the queue.
   */
  #nextCohort(entriesMax: number): HubWatcher[] {
    const cohort: HubWatcher[] = [];
    let looked = 0;
    for (const watcher of this.#behind) {
      if (looked++ === COHORT_MAX) break;
      const lead = cohort[0];
      if (watcher.next > this.revision) this.#moveToSynced(watcher);
      else if (watcher.next < this.#state.compactRevision) this.#endCompacted(watcher);
      else if (lead === undefined) cohort.push(watcher);
      else if (watcher.key === undefined && isWithin(watcher.next - lead.next, entriesMax)) {
        cohort.push(watcher);
      }
      if (cohort[0]?.key !== undefined) break;
    }
    return cohort;
  }

  /** Its turn is over. */
  #toTheEnd(watcher: HubWatcher): void {
    this.#behind.delete(watcher);
    this.#behind.add(watcher);
  }

  #endCompacted(watcher: HubWatcher): void {
    const { compactRevision } = this.#state;
    const taken = watcher.sink({ events: [], revision: 0, compactRevision });
    this.#behind.delete(watcher);
    if (taken) watcher.state = 'ended';
    else if (watcher.state === 'behind') this.#park(watcher);
  }
}

/** Whether a walk over so many entries may come to a revision that is so much later than its beginning. */
function isWithin(distance: number, entriesMax: number): boolean {
  return distance >= 0 && distance <= entriesMax;
}
