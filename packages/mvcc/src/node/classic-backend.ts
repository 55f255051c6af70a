/** The backend on disk: LevelDB through classic-level. */
import { ClassicLevel } from 'classic-level';
import type { Backend } from '../backend.ts';
import { levelBackend } from '../level-backend.ts';
import { loopTurns } from './loop-turns.ts';

/** Settings of {@link openClassicBackend}. */
export interface ClassicBackendOptions {
  /** Bytes of blocks that the database keeps in memory. @defaultValue 8 MiB */
  readonly blockCacheBytes?: number;
  /** Bytes of writes that the database gathers in memory before it makes a file of them. @defaultValue 4 MiB */
  readonly writeBufferBytes?: number;
  /** Told of the bytes of every batch that was written. */
  readonly written?: ((bytes: number) => void) | undefined;
}

/**
 * Opens the database in a folder, which is created when it does not exist. One process at a time: a second one is
 * refused with the database's own error (code `LEVEL_DATABASE_NOT_OPEN`, cause `LEVEL_LOCKED`).
 */
export async function openClassicBackend(
  folder: string,
  options: ClassicBackendOptions = {},
): Promise<Backend> {
  const database = new ClassicLevel<Uint8Array, Uint8Array>(folder, {
    keyEncoding: 'view',
    valueEncoding: 'view',
    cacheSize: options.blockCacheBytes ?? 8 << 20,
    writeBufferSize: options.writeBufferBytes ?? 4 << 20,
  });
  await database.open();
  return levelBackend(database, { turns: loopTurns(), written: options.written });
}
