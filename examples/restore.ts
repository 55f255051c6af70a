/**
 * Makes a member's data directory from a backup that `etcdctl snapshot save` wrote:
 * `npx tsx examples/restore.ts BACKUP NAME DATA_DIR INITIAL_CLUSTER PEER_URL`.
 */
import { restoreBackupFile } from '@etcd-ts/server';

const [backup, name, dataDir, initialCluster, peerUrl] = process.argv.slice(2) as [
  string,
  string,
  string,
  string,
  string,
];
const { revision } = await restoreBackupFile(backup, {
  name,
  dataDir,
  initialCluster,
  initialAdvertisePeerUrls: [peerUrl],
});
console.log(`restored ${name} at revision ${revision}`);
