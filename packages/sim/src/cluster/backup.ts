/** A3: a snapshot that a member gives away restores to the state at its index (SN1). */
import { concatBytes } from '@etcd-ts/base';
import { openStore, readApplied } from '@etcd-ts/mvcc';
import { restoreBackup } from '@etcd-ts/server';
import { MemoryDisk } from '@etcd-ts/wal';
import { DatabasesImage, SimBackends } from '../disk/sim-backends.ts';
import type { SimCluster } from './sim-cluster.ts';
import type { SimMember } from './sim-member.ts';

/** A member that was paused and then ended never says that it will not answer. */
const SAVE_TIMEOUT_MS = 8_000;
const TIMES = { meanSyncUs: 100, meanReadUs: 10 };

/** Saves a member's state as `etcdctl snapshot save` does, restores it, and holds it against the ghost. */
export async function checkBackup(
  cluster: SimCluster,
  member: SimMember,
  count: (what: string) => void,
): Promise<void> {
  const { ghost, world } = cluster;
  const saved = await save(cluster, member);
  if (saved === undefined) return;
  const process = cluster.clientProcess('backup');
  const store = new SimBackends({
    image: new DatabasesImage(),
    process,
    random: world.random('backup'),
    times: TIMES,
  });
  const add = (what: string): void => {
    ghost.findings.add('SN1', `a snapshot of member ${member.number} ${what}`, [], world.nowUs);
  };
  try {
    await restoreBackup(saved, {}, { disk: new MemoryDisk(), backends: store });
    const [name = ''] = await store.list();
    const backend = await store.open(name);
    const { index } = readApplied(backend) ?? { index: 0 };
    const restored = await openStore(backend);
    const { revision } = restored;
    const keysHash = restored.stateFingerprint();
    await backend.close();
    const known = ghost.entries[index];
    if (known?.revision !== revision || known.keysHash !== keysHash) {
      const was = known === undefined ? 'never seen' : `${known.revision} with ${known.keysHash}`;
      add(`restores to revision ${revision} with ${keysHash}; the state after ${index} was ${was}`);
    }
    count('backups restored');
  } catch (error) {
    add(`cannot be restored: ${String(error)}`);
  }
}

/** The content with its digest; undefined when the member did not give all of it. */
async function save(cluster: SimCluster, member: SimMember): Promise<Uint8Array | undefined> {
  const call = cluster
    .connect('backup', member)
    .stream('etcdserverpb.Maintenance/Snapshot', { timeoutMs: SAVE_TIMEOUT_MS });
  call.send({});
  call.end();
  const blobs: Uint8Array[] = [];
  try {
    for await (const { blob } of call.responses) blobs.push(blob.slice());
  } catch {
    return undefined;
  }
  return blobs.length === 0 ? undefined : concatBytes(blobs);
}
