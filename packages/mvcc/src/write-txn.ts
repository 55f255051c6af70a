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
import { recordSize, writeRecord } from './record.ts';
import { readRange } from './range.ts';
import type {
  DeleteRangeRequest,
  DeleteRangeResult,
  PutRequest,
  PutResult,
  RangeRequest,
  RangeResult,
} from './request.ts';
import { recordNameBytes } from './revision.ts';
import type { StoreState } from './store-state.ts';

/** One change of a transaction, for the watchers. */
export interface Change {
  readonly slot: number;
  readonly key: string;
  readonly main: number;
  readonly sub: number;
  readonly isDelete: boolean;
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
    const { index, leases, hot } = this.#state;
    const main = this.#main;
    const createRevision = index.isLive(slot) ? index.createOf(slot) : main;
    const version = index.versionOf(slot) + 1;
    const kv = { key, createRevision, modRevision: main, version, value, lease };
    const text = index.keyOf(slot);
    if (index.hasLease(slot)) leases.detach(index.leaseOf(slot), text);
    if (lease !== 0n) leases.attach(lease, text);
    this.#write(slot, text, kv, false);
    hot.delete(slot);
    index.put(slot, { main, sub: this.#changes.length - 1 }, createRevision, version, lease);
  }

  #delete(slot: number): void {
    const { index, leases, hash, hot } = this.#state;
    const text = index.keyOf(slot);
    if (index.hasLease(slot)) leases.detach(index.leaseOf(slot), text);
    this.#write(slot, text, tombstone(fromLatin1(text)), true);
    hash.delete(slot);
    hot.delete(slot);
    index.delete(slot, { main: this.#main, sub: this.#changes.length - 1 });
  }

  /** Writes the record of the next change. */
  #write(slot: number, key: string, kv: KeyValue, isDelete: boolean): void {
    assert(this.#isOpen, 'a write transaction writes after its end');
    const state = this.#state;
    const main = this.#main;
    const sub = this.#changes.length;
    const bytes = recordSize(kv);
    const { slab, start } = state.dirty.reserve({ main, sub }, slot, isDelete, bytes);
    const end = writeRecord(kv, slab, start);
    assert(end === start + bytes, () => `record of ${bytes} bytes, wrote ${end - start}`);
    if (!isDelete) state.hash.set(slot, slab, start, end);
    const total = recordBytes(bytes, isDelete);
    state.log.append(main, sub, slot, isDelete, total);
    state.recordBytes += total;
    this.#changes.push({ slot, key, main, sub, isDelete });
  }
}

/** What a record of this many bytes takes, its name included. */
export function recordBytes(bytes: number, isDelete: boolean): number {
  return recordNameBytes(isDelete) + bytes;
}

/** What the record of a delete says: the key alone. */
function tombstone(key: Uint8Array): KeyValue {
  return { key, createRevision: 0, modRevision: 0, version: 0, value: EMPTY_BYTES, lease: 0n };
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
