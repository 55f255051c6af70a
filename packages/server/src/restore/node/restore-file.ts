/** Restores a backup from a file into a data directory, or leaves the directories as they were. */
import { open, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { NodeDisk } from '@etcd-ts/wal/node';
import { layoutOf } from '../../bootstrap/storage.ts';
import type { BackendStore } from '../../env.ts';
import { classicLevelBackends } from '../../node/level-backends.ts';
import { nameResolver } from '../../node/name-resolver.ts';
import { nativeSha256 } from '../../node/native-sha256.ts';
import { resolveMember } from '../../options/member-options.ts';
import { windowOn } from './file-window.ts';
import { restoreBackup, type Restored, type RestoreOptions } from '../restore.ts';

/**
 * Makes the data directory of a member of a new cluster from a file that `Maintenance.Snapshot` (`etcdctl snapshot
 * save`, `client.maintenance.snapshot`) was saved to, of etcd-ts or of a real etcd.
 *
 * @param options `dataDir` may be left out, as with etcdutl: it is `<name>.etcd` then.
 * @throws RestoreError, StartError BAD_OPTION, and what reading and writing files throw.
 */
export async function restoreBackupFile(file: string, options: RestoreOptions): Promise<Restored> {
  const { databaseDirectory } = layoutOf(resolveMember(options));
  const dataDir = options.dataDir ?? `${options.name ?? 'default'}.etcd`;
  const handle = await open(file);
  const backends = classicLevelBackends(databaseDirectory);
  // Whoever has opened the database is alone at it: until then another restore may be at work in the same directory.
  let isOurs = false;
  const opening: BackendStore = {
    ...backends,
    open: async (name) => {
      const backend = await backends.open(name);
      isOurs = true;
      return backend;
    },
  };
  const emptied = [await emptierOf(dataDir), await emptierOf(options.walDir)];
  try {
    return await restoreBackup(
      await windowOn(handle),
      { ...options, dataDir },
      {
        disk: new NodeDisk(),
        backends: opening,
        newSha256: nativeSha256,
        names: nameResolver(),
      },
    );
  } catch (error) {
    // Where the same is tried again, it must not find what this try has left.
    if (isOurs) for (const empty of emptied) await empty();
    throw error;
  } finally {
    await handle.close();
  }
}

/** How a directory is made again what it is now: missing, or empty. One that holds something is left alone. */
async function emptierOf(directory: string | undefined): Promise<() => Promise<void>> {
  const names = directory === undefined ? ['none'] : await namesIn(directory);
  if (directory === undefined || (names !== undefined && names.length > 0)) {
    return () => Promise.resolve();
  }
  return async () => {
    const made = names === undefined ? [''] : ((await namesIn(directory)) ?? []);
    for (const name of made) await rm(join(directory, name), { recursive: true, force: true });
  };
}

/** undefined: there is no such directory. What is there and cannot be read counts as something. */
async function namesIn(directory: string): Promise<readonly string[] | undefined> {
  try {
    return await readdir(directory);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ENOENT' ? undefined : ['unread'];
  }
}
