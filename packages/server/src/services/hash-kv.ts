/** HashKV of this member's own data, in slices between which everybody else has a turn. */
import type { HashKVResponse } from '@etcd-ts/protocol';
import { orThrow } from '../apply/store-error.ts';
import type { NodePort } from '../node-port.ts';
import { headerNow } from './header.ts';
import { nextTurn } from './turns.ts';

/** Index entries hashed in one turn. */
const HASH_STEP_ENTRIES = 2_000;

/**
 * Hashes the history through a revision; 0 is the current one.
 *
 * @throws EtcdError COMPACTED, FUTURE_REV.
 */
export async function hashKv(node: NodePort, revision: number): Promise<HashKVResponse> {
  const scan = orThrow(() => node.state.store.hashKv(revision));
  try {
    while (!orThrow(() => scan.step(HASH_STEP_ENTRIES))) await nextTurn(node.clock);
    return {
      header: headerNow(node),
      hash: scan.hash,
      compactRevision: scan.compactRevision,
      hashRevision: scan.hashRevision,
    };
  } finally {
    scan.close();
  }
}
