/** Defragmenting, on a real disk: nobody waits for it, and nothing is lost by it or by what comes meanwhile. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { deferred } from '@etcd-ts/base';
import type { Backend } from '@etcd-ts/mvcc';
import { MemoryDisk } from '@etcd-ts/wal';
import { afterEach, expect, test } from 'vitest';
import type { BackendStore } from '../src/env.ts';
import { classicLevelBackends } from '../src/node/level-backends.ts';
import { Cluster } from './support/cluster.ts';

const KEYS = 300;
const folder = mkdtempSync(join(tmpdir(), 'etcd-ts-defragment-'));
const cluster = new Cluster(['a']);

afterEach(async () => {
  await cluster.close();
  rmSync(folder, { recursive: true, force: true });
});

/** LevelDB whose compaction begins at once and ends when it is let. */
class HeldCompaction {
  readonly #begun = deferred<void>();
  readonly #let = deferred<void>();
  readonly begun: Promise<void> = this.#begun.promise;

  end(): void {
    this.#let.resolve();
  }

  over(store: BackendStore): BackendStore {
    return { ...store, open: async (name) => this.#held(await store.open(name)) };
  }

  #held(inner: Backend): Backend {
    return {
      get: (key) => inner.get(key),
      iterate: (start, end) => inner.iterate(start, end),
      sizeBytes: () => inner.sizeBytes(),
      close: () => inner.close(),
      sync: () => inner.sync(),
      write: (operations) => inner.write(operations),
      compactRange: async (start, end) => {
        this.#begun.resolve();
        await inner.compactRange(start, end);
        await this.#let.promise;
      },
    };
  }
}

test('puts, reads and deletes go on while a member defragments, and all of them are there after a restart', async () => {
  const compaction = new HeldCompaction();
  const backends = compaction.over(classicLevelBackends(folder));
  cluster.addMachine('a', { disk: new MemoryDisk(), backends });
  const client = (await cluster.start('a')).client();
  for (let i = 0; i < KEYS; i++) await client.put(`before/${i}`, 'x'.repeat(1_000));
  let isOver = false;
  const defragmented = client.maintenance.defragment().then(() => (isOver = true));
  await compaction.begun;
  for (let i = 0; i < KEYS; i++) {
    await client.put(`meanwhile/${i}`, `${i}`);
    expect((await client.get(`before/${i}`))?.text).toHaveLength(1_000);
    if (i % 2 === 0) await client.delete(`before/${i}`);
  }
  expect(isOver).toBe(false);
  compaction.end();
  await defragmented;

  await cluster.node('a').kill();
  const restarted = (await cluster.start('a')).client();
  expect((await restarted.getAll({ prefix: 'before/' })).count).toBe(KEYS / 2);
  const meanwhile = await restarted.getAll({ prefix: 'meanwhile/' });
  expect(new Set(meanwhile.entries.map(({ text }) => text)).size).toBe(KEYS);
});
