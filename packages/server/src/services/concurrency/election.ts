/**
 * The Election service: the first in the queue under the name leads, and its key's value is what it proclaims
 * (etcd server/etcdserver/api/v3election/election.go, client/v3/concurrency/election.go).
 */
import { equalBytes, must, prefixEnd } from '@etcd-ts/base';
import {
  type CallContext,
  type CampaignRequest,
  type CampaignResponse,
  EtcdError,
  type Handlers,
  type KeyValue,
  type LeaderKey,
  type LeaderResponse,
  type ResponseHeader,
  type ResponseSink,
} from '@etcd-ts/protocol';
import { headerAt } from '../header.ts';
import { keyEvents } from './key-events.ts';
import {
  Caller,
  createdAt,
  deleteOp,
  first,
  firstKv,
  getOp,
  keyOf,
  prefixOf,
  putOp,
  type RecipeParts,
  withUnknownErrors,
} from './queue.ts';

const EVENT_PUT = 0;

/** The handlers of v3electionpb.Election. */
export function electionHandlers(parts: RecipeParts): Handlers {
  return {
    'v3electionpb.Election/Campaign': (request, context) =>
      withUnknownErrors(() => campaign(new Caller(parts, context), request)),
    'v3electionpb.Election/Proclaim': ({ leader, value }, context) =>
      withUnknownErrors(async () => {
        const caller = new Caller(parts, context);
        const key = given(leader);
        // As in etcd: a key without a lease would stay for ever.
        const lease = await caller.leaseOf(key.lease);
        return { header: await proclaim(caller, { ...key, lease }, value) };
      }),
    'v3electionpb.Election/Leader': ({ name }, context) =>
      withUnknownErrors(async () => {
        const { header, kvs } = await new Caller(parts, context).range(first(prefixOf(name)));
        const [kv] = kvs;
        if (kv === undefined) throw new EtcdError('ELECTION_NO_LEADER');
        return { header, kv };
      }),
    'v3electionpb.Election/Resign': ({ leader }, context) =>
      withUnknownErrors(async () => {
        const header = await resign(new Caller(parts, context), given(leader));
        return { header };
      }),
    'v3electionpb.Election/Observe': async (requests, context, responses) => {
      for await (const { name } of requests) {
        try {
          await observe(parts, { name, context, responses });
        } catch (error) {
          // As in etcd whoever may not look, or cannot, hears the stream end with OK.
          parts.node.log.info('an observer of an election was left', { error });
        }
      }
    },
  };
}

function given(leader: LeaderKey | undefined): LeaderKey {
  if (leader === undefined) throw new EtcdError('MISSING_LEADER_KEY');
  return leader;
}

async function campaign(
  caller: Caller,
  { name, lease: asked, value }: CampaignRequest,
): Promise<CampaignResponse> {
  const lease = await caller.leaseOf(asked);
  const key = keyOf(name, lease);
  const queued = await caller.txn({
    compare: [createdAt(key, 0)],
    success: [putOp(key, value, lease)],
    failure: [getOp(key)],
  });
  const header = must(queued.header, 'header of a txn');
  let rev = header.revision;
  if (!queued.succeeded) {
    const own = must(firstKv(queued, 0), 'own key');
    rev = own.createRevision;
    // As in etcd the header stays that of joining the queue.
    if (!equalBytes(own.value, value)) await proclaim(caller, { name, key, rev, lease }, value);
  }
  const leader: LeaderKey = { name, key, rev, lease };
  try {
    await caller.waitDeletes(prefixOf(name), rev - 1);
  } catch (error) {
    // Whoever gives up leaves the queue.
    await resign(caller, leader).catch(() => undefined);
    throw error;
  }
  return { header, leader };
}

/** @throws EtcdError ELECTION_NOT_LEADER when the key is another's by now. */
async function proclaim(
  caller: Caller,
  { key, rev, lease }: LeaderKey,
  value: Uint8Array,
): Promise<ResponseHeader> {
  const { succeeded, header } = await caller.txn({
    compare: [createdAt(key, rev)],
    success: [putOp(key, value, lease)],
  });
  if (!succeeded) throw new EtcdError('ELECTION_NOT_LEADER');
  return must(header, 'header of a txn');
}

/** Gives the key up, if it is still this leader's. */
async function resign(caller: Caller, { key, rev }: LeaderKey): Promise<ResponseHeader> {
  const { header } = await caller.txn({ compare: [createdAt(key, rev)], success: [deleteOp(key)] });
  return must(header, 'header of a txn');
}

interface Observation {
  readonly name: Uint8Array;
  readonly context: CallContext;
  readonly responses: ResponseSink<LeaderResponse>;
}

/** Tells who leads and what it proclaims, then who leads next, until the caller leaves. */
async function observe(
  parts: RecipeParts,
  { name, context, responses }: Observation,
): Promise<void> {
  const caller = new Caller(parts, context);
  const { signal } = context;
  const prefix = prefixOf(name);
  const tell = async (kv: KeyValue, revision: number): Promise<void> => {
    const header = headerAt(parts.node, revision);
    if (!responses.send({ header, kv })) await responses.drained();
  };
  while (!signal.aborted) {
    const { header, kvs } = await caller.range(first(prefix));
    let revision = must(header, 'header of a range').revision;
    let [kv] = kvs;
    if (kv === undefined) {
      const range = { key: prefix, rangeEnd: prefixEnd(prefix), startRevision: revision + 1 };
      for await (const event of keyEvents(parts, range, signal)) {
        // A delete tells nothing: whoever was there before is gone already.
        if (event.type !== EVENT_PUT) continue;
        kv = event.kv;
        revision = event.kv.modRevision;
        break;
      }
      if (kv === undefined) continue;
    }
    await tell(kv, revision);
    const range = { key: kv.key, rangeEnd: new Uint8Array(0), startRevision: revision + 1 };
    for await (const event of keyEvents(parts, range, signal)) {
      if (event.type !== EVENT_PUT) break;
      await tell(event.kv, event.kv.modRevision);
    }
  }
}
