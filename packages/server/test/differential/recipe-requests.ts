/**
 * Draws requests to the Lock and Election services that never wait: every name is used under one lease alone, so the
 * queue under it holds one key at most.
 */
import { concatBytes, utf8 } from '@etcd-ts/base';
import {
  CampaignRequest,
  LeaderRequest,
  LockRequest,
  ProclaimRequest,
  ResignRequest,
  UnlockRequest,
} from '@etcd-ts/protocol';
import type { Draw } from './draw.ts';
import { LEASES } from './lease-requests.ts';
import type { Progress, UnaryStep } from './step.ts';

/** Draws one request. */
export function drawRecipe(draw: Draw, progress: Progress): UnaryStep {
  const lease = draw.pick(LEASES);
  const lockName = utf8(`lock${lease}`);
  const name = utf8(`vote${lease}`);
  const value = draw.pick([utf8('x'), utf8('y'), new Uint8Array(0)]);
  const rev = draw.oneIn(3)
    ? Math.max(1, progress.revision - draw.below(5))
    : (progress.campaigns.get(lease) ?? 1);
  const leader = draw.oneIn(12) ? undefined : { name, key: keyOf(name, lease), rev, lease };
  return draw.weighted<() => UnaryStep>([
    [
      4,
      () => ({
        method: 'v3lockpb.Lock/Lock',
        request: LockRequest.fromPartial({ name: lockName, lease }),
      }),
    ],
    [
      3,
      () => ({
        method: 'v3lockpb.Lock/Unlock',
        request: UnlockRequest.fromPartial({ key: keyOf(lockName, lease) }),
      }),
    ],
    [
      4,
      () => ({
        method: 'v3electionpb.Election/Campaign',
        request: CampaignRequest.fromPartial({ name, lease, value }),
      }),
    ],
    [
      3,
      () => ({
        method: 'v3electionpb.Election/Proclaim',
        request: ProclaimRequest.fromPartial({ leader, value }),
      }),
    ],
    [
      3,
      () => ({
        method: 'v3electionpb.Election/Leader',
        request: LeaderRequest.fromPartial({ name }),
      }),
    ],
    [
      2,
      () => ({
        method: 'v3electionpb.Election/Resign',
        request: ResignRequest.fromPartial({ leader }),
      }),
    ],
  ])();
}

/** A campaign, and what its winner proclaims then. */
export interface DrawnElection {
  readonly lease: bigint;
  readonly name: Uint8Array;
  readonly campaign: UnaryStep;
  readonly proclaim: (rev: number) => UnaryStep;
}

/** Draws a campaign that nobody else is in. */
export function drawElection(draw: Draw): DrawnElection {
  const lease = draw.pick(LEASES);
  const name = utf8(`vote${lease}`);
  const [value, other] = draw.oneIn(2) ? [utf8('x'), utf8('y')] : [utf8(''), utf8('x')];
  return {
    lease,
    name,
    campaign: {
      method: 'v3electionpb.Election/Campaign',
      request: CampaignRequest.fromPartial({ name, lease, value }),
    },
    proclaim: (rev) => ({
      method: 'v3electionpb.Election/Proclaim',
      request: ProclaimRequest.fromPartial({
        leader: { name, key: keyOf(name, lease), rev, lease },
        value: other,
      }),
    }),
  };
}

function keyOf(name: Uint8Array, lease: bigint): Uint8Array {
  return concatBytes([name, utf8(`/${lease.toString(16)}`)]);
}
