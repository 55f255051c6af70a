/** Draws requests to the Lease service. */
import {
  LeaseGrantRequest,
  LeaseLeasesRequest,
  LeaseRevokeRequest,
  LeaseTimeToLiveRequest,
} from '@etcd-ts/protocol';
import type { Draw } from './draw.ts';
import type { UnaryStep } from './step.ts';

/** Ids that a client chooses; negative ones are legal. */
export const LEASES: readonly bigint[] = [1n, 2n, 3n, 4n, -5n, 9_223_372_036_854_775_807n];
/** No lease may end by itself while requests are compared. */
const LONG_TTLS: readonly number[] = [1_000, 5_000, 9_000_000_000, 9_000_000_001];
/** Raised to the floor, which ends while requests are compared: revoked at once. */
const SHORT_TTLS: readonly number[] = [-9_000_000_000, -5, 0, 1, 2];
/** Under which such leases are granted. */
const SHORT_LIVED = 99n;

/** Draws one request. */
export function drawLease(draw: Draw): UnaryStep {
  const ID = draw.pick(LEASES);
  return draw.weighted<() => UnaryStep>([
    [
      4,
      () => ({
        method: 'etcdserverpb.Lease/LeaseGrant',
        request: LeaseGrantRequest.fromPartial({ ID, TTL: draw.pick(LONG_TTLS) }),
      }),
    ],
    [
      1,
      () => ({
        method: 'etcdserverpb.Lease/LeaseGrant',
        request: LeaseGrantRequest.fromPartial({ ID: 0n, TTL: 100_000 }),
      }),
    ],
    [
      3,
      () => ({
        method: 'etcdserverpb.Lease/LeaseRevoke',
        request: LeaseRevokeRequest.fromPartial({ ID }),
      }),
    ],
    [
      3,
      () => ({
        method: 'etcdserverpb.Lease/LeaseTimeToLive',
        request: LeaseTimeToLiveRequest.fromPartial({ ID, keys: draw.oneIn(2) }),
      }),
    ],
    [
      1,
      () => ({
        method: 'etcdserverpb.Lease/LeaseLeases',
        request: LeaseLeasesRequest.fromPartial({}),
      }),
    ],
  ])();
}

/** A lease of the shortest life there is, and its end. */
export function drawShortLease(draw: Draw): readonly UnaryStep[] {
  return [
    {
      method: 'etcdserverpb.Lease/LeaseGrant',
      request: LeaseGrantRequest.fromPartial({ ID: SHORT_LIVED, TTL: draw.pick(SHORT_TTLS) }),
    },
    {
      method: 'etcdserverpb.Lease/LeaseRevoke',
      request: LeaseRevokeRequest.fromPartial({ ID: SHORT_LIVED }),
    },
  ];
}
