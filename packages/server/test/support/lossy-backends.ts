import { type Backend, type BackendOperation, memoryBackend } from '@etcd-ts/mvcc';
import type { BackendStore } from '../../src/env.ts';

/** One database: its batches in order, and how many of them are durable. */
interface Medium {
  batches: (readonly BackendOperation[])[];
  durable: number;
}

/** Databases that lose what was not synced when the power goes: a whole number of the newest batches. */
export class LossyBackends implements BackendStore {
  readonly #media = new Map<string, Medium>();

  list(): Promise<readonly string[]> {
    return Promise.resolve([...this.#media.keys()].sort());
  }

  async open(name: string): Promise<Backend> {
    const medium = this.#media.get(name) ?? { batches: [], durable: 0 };
    this.#media.set(name, medium);
    const inner = memoryBackend();
    for (const batch of medium.batches) await inner.write(batch);
    return {
      get: (key) => inner.get(key),
      iterate: (start, end) => inner.iterate(start, end),
      sizeBytes: () => inner.sizeBytes(),
      compactRange: (start, end) => inner.compactRange(start, end),
      close: () => inner.close(),
      write: async (operations) => {
        // An iterable may be read once only.
        const batch = [...operations];
        await inner.write(batch);
        medium.batches.push(batch);
      },
      sync: async () => {
        await inner.sync();
        medium.durable = medium.batches.length;
      },
    };
  }

  remove(name: string): Promise<void> {
    this.#media.delete(name);
    return Promise.resolve();
  }

  /** The power goes and comes back. `keeps` says of each batch in turn whether it, and those before it, made it. */
  crash(keeps: () => boolean): void {
    for (const medium of this.#media.values()) {
      let kept = medium.durable;
      while (kept < medium.batches.length && keeps()) kept += 1;
      medium.batches.length = kept;
      medium.durable = kept;
    }
  }
}
