/**
 * The versions of every key: which revision each key was last put or deleted at, and which older ones are still there.
 *
 * A key lives in a slot. What its newest version is, is held in columns (typed arrays by slot), 40 bytes a key;
 * only keys that have older versions as well hold an array of them. A history, oldest first:
 *
 *     put r2, put r5, delete r9, put r12      newest: r12, create 12, version 1
 *                                             older:  [2, 5, 9†]
 *     at(10) → nothing, the newest version ≤ 10 is the delete of r9      at(7) → r5
 *     compact(8): [5, 9†]      compact(9): [9†], for whatever is exactly at the compact revision stays      compact(10): []
 *
 * Such a run from put to delete is what etcd calls a generation (server/storage/mvcc/key_index.go).
 *
 * Invariants: versions of a key ascend in (main, sub); `version` of a live key counts the puts since its creation and
 * is 0 for a deleted one; a slot whose every version is gone is free and holds no key.
 */
import { assert, fromLatin1 } from '@etcd-ts/base';
import { BTree } from './btree.ts';
import { sortedByKey } from './key-sort.ts';
import { KeyTable } from './key-table.ts';
import type { KeyRange } from './key-range.ts';

/** One version as the index knows it. */
export interface VersionRef {
  readonly main: number;
  readonly sub: number;
}

const FIRST_CAPACITY = 512;
/** Numbers in a slot's row, and the place of each. */
const ROW = 4;
const MAIN = 0;
const SUB = 1;
const CREATE = 2;
const VERSION = 3;
const NONE_OLDER: readonly number[] = [];

/** See the file's head. */
export class KeyIndex {
  readonly #keys: (string | undefined)[] = [];
  /**
   * Older versions of a slot: main, sub * 2 (+ 1 for a delete), and so on, oldest first. Ends behind the last slot that
   * has any.
   */
  readonly #older: (number[] | undefined)[] = [];
  readonly #free: number[] = [];
  #newest = 0;
  #isLoading = false;
  #hadLeases = false;
  readonly #table: KeyTable;
  readonly #tree: BTree = new BTree((slot) => (this.isLive(slot) ? 1 : 0));
  /** Four numbers a slot, side by side because they are read together: main, sub, create revision, version. */
  #rows: Float64Array<ArrayBuffer> = new Float64Array(FIRST_CAPACITY * ROW);
  #lease: BigInt64Array<ArrayBuffer> = new BigInt64Array(FIRST_CAPACITY);
  /** The same bytes: a lease is compared with none without making a bigint. */
  #leaseHalves: Int32Array<ArrayBuffer> = new Int32Array(this.#lease.buffer);

  /** @param seed See {@link KeyTable}. */
  constructor(seed: number) {
    this.#table = new KeyTable(this.#keys, seed);
  }

  /** Keys known, deleted ones included while a version of theirs is left. */
  get keyCount(): number {
    return this.#tree.size;
  }

  /** The highest main revision that any key was changed at. */
  get newestRevision(): number {
    return this.#newest;
  }

  /** The slot of the key in bytes [start, end), or -1 when the key has no version left. */
  find(bytes: Uint8Array, start = 0, end: number = bytes.length): number {
    return this.#table.find(bytes, start, end);
  }

  /** The slot of a key given as latin1 string, or -1. */
  findText(key: string): number {
    return this.#tree.get(key) ?? -1;
  }

  keyOf(slot: number): string {
    const key = this.#keys[slot];
    assert(key !== undefined, () => `slot ${slot} holds no key`);
    return key;
  }

  /** True when the newest version is a put. */
  isLive(slot: number): boolean {
    return this.#rows[slot * ROW + VERSION] !== 0;
  }

  /** Main revision of the newest version. */
  mainOf(slot: number): number {
    return this.#rows[slot * ROW + MAIN] as number;
  }

  /** Sub revision of the newest version. */
  subOf(slot: number): number {
    return this.#rows[slot * ROW + SUB] as number;
  }

  /** Create revision of a live key. */
  createOf(slot: number): number {
    return this.#rows[slot * ROW + CREATE] as number;
  }

  /** Version of a live key; 0 of a deleted one. */
  versionOf(slot: number): number {
    return this.#rows[slot * ROW + VERSION] as number;
  }

  /** False when no key ever had a lease. */
  get hadLeases(): boolean {
    return this.#hadLeases;
  }

  hasLease(slot: number): boolean {
    return this.#leaseHalves[slot * 2] !== 0 || this.#leaseHalves[slot * 2 + 1] !== 0;
  }

  /** Lease of a live key; 0n for none. */
  leaseOf(slot: number): bigint {
    return this.hasLease(slot) ? (this.#lease[slot] as bigint) : 0n;
  }

  /** A slot for a key that has none; the first {@link put} must follow. */
  addKey(bytes: Uint8Array, start = 0, end: number = bytes.length): number {
    const slot = this.#free.pop() ?? this.#keys.length;
    const text = textOf(bytes, start, end);
    this.#keys[slot] = text;
    if (slot * ROW >= this.#rows.length) this.#grow();
    this.#rows.fill(0, slot * ROW, slot * ROW + ROW);
    this.#table.add(slot, bytes, start, end);
    if (!this.#isLoading) this.#tree.insert(text, slot);
    return slot;
  }

  /** Keys are going to be added in mass; nothing is asked in key order until {@link endLoad}. Only when it is empty. */
  beginLoad(): void {
    assert(this.#keys.length === 0, () => `a load begins with ${this.#keys.length} keys`);
    this.#isLoading = true;
  }

  /** All keys are in. Puts them in order at once, which costs a third of adding them one by one. */
  endLoad(): void {
    this.#isLoading = false;
    const slots: number[] = [];
    const keys: string[] = [];
    for (const [slot, key] of this.#keys.entries()) {
      if (key === undefined) continue;
      slots.push(slot);
      keys.push(key);
    }
    const places = sortedByKey(keys);
    this.#tree.build(
      places.length,
      (i) => keys[places[i] as number] as string,
      (i) => slots[places[i] as number] as number,
    );
  }

  /** A new version of the slot's key; the caller has counted create revision and version. */
  put(slot: number, ref: VersionRef, create: number, version: number, lease: bigint): void {
    assert(
      version > 0 && create <= ref.main,
      () => `put at ${ref.main}: create ${create}, version ${version}`,
    );
    const wasLive = this.isLive(slot);
    this.#push(slot, ref);
    this.#rows[slot * ROW + CREATE] = create;
    this.#rows[slot * ROW + VERSION] = version;
    if (lease !== 0n || this.hasLease(slot)) {
      this.#lease[slot] = lease;
      this.#hadLeases = true;
    }
    if (!wasLive && !this.#isLoading) this.#tree.addWeight(this.keyOf(slot), 1);
  }

  /** The slot's key, live or just loaded, is deleted. */
  delete(slot: number, ref: VersionRef): void {
    const wasLive = this.isLive(slot);
    this.#push(slot, ref);
    this.#rows[slot * ROW + VERSION] = 0;
    this.#rows[slot * ROW + CREATE] = 0;
    if (this.hasLease(slot)) this.#lease[slot] = 0n;
    if (wasLive && !this.#isLoading) this.#tree.addWeight(this.keyOf(slot), -1);
  }

  /** The put that a read at this revision sees, or undefined. The newest version answers without an allocation. */
  at(slot: number, revision: number): VersionRef | undefined {
    if (this.mainOf(slot) <= revision) {
      return this.isLive(slot) ? { main: this.mainOf(slot), sub: this.subOf(slot) } : undefined;
    }
    const older = this.#older[slot];
    if (older === undefined) return undefined;
    const i = lastAtOrBelow(older, revision);
    if (i < 0) return undefined;
    const mark = older[i + 1] as number;
    return (mark & 1) === 1 ? undefined : { main: older[i] as number, sub: mark >>> 1 };
  }

  /** True when a read at this revision sees the key. */
  isLiveAt(slot: number, revision: number): boolean {
    return this.mainOf(slot) <= revision
      ? this.isLive(slot)
      : this.at(slot, revision) !== undefined;
  }

  /**
   * Visits the slot's versions with main ≥ `from`, oldest first, deletes included, until the visitor returns false.
   *
   * @returns true when it never did.
   */
  forEachVersion(
    slot: number,
    from: number,
    visit: (main: number, sub: number, tombstone: boolean) => boolean,
  ): boolean {
    const older = this.#older[slot] ?? NONE_OLDER;
    for (let i = lastAtOrBelow(older, from - 1) + 2; i < older.length; i += 2) {
      const mark = older[i + 1] as number;
      if (!visit(older[i] as number, mark >>> 1, (mark & 1) === 1)) return false;
    }
    const main = this.mainOf(slot);
    return main < from || visit(main, this.subOf(slot), !this.isLive(slot));
  }

  /** True while the index knows this version of the slot's key. */
  has(slot: number, ref: VersionRef): boolean {
    return this.#keys[slot] !== undefined && this.#placeOf(slot, ref) >= 0;
  }

  /** True when this version outlives a compaction; what does not, is dropped. */
  survives(slot: number, ref: VersionRef, compactRevision: number): boolean {
    if (ref.main > compactRevision) return true;
    if (this.#keys[slot] === undefined) return false;
    const place = this.#placeOf(slot, ref);
    return place >= 0 && place >= this.#firstKept(slot, compactRevision);
  }

  /** True when a read at this revision sees this very version. */
  isSeenAt(slot: number, ref: VersionRef, revision: number): boolean {
    if (this.#keys[slot] === undefined) return false;
    const seen = this.at(slot, revision);
    return seen !== undefined && seen.main === ref.main && seen.sub === ref.sub;
  }

  /**
   * Forgets the slot's versions that do not survive a compaction; frees the slot when none is left.
   *
   * @returns true when the slot was freed.
   */
  compact(slot: number, compactRevision: number): boolean {
    const older = this.#older[slot];
    const oldest = older === undefined ? this.mainOf(slot) : (older[0] as number);
    if (oldest > compactRevision) return false;
    const kept = this.#firstKept(slot, compactRevision) * 2;
    const olderLength = older?.length ?? 0;
    if (kept > olderLength) {
      if (older !== undefined) this.#older[slot] = undefined;
      this.#freeSlot(slot);
      return true;
    }
    if (older === undefined) return false;
    if (kept === olderLength) this.#older[slot] = undefined;
    // A copy of what stays, which frees what goes; cutting in place would copy both.
    else if (kept > 0) this.#older[slot] = older.slice(kept);
    return false;
  }

  /** Visits the slots of the keys in the range, in key order, until the visitor returns false. */
  scan(range: KeyRange, visit: (slot: number) => boolean): void {
    this.#tree.scan(range.start, range.end, (_, slot) => visit(slot));
  }

  /** How many keys of the range are live now; O(log n). */
  countLive(range: KeyRange): number {
    return this.#tree.weightOf(range.start, range.end);
  }

  /** @throws InvariantError when an invariant does not hold. For tests; costs a walk over everything. */
  check(): void {
    this.#tree.check();
    for (let slot = 0; slot < this.#keys.length; slot++) {
      if (this.#keys[slot] === undefined) continue;
      const older = this.#older[slot] ?? [];
      for (let i = 2; i < older.length; i += 2) {
        assert(
          (older[i] as number) >= (older[i - 2] as number),
          () => `history of slot ${slot} descends`,
        );
      }
      const last = older.at(-2) ?? 0;
      assert(last <= this.mainOf(slot), () => `slot ${slot}: ${last} is newer than the newest`);
    }
  }

  #push(slot: number, ref: VersionRef): void {
    const main = this.mainOf(slot);
    assert(ref.main >= main, () => `version ${ref.main} after ${main}`);
    if (main !== 0) {
      const mark = this.subOf(slot) * 2 + (this.isLive(slot) ? 0 : 1);
      const older = this.#older[slot];
      if (older !== undefined) older.push(main, mark);
      else {
        while (this.#older.length <= slot) this.#older.push(undefined);
        this.#older[slot] = [main, mark];
      }
    }
    this.#rows[slot * ROW + MAIN] = ref.main;
    this.#rows[slot * ROW + SUB] = ref.sub;
    this.#newest = ref.main;
  }

  /** Place of a version in the slot's history (0: oldest; the newest comes after all older ones), or -1. */
  #placeOf(slot: number, ref: VersionRef): number {
    const older = this.#older[slot];
    if (this.mainOf(slot) === ref.main && this.subOf(slot) === ref.sub)
      return (older?.length ?? 0) / 2;
    if (older === undefined) return -1;
    for (let i = lastAtOrBelow(older, ref.main); i >= 0 && older[i] === ref.main; i -= 2) {
      if ((older[i + 1] as number) >>> 1 === ref.sub) return i / 2;
    }
    return -1;
  }

  /**
   * Place of the oldest version that a compaction keeps: everything at or above the compact revision stays, so that a
   * watch from there is told all of it, a delete too (as in etcd since 3.5.16). Below it only the last version stays,
   * and only while reads at the compact revision see it. One past the newest when nothing is kept.
   */
  #firstKept(slot: number, compactRevision: number): number {
    const older = this.#older[slot] ?? NONE_OLDER;
    const newest = older.length / 2;
    const last =
      this.mainOf(slot) < compactRevision ? newest : lastAtOrBelow(older, compactRevision - 1) / 2;
    if (last < 0) return 0;
    const next = last + 1;
    const isSeen = next > newest || this.#mainAt(slot, next) > compactRevision;
    return isSeen && !this.#isDeleteAt(slot, last) ? last : next;
  }

  #mainAt(slot: number, place: number): number {
    return this.#older[slot]?.[place * 2] ?? this.mainOf(slot);
  }

  #isDeleteAt(slot: number, place: number): boolean {
    const mark = this.#older[slot]?.[place * 2 + 1];
    return mark === undefined ? !this.isLive(slot) : (mark & 1) === 1;
  }

  #freeSlot(slot: number): void {
    const key = this.keyOf(slot);
    if (!this.#isLoading) this.#tree.delete(key);
    this.#table.remove(slot, fromLatin1(key));
    this.#keys[slot] = undefined;
    this.#rows.fill(0, slot * ROW, slot * ROW + ROW);
    this.#free.push(slot);
  }

  #grow(): void {
    const rows = new Float64Array(this.#rows.length * 2);
    rows.set(this.#rows);
    this.#rows = rows;
    const lease = new BigInt64Array(this.#lease.length * 2);
    lease.set(this.#lease);
    this.#lease = lease;
    this.#leaseHalves = new Int32Array(lease.buffer);
  }
}

function textOf(bytes: Uint8Array, start: number, end: number): string {
  const { buffer, byteOffset, length } = bytes;
  const asBuffer = Buffer.isBuffer(bytes) ? bytes : Buffer.from(buffer, byteOffset, length);
  return asBuffer.toString('latin1', start, end);
}

/** Index of the last pair whose main is ≤ revision, or -2. */
function lastAtOrBelow(older: readonly number[], revision: number): number {
  let low = 0;
  let high = older.length >>> 1;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((older[middle * 2] as number) <= revision) low = middle + 1;
    else high = middle;
  }
  return (low - 1) * 2;
}
