/**
 * A backend in memory, for tests and for stores that go with their process. Everything is copied in and out, so that
 * whoever shares an array by mistake is found out.
 */
import { assert, fromLatin1, toLatin1 } from '@etcd-ts/base';
import {
  type Backend,
  type BackendEntry,
  type BackendIterator,
  type BackendOperation,
  PAGE_BYTES_MAX,
} from './backend.ts';
import { BTree } from './btree.ts';

/** An empty backend in memory. */
export function memoryBackend(): Backend {
  return new MemoryBackend();
}

class MemoryBackend implements Backend {
  readonly #slots: BTree = new BTree(() => 0);
  readonly #values: (Uint8Array | undefined)[] = [];
  readonly #free: number[] = [];
  #bytes = 0;
  #isClosed = false;

  get(key: Uint8Array): Uint8Array | undefined {
    this.#assertOpen();
    const slot = this.#slots.get(toLatin1(key));
    return slot === undefined ? undefined : this.#values[slot]?.slice();
  }

  async write(operations: Iterable<BackendOperation>): Promise<void> {
    this.#assertOpen();
    for (const { key, value } of operations) {
      const text = toLatin1(key);
      if (value === undefined) this.#delete(text);
      else this.#put(text, value.slice());
    }
  }

  iterate(start: Uint8Array, end: Uint8Array): BackendIterator {
    this.#assertOpen();
    let from = toLatin1(start);
    const to = toLatin1(end);
    return {
      nextPage: async (entriesMax) => {
        this.#assertOpen();
        const page: BackendEntry[] = [];
        let bytes = 0;
        this.#slots.scan(from, to, (key, slot) => {
          if (page.length >= entriesMax || bytes >= PAGE_BYTES_MAX) return false;
          const value = this.#values[slot];
          assert(value !== undefined, 'a key without value');
          page.push([fromLatin1(key), value.slice()]);
          bytes += key.length + value.length;
          from = `${key}\0`;
          return true;
        });
        return page;
      },
      close: async () => undefined,
    };
  }

  async sync(): Promise<void> {
    this.#assertOpen();
  }

  async sizeBytes(): Promise<number> {
    return this.#bytes;
  }

  async compactRange(): Promise<void> {
    this.#assertOpen();
  }

  async close(): Promise<void> {
    this.#isClosed = true;
  }

  #put(key: string, value: Uint8Array): void {
    this.#delete(key);
    const slot = this.#free.pop() ?? this.#values.length;
    this.#values[slot] = value;
    this.#slots.insert(key, slot);
    this.#bytes += key.length + value.length;
  }

  #delete(key: string): void {
    const slot = this.#slots.get(key);
    if (slot === undefined) return;
    this.#bytes -= key.length + (this.#values[slot]?.length ?? 0);
    this.#slots.delete(key);
    this.#values[slot] = undefined;
    this.#free.push(slot);
  }

  #assertOpen(): void {
    assert(!this.#isClosed, 'the backend is closed');
  }
}
