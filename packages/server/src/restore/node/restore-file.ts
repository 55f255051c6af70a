/** Restores a backup from a file into a data directory. */
import { createReadStream } from 'node:fs';
import { access } from 'node:fs/promises';
import { NodeDisk } from '@etcd-ts/wal/node';
import { layoutOf } from '../../bootstrap/storage.ts';
import { classicLevelBackends } from '../../node/level-backends.ts';
import { nativeSha256 } from '../../node/native-sha256.ts';
import { resolveMember } from '../../options/member-options.ts';
import { restoreBackup, type Restored, type RestoreOptions } from '../restore.ts';

/** Bytes read at a time. */
const READ_BYTES = 1024 * 1024;

/**
 * Makes the data directory of a member of a new cluster from a file that `Maintenance.Snapshot` (`etcdctl snapshot
 * save`, `client.maintenance.snapshot`) was saved to.
 *
 * @param options `dataDir` may be left out, as with etcdutl: it is `<name>.etcd` then.
 * @throws RestoreError, StartError BAD_OPTION, and what reading and writing files throw.
 */
export async function restoreBackupFile(file: string, options: RestoreOptions): Promise<Restored> {
  await access(file);
  const { databaseDirectory } = layoutOf(resolveMember(options));
  const dataDir = options.dataDir ?? `${options.name ?? 'default'}.etcd`;
  return restoreBackup(
    createReadStream(file, { highWaterMark: READ_BYTES }),
    { ...options, dataDir },
    {
      disk: new NodeDisk(),
      backends: classicLevelBackends(databaseDirectory),
      newSha256: nativeSha256,
    },
  );
}
