/**
 * A cache of all keys, kept as Kubernetes' clients keep theirs: a list at one revision, then a watch from the next one on;
 * when the watch is cancelled, all over again. Writers that trust it compare what they saw there.
 */
import { fromUtf8 } from '@etcd-ts/base';
import { type Event, EVENT_DELETE } from '@etcd-ts/mvcc';
import type { CacheRecord } from '../checkers/cache.ts';
import { KEY_PREFIX, KEY_PREFIX_END } from './requests.ts';
import type { SimClient } from './sim-client.ts';
import { keyBytes, rangeRequest } from './wire.ts';

/** Rest before another try to list. */
const RELIST_MS = 200;

/** One client's cache. */
export class Informer {
  readonly #client: SimClient;
  readonly #record: CacheRecord;
  #isListing = false;

  constructor(client: SimClient) {
    this.#client = client;
    this.#record = { client: client.parts.plan.id, revision: 0, keys: new Map() };
    client.parts.notes.caches.push(this.#record);
    void this.#list();
  }

  /** The revision at which a key was last modified, as far as the cache knows; 0: it is not there. */
  modRevision(key: string): number {
    return this.#record.keys.get(key) ?? 0;
  }

  /** What a compare-and-swap that failed has seen; the watch will tell as well. */
  async #list(): Promise<void> {
    if (this.#isListing) return;
    this.#isListing = true;
    this.#record.revision = 0;
    while (!this.#client.isStopped && this.#record.revision === 0) {
      const request = rangeRequest(KEY_PREFIX, { rangeEnd: keyBytes(KEY_PREFIX_END) });
      const outcome = await this.#client.call({ kind: 'range', request });
      if (outcome.kind === 'ok' && outcome.response.kind === 'range') {
        const { kvs, revision } = outcome.response.result;
        this.#record.keys.clear();
        for (const kv of kvs) this.#record.keys.set(fromUtf8(kv.key), kv.modRevision);
        this.#record.revision = revision;
      } else await this.#client.parts.sleep(RELIST_MS);
    }
    this.#isListing = false;
    if (this.#record.revision === 0) return;
    this.#client.parts.watches.open({
      key: KEY_PREFIX,
      rangeEnd: KEY_PREFIX_END,
      startRevision: this.#record.revision + 1,
      prevKv: false,
      noPut: false,
      noDelete: false,
      onEvents: (events) => this.#apply(events),
      onGone: () => void this.#list(),
    });
  }

  #apply(events: readonly Event[]): void {
    for (const { type, kv } of events) {
      const key = fromUtf8(kv.key);
      if (type === EVENT_DELETE) this.#record.keys.delete(key);
      else this.#record.keys.set(key, kv.modRevision);
      this.#record.revision = kv.modRevision;
    }
  }
}
