import { EMPTY_BYTES, utf8 } from '@etcd-ts/base';
import { expect, test } from 'vitest';
import { flushStore, memoryBackend, type MvccStore, openStore } from '../src/index.ts';

function put(store: MvccStore, key: string): number {
  const flags = { prevKv: false, ignoreValue: false, ignoreLease: false };
  return store.put({ key: utf8(key), value: EMPTY_BYTES, lease: 0n, ...flags }).revision;
}

test('a store that jumped goes on behind the jump, and still does when it is opened again', async () => {
  const backend = memoryBackend();
  const store = await openStore(backend);
  put(store, 'a');
  store.skipTo(1_000);
  expect([store.revision, store.compactRevision]).toEqual([1_000, 1_000]);
  await flushStore(store);
  const again = await openStore(backend);
  expect(again.stateHash()).toBe(store.stateHash());
  expect(put(again, 'b')).toBe(1_001);
  while (again.compactStep(100));
  await flushStore(again);
  const third = await openStore(backend);
  expect(third.revision).toBe(1_001);
  expect(put(third, 'c')).toBe(1_002);
});

test('a store jumps forward only', async () => {
  const store = await openStore(memoryBackend());
  expect(() => store.skipTo(store.revision)).toThrow('does not come after 1');
});
