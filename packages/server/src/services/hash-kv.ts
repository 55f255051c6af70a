/** HashKV of this member's own data, in slices between which everybody else has a turn. */
import { hashStore, MvccError } from '@etcd-ts/mvcc';
import type { HashKVResponse } from '@etcd-ts/protocol';
import { storeError } from '../apply/store-error.ts';
import type { NodePort } from '../node-port.ts';
import { headerNow } from './header.ts';
import { stepTurns } from '../turns.ts';

/**
 * Hashes the history through a revision; 0 is the current one.
 *
 * @throws EtcdError COMPACTED, FUTURE_REV; UNAVAILABLE when the database was closed before it was done.
 */
export async function hashKv(node: NodePort, revision: number): Promise<HashKVResponse> {
  const { store } = node.state;
  try {
    const found = await hashStore(store, revision, stepTurns(node.clock));
    return { header: headerNow(node), ...found };
  } catch (error) {
    throw error instanceof MvccError ? storeError(error) : error;
  }
}
