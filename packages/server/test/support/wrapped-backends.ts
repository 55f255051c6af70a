import type { Backend, BackendOperation } from '@etcd-ts/mvcc';
import type { BackendStore } from '../../src/env.ts';
import { memoryLevelBackends } from '../../src/node/level-backends.ts';

/** What becomes of a batch; `write` is what the database itself does with it. */
export type WriteThrough = (
  operations: Iterable<BackendOperation>,
  write: Backend['write'],
) => Promise<void>;

/** Databases in memory between whose writes and the store something stands. */
export class WrappedBackends implements BackendStore {
  readonly #inner = memoryLevelBackends();
  readonly #write: WriteThrough;

  constructor(write: WriteThrough) {
    this.#write = write;
  }

  list(): Promise<readonly string[]> {
    return this.#inner.list();
  }

  remove(name: string): Promise<void> {
    return this.#inner.remove(name);
  }

  async open(name: string): Promise<Backend> {
    const inner = await this.#inner.open(name);
    return {
      get: (key) => inner.get(key),
      iterate: (start, end) => inner.iterate(start, end),
      sizeBytes: () => inner.sizeBytes(),
      compactRange: (start, end) => inner.compactRange(start, end),
      close: () => inner.close(),
      sync: () => inner.sync(),
      write: (operations) => this.#write(operations, (all) => inner.write(all)),
    };
  }
}
