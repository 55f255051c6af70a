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
  /** Removed, and perhaps there again after a power cut. */
  #removed = new Map<string, Medium>();
  /** Looks at every operation that changes something before it happens; it may throw. */
  onOperation: ((operation: string) => void) | undefined;

  async list(): Promise<readonly string[]> {
    return [...this.#media.keys()].sort();
  }

  async open(name: string): Promise<Backend> {
    this.onOperation?.('open');
    const medium = this.#media.get(name) ?? { batches: [], durable: 0 };
    this.#removed.delete(name);
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
        this.onOperation?.('write');
        // An iterable may be read once only.
        const batch = [...operations];
        await inner.write(batch);
        medium.batches.push(batch);
      },
      sync: async () => {
        this.onOperation?.('sync');
        await inner.sync();
        medium.durable = medium.batches.length;
      },
    };
  }

  async remove(name: string): Promise<void> {
    this.onOperation?.('remove');
    const medium = this.#media.get(name);
    if (medium !== undefined) this.#removed.set(name, medium);
    this.#media.delete(name);
  }

  /** The power goes and comes back. `keeps` says of each batch in turn whether it, and those before it, made it. */
  crash(keeps: () => boolean): void {
    for (const [name, medium] of this.#removed) if (keeps()) this.#media.set(name, medium);
    this.#removed = new Map();
    for (const medium of this.#media.values()) {
      let kept = medium.durable;
      while (kept < medium.batches.length && keeps()) kept += 1;
      medium.batches.length = kept;
      medium.durable = kept;
    }
  }
}
