/**
 * The Lock service: whoever is first in the queue under the name holds the lock for as long as his lease lives
 * (etcd server/etcdserver/api/v3lock/lock.go, client/v3/concurrency/mutex.go).
 */
import { must } from '@etcd-ts/base';
import { EtcdError, type Handlers, type LockResponse } from '@etcd-ts/protocol';
import { headerNow } from '../header.ts';
import {
  Caller,
  createdAt,
  first,
  firstKv,
  getOp,
  keyOf,
  prefixOf,
  putOp,
  rangeOp,
  type RecipeParts,
  withUnknownErrors,
} from './queue.ts';

const NO_VALUE = new Uint8Array(0);

/** The handlers of v3lockpb.Lock. */
export function lockHandlers(parts: RecipeParts): Handlers {
  return {
    'v3lockpb.Lock/Lock': ({ name, lease }, context) =>
      withUnknownErrors(() => lock(parts, new Caller(parts, context), { name, lease })),
    'v3lockpb.Lock/Unlock': ({ key }, context) =>
      withUnknownErrors(async () => {
        const { header } = await new Caller(parts, context).delete(key);
        return { header };
      }),
  };
}

async function lock(
  { node }: RecipeParts,
  caller: Caller,
  asked: { readonly name: Uint8Array; readonly lease: bigint },
): Promise<LockResponse> {
  const lease = await caller.leaseOf(asked.lease);
  const prefix = prefixOf(asked.name);
  const key = keyOf(asked.name, lease);
  const queued = await caller.txn({
    compare: [createdAt(key, 0)],
    success: [putOp(key, NO_VALUE, lease), rangeOp(first(prefix))],
    failure: [getOp(key), rangeOp(first(prefix))],
  });
  const owner = firstKv(queued, 1);
  const mine = queued.succeeded
    ? must(queued.header, 'header of a txn').revision
    : must(firstKv(queued, 0), 'own key').createRevision;
  if (owner === undefined || owner.createRevision === mine) return { header: queued.header, key };
  try {
    await caller.waitDeletes(prefix, mine - 1);
    const { header, kvs } = await caller.range({ ...first(key), rangeEnd: NO_VALUE });
    if (kvs.length === 0) throw new EtcdError('SESSION_EXPIRED');
    return { header: header ?? headerNow(node), key };
  } catch (error) {
    // Whoever gives up leaves the queue.
    await caller.delete(key).catch(() => undefined);
    throw error;
  }
}
