/** Databases of a node: classic-level below a directory, or memory-level. */
import { mkdir, readdir, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { setImmediate as aTurn } from 'node:timers/promises';
import { type Backend, levelBackend } from '@etcd-ts/mvcc';
import { loopTurns, openClassicBackend } from '@etcd-ts/mvcc/node';
import { MemoryLevel } from 'memory-level';
import { type BackendStore, DamagedDatabaseError } from '../env.ts';
import type { DiskReserve } from './disk-reserve.ts';

/** Bytes that LevelDB gathers in memory before it writes a table. */
export const WRITE_BUFFER_BYTES: number = 16 * 1024 * 1024;

/** Bytes of table blocks that LevelDB keeps; the store has a cache of values of its own. */
const BLOCK_CACHE_BYTES: number = 16 * 1024 * 1024;

/** A database on its way out has this behind its name: what is left of it counts as none. */
const REMOVED_SUFFIX = '.removed';

/**
 * LevelDB databases, one directory each.
 *
 * @param reserve Room to open them where the disk is full.
 */
export function classicLevelBackends(directory: string, reserve?: DiskReserve): BackendStore {
  return {
    list: async () => {
      await reserve?.release();
      const names = await directoriesIn(directory);
      const left = names.filter((name) => name.endsWith(REMOVED_SUFFIX));
      for (const name of left) await rm(join(directory, name), { recursive: true, force: true });
      return names.filter((name) => !left.includes(name));
    },
    open: async (name) => {
      await mkdir(directory, { recursive: true });
      try {
        const backend = await openClassicBackend(join(directory, name), {
          writeBufferBytes: WRITE_BUFFER_BYTES,
          blockCacheBytes: BLOCK_CACHE_BYTES,
          written: (bytes) => reserve?.cover(bytes),
        });
        reserve?.cover(0);
        return backend;
      } catch (error) {
        throw isDamage(error) ? new DamagedDatabaseError(name, { cause: error }) : error;
      }
    },
    remove: async (name) => {
      const path = join(directory, name);
      const leaving = `${path}${REMOVED_SUFFIX}`;
      await rm(leaving, { recursive: true, force: true });
      try {
        // Many files do not go at once; half of them would be a damaged database.
        await rename(path, leaving);
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === 'ENOENT') return;
        throw error;
      }
      await rm(leaving, { recursive: true, force: true });
    },
    diskBytes: async (name) => {
      const folder = join(directory, name);
      const files = await readdir(folder);
      // A file that a compaction has just removed takes no place any more.
      const sizes = files.map((file) =>
        stat(join(folder, file)).then(
          ({ size }) => size,
          () => 0,
        ),
      );
      return (await Promise.all(sizes)).reduce((sum, size) => sum + size, 0);
    },
  };
}

async function directoriesIn(directory: string): Promise<string[]> {
  try {
    return (await readdir(directory)).sort();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}

/** LevelDB found its own files wrong, as opposed to not being let at them. */
function isDamage(error: unknown): boolean {
  const cause: unknown = error instanceof Error ? error.cause : undefined;
  return cause instanceof Error && 'code' in cause && cause.code === 'LEVEL_CORRUPTION';
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
      return withTurns(levelBackend(database, { turns: loopTurns() }));
    },
    remove: (name) => {
      databases.delete(name);
      return Promise.resolve();
    },
  };
}

/** Memory answers at once: without a turn between two pages, reading all of it would hold everybody else up. */
function withTurns(backend: Backend): Backend {
  return {
    get: (key) => backend.get(key),
    write: (operations) => backend.write(operations),
    sync: () => backend.sync(),
    sizeBytes: () => backend.sizeBytes(),
    compactRange: (start, end) => backend.compactRange(start, end),
    close: () => backend.close(),
    iterate: (start, end) => {
      const iterator = backend.iterate(start, end);
      return {
        nextPage: async (entriesMax) => {
          await aTurn();
          return iterator.nextPage(entriesMax);
        },
        close: () => iterator.close(),
      };
    },
  };
}
