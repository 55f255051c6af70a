/** The store without the rest: put, read the past, watch, compact, and load again. */
import { fromUtf8, utf8 } from '@etcd-ts/base';
import type { PutRequest, RangeRequest } from '@etcd-ts/mvcc';

const put = (key: string, value: string): PutRequest => ({
  key: utf8(key),
  value: utf8(value),
  lease: 0n,
  prevKv: false,
  ignoreValue: false,
  ignoreLease: false,
});

const at = (key: string, revision: number): RangeRequest => ({
  key: utf8(key),
  rangeEnd: utf8(''),
  limit: 0,
  revision,
  sortOrder: 0,
  sortTarget: 0,
  serializable: false,
  keysOnly: false,
  countOnly: false,
  minModRevision: 0,
  maxModRevision: 0,
  minCreateRevision: 0,
  maxCreateRevision: 0,
});

// #region mvcc
import { flushStore, memoryBackend, openStore } from '@etcd-ts/mvcc';

const backend = memoryBackend(); // openClassicBackend(folder) of @etcd-ts/mvcc/node for real
const store = await openStore(backend);

const everything = { key: utf8('\0'), rangeEnd: utf8('\0') };
const from = { startRevision: 0, prevKv: true, noPut: false, noDelete: false };
store.hub.watch({ ...everything, ...from }, ({ events, revision }) => {
  for (const { kv, prevKv } of events) {
    console.log(revision, fromUtf8(kv.key), fromUtf8(kv.value), prevKv?.modRevision ?? 'new');
  }
  return true; // false: no room now; the same events come again after watcher.resume()
});

store.put(put('color', 'red')); // revision 2
store.put(put('color', 'blue')); // revision 3
console.log(store.range(at('color', 2)).kvs.map(({ value }) => fromUtf8(value)));

store.compact(3);
while (store.compactStep(1000)); // in steps, between which others get their turn
store.setApplied(17, 1); // where the log stands, in the same batch as the data
await flushStore(store);

const loaded = await openStore(backend);
console.log(loaded.revision, loaded.applied.index, loaded.stateHash() === store.stateHash());
// #endregion
