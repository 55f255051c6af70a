/** Loading, writing behind, dumping and restoring. */
import { concatBytes, InvariantError } from '@etcd-ts/base';
import {
  type Backend,
  flushStore,
  levelBackend,
  memoryBackend,
  type MvccStore,
  openStore,
  readApplied,
  restoreSnapshot,
  snapshotStore,
} from '@etcd-ts/mvcc';
import { MemoryLevel } from 'memory-level';
import { describe, expect, test } from 'vitest';
import { recordName } from '../src/revision.ts';
import { all, b, del, opPut, put, range, txn } from './requests.ts';

async function filled(backend: Backend = memoryBackend()): Promise<MvccStore> {
  const store = await openStore(backend);
  for (let i = 0; i < 20; i++) store.put(put(`k${i % 7}`, `value ${i}`));
  store.deleteRange(del('k3'));
  store.txn(txn([], [opPut('x'), opPut('y')]));
  store.meta.set('members', b('m'));
  store.meta.set('alarms', b(''));
  store.setApplied(77, 5);
  return store;
}

async function pieces(store: MvccStore): Promise<Uint8Array[]> {
  const found: Uint8Array[] = [];
  for await (const piece of snapshotStore(store).chunks) found.push(piece);
  return found;
}

describe('loading', () => {
  test('gives the store that was written, on every kind of backend', async () => {
    const level = new MemoryLevel<Uint8Array, Uint8Array>();
    await level.open();
    for (const backend of [memoryBackend(), levelBackend(level)]) {
      const store = await filled(backend);
      await flushStore(store);
      const loaded = await openStore(backend);
      expect(loaded.range(all()).kvs.map(plain)).toEqual(store.range(all()).kvs.map(plain));
      expect([loaded.revision, loaded.stateHash(), loaded.sizeBytes]).toEqual([
        23,
        store.stateHash(),
        store.sizeBytes + 24,
      ]);
      expect(loaded.applied).toEqual({ index: 77, term: 5 });
      expect(loaded.meta.names('')).toEqual(['.applied', 'alarms', 'members']);
      expect(readApplied(backend)).toEqual({ index: 77, term: 5 });
      loaded.check();
    }
  });

  test('gives the state hash, and its fingerprint in the bits that a number has room for', async () => {
    const backend = memoryBackend();
    const store = await filled(backend);
    await flushStore(store);
    const hash = store.stateHash();
    const [upper, lower] = [hash >> 43n, BigInt.asUintN(32, hash)];
    expect(upper).toBeGreaterThan(0n);
    expect(BigInt(store.stateFingerprint())).toBe((upper << 32n) | lower);
    expect((await openStore(backend)).stateFingerprint()).toBe(store.stateFingerprint());
  });

  test('of an empty backend gives an empty store that was never applied to', async () => {
    const backend = memoryBackend();
    const store = await openStore(backend);
    expect([store.revision, store.compactRevision, store.applied.index, store.keyCount]).toEqual([
      1, -1, 0, 0,
    ]);
    expect(readApplied(backend)).toBe(undefined);
  });

  test.for<[string, (backend: Backend) => Promise<void>]>([
    [
      'a record that is no record',
      (backend) => backend.write([{ key: recordName(9, 0, false), value: b('\xff\xff') }]),
    ],
    [
      'a record without key',
      (backend) => backend.write([{ key: recordName(9, 0, false), value: b('\x18\x09') }]),
    ],
    [
      'a record of another revision',
      (backend) =>
        backend.write([
          { key: recordName(9, 0, false), value: b('\x0a\x01a\x10\x08\x18\x08\x20\x01') },
        ]),
    ],
    [
      'a compact revision in the future',
      (backend) => backend.write([{ key: b('m.compact'), value: b('\0\0\0\0\0\0\0\x07') }]),
    ],
    [
      'a missing revision',
      async (backend) => {
        const store = await openStore(backend);
        for (let i = 0; i < 5; i++) store.put(put('a'));
        await flushStore(store);
        await backend.write([{ key: recordName(4, 0, false), value: undefined }]);
      },
    ],
    [
      'a missing change of a revision',
      async (backend) => {
        const store = await openStore(backend);
        store.txn(txn([], [opPut('a'), opPut('b'), opPut('c')]));
        await flushStore(store);
        await backend.write([{ key: recordName(2, 1, false), value: undefined }]);
      },
    ],
  ])('refuses a backend with %s', async ([, damage]) => {
    const backend = memoryBackend();
    await damage(backend);
    await expect(openStore(backend)).rejects.toThrow(InvariantError);
  });
});

describe('writing behind', () => {
  test('gives the backend the state after some entry, whole', async () => {
    const backend = memoryBackend();
    const store = await openStore(backend);
    store.txn(txn([], [opPut('a'), opPut('b')]));
    store.setApplied(1, 1);
    const first = flushStore(store);
    store.put(put('c'));
    store.setApplied(2, 1);
    await first;
    const loaded = await openStore(backend);
    expect([loaded.applied.index, loaded.range(all()).count]).toEqual([1, 2]);
  });

  test('resolves when everything dirty at the call is written, however many calls wait', async () => {
    const backend = memoryBackend();
    const store = await openStore(backend);
    const calls: Promise<void>[] = [];
    for (let i = 0; i < 5; i++) {
      store.put(put('a', `${i}`));
      calls.push(flushStore(store));
    }
    await calls[4];
    expect((await openStore(backend)).range(range('a')).kvs[0]?.value).toEqual(b('4'));
    expect(store.writeBehind.isEmpty).toBe(true);
    await Promise.all(calls);
    await flushStore(store);
  });

  test('reads what is on its way, and what has come since', async () => {
    const store = await openStore(memoryBackend());
    store.put(put('a', '1'));
    const batch = store.takeFlush();
    store.put(put('a', '2'));
    expect(store.takeFlush()).toBe(undefined);
    expect(store.range(range('a', '', { revision: 2 })).kvs[0]?.value).toEqual(b('1'));
    expect(store.range(range('a')).kvs[0]?.value).toEqual(b('2'));
    if (batch === undefined) throw new Error('no batch');
    await store.backend.write(batch.operations);
    store.flushed(batch);
    expect(() => store.flushed(batch)).toThrow('not on its way');
    expect(store.range(range('a', '', { revision: 2 })).kvs[0]?.value).toEqual(b('1'));
  });

  test('says when too much is dirty, until it is written', async () => {
    const store = await openStore(memoryBackend(), { dirtyBytesMax: 1000 });
    store.put(put('a', 'x'.repeat(500)));
    expect(store.writeBehind.isFull).toBe(false);
    store.put(put('a', 'x'.repeat(500)));
    expect(store.writeBehind.isFull).toBe(true);
    await flushStore(store);
    expect([store.writeBehind.isFull, store.writeBehind.dirtyBytes]).toEqual([false, 0]);
  });

  test('writes the applied position alone when nothing else changed', async () => {
    const store = await openStore(memoryBackend());
    expect(store.takeFlush()).toBe(undefined);
    store.setApplied(9, 2);
    await flushStore(store);
    expect(readApplied(store.backend)).toEqual({ index: 9, term: 2 });
    expect(() => store.setApplied(8, 2)).toThrow('applied 8 after 9');
  });

  test('takes a removed blob out of the backend', async () => {
    const store = await filled();
    await flushStore(store);
    store.meta.delete('members');
    store.meta.delete('nothing');
    await flushStore(store);
    expect((await openStore(store.backend)).meta.names('m')).toEqual([]);
  });

  test('that fails is final', async () => {
    const backend = memoryBackend();
    const store = await openStore(backend);
    backend.write = () => Promise.reject(new Error('disk full'));
    store.put(put('a'));
    await expect(flushStore(store)).rejects.toThrow('disk full');
    await expect(flushStore(store)).rejects.toThrow('disk full');
  });
});

describe('a snapshot', () => {
  test('is the state at its call, while writes, flushes and compactions go on', async () => {
    const store = await filled();
    const wanted = [
      store.stateHash(),
      store.range(all()).kvs.map(plain),
      store.range(all({ revision: 9 })).kvs.map(plain),
    ];
    const { applied, chunks } = snapshotStore(store);
    const taken: Uint8Array[] = [];
    store.put(put('k1', 'later'));
    store.compact(15);
    for await (const piece of chunks) {
      taken.push(piece);
      store.put(put('k2', 'later still'));
      store.compactStep(1);
      await flushStore(store);
    }
    expect(applied).toEqual({ index: 77, term: 5 });
    const backend = memoryBackend();
    await restoreSnapshot(backend, taken);
    const copy = await openStore(backend);
    expect([
      copy.stateHash(),
      copy.range(all()).kvs.map(plain),
      copy.range(all({ revision: 9 })).kvs.map(plain),
    ]).toEqual(wanted);
    expect(copy.applied).toEqual(applied);
    expect(copy.meta.get('members')).toEqual(b('m'));
    expect(store.isCompactionHeld).toBe(false);
  });

  test('holds what reads below a later compaction need, for that waits', async () => {
    const store = await filled();
    store.compact(8);
    while (store.compactStep(1));
    const wanted = concatBytes(await pieces(store));
    const scan = store.snapshot();
    const taken: Uint8Array[] = [];
    for (let piece; (piece = scan.next(1, 1)) !== undefined;) {
      taken.push(piece);
      if (store.compactRevision < 20) store.compact(store.compactRevision + 1);
      store.compactStep(1);
      store.put(put('k2', 'later still'));
    }
    expect(Buffer.compare(concatBytes(taken), wanted)).toBe(0);
    expect([store.compactedRevision, store.isCompactionHeld]).toEqual([8, true]);
    scan.close();
    while (store.compactStep(1));
    expect(store.compactedRevision).toBe(20);
  });

  test('of equal states has equal bytes, whatever was flushed, dropped or loaded', async () => {
    const [one, two] = [await filled(), await filled()];
    one.compact(12);
    two.compact(12);
    while (two.compactStep(100));
    await flushStore(two);
    const three = await openStore(two.backend);
    const [first, second, third] = [
      concatBytes(await pieces(one)),
      concatBytes(await pieces(two)),
      concatBytes(await pieces(three)),
    ];
    expect(Buffer.compare(first, second)).toBe(0);
    expect(Buffer.compare(second, third)).toBe(0);
  });

  test('gives others a turn before each page, and reads none before it is wanted', async () => {
    const backend = memoryBackend();
    const store = await openStore(backend);
    for (let i = 0; i < 1_500; i++) store.put(put(`k${i}`, 'v'));
    await flushStore(store);
    let [turns, pages] = [0, 0];
    const iterate = backend.iterate.bind(backend);
    backend.iterate = (start, end) => {
      const iterator = iterate(start, end);
      return {
        nextPage: (entriesMax) => {
          pages += 1;
          return iterator.nextPage(entriesMax);
        },
        close: () => iterator.close(),
      };
    };
    const copy = snapshotStore(store, async () => {
      expect(pages).toBeLessThanOrEqual(turns);
      turns += 1;
    });
    for await (const _ of copy.chunks);
    expect(pages).toBeGreaterThan(4);
    expect(turns).toBeGreaterThanOrEqual(pages);
  });

  test('may be cut anywhere on its way', async () => {
    const store = await filled();
    const bytes = concatBytes(await pieces(store));
    const backend = memoryBackend();
    await restoreSnapshot(
      backend,
      [...bytes].map((byte) => new Uint8Array([byte])),
    );
    expect((await openStore(backend)).stateHash()).toBe(store.stateHash());
  });

  test('has large records whole, and its pieces bounded otherwise', async () => {
    const store = await openStore(memoryBackend());
    for (let i = 0; i < 40; i++) store.put(put(`k${i}`, 'x'.repeat(30_000)));
    store.put(put('large', 'x'.repeat(1_000_000)));
    await flushStore(store);
    const sizes = (await pieces(store)).map(({ length }) => length);
    expect(sizes.filter((size) => size > 300_000)).toHaveLength(1);
    const blobs = await openStore(memoryBackend());
    for (let i = 0; i < 100; i++) blobs.meta.set(`lease/${i}`, new Uint8Array(10_000));
    expect(Math.max(...(await pieces(blobs)).map(({ length }) => length))).toBeLessThan(300_000);
  });

  test('is refused when a byte is changed, cut off, repeated or added', async () => {
    const store = await openStore(memoryBackend());
    store.put(put('a', 'value'));
    const bytes = concatBytes(await pieces(store));
    const damaged: Uint8Array[] = [
      bytes.slice(0, -1),
      bytes.slice(1),
      concatBytes([bytes, bytes]),
      new Uint8Array(0),
    ];
    for (let at = 0; at < bytes.length; at++) {
      damaged.push(bytes.with(at, (bytes[at] ?? 0) ^ 0x10));
    }
    for (const each of damaged) {
      await expect(restoreSnapshot(memoryBackend(), [each])).rejects.toMatchObject({
        name: 'SnapshotError',
      });
    }
  });

  test('goes into an empty backend alone, and one filled in part has no position', async () => {
    const store = await filled();
    const bytes = concatBytes(await pieces(store));
    await flushStore(store);
    await expect(restoreSnapshot(store.backend, [bytes])).rejects.toThrow('not empty');
    const backend = memoryBackend();
    await expect(restoreSnapshot(backend, [bytes.slice(0, -10)])).rejects.toThrow('ends early');
    expect(readApplied(backend)).toBe(undefined);
  });

  test('that is closed unread holds nothing up, and one that is broken says so', async () => {
    const store = await filled();
    const unread = snapshotStore(store);
    const broken = snapshotStore(store);
    store.put(put('a'));
    store.compact(store.revision);
    unread.close();
    expect(store.isCompactionHeld).toBe(true);
    expect(store.cancelReads()).toBe(1);
    const read = async (): Promise<void> => {
      for await (const _ of broken.chunks);
    };
    await expect(read()).rejects.toMatchObject({ code: 'COMPACTED' });
  });
});

function plain(kv: {
  readonly key: Uint8Array;
  readonly value: Uint8Array;
  readonly modRevision: number;
}): unknown {
  return [
    Buffer.from(kv.key).toString('latin1'),
    Buffer.from(kv.value).toString('latin1'),
    kv.modRevision,
  ];
}
