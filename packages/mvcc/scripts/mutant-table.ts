/** The bugs that the tests must see: each is one exact text of the sources, replaced. */

/** One planted bug. */
export interface Mutant {
  /** The bug, as one would tell it. */
  readonly name: string;
  readonly area: 'store' | 'txn' | 'compaction' | 'hash' | 'watch' | 'index' | 'leases' | 'storage';
  /** Under `src/`. */
  readonly file: string;
  /** Must be in the file exactly once. */
  readonly find: string;
  readonly replace: string;
}

const STORE: readonly Mutant[] = [
  {
    name: 'a read in the future is answered',
    area: 'store',
    file: 'range.ts',
    find: 'if (requested > current) {',
    replace: 'if (requested > current + 1) {',
  },
  {
    name: 'a read at the compact revision is refused',
    area: 'store',
    file: 'range.ts',
    find: 'if (revision < state.compactRevision) {',
    replace: 'if (revision <= state.compactRevision) {',
  },
  {
    name: 'the limit cuts one key too many',
    area: 'store',
    file: 'range.ts',
    find: 'if (more) kvs = kvs.slice(0, request.limit);',
    replace: 'if (more) kvs = kvs.slice(0, request.limit - 1);',
  },
  {
    name: 'more is told when the limit is just met',
    area: 'store',
    file: 'range.ts',
    find: 'request.limit > 0 && kvs.length > request.limit;',
    replace: 'request.limit > 0 && kvs.length >= request.limit;',
  },
  {
    name: 'a filter counts only after the limit',
    area: 'store',
    file: 'range.ts',
    find: 'const readsAll = request.sortOrder !== ORDER_NONE || isFiltered(request);',
    replace: 'const readsAll = request.sortOrder !== ORDER_NONE;',
  },
  {
    name: 'a bound on create revisions is exclusive',
    area: 'store',
    file: 'range.ts',
    find: 'kv.createRevision > maxCreateRevision) return false;',
    replace: 'kv.createRevision >= maxCreateRevision) return false;',
  },
  {
    name: 'the count of an old revision is that of now',
    area: 'store',
    file: 'range.ts',
    find: 'const countsByScan = revision < state.index.newestRevision;',
    replace: 'const countsByScan = false;',
  },
  {
    name: 'keys alone are sorted by values that were not read',
    area: 'store',
    file: 'range.ts',
    find: 'return !request.keysOnly || (isSorted(request) && request.sortTarget === TARGET_VALUE);',
    replace: 'return !request.keysOnly;',
  },
  {
    name: 'a plan forgets the key at which a slice ended',
    area: 'store',
    file: 'range-plan.ts',
    find: 'this.#resumeAt = this.#read.state.index.keyOf(slot);',
    replace: 'this.#resumeAt = `${this.#read.state.index.keyOf(slot)}\\0`;',
  },
  {
    name: 'a plan pins nothing',
    area: 'store',
    file: 'range-plan.ts',
    find: 'this.#pin = state.pins.add(revision);',
    replace: 'this.#pin = state.pins.add(Infinity);',
  },
  {
    name: 'a key made again goes on with its old version number',
    area: 'store',
    file: 'key-index.ts',
    find: '    this.#rows[slot * ROW + VERSION] = 0;\n    this.#rows[slot * ROW + CREATE] = 0;',
    replace: '    this.#rows[slot * ROW + CREATE] = 0;',
  },
  {
    name: 'the create revision follows every put',
    area: 'store',
    file: 'write-txn.ts',
    find: 'const createRevision = index.isLive(slot) ? index.createOf(slot) : main;',
    replace: 'const createRevision = main;',
  },
  {
    name: 'ignoreValue puts an empty value',
    area: 'store',
    file: 'write-txn.ts',
    find: 'const needsBefore = request.prevKv || request.ignoreValue;',
    replace: 'const needsBefore = request.prevKv;',
  },
  {
    name: 'a put leaves the old version among those read lately',
    area: 'store',
    file: 'write-txn.ts',
    find: '    this.#write(slot, text, kv, false);\n    hot.delete(slot);\n',
    replace: '    this.#write(slot, text, kv, false);\n',
  },
  {
    name: 'a transaction that changed nothing makes a revision',
    area: 'store',
    file: 'write-txn.ts',
    find: 'if (this.#changes.length > 0) this.#state.revision = this.#main;',
    replace: 'this.#state.revision = this.#main;',
  },
  {
    name: 'deleteRange deletes the end of its range too',
    area: 'store',
    file: 'btree.ts',
    find: 'if (end !== undefined && key >= end) return false;',
    replace: 'if (end !== undefined && key > end) return false;',
  },
  {
    name: 'of two equals a sort in steps puts the later one first',
    area: 'store',
    file: 'stepped-sort.ts',
    find: 'compare(left as T, right as T) <= 0);',
    replace: 'compare(left as T, right as T) < 0);',
  },
  {
    name: 'a sort in steps loses the run that has no neighbour',
    area: 'store',
    file: 'stepped-sort.ts',
    find: 'this.#runs = [...this.#merged, ...this.#runs];',
    replace: 'this.#runs = [...this.#merged];',
  },
  {
    name: 'more of a sorted range in steps is told of what was kept',
    area: 'store',
    file: 'stepped-range.ts',
    find: '(this.#sort?.size ?? this.#kvs.length) > limit;',
    replace: 'this.#kvs.length > limit;',
  },
  {
    name: 'a range in steps keeps the values that only its order needs',
    area: 'store',
    file: 'stepped-range.ts',
    find: 'this.#emptiesLast = request.keysOnly && needsValues(request);',
    replace: 'this.#emptiesLast = false;',
  },
  {
    name: 'who waits for the readers hears of the first that ends',
    area: 'store',
    file: 'read-pins.ts',
    find: '    if (this.#pins.size > 0) return;\n',
    replace: '',
  },
  {
    name: 'a broken pin says nothing',
    area: 'store',
    file: 'read-pins.ts',
    find: 'if (this.#broken !== undefined) throw',
    replace: 'if (this.#broken === undefined) return;\n    if (this.isSnapshot) throw',
  },
];

const TXN: readonly Mutant[] = [
  {
    name: 'compares of nested transactions see the writes before them',
    area: 'txn',
    file: 'txn.ts',
    find: "return { $case: 'responseTxn', value: executeNested(txn, nestedPath(path, i)) };",
    replace:
      "return { $case: 'responseTxn', value: executeNested(txn, path.nested.size > 1 ? { ...nestedPath(path, i), succeeded: true } : nestedPath(path, i)) };",
  },
  {
    name: 'one compare of several is enough',
    area: 'txn',
    file: 'txn.ts',
    find: 'request.compare.every((compare) => holds(state, compare));',
    replace:
      'request.compare.some((compare) => holds(state, compare)) || request.compare.length === 0;',
  },
  {
    name: 'the value of an absent key is unequal to any',
    area: 'txn',
    file: 'compare.ts',
    find: 'if (compare.target === TARGET_VALUE) return false;',
    replace: 'if (compare.target === TARGET_VALUE) return compare.result === RESULT_NOT_EQUAL;',
  },
  {
    name: 'an empty range satisfies every compare',
    area: 'txn',
    file: 'txn.ts',
    find: 'return found ? all : holdsOfAbsent(compare);',
    replace: 'return found ? all : true;',
  },
  {
    name: 'a negative revision inside a transaction means the current one',
    area: 'txn',
    file: 'txn.ts',
    find: 'if (revision === 0) return;',
    replace: 'if (revision <= 0) return;',
  },
  {
    name: 'ranges of a transaction are checked when it has already written',
    area: 'txn',
    file: 'txn.ts',
    find: '  checkRanges(state, path);\n  checkTaken(path);',
    replace: '  checkTaken(path);',
  },
  {
    name: 'a key deleted earlier in the transaction is put without its value',
    area: 'txn',
    file: 'txn.ts',
    find: '  checkRanges(state, path);\n  checkTaken(path);',
    replace: '  checkRanges(state, path);',
  },
  {
    name: 'sibling transactions may put the same key',
    area: 'txn',
    file: 'validation.ts',
    find: 'for (const key of success.puts) if (puts.has(key) || deleted.has(key)) return conflict(key);',
    replace: 'for (const key of success.puts) if (deleted.has(key)) return conflict(key);',
  },
  {
    name: 'nested transactions have the whole limit of operations',
    area: 'txn',
    file: 'validation.ts',
    find: 'const problem = checkOp(op, opsMax - ops);',
    replace: 'const problem = checkOp(op, opsMax);',
  },
];

const LEASES: readonly Mutant[] = [
  {
    name: 'a put with an unknown lease is accepted',
    area: 'leases',
    file: 'write-txn.ts',
    find: 'if (request.lease !== 0n && !state.leases.exists(request.lease)) {',
    replace: 'if (request.lease < 0n && !state.leases.exists(request.lease)) {',
  },
  {
    name: 'a put without lease leaves the key attached to its old one',
    area: 'leases',
    file: 'write-txn.ts',
    find: '    if (index.hasLease(slot)) leases.detach(index.leaseOf(slot), text);\n    if (lease !== 0n)',
    replace: '    if (lease !== 0n)',
  },
  {
    name: 'a deleted key stays attached',
    area: 'leases',
    file: 'write-txn.ts',
    find: '    if (index.hasLease(slot)) leases.detach(index.leaseOf(slot), text);\n    this.#write(slot, text, tombstone',
    replace: '    this.#write(slot, text, tombstone',
  },
  {
    name: 'a lease whose low half is zero is none',
    area: 'leases',
    file: 'key-index.ts',
    find: 'return this.#leaseHalves[slot * 2] !== 0 || this.#leaseHalves[slot * 2 + 1] !== 0;',
    replace: 'return this.#leaseHalves[slot * 2] !== 0;',
  },
];

const COMPACTION: readonly Mutant[] = [
  {
    name: 'a delete exactly at the compact revision is dropped',
    area: 'compaction',
    file: 'key-index.ts',
    find: 'this.mainOf(slot) < compactRevision ? newest : lastAtOrBelow(older, compactRevision - 1) / 2;',
    replace:
      'this.mainOf(slot) <= compactRevision ? newest : lastAtOrBelow(older, compactRevision) / 2;',
  },
  {
    name: 'a delete below the compact revision is kept',
    area: 'compaction',
    file: 'key-index.ts',
    find: 'return isSeen && !this.#isDeleteAt(slot, last) ? last : next;',
    replace: 'return isSeen ? last : next;',
  },
  {
    name: 'the last version below the compact revision is dropped',
    area: 'compaction',
    file: 'key-index.ts',
    find: 'return isSeen && !this.#isDeleteAt(slot, last) ? last : next;',
    replace: 'return next;',
  },
  {
    name: 'a compaction at the compact revision is accepted again',
    area: 'compaction',
    file: 'compaction.ts',
    find: 'if (revision <= state.compactRevision) {',
    replace: 'if (revision < state.compactRevision) {',
  },
  {
    name: 'records are forgotten but not deleted',
    area: 'compaction',
    file: 'compaction.ts',
    find: '    state.dirty.dropRecord(entry.main, entry.sub, entry.tombstone);\n',
    replace: '',
  },
  {
    name: 'a delete’s record is dropped under the name of a put',
    area: 'compaction',
    file: 'compaction.ts',
    find: 'state.dirty.dropRecord(entry.main, entry.sub, entry.tombstone);',
    replace: 'state.dirty.dropRecord(entry.main, entry.sub, false);',
  },
  {
    name: 'a walk does not wait for readers',
    area: 'compaction',
    file: 'compaction.ts',
    find: 'if (!this.isPending || this.isHeld) return false;',
    replace: 'if (!this.isPending) return false;',
  },
  {
    name: 'a compaction that comes during another is lost',
    area: 'compaction',
    file: 'compaction.ts',
    find: 'this.#state.compactedRevision = target;',
    replace: 'this.#state.compactedRevision = this.#state.compactRevision;',
  },
  {
    name: 'the log keeps what the index has forgotten',
    area: 'compaction',
    file: 'revision-log.ts',
    find: 'at < end && (chunk.main[at] as number) <= through; at++',
    replace: 'at < end && (chunk.main[at] as number) < through; at++',
  },
  {
    name: 'a step loses the revisions behind those that it looked at',
    area: 'compaction',
    file: 'revision-log.ts',
    find: '    this.length -= from - kept;\n',
    replace: '    this.length = kept;\n',
  },
  {
    name: 'a step looks at its first revisions again',
    area: 'compaction',
    file: 'revision-log.ts',
    find: 'let at = offsetIn(this.#chunks[i] as Chunk, from.main, from.sub);\n    for (let left',
    replace: 'let at = 0;\n    for (let left',
  },
  {
    name: 'an unfinished compaction is forgotten by a restart',
    area: 'compaction',
    file: 'store-loader.ts',
    find: 'this.#state.compactedRevision = bytesNumber(meta.get(META_COMPACTED));',
    replace: 'this.#state.compactedRevision = this.#state.compactRevision;',
  },
  {
    name: 'the compact revision is not written',
    area: 'compaction',
    file: 'compaction.ts',
    find: '    state.meta.set(META_COMPACT, numberBytes(revision));\n',
    replace: '',
  },
];

const HASH: readonly Mutant[] = [
  {
    name: 'HashKV covers what a compaction has yet to drop',
    area: 'hash',
    file: 'hash-kv.ts',
    find: 'const isOld = main <= this.compactRevision;',
    replace: 'const isOld = false;',
  },
  {
    name: 'HashKV leaves out the mark of deletes',
    area: 'hash',
    file: 'hash-kv.ts',
    find: 'const name = recordName(main, sub, tombstone);',
    replace: 'const name = recordName(main, sub, false);',
  },
  {
    name: 'HashKV goes on past its revision',
    area: 'hash',
    file: 'hash-kv.ts',
    find: 'if (entry.main > this.hashRevision) return false;',
    replace: 'if (entry.main > this.hashRevision + 1) return false;',
  },
  {
    name: 'a step of HashKV hashes its last version twice',
    area: 'hash',
    file: 'hash-kv.ts',
    find: 'if (left-- === 0 || bytes >= HASH_STEP_BYTES_MAX || this.#ahead.isUsedUp) {',
    replace: 'if (--left === 0) {\n        this.#add(entry);',
  },
  {
    name: 'a record read ahead passes for the next one',
    area: 'hash',
    file: 'read-ahead.ts',
    find: '      if (difference > 0) return undefined;\n      if (difference < 0) continue;\n',
    replace: '',
  },
  {
    name: 'the state hash keeps what a delete took away',
    area: 'hash',
    file: 'write-txn.ts',
    find: '    hash.delete(slot);\n',
    replace: '',
  },
];

const WATCH: readonly Mutant[] = [
  {
    name: 'a watcher of the future gets events before its start',
    area: 'watch',
    file: 'watch-hub.ts',
    find: "if (watcher.state !== 'synced' || watcher.next > event.main || !watcher.wants(event))",
    replace: "if (watcher.state !== 'synced' || !watcher.wants(event))",
  },
  {
    name: 'of a transaction too',
    area: 'watch',
    file: 'watch-hub.ts',
    find: 'if (watcher.next > main || !watcher.wants(event)) continue;',
    replace: 'if (!watcher.wants(event)) continue;',
  },
  {
    name: 'a parked watcher loses the batch that was refused',
    area: 'watch',
    file: 'watch-hub.ts',
    find: '      watcher.next = main;\n',
    replace: '      watcher.next = main + 1;\n',
  },
  {
    name: 'a refused catch-up batch counts as delivered',
    area: 'watch',
    file: 'watch-hub.ts',
    find: 'if (events !== undefined && !this.#deliver(watcher, events)) continue;',
    replace: 'if (events !== undefined) this.#deliver(watcher, events);',
  },
  {
    name: 'a catch-up step leaves one revision out',
    area: 'watch',
    file: 'watch-hub.ts',
    find: 'watcher.next = through + 1;',
    replace: 'watcher.next = through + 2;',
  },
  {
    name: 'a catch-up step repeats its last revision',
    area: 'watch',
    file: 'catch-up.ts',
    find: 'this.through = main - 1;',
    replace: 'this.through = main - 2;',
  },
  {
    name: 'a step ends inside a revision',
    area: 'watch',
    file: 'catch-up.ts',
    find: '    if (main !== this.#main) {\n      const isFirst = this.#main === 0;',
    replace: '    {\n      const isFirst = this.#main === 0;',
  },
  {
    name: 'a watcher that is ahead of its cohort gets events again',
    area: 'watch',
    file: 'catch-up.ts',
    find: 'if (watcher.next > main || (isDelete ? watcher.noDelete : watcher.noPut)) continue;',
    replace: 'if (isDelete ? watcher.noDelete : watcher.noPut) continue;',
  },
  {
    name: 'filters do not hold for history',
    area: 'watch',
    file: 'catch-up.ts',
    find: 'if (watcher.wants(event)) walk.add(watcher, event);',
    replace: 'walk.add(watcher, event);',
  },
  {
    name: 'a watch from the compact revision is ended',
    area: 'watch',
    file: 'watch-hub.ts',
    find: 'else if (watcher.next < this.#state.compactRevision) this.#endCompacted(watcher);',
    replace: 'else if (watcher.next <= this.#state.compactRevision) this.#endCompacted(watcher);',
  },
  {
    name: 'a watch below the compact revision goes on with what is left',
    area: 'watch',
    file: 'watch-hub.ts',
    find: 'else if (watcher.next < this.#state.compactRevision) this.#endCompacted(watcher);',
    replace: '',
  },
  {
    name: 'a compacted watcher is told again and again',
    area: 'watch',
    file: 'watch-hub.ts',
    find: "    this.#behind.delete(watcher);\n    if (taken) watcher.state = 'ended';",
    replace: "    if (taken) watcher.state = 'behind';",
  },
  {
    name: 'progress is told of a watcher that waits for the future',
    area: 'watch',
    file: 'watch-hub.ts',
    find: "if (watcher.state !== 'synced' || watcher.startRevision > this.revision) return undefined;",
    replace: "if (watcher.state !== 'synced') return undefined;",
  },
  {
    name: 'progress is told of a watcher that is behind',
    area: 'watch',
    file: 'watch-hub.ts',
    find: "if (watcher.state !== 'synced' || watcher.startRevision > this.revision) return undefined;",
    replace:
      "if (watcher.state === 'parked' || watcher.startRevision > this.revision) return undefined;",
  },
  {
    name: 'the previous version of a create is what was there before the delete',
    area: 'watch',
    file: 'watch-event.ts',
    find: 'if (isCreate || this.main - 1 < state.compactRevision) return undefined;',
    replace:
      'if (this.main - 1 < state.compactRevision) return undefined;\n    if (isCreate) return state.readVersion(this.#change.slot, this.#change);',
  },
  {
    name: 'the previous version is read in the revision itself',
    area: 'watch',
    file: 'watch-event.ts',
    find: 'const ref = state.index.at(slot, this.main - 1);',
    replace: 'const ref = state.index.at(slot, this.main);',
  },
  {
    name: 'a previous version is looked for below the compact revision',
    area: 'watch',
    file: 'watch-event.ts',
    find: 'if (isCreate || this.main - 1 < state.compactRevision) return undefined;',
    replace: 'if (isCreate) return undefined;',
  },
  {
    name: 'a replaced store looks for what its watchers have long been given',
    area: 'watch',
    file: 'watch-hub.ts',
    find: '      watcher.next = watcher.nextRevision;\n      this.#synced.delete(watcher);',
    replace: '      this.#synced.delete(watcher);',
  },
  {
    name: 'a cancelled watcher still gets the transaction of the turn',
    area: 'watch',
    file: 'watch-hub.ts',
    find: "if (watcher.state === 'synced') this.#deliverSynced(watcher, events, main);",
    replace: 'this.#deliverSynced(watcher, events, main);',
  },
];

const INDEX: readonly Mutant[] = [
  {
    name: 'a read at the revision of a put does not see it',
    area: 'index',
    file: 'key-index.ts',
    find: 'if ((older[middle * 2] as number) <= revision) low = middle + 1;',
    replace: 'if ((older[middle * 2] as number) < revision) low = middle + 1;',
  },
  {
    name: 'a deleted key is seen at a later revision',
    area: 'index',
    file: 'key-index.ts',
    find: 'return (mark & 1) === 1 ? undefined : { main: older[i] as number, sub: mark >>> 1 };',
    replace: 'return { main: older[i] as number, sub: mark >>> 1 };',
  },
  {
    name: 'the count does not learn of deletes',
    area: 'index',
    file: 'key-index.ts',
    find: '    if (wasLive && !this.#isLoading) this.#tree.addWeight(this.keyOf(slot), -1);\n',
    replace: '',
  },
  {
    name: 'removing from the key table breaks the probes past it',
    area: 'index',
    file: 'key-table.ts',
    find: 'if (((next - home) & mask) < ((next - hole) & mask)) continue;',
    replace: 'continue;',
  },
  {
    name: 'a split loses the separator of inner nodes',
    area: 'index',
    file: 'btree.ts',
    find: 'const separator = node.keys.pop() as string;',
    replace: 'const separator = keys.shift() as string;',
  },
  {
    name: 'an interval’s farthest end is not updated by a rotation',
    area: 'index',
    file: 'interval-tree.ts',
    find: '  node.left = left.right;\n  left.right = node;\n  node.farthest = farthestOf(node);',
    replace: '  node.left = left.right;\n  left.right = node;',
  },
];

const QUIET: readonly Mutant[] = [
  {
    name: 'a quiet key stays quiet when it gets a watcher',
    area: 'watch',
    file: 'watch-hub.ts',
    find: '    if (slot >= 0) this.#state.quiet.wake(slot);\n',
    replace: '',
  },
  {
    name: 'a slot stays quiet for the next key that it holds',
    area: 'watch',
    file: 'store-state.ts',
    find: '    this.quiet.wake(slot);\n',
    replace: '',
  },
  {
    name: 'a key is quiet although somebody watches it',
    area: 'watch',
    file: 'watch-hub.ts',
    find: 'if (into.length === 0) quiet.add(slot);',
    replace: 'quiet.add(slot);',
  },
];

const STORAGE: readonly Mutant[] = [
  {
    name: 'an older record passes for the newest',
    area: 'storage',
    file: 'record-cache.ts',
    find: 'if (readUint32(segment, at + 4) !== main % TWO_32 || readUint32(segment, at + 8) !== sub) {',
    replace: 'if (readUint32(segment, at + 8) !== sub) {',
  },
  {
    name: 'a record that was written over is still given',
    area: 'storage',
    file: 'record-cache.ts',
    find: 'if (age >= this.#segmentsMax) return undefined;',
    replace: 'if (age > this.#segmentsMax) return undefined;',
  },
  {
    name: 'what is on its way to the backend is not read',
    area: 'storage',
    file: 'write-behind.ts',
    find: 'return this.#current.find(main, sub) ?? this.#onItsWay?.generation.find(main, sub);',
    replace: 'return this.#current.find(main, sub);',
  },
  {
    name: 'a batch is taken while another is on its way',
    area: 'storage',
    file: 'write-behind.ts',
    find: 'if (this.#onItsWay !== undefined || this.isEmpty) return undefined;',
    replace: 'if (this.isEmpty) return undefined;',
  },
  {
    name: 'a batch leaves the applied position out',
    area: 'storage',
    file: 'write-behind.ts',
    find: '    yield { key: metaName(META_APPLIED), value: positionBytes(applied) };\n',
    replace: '',
  },
  {
    name: 'a flush does not wait for what came after the batch on its way',
    area: 'storage',
    file: 'open-store.ts',
    find: '    await running;\n',
    replace: '    return running;\n',
  },
  {
    name: 'loading does not miss a revision',
    area: 'storage',
    file: 'store-loader.ts',
    find: 'const isNextRevision = main === Math.max(revision, compactRevision) + 1 && sub === 0;',
    replace: 'const isNextRevision = main > revision;',
  },
  {
    name: 'a snapshot shows what a pending compaction has yet to drop',
    area: 'storage',
    file: 'copy-scan.ts',
    find: 'return this.#state.index.survives(entry.slot, entry, this.compactRevision);',
    replace: 'return entry.main > 0;',
  },
  {
    name: 'a snapshot lets compactions go on',
    area: 'storage',
    file: 'copy-scan.ts',
    find: "state.pins.add(state.compactRevision, 'snapshot');",
    replace: "state.pins.add(Infinity, 'snapshot');",
  },
  {
    name: 'a damaged snapshot is taken for whole',
    area: 'storage',
    file: 'snapshot-format.ts',
    find: 'if (wanted !== this.#crc) {',
    replace: 'if (wanted === -1) {',
  },
  {
    name: 'a long number of a record loses its high bits',
    area: 'storage',
    file: 'record.ts',
    find: 'while (rest >= TWO_32) {',
    replace: 'while (rest >= TWO_32 * TWO_32) {',
  },
];

/** All of them. */
export const MUTANTS: readonly Mutant[] = [
  ...STORE,
  ...TXN,
  ...LEASES,
  ...COMPACTION,
  ...HASH,
  ...WATCH,
  ...INDEX,
  ...QUIET,
  ...STORAGE,
];
