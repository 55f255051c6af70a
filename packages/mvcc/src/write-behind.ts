/**
 * Changes that are not yet in the backend. Reads consult them first.
 *
 * Two generations: what was handed out with `take` and is on its way, and what has come since. A batch holds whole
 * applied entries, with the applied position in it, so that the backend is always the state after some entry.
 *
 * Bound: above `dirtyBytesMax` `isFull` says so, and whoever applies entries stops until a batch is written. The
 * buffer itself refuses nothing, for an entry that is committed must be applied; it exceeds the bound by what is
 * applied between the question and the next batch.
 *
 * Invariant: records ascend in (main, sub); those on their way are below all that came since.
 */
import { assert } from '@etcd-ts/base';
import type { BackendOperation } from './backend.ts';
import { META_APPLIED, metaName, positionBytes } from './meta-table.ts';
import { DropList } from './drop-list.ts';
import { RecordNames } from './record-names.ts';
import { recordSource, RecordSlabs } from './record-slabs.ts';
import type { Room, SlabSource } from './slab-source.ts';

/** Where applied state stands in the log. */
export interface AppliedPosition {
  readonly index: number;
  readonly term: number;
}

/** One batch on its way to the backend: write it whole, then tell the store. */
export interface FlushBatch {
  /** To be gone through once. */
  readonly operations: Iterable<BackendOperation>;
  /** The state is the one after this entry. */
  readonly applied: AppliedPosition;
  /** Bytes of it, roughly. */
  readonly bytes: number;
}

/** What an operation costs in memory beside its bytes. */
const OPERATION_OVERHEAD_BYTES = 64;

/** What a record to be dropped costs in memory. */
const DROP_BYTES = 16;

/** What has come between two batches. */
class Generation {
  readonly mains: number[] = [];
  readonly subs: number[] = [];
  /** The slot, or its complement for a delete. */
  readonly slots: number[] = [];
  readonly records: RecordSlabs;
  /** Records to be deleted. */
  readonly drops: DropList = new DropList();
  readonly metas = new Map<string, Uint8Array | undefined>();
  bytes = 0;
  readonly #names: RecordNames;

  /** Generations that share slabs and names differ in what they hold, not in where. */
  constructor(slabs: SlabSource, names: RecordNames) {
    this.records = new RecordSlabs(slabs);
    this.#names = names;
  }

  get isEmpty(): boolean {
    return this.records.length === 0 && this.drops.length === 0 && this.metas.size === 0;
  }

  /** A copy of the record of a revision. */
  find(main: number, sub: number): Uint8Array | undefined {
    let low = 0;
    let high = this.mains.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const atMain = this.mains[middle] as number;
      if (atMain < main || (atMain === main && (this.subs[middle] as number) < sub))
        low = middle + 1;
      else high = middle;
    }
    const isFound = this.mains[low] === main && this.subs[low] === sub;
    return isFound ? this.records.view(low).slice() : undefined;
  }

  /** Made one by one as they are gone through, so that a large batch leaves no mountain of objects. */
  *operations(applied: AppliedPosition): Generator<BackendOperation> {
    const names = this.#names;
    names.beginBatch();
    for (let i = 0; i < this.mains.length; i++) {
      const isDelete = (this.slots[i] as number) < 0;
      const key = names.make(this.mains[i] as number, this.subs[i] as number, isDelete);
      yield { key, value: this.records.view(i) };
    }
    for (const { main, sub, isDelete } of this.drops) {
      yield { key: names.make(main, sub, isDelete), value: undefined };
    }
    for (const [name, value] of this.metas) yield { key: metaName(name), value };
    yield { key: metaName(META_APPLIED), value: positionBytes(applied) };
  }
}

/** See the file's head. */
export class WriteBehind {
  readonly dirtyBytesMax: number;
  readonly #slabs: SlabSource = recordSource();
  readonly #names: RecordNames = new RecordNames();
  #current: Generation = new Generation(this.#slabs, this.#names);
  #onItsWay: { readonly generation: Generation; readonly batch: FlushBatch } | undefined;
  #isPositionDirty = false;

  constructor(dirtyBytesMax: number) {
    this.dirtyBytesMax = dirtyBytesMax;
  }

  /** Bytes that are not yet in the backend, overhead included. */
  get dirtyBytes(): number {
    return this.#current.bytes + (this.#onItsWay?.generation.bytes ?? 0);
  }

  /** True: write a batch before applying more. */
  get isFull(): boolean {
    return this.dirtyBytes > this.dirtyBytesMax;
  }

  /** True when the backend holds everything. */
  get isEmpty(): boolean {
    return this.#onItsWay === undefined && this.#current.isEmpty && !this.#isPositionDirty;
  }

  /** A copy of the record of a revision, when it is not yet in the backend. */
  find(main: number, sub: number): Uint8Array | undefined {
    return this.#current.find(main, sub) ?? this.#onItsWay?.generation.find(main, sub);
  }

  /** Makes room for the record of the next revision, which is to be written there at once. @internal */
  reserve(
    ref: { readonly main: number; readonly sub: number },
    slot: number,
    isDelete: boolean,
    bytes: number,
  ): Room {
    const current = this.#current;
    current.mains.push(ref.main);
    current.subs.push(ref.sub);
    current.slots.push(isDelete ? ~slot : slot);
    current.bytes += bytes + OPERATION_OVERHEAD_BYTES;
    return current.records.reserve(bytes);
  }

  /** @internal */
  dropRecord(main: number, sub: number, isDelete: boolean): void {
    this.#current.drops.add(main, sub, isDelete);
    this.#current.bytes += DROP_BYTES;
  }

  /** @internal */
  setMeta(name: string, value: Uint8Array | undefined): void {
    const before = this.#current.metas.get(name)?.length ?? 0;
    const isNew = !this.#current.metas.has(name);
    this.#current.metas.set(name, value);
    this.#current.bytes += (value?.length ?? 0) - before;
    if (isNew) this.#current.bytes += name.length + OPERATION_OVERHEAD_BYTES;
  }

  /** The applied position has moved. @internal */
  touchPosition(): void {
    this.#isPositionDirty = true;
  }

  /** Everything that is dirty, as one batch; undefined when nothing is, or while a batch is on its way. @internal */
  take(applied: AppliedPosition): FlushBatch | undefined {
    if (this.#onItsWay !== undefined || this.isEmpty) return undefined;
    const generation = this.#current;
    const operations = generation.operations(applied);
    const batch: FlushBatch = { operations, applied, bytes: generation.bytes };
    this.#onItsWay = { generation, batch };
    this.#current = new Generation(this.#slabs, this.#names);
    this.#isPositionDirty = false;
    return batch;
  }

  /**
   * The batch is in the backend.
   *
   * @param visit Is shown each put of it, as a view, before it is forgotten here.
   * @internal
   */
  written(
    batch: FlushBatch,
    visit: (slot: number, main: number, sub: number, record: Uint8Array) => void,
  ): void {
    assert(this.#onItsWay?.batch === batch, 'a batch is written that is not on its way');
    const { mains, subs, slots, records } = this.#onItsWay.generation;
    for (let i = 0; i < mains.length; i++) {
      const slot = slots[i] as number;
      if (slot >= 0) visit(slot, mains[i] as number, subs[i] as number, records.view(i));
    }
    this.#onItsWay = undefined;
  }
}
