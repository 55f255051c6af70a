/**
 * Writing: everything put and deleted between `beginWrite` and `end` is one main revision, its changes numbered by sub
 * revisions in operation order.
 *
 * Changes take effect at once for this transaction's own reads; everyone else runs after `end`, for all of it happens
 * in one turn. There is no way back: whoever writes has checked the whole request before (see `txn.ts`).
 *
 * Invariants: at most one transaction is open; changed nothing = no new revision.
 */
import { assert, EMPTY_BYTES, fromLatin1 } from '@etcd-ts/base';
import { MvccError } from './errors.ts';
import { isSingleKey, keyRange } from './key-range.ts';
import type { KeyValue } from './key-value.ts';
import { decodeRecord, encodeRecord, encodeTombstone } from './record.ts';
import { readRange } from './range.ts';
import type {
  DeleteRangeRequest,
  DeleteRangeResult,
  PutRequest,
  PutResult,
  RangeRequest,
  RangeResult,
} from './request.ts';
import { RECORD_NAME_BYTES } from './revision.ts';
import type { StoreState } from './store-state.ts';

/** One change of a transaction, for the watchers. */
export interface Change {
  readonly slot: number;
  readonly key: string;
  /** The new version; of a delete only key and mod revision are set. */
  readonly kv: KeyValue;
  readonly isDelete: boolean;
  /** What the key held before this change, when it was at hand. */
  readonly before: KeyValue | undefined;
}

/** See the file's head. */
export class WriteTxn {
  readonly #state: StoreState;
  readonly #onEnd: (changes: readonly Change[]) => void;
  /** The revision that this transaction makes current when it changes something. */
  readonly #main: number;
  readonly #changes: Change[] = [];
  #isOpen = true;

  /** @internal */
  constructor(state: StoreState, onEnd: (changes: readonly Change[]) => void) {
    this.#state = state;
    this.#onEnd = onEnd;
    this.#main = state.revision + 1;
  }

  /** The revision that reads of this transaction see: the store's, or its own once it has changed something. */
  get revision(): number {
    return this.#changes.length === 0 ? this.#main - 1 : this.#main;
  }

  /** Sees this transaction's own writes. @throws MvccError FUTURE_REVISION, COMPACTED. */
  range(request: RangeRequest): RangeResult {
    return readRange(this.#state, request, this.revision);
  }

  /**
   * Puts a key. Key and value are copied.
   *
   * @throws MvccError LEASE_NOT_FOUND, KEY_NOT_FOUND (ignore_value or ignore_lease); nothing is written then.
   */
  put(request: PutRequest): PutResult {
    checkPutNow(this.#state, request);
    const { index } = this.#state;
    const slot = index.find(request.key);
    const isLive = slot >= 0 && index.isLive(slot);
    const needsBefore = request.prevKv || request.ignoreValue;
    const before = isLive && needsBefore ? this.#state.readNewest(slot) : undefined;
    const lease = request.ignoreLease ? index.leaseOf(slot) : request.lease;
    const value = request.ignoreValue && before !== undefined ? before.value : request.value;
    this.#put(slot < 0 ? index.addKey(request.key) : slot, request.key, value, lease);
    return request.prevKv && before !== undefined
      ? { revision: this.#main, prevKv: before }
      : { revision: this.#main };
  }

  /** Deletes the live keys of a range, in key order. */
  deleteRange(request: DeleteRangeRequest): DeleteRangeResult {
    const slots = this.#liveSlots(request);
    const prevKvs = request.prevKv ? slots.map((slot) => this.#state.readNewest(slot)) : [];
    for (const slot of slots) this.#delete(slot);
    return { revision: this.revision, deleted: slots.length, prevKvs };
  }

  /** Deletes one key, given as latin1 string. @returns true when it was there. */
  deleteKey(key: string): boolean {
    const slot = this.#state.index.findText(key);
    if (slot < 0 || !this.#state.index.isLive(slot)) return false;
    this.#delete(slot);
    return true;
  }

  /** Makes the changes the store's next revision and tells the watchers. @returns the store's revision. */
  end(): number {
    assert(this.#isOpen, 'a write transaction is ended twice');
    this.#isOpen = false;
    if (this.#changes.length > 0) this.#state.revision = this.#main;
    this.#onEnd(this.#changes);
    return this.#state.revision;
  }

  #liveSlots(request: DeleteRangeRequest): number[] {
    const { index } = this.#state;
    if (isSingleKey(request.rangeEnd)) {
      const slot = index.find(request.key);
      return slot >= 0 && index.isLive(slot) ? [slot] : [];
    }
    const slots: number[] = [];
    index.scan(keyRange(request.key, request.rangeEnd), (slot) => {
      if (index.isLive(slot)) slots.push(slot);
      return true;
    });
    return slots;
  }

  #put(slot: number, key: Uint8Array, value: Uint8Array, lease: bigint): void {
    const { index, cache, leases } = this.#state;
    const wasLive = index.isLive(slot);
    const createRevision = wasLive ? index.createOf(slot) : this.#main;
    const version = index.versionOf(slot) + 1;
    const record = encodeRecord({
      key,
      createRevision,
      modRevision: this.#main,
      version,
      value,
      lease,
    });
    const kv = decodeRecord(record);
    const before = wasLive ? cache.peek(slot) : undefined;
    const text = index.keyOf(slot);
    if (index.hasLease(slot)) leases.detach(index.leaseOf(slot), text);
    if (lease !== 0n) leases.attach(lease, text);
    const sub = this.#changes.length;
    index.put(slot, { main: this.#main, sub }, createRevision, version, lease);
    cache.set(slot, kv);
    this.#state.hash.set(slot, record);
    this.#record(slot, record, false);
    this.#changes.push({ slot, key: text, kv, isDelete: false, before });
  }

  #delete(slot: number): void {
    const { index, cache, leases } = this.#state;
    const text = index.keyOf(slot);
    const before = cache.peek(slot);
    const key = fromLatin1(text);
    const record = encodeTombstone(key);
    if (index.hasLease(slot)) leases.detach(index.leaseOf(slot), text);
    index.delete(slot, { main: this.#main, sub: this.#changes.length });
    cache.delete(slot);
    this.#state.hash.delete(slot);
    this.#record(slot, record, true);
    const kv = deletedKeyValue(key, this.#main);
    this.#changes.push({ slot, key: text, kv, isDelete: true, before });
  }

  #record(slot: number, record: Uint8Array, tombstone: boolean): void {
    assert(this.#isOpen, 'a write transaction writes after its end');
    const sub = this.#changes.length;
    const bytes = recordBytes(record, tombstone);
    this.#state.log.append(this.#main, sub, slot, tombstone, bytes);
    this.#state.dirty.putRecord(this.#main, sub, tombstone, record);
    this.#state.recordBytes += bytes;
  }
}

/** What a record takes, its name included. */
export function recordBytes(record: Uint8Array, tombstone: boolean): number {
  return RECORD_NAME_BYTES + (tombstone ? 1 : 0) + record.length;
}

/** The key-value of a delete event. */
export function deletedKeyValue(key: Uint8Array, main: number): KeyValue {
  return { key, createRevision: 0, modRevision: main, version: 0, value: EMPTY_BYTES, lease: 0n };
}

/**
 * Whether a put can be done now: its lease exists, and so does its key when it ignores value or lease. A single put
 * asks for the lease first, a transaction for the key first (etcd 3.5 server/etcdserver/apply.go).
 *
 * @throws MvccError LEASE_NOT_FOUND, KEY_NOT_FOUND.
 */
export function checkPutNow(state: StoreState, request: PutRequest): void {
  checkLease(state, request);
  checkIgnored(state, request);
}

/** @throws MvccError LEASE_NOT_FOUND when the put's lease does not exist. */
export function checkLease(state: StoreState, request: PutRequest): void {
  if (request.lease !== 0n && !state.leases.exists(request.lease)) {
    throw new MvccError('LEASE_NOT_FOUND', `lease ${request.lease}`);
  }
}

/** @throws MvccError KEY_NOT_FOUND when the put ignores value or lease of a key that is not there. */
export function checkIgnored(state: StoreState, request: PutRequest): void {
  if (!request.ignoreValue && !request.ignoreLease) return;
  const slot = state.index.find(request.key);
  if (slot < 0 || !state.index.isLive(slot)) {
    throw new MvccError('KEY_NOT_FOUND', `key of ${request.key.length} bytes`);
  }
}
