/** The contract of a backend, over every backend that this package makes. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Backend, levelBackend, memoryBackend } from '@etcd-ts/mvcc';
import { openClassicBackend } from '@etcd-ts/mvcc/node';
import { backendSuite } from '@etcd-ts/mvcc/testing';
import { MemoryLevel } from 'memory-level';
import { afterAll, describe, expect, test } from 'vitest';

const folder = mkdtempSync(join(tmpdir(), 'etcd-ts-backend-'));
let databases = 0;
afterAll(() => rmSync(folder, { recursive: true, force: true }));

async function openMemoryLevel(storeEncoding: 'buffer' | 'view'): Promise<Backend> {
  const database = new MemoryLevel<Uint8Array, Uint8Array>({ storeEncoding });
  await database.open();
  return levelBackend(database);
}

const FACTORIES: Readonly<Record<string, () => Promise<Backend>>> = {
  'in memory': async () => memoryBackend(),
  'memory-level': () => openMemoryLevel('buffer'),
  'memory-level, stored as views': () => openMemoryLevel('view'),
  'classic-level': () => openClassicBackend(join(folder, `${databases++}`)),
};

for (const [name, factory] of Object.entries(FACTORIES)) {
  describe(name, () => {
    for (const claim of backendSuite(factory)) test(claim.name, claim.run);
  });
}

test('the contract finds a backend that does not keep the order of a batch', async () => {
  const broken = async (): Promise<Backend> => {
    const backend = memoryBackend();
    const write = backend.write.bind(backend);
    backend.write = (operations) => write([...operations].toReversed());
    return backend;
  };
  const failures = await Promise.allSettled(backendSuite(broken).map((claim) => claim.run()));
  expect(failures.some(({ status }) => status === 'rejected')).toBe(true);
});

test('a classic-level backend holds after closing what was written', async () => {
  const path = join(folder, 'kept');
  const first = await openClassicBackend(path);
  await first.write([{ key: new Uint8Array([1]), value: new Uint8Array([2]) }]);
  await first.close();
  const second = await openClassicBackend(path);
  expect([...(second.get(new Uint8Array([1])) ?? [])]).toEqual([2]);
  await second.close();
});

test('a classic-level database that is open is refused a second time', async () => {
  const path = join(folder, 'locked');
  const first = await openClassicBackend(path);
  await expect(openClassicBackend(path)).rejects.toMatchObject({
    code: 'LEVEL_DATABASE_NOT_OPEN',
    cause: { code: 'LEVEL_LOCKED' },
  });
  await first.close();
});

test('a database without getSync is refused', () => {
  const database = { supports: { additionalMethods: {} } };
  expect(() => levelBackend(database as never)).toThrow('no getSync');
});
