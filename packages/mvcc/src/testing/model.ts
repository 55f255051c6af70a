/**
 * The store as plainly as it can be said: for each key the list of everything that ever happened to it.
 *
 * Slow on purpose, and written without a look at the store, so that the two can be held against each other.
 */
import { compareBytes, EMPTY_BYTES, fromLatin1, toLatin1 } from '@etcd-ts/base';
import type { Event, KeyValue } from '../key-value.ts';
import type {
  Compare,
  DeleteRangeRequest,
  DeleteRangeResult,
  PutRequest,
  PutResult,
  RangeRequest,
  RangeResult,
  RequestOp,
  TxnOpResult,
  TxnRequest,
  TxnResult,
} from '../request.ts';

interface Happening {
  readonly main: number;
  /** Undefined: deleted. */
  readonly kv: KeyValue | undefined;
}

interface Change {
  readonly main: number;
  readonly key: string;
  readonly kv: KeyValue | undefined;
}

/** Thrown for what the store refuses; `code` is the MvccError's. */
export class ModelRefusal extends Error {
  readonly code: string;

  constructor(code: string) {
    super(code);
    this.code = code;
  }
}

/** See the file's head. */
export class StoreModel {
  revision = 1;
  compactRevision = -1;
  /** Leases that exist. */
  readonly leases: Set<bigint> = new Set();
  readonly #histories = new Map<string, Happening[]>();
  readonly #changes: Change[] = [];
  #open = false;

  /** Everything that a watcher from `start` on must be given, revision by revision, while nothing of it is compacted. */
  eventsFrom(start: number, watches: (key: string) => boolean): Event[] {
    return this.#changes
      .filter(({ main, key }) => main >= start && watches(key))
      .map(({ main, key, kv }): Event => {
        const prevKv = this.#at(key, main - 1);
        const isCreate = kv !== undefined && kv.createRevision === main;
        const event: Event = kv === undefined ? deleteEvent(key, main) : { type: 0, kv };
        return prevKv === undefined || isCreate ? event : { ...event, prevKv };
      });
  }

  range(request: RangeRequest): RangeResult {
    if (request.revision > this.#current) throw new ModelRefusal('FUTURE_REVISION');
    const revision = request.revision > 0 ? request.revision : this.#current;
    if (revision < this.compactRevision) throw new ModelRefusal('COMPACTED');
    const all = this.#keys(request)
      .map((key) => this.#at(key, revision))
      .filter((kv) => kv !== undefined);
    const count = all.length;
    if (request.countOnly) return { revision: this.#current, kvs: [], more: false, count };
    const filters = [
      request.minModRevision,
      request.maxModRevision,
      request.minCreateRevision,
      request.maxCreateRevision,
    ];
    const readsAll = request.sortOrder !== 0 || filters.some((bound) => bound !== 0);
    const limit = request.limit > 0 ? request.limit : Infinity;
    let kvs = readsAll ? all : all.slice(0, limit + 1);
    kvs = kvs.filter((kv) => passes(request, kv));
    if (request.sortOrder !== 0 || request.sortTarget !== 0) {
      const direction = request.sortOrder === 2 ? -1 : 1;
      kvs = kvs.toSorted((a, b) => direction * compareBy(request.sortTarget, a, b));
    }
    const more = kvs.length > limit;
    kvs = kvs.slice(0, limit);
    if (request.keysOnly) kvs = kvs.map((kv) => ({ ...kv, value: EMPTY_BYTES }));
    return { revision: this.#current, kvs, more, count };
  }

  put(request: PutRequest): PutResult {
    if (request.lease !== 0n && !this.leases.has(request.lease))
      throw new ModelRefusal('LEASE_NOT_FOUND');
    this.#refuseIgnoring(request);
    return this.#write(() => this.#put(request));
  }

  deleteRange(request: DeleteRangeRequest): DeleteRangeResult {
    return this.#write(() => this.#deleteRange(request));
  }

  /** Tries the whole transaction on a copy of itself: what is refused in the middle has then not happened. */
  txn(request: TxnRequest): TxnResult {
    const path = this.#path(request);
    this.#checkPuts(path.ops);
    this.#checkRanges(path.ops);
    const before = new Map([...this.#histories].map(([key, history]) => [key, [...history]]));
    const changes = this.#changes.length;
    try {
      const responses = this.#write(() => this.#execute(path.ops));
      return { revision: this.revision, succeeded: path.succeeded, responses };
    } catch (error) {
      this.#open = false;
      this.#histories.clear();
      for (const [key, history] of before) this.#histories.set(key, history);
      this.#changes.length = changes;
      throw error;
    }
  }

  compact(revision: number): void {
    if (revision <= this.compactRevision) throw new ModelRefusal('COMPACTED');
    if (revision > this.revision) throw new ModelRefusal('FUTURE_REVISION');
    this.compactRevision = revision;
  }

  /** Inside a write that has changed something: the revision that it makes. */
  get #current(): number {
    return this.#open && this.#changes.at(-1)?.main === this.revision + 1
      ? this.revision + 1
      : this.revision;
  }

  #write<T>(work: () => T): T {
    this.#open = true;
    const result = work();
    const { length } = this.#changes;
    if (length > 0) this.revision = Math.max(this.revision, this.#changes[length - 1]?.main ?? 0);
    this.#open = false;
    return result;
  }

  #put(request: PutRequest): PutResult {
    this.#refuseIgnoring(request);
    const key = toLatin1(request.key);
    const main = this.revision + 1;
    const before = this.#at(key, main);
    const kv: KeyValue = {
      key: request.key.slice(),
      createRevision: before?.createRevision ?? main,
      modRevision: main,
      version: (before?.version ?? 0) + 1,
      value: request.ignoreValue && before !== undefined ? before.value : request.value.slice(),
      lease: request.ignoreLease && before !== undefined ? before.lease : request.lease,
    };
    this.#happen(key, main, kv);
    return request.prevKv && before !== undefined
      ? { revision: main, prevKv: before }
      : { revision: main };
  }

  #deleteRange(request: DeleteRangeRequest): DeleteRangeResult {
    const prevKvs: KeyValue[] = [];
    const main = this.revision + 1;
    for (const key of this.#keys(request)) {
      const before = this.#at(key, main);
      if (before === undefined) continue;
      prevKvs.push(before);
      this.#happen(key, main, undefined);
    }
    const deleted = prevKvs.length;
    return { revision: this.#current, deleted, prevKvs: request.prevKv ? prevKvs : [] };
  }

  #happen(key: string, main: number, kv: KeyValue | undefined): void {
    const history = this.#histories.get(key) ?? [];
    history.push({ main, kv });
    this.#histories.set(key, history);
    this.#changes.push({ main, key, kv });
  }

  #at(key: string, revision: number): KeyValue | undefined {
    return this.#histories.get(key)?.findLast(({ main }) => main <= revision)?.kv;
  }

  /** Keys ever written that lie in the range, in order. */
  #keys(range: { readonly key: Uint8Array; readonly rangeEnd: Uint8Array }): string[] {
    const first = toLatin1(range.key);
    const end = toLatin1(range.rangeEnd);
    const isIn = (key: string): boolean =>
      end === '' ? key === first : key >= first && (end === '\0' || key < end);
    return [...this.#histories.keys()].filter(isIn).toSorted((a, b) => (a < b ? -1 : 1));
  }

  #refuseIgnoring(request: PutRequest): void {
    const isThere = this.#at(toLatin1(request.key), this.revision + 1) !== undefined;
    if ((request.ignoreValue || request.ignoreLease) && !isThere)
      throw new ModelRefusal('KEY_NOT_FOUND');
  }

  /** The operations to do, each nested transaction replaced by its own path. */
  #path(request: TxnRequest): Path {
    const succeeded = request.compare.every((compare) => this.#holds(compare));
    const ops = succeeded ? request.success : request.failure;
    return {
      succeeded,
      ops: ops.map((op) =>
        op.request?.$case === 'requestTxn' ? this.#path(op.request.value) : op,
      ),
    };
  }

  #checkPuts(ops: Path['ops']): void {
    for (const op of ops) {
      if ('succeeded' in op) this.#checkPuts(op.ops);
      else if (op.request?.$case === 'requestPut') {
        this.#refuseIgnoring(op.request.value);
        const { lease } = op.request.value;
        if (lease !== 0n && !this.leases.has(lease)) throw new ModelRefusal('LEASE_NOT_FOUND');
      }
    }
  }

  #checkRanges(ops: Path['ops']): void {
    for (const op of ops) {
      if ('succeeded' in op) this.#checkRanges(op.ops);
      else if (op.request?.$case === 'requestRange') {
        const { revision } = op.request.value;
        if (revision > this.revision) throw new ModelRefusal('FUTURE_REVISION');
        if (revision !== 0 && revision < this.compactRevision) throw new ModelRefusal('COMPACTED');
      }
    }
  }

  #execute(ops: Path['ops']): TxnOpResult[] {
    return ops.map((op): TxnOpResult => {
      if ('succeeded' in op) {
        const value = { revision: 0, succeeded: op.succeeded, responses: this.#execute(op.ops) };
        return { $case: 'responseTxn', value };
      }
      switch (op.request?.$case) {
        case 'requestRange':
          return { $case: 'responseRange', value: this.range(op.request.value) };
        case 'requestPut':
          return { $case: 'responsePut', value: this.#put(op.request.value) };
        case 'requestDeleteRange':
          return { $case: 'responseDeleteRange', value: this.#deleteRange(op.request.value) };
        default:
          throw new ModelRefusal('KEY_NOT_FOUND');
      }
    });
  }

  #holds(compare: Compare): boolean {
    const there = this.#keys(compare)
      .map((key) => this.#at(key, this.revision))
      .filter((kv) => kv !== undefined);
    if (there.length > 0) return there.every((kv) => compareHolds(compare, kv));
    const absent = { version: 0, createRevision: 0, modRevision: 0, lease: 0n };
    const kv = { ...absent, key: EMPTY_BYTES, value: EMPTY_BYTES };
    return compare.target !== 3 && compareHolds(compare, kv);
  }
}

interface Path {
  readonly succeeded: boolean;
  readonly ops: readonly (RequestOp | Path)[];
}

function deleteEvent(key: string, main: number): Event {
  const zeros = { createRevision: 0, version: 0, value: EMPTY_BYTES, lease: 0n };
  return { type: 1, kv: { key: fromLatin1(key), modRevision: main, ...zeros } };
}

function passes(request: RangeRequest, kv: KeyValue): boolean {
  const within = (value: number, low: number, high: number): boolean =>
    (low === 0 || value >= low) && (high === 0 || value <= high);
  return (
    within(kv.modRevision, request.minModRevision, request.maxModRevision) &&
    within(kv.createRevision, request.minCreateRevision, request.maxCreateRevision)
  );
}

function compareBy(target: number, a: KeyValue, b: KeyValue): number {
  if (target === 1) return a.version - b.version;
  if (target === 2) return a.createRevision - b.createRevision;
  if (target === 3) return a.modRevision - b.modRevision;
  return target === 4 ? compareBytes(a.value, b.value) : compareBytes(a.key, b.key);
}

/** Exhaustive by target: 0 version, 1 create, 2 mod, 3 value, 4 lease. */
function compareHolds(compare: Compare, kv: KeyValue): boolean {
  const union = compare.targetUnion;
  const numbers = {
    version: kv.version,
    createRevision: kv.createRevision,
    modRevision: kv.modRevision,
  };
  let sign = 0;
  if (compare.target <= 2) {
    const name =
      (['version', 'createRevision', 'modRevision'] as const)[compare.target] ?? 'version';
    sign = Math.sign(numbers[name] - (union?.$case === name ? union.value : 0));
  } else if (compare.target === 3) {
    sign = Math.sign(compareBytes(kv.value, union?.$case === 'value' ? union.value : EMPTY_BYTES));
  } else if (compare.target === 4) {
    const lease = union?.$case === 'lease' ? union.value : 0n;
    sign = kv.lease < lease ? -1 : kv.lease > lease ? 1 : 0;
  }
  return [sign === 0, sign > 0, sign < 0, sign !== 0][compare.result] ?? true;
}
