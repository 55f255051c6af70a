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

function keyOf(name: Uint8Array, lease: bigint): Uint8Array {
  return concatBytes([name, utf8(`/${lease.toString(16)}`)]);
}
