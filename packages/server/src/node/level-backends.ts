/** Databases of a node: classic-level below a directory, or memory-level. */
import { readdir, rm, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { type Backend, levelBackend } from '@etcd-ts/mvcc';
import { ClassicLevel } from 'classic-level';
import { MemoryLevel } from 'memory-level';
import type { BackendStore } from '../env.ts';

/** Bytes that LevelDB gathers in memory before it writes a table. */
const WRITE_BUFFER_BYTES: number = 16 * 1024 * 1024;

/** Bytes of table blocks that LevelDB keeps; the store has a cache of values of its own. */
const BLOCK_CACHE_BYTES: number = 16 * 1024 * 1024;

/** LevelDB databases, one directory each. */
export function classicLevelBackends(directory: string): BackendStore {
  return {
    list: async () => {
      try {
        return (await readdir(directory)).sort();
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
        throw error;
      }
    },
    open: async (name) => {
      await mkdir(directory, { recursive: true });
      const database = new ClassicLevel<Uint8Array, Uint8Array>(join(directory, name), {
        keyEncoding: 'view',
        valueEncoding: 'view',
        writeBufferSize: WRITE_BUFFER_BYTES,
        cacheSize: BLOCK_CACHE_BYTES,
      });
      await database.open();
      return levelBackend(database);
    },
    remove: (name) => rm(join(directory, name), { recursive: true, force: true }),
  };
}

/** Databases in memory: they outlive closing, and end with the process or with `remove`. */
export function memoryLevelBackends(): BackendStore {
  const databases = new Map<string, MemoryLevel<Uint8Array, Uint8Array>>();
  return {
    list: () => Promise.resolve([...databases.keys()].sort()),
    open: async (name): Promise<Backend> => {
      let database = databases.get(name);
      if (database === undefined) {
        database = new MemoryLevel<Uint8Array, Uint8Array>({
          keyEncoding: 'view',
          valueEncoding: 'view',
          storeEncoding: 'view',
        });
        databases.set(name, database);
      }
      await database.open();
      return levelBackend(database);
    },
    remove: (name) => {
      databases.delete(name);
      return Promise.resolve();
    },
  };
}
