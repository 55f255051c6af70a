/** Defragments at the start, when enough would come free (etcd server/etcdserver/bootstrap.go, maybeDefragBackend). */
import type { Logger } from '../logger.ts';
import type { BackendStore } from '../env.ts';
import type { Recovered } from './recovery.ts';

const MEGABYTE = 1024 ** 2;

/** Does it, or says why not. A database whose place on the disk is not known is left alone. */
export async function defragmentAtStart(
  { databases, state }: Pick<Recovered, 'databases' | 'state'>,
  backends: BackendStore,
  thresholdMegabytes: number,
  log: Logger,
): Promise<void> {
  if (thresholdMegabytes === 0 || backends.diskBytes === undefined) return;
  const onDisk = await backends.diskBytes(databases.currentName);
  const inUse = state.store.sizeBytes;
  const fields = {
    'current-db-size-bytes': onDisk,
    'current-db-size-in-use-bytes': inUse,
    'bootstrap-defrag-threshold-bytes': thresholdMegabytes * MEGABYTE,
  };
  if (onDisk - inUse < thresholdMegabytes * MEGABYTE) {
    log.info('Skipping defragmentation', fields);
    return;
  }
  log.info('defragmenting', fields);
  await state.defragment();
  const after = await backends.diskBytes(databases.currentName);
  log.info('finished defragmenting', { ...fields, 'db-size-bytes': after });
}
