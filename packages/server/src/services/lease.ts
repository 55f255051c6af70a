/**
 * The Lease service (etcd server/etcdserver/api/v3rpc/lease.go, v3_server.go).
 *
 * What always holds
 * - Only the leader says how much time a lease has; other members ask it.
 * - A renewal is answered by a member that was the leader after the request came in, and not long ago: the read
 *   barrier proves it, and whoever leads later gives the lease at least the time that was answered.
 */
import {
  type CallContext,
  EtcdError,
  type Handlers,
  type LeaseTimeToLiveRequest,
  type LeaseTimeToLiveResponse,
  type LeaseGrantRequest,
  type LeaseGrantResponse,
  type LeaseLeasesResponse,
} from '@etcd-ts/protocol';
import { EMPTY_BYTES, fromLatin1 } from '@etcd-ts/base';
import { LEASE_COST_BYTES } from '../apply/quota.ts';
import type { NodePort } from '../node-port.ts';
import { headerNow, stamp } from './header.ts';
import { expectKind, propose } from './kv.ts';
import type { Authoriser } from '../apply/authorise.ts';
import { demand, type Identity } from './auth/identity.ts';
import type { LeaseIds } from './lease-ids.ts';
import type { LeaseKeeper } from './lease-keeper.ts';
import type { LeaderMethods } from './leader-methods.ts';
import type { QuotaGuard } from './quota-guard.ts';
import { stepTurns } from '../turns.ts';

/** Ids that are tried when the server chooses one; more than one collision means the table is full of ours. */
const MAX_ID_TRIES = 3;

/** Keys that are judged before it is asked whose turn it is. */
const KEYS_PER_STEP = 64;

/** What the service needs beside its node. */
export interface LeaseParts {
  readonly node: NodePort;
  readonly quota: QuotaGuard;
  readonly keeper: LeaseKeeper;
  readonly ids: LeaseIds;
  readonly leader: LeaderMethods;
  readonly identity: Identity;
}

/** The handlers of etcdserverpb.Lease. */
export function leaseHandlers(parts: LeaseParts): Handlers {
  const { node, keeper, leader, identity } = parts;
  const keepAlive = leader.register(
    'etcdserverpb.Lease/LeaseKeepAlive',
    async ({ ID }, signal) => ({
      header: undefined,
      ID,
      TTL: await renew(parts, ID, signal),
    }),
  );
  const timeToLive = leader.register('etcdserverpb.Lease/LeaseTimeToLive', (request) =>
    timeToLiveHere(node, keeper, request),
  );
  return {
    'etcdserverpb.Lease/LeaseGrant': (request, context) => grant(parts, request, context),
    'etcdserverpb.Lease/LeaseRevoke': async (request, context) => {
      const result = await propose(parts, { kind: 'leaseRevoke', request }, context);
      return stamp(node, expectKind(result, 'leaseRevoke').response);
    },
    'etcdserverpb.Lease/LeaseKeepAlive': async (requests, context, responses) => {
      for await (const request of requests) {
        // Taken before the renewal, so that it never exceeds the revision of a later revoke.
        const header = headerNow(node);
        await identity.demandOf(
          context,
          (caller) => caller.user() ?? caller.writeLease(request.ID),
        );
        const { TTL } = await keepAlive(request, context.signal);
        if (context.signal.aborted) return;
        if (!responses.send({ header, ID: request.ID, TTL })) await responses.drained();
      }
    },
    'etcdserverpb.Lease/LeaseTimeToLive': async (request, context) => {
      await identity.demandOf(context, (caller) => caller.user());
      const answer = await timeToLive(request, context.signal);
      // Judged by the keys that are told, whatever this member knows of them, and by the rights as of now.
      await identity.demandOf(context, (caller) => caller.user() ?? caller.readEach(answer.keys));
      return { ...answer, header: headerNow(node) };
    },
    'etcdserverpb.Lease/LeaseLeases': async (_, context) => {
      const caller = identity.isRequired ? await identity.callerOf(context) : undefined;
      const answer = leases(parts);
      if (identity.isRequired) await judgeLeases(node, identity.authoriser(caller), answer);
      return answer;
    },
  };
}

/** The shortest TTL in seconds: 1.5 election timeouts, so that a lease outlives a change of leader. */
export function minLeaseTtlSeconds(electionTimeoutMs: number): number {
  return Math.ceil((1.5 * electionTimeoutMs) / 1000);
}

/** Refuses whoever may not read every key on every lease. There may be very many of them: they are judged in turns. */
async function judgeLeases(
  { clock, state }: NodePort,
  caller: Authoriser,
  { leases }: LeaseLeasesResponse,
): Promise<void> {
  demand(caller.user());
  // Whoever has role root may read whatever there is.
  if (caller.root() === undefined) return;
  const afterStep = stepTurns(clock);
  let judged = 0;
  for (const { ID } of leases) {
    for (const key of state.lessor.eachKeyOf(ID)) {
      demand(caller.read({ key: fromLatin1(key), rangeEnd: EMPTY_BYTES }));
      judged += 1;
      if (judged % KEYS_PER_STEP === 0) await afterStep();
    }
  }
}

async function grant(
  parts: LeaseParts,
  request: LeaseGrantRequest,
  { signal, metadata, peer }: CallContext,
): Promise<LeaseGrantResponse> {
  const { node, quota, ids, identity } = parts;
  // Not the raw request: id and TTL are chosen here.
  const context: CallContext = { signal, metadata, peer };
  if (!quota.fits(LEASE_COST_BYTES)) {
    // Locks and elections ask for leases in the name of whoever called them: nobody at all may stop all writes.
    await identity.demandOf(context, (caller) => caller.user());
    throw await quota.refuse(LEASE_COST_BYTES);
  }
  const TTL = Math.max(request.TTL, minLeaseTtlSeconds(node.limits.electionTimeoutMs));
  for (let tries = 1; ; tries++) {
    const ID = request.ID === 0n ? ids.next() : request.ID;
    try {
      const result = await propose(parts, { kind: 'leaseGrant', request: { ID, TTL } }, context);
      return stamp(node, expectKind(result, 'leaseGrant').response);
    } catch (error) {
      const isCollision = EtcdError.is(error) && error.code === 'LEASE_EXIST' && request.ID === 0n;
      if (!isCollision || tries === MAX_ID_TRIES) throw error;
    }
  }
}

/**
 * @throws EtcdError NOT_LEADER when this member stopped leading meanwhile; TIMEOUT when it cannot prove in time that it
 *   leads.
 */
async function renew(
  { node, keeper }: Pick<LeaseParts, 'node' | 'keeper'>,
  id: bigint,
  signal: AbortSignal | undefined,
): Promise<number> {
  await proveLeadership(node);
  const { clock } = keeper;
  if (clock === undefined) throw new EtcdError('NOT_LEADER');
  const renewal = clock.renew(id, node.clock.monotonicMs());
  if (renewal.outcome === 'absent') return 0;
  if (renewal.outcome === 'expired') {
    await keeper.revokedOf(id, signal);
    return 0;
  }
  if (renewal.outdated !== undefined) {
    // The next leader must not go by a checkpoint that is older than this renewal.
    const checkpoints = [{ id, remainingTtlSeconds: 0 }];
    const asOfIndex = node.state.appliedIndex;
    const { term } = node.status();
    await node.propose({ kind: 'leaseCheckpoint', checkpoints, term, asOfIndex });
    // In a later term it came through and did nothing.
    if (node.status().term !== term) throw new EtcdError('NOT_LEADER');
    clock.forgot(id, renewal.outdated);
  }
  node.metrics.leasesRenewed += 1;
  return renewal.lease.grantedTtlSeconds;
}

/**
 * Resolves when this member was the leader not longer than an election timeout ago.
 *
 * A later leader gives every lease its TTL and an election timeout from its election on. So a TTL that is counted from
 * a proof of that age is never more than the later leader grants.
 *
 * @throws EtcdError what the read barrier fails with; TIMEOUT when every barrier took too long.
 */
async function proveLeadership(node: NodePort): Promise<void> {
  const { clock, limits } = node;
  const giveUpAtMs = clock.monotonicMs() + limits.requestTimeoutMs;
  for (;;) {
    const askedAtMs = clock.monotonicMs();
    await node.readBarrier();
    const nowMs = clock.monotonicMs();
    if (nowMs - askedAtMs <= limits.electionTimeoutMs) return;
    if (nowMs >= giveUpAtMs) throw new EtcdError('TIMEOUT', { mayHaveApplied: false });
  }
}

async function timeToLiveHere(
  node: NodePort,
  keeper: LeaseKeeper,
  { ID, keys }: LeaseTimeToLiveRequest,
): Promise<LeaseTimeToLiveResponse> {
  await node.readBarrier();
  const { clock } = keeper;
  if (clock === undefined) throw new EtcdError('NOT_LEADER');
  const { lessor } = node.state;
  const lease = lessor.get(ID);
  const remainingMs = clock.remainingMs(ID, node.clock.monotonicMs());
  if (lease === undefined || remainingMs === undefined) {
    return { header: undefined, ID, TTL: -1, grantedTTL: 0, keys: [] };
  }
  return {
    header: undefined,
    ID,
    TTL: Math.floor(remainingMs / 1000),
    grantedTTL: lease.grantedTtlSeconds,
    keys: keys ? lessor.keysOf(ID).map(fromLatin1) : [],
  };
}

/** All leases, those that end first first; where this member does not lead and cannot know, in the order of grants. */
function leases({ node, keeper }: Pick<LeaseParts, 'node' | 'keeper'>): LeaseLeasesResponse {
  const ids = keeper.clock?.inOrder() ?? [...node.state.lessor.leases()].map(({ id }) => id);
  return { header: headerNow(node), leases: ids.map((ID) => ({ ID })) };
}
