/** Restores a backup from a file into a data directory. */
import { open } from 'node:fs/promises';
import { NodeDisk } from '@etcd-ts/wal/node';
import { layoutOf } from '../../bootstrap/storage.ts';
import { classicLevelBackends } from '../../node/level-backends.ts';
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
  try {
    return await restoreBackup(
      await windowOn(handle),
      { ...options, dataDir },
      {
        disk: new NodeDisk(),
        backends: classicLevelBackends(databaseDirectory),
        newSha256: nativeSha256,
      },
    );
  } finally {
    await handle.close();
  }
}
