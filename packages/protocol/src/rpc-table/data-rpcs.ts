/** Keys, watches, leases, and what is built on them; health. */
import {
  CompactionRequest,
  CompactionResponse,
  DeleteRangeRequest,
  DeleteRangeResponse,
  PutRequest,
  PutResponse,
  RangeRequest,
  RangeResponse,
  RangeStreamResponse,
  TxnRequest,
  TxnResponse,
} from '../gen/etcdserverpb/kv.ts';
import {
  LeaseGrantRequest,
  LeaseGrantResponse,
  LeaseKeepAliveRequest,
  LeaseKeepAliveResponse,
  LeaseLeasesRequest,
  LeaseLeasesResponse,
  LeaseRevokeRequest,
  LeaseRevokeResponse,
  LeaseTimeToLiveRequest,
  LeaseTimeToLiveResponse,
} from '../gen/etcdserverpb/lease.ts';
import { WatchRequest, WatchResponse } from '../gen/etcdserverpb/watch.ts';
import {
  HealthCheckRequest,
  HealthCheckResponse,
  HealthListRequest,
  HealthListResponse,
} from '../gen/health/health.ts';
import {
  CampaignRequest,
  CampaignResponse,
  LeaderRequest,
  LeaderResponse,
  ProclaimRequest,
  ProclaimResponse,
  ResignRequest,
  ResignResponse,
} from '../gen/v3electionpb/v3election.ts';
import {
  LockRequest,
  LockResponse,
  UnlockRequest,
  UnlockResponse,
} from '../gen/v3lockpb/v3lock.ts';
import {
  ServerReflectionRequest as ReflectionRequest,
  ServerReflectionResponse as ReflectionResponse,
} from '../gen/reflection/reflection_v1.ts';
import {
  ServerReflectionRequest as OldReflectionRequest,
  ServerReflectionResponse as OldReflectionResponse,
} from '../gen/reflection/reflection_v1alpha.ts';
import { type Rpc, rpc } from './rpc.ts';
import type { MethodName } from '../rpcs.ts';

/** Names of these methods. */
type Names = Extract<
  MethodName,
  | `etcdserverpb.KV/${string}`
  | `etcdserverpb.Watch/${string}`
  | `etcdserverpb.Lease/${string}`
  | `v3lockpb.Lock/${string}`
  | `v3electionpb.Election/${string}`
  | `grpc.health.v1.Health/${string}`
  | `grpc.reflection.${string}`
>;

/** Keys, watches, leases, and what is built on them; health. */
export const DATA_RPCS: { readonly [Method in Names]: Rpc<Method> } = {
  'etcdserverpb.KV/Range': rpc(
    'etcdserverpb.KV/Range',
    'unary',
    [RangeRequest, RangeResponse],
    'keys',
    '/v3/kv/range',
  ),
  'etcdserverpb.KV/Put': rpc(
    'etcdserverpb.KV/Put',
    'unary',
    [PutRequest, PutResponse],
    'keys',
    '/v3/kv/put',
  ),
  'etcdserverpb.KV/DeleteRange': rpc(
    'etcdserverpb.KV/DeleteRange',
    'unary',
    [DeleteRangeRequest, DeleteRangeResponse],
    'keys',
    '/v3/kv/deleterange',
  ),
  'etcdserverpb.KV/Txn': rpc(
    'etcdserverpb.KV/Txn',
    'unary',
    [TxnRequest, TxnResponse],
    'keys',
    '/v3/kv/txn',
  ),
  'etcdserverpb.KV/Compact': rpc(
    'etcdserverpb.KV/Compact',
    'unary',
    [CompactionRequest, CompactionResponse],
    'root',
    '/v3/kv/compaction',
  ),
  'etcdserverpb.KV/RangeStream': rpc(
    'etcdserverpb.KV/RangeStream',
    'server-stream',
    [RangeRequest, RangeStreamResponse],
    'keys',
  ),

  'etcdserverpb.Watch/Watch': rpc(
    'etcdserverpb.Watch/Watch',
    'bidi-stream',
    [WatchRequest, WatchResponse],
    'keys',
    '/v3/watch',
  ),

  'etcdserverpb.Lease/LeaseGrant': rpc(
    'etcdserverpb.Lease/LeaseGrant',
    'unary',
    [LeaseGrantRequest, LeaseGrantResponse],
    'user',
    '/v3/lease/grant',
  ),
  'etcdserverpb.Lease/LeaseRevoke': rpc(
    'etcdserverpb.Lease/LeaseRevoke',
    'unary',
    [LeaseRevokeRequest, LeaseRevokeResponse],
    'lease-keys',
    '/v3/lease/revoke',
    '/v3/kv/lease/revoke',
  ),
  'etcdserverpb.Lease/LeaseKeepAlive': rpc(
    'etcdserverpb.Lease/LeaseKeepAlive',
    'bidi-stream',
    [LeaseKeepAliveRequest, LeaseKeepAliveResponse],
    'lease-keys',
    '/v3/lease/keepalive',
  ),
  'etcdserverpb.Lease/LeaseTimeToLive': rpc(
    'etcdserverpb.Lease/LeaseTimeToLive',
    'unary',
    [LeaseTimeToLiveRequest, LeaseTimeToLiveResponse],
    'lease-keys',
    '/v3/lease/timetolive',
    '/v3/kv/lease/timetolive',
  ),
  'etcdserverpb.Lease/LeaseLeases': rpc(
    'etcdserverpb.Lease/LeaseLeases',
    'unary',
    [LeaseLeasesRequest, LeaseLeasesResponse],
    'lease-keys',
    '/v3/lease/leases',
    '/v3/kv/lease/leases',
  ),

  'v3lockpb.Lock/Lock': rpc(
    'v3lockpb.Lock/Lock',
    'unary',
    [LockRequest, LockResponse],
    'inner',
    '/v3/lock/lock',
  ),
  'v3lockpb.Lock/Unlock': rpc(
    'v3lockpb.Lock/Unlock',
    'unary',
    [UnlockRequest, UnlockResponse],
    'inner',
    '/v3/lock/unlock',
  ),

  'v3electionpb.Election/Campaign': rpc(
    'v3electionpb.Election/Campaign',
    'unary',
    [CampaignRequest, CampaignResponse],
    'inner',
    '/v3/election/campaign',
  ),
  'v3electionpb.Election/Proclaim': rpc(
    'v3electionpb.Election/Proclaim',
    'unary',
    [ProclaimRequest, ProclaimResponse],
    'inner',
    '/v3/election/proclaim',
  ),
  'v3electionpb.Election/Leader': rpc(
    'v3electionpb.Election/Leader',
    'unary',
    [LeaderRequest, LeaderResponse],
    'inner',
    '/v3/election/leader',
  ),
  'v3electionpb.Election/Observe': rpc(
    'v3electionpb.Election/Observe',
    'server-stream',
    [LeaderRequest, LeaderResponse],
    'inner',
    '/v3/election/observe',
  ),
  'v3electionpb.Election/Resign': rpc(
    'v3electionpb.Election/Resign',
    'unary',
    [ResignRequest, ResignResponse],
    'inner',
    '/v3/election/resign',
  ),

  'grpc.health.v1.Health/Check': rpc(
    'grpc.health.v1.Health/Check',
    'unary',
    [HealthCheckRequest, HealthCheckResponse],
    'none',
  ),
  'grpc.health.v1.Health/Watch': rpc(
    'grpc.health.v1.Health/Watch',
    'server-stream',
    [HealthCheckRequest, HealthCheckResponse],
    'none',
  ),
  'grpc.health.v1.Health/List': rpc(
    'grpc.health.v1.Health/List',
    'unary',
    [HealthListRequest, HealthListResponse],
    'none',
  ),

  'grpc.reflection.v1.ServerReflection/ServerReflectionInfo': rpc(
    'grpc.reflection.v1.ServerReflection/ServerReflectionInfo',
    'bidi-stream',
    [ReflectionRequest, ReflectionResponse],
    'none',
  ),
  'grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo': rpc(
    'grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo',
    'bidi-stream',
    [OldReflectionRequest, OldReflectionResponse],
    'none',
  ),
};
