/**
 * Every RPC of etcd's client API, as data: how to encode it, where the JSON gateway has it, who may call it.
 *
 * Source: etcd api/etcdserverpb/rpc.proto (gateway paths are its google.api.http annotations) and server/auth.
 */
import {
  AuthDisableRequest,
  AuthDisableResponse,
  AuthEnableRequest,
  AuthEnableResponse,
  AuthRoleAddRequest,
  AuthRoleAddResponse,
  AuthRoleDeleteRequest,
  AuthRoleDeleteResponse,
  AuthRoleGetRequest,
  AuthRoleGetResponse,
  AuthRoleGrantPermissionRequest,
  AuthRoleGrantPermissionResponse,
  AuthRoleListRequest,
  AuthRoleListResponse,
  AuthRoleRevokePermissionRequest,
  AuthRoleRevokePermissionResponse,
  AuthStatusRequest,
  AuthStatusResponse,
  AuthUserAddRequest,
  AuthUserAddResponse,
  AuthUserChangePasswordRequest,
  AuthUserChangePasswordResponse,
  AuthUserDeleteRequest,
  AuthUserDeleteResponse,
  AuthUserGetRequest,
  AuthUserGetResponse,
  AuthUserGrantRoleRequest,
  AuthUserGrantRoleResponse,
  AuthUserListRequest,
  AuthUserListResponse,
  AuthUserRevokeRoleRequest,
  AuthUserRevokeRoleResponse,
  AuthenticateRequest,
  AuthenticateResponse,
} from './gen/etcdserverpb/auth.ts';
import {
  MemberAddRequest,
  MemberAddResponse,
  MemberListRequest,
  MemberListResponse,
  MemberPromoteRequest,
  MemberPromoteResponse,
  MemberRemoveRequest,
  MemberRemoveResponse,
  MemberUpdateRequest,
  MemberUpdateResponse,
} from './gen/etcdserverpb/cluster.ts';
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
} from './gen/etcdserverpb/kv.ts';
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
} from './gen/etcdserverpb/lease.ts';
import {
  AlarmRequest,
  AlarmResponse,
  DefragmentRequest,
  DefragmentResponse,
  DowngradeRequest,
  DowngradeResponse,
  HashKVRequest,
  HashKVResponse,
  HashRequest,
  HashResponse,
  MoveLeaderRequest,
  MoveLeaderResponse,
  SnapshotRequest,
  SnapshotResponse,
  StatusRequest,
  StatusResponse,
} from './gen/etcdserverpb/maintenance.ts';
import { WatchRequest, WatchResponse } from './gen/etcdserverpb/watch.ts';
import { LockRequest, LockResponse, UnlockRequest, UnlockResponse } from './gen/v3lockpb/v3lock.ts';
import {
  CampaignRequest,
  CampaignResponse,
  LeaderRequest,
  LeaderResponse,
  ProclaimRequest,
  ProclaimResponse,
  ResignRequest,
  ResignResponse,
} from './gen/v3electionpb/v3election.ts';
import {
  HealthCheckRequest,
  HealthCheckResponse,
  HealthListRequest,
  HealthListResponse,
} from './gen/health/health.ts';
import type { MethodName, RequestOf, ResponseOf, RpcKind, RpcTypes } from './rpcs.ts';
import type { MessageCodec } from './wire/codec.ts';

/**
 * Who may call when auth is on.
 * - `none`: everyone, also without token.
 * - `user`: any user.
 * - `keys`: by the keys that the request names.
 * - `lease-keys`: any user with a right to all keys attached to the lease.
 * - `root`: user root alone, or a user with role root.
 * - `root-to-change`: any user to look, root to change.
 * - `root-or-self`: root, the user itself, or a user that has the role.
 * - `inner`: as the key and lease operations that the service does with the caller's token.
 */
export type AuthKind =
  | 'none'
  | 'user'
  | 'keys'
  | 'lease-keys'
  | 'root'
  | 'root-to-change'
  | 'root-or-self'
  | 'inner';

/** One RPC. */
export interface Rpc<Method extends MethodName> {
  /** `package.Service/Method`. */
  readonly name: Method;
  /** `package.Service`. */
  readonly service: string;
  readonly method: string;
  readonly kind: RpcTypes[Method]['kind'];
  readonly request: MessageCodec<RequestOf<Method>>;
  readonly response: MessageCodec<ResponseOf<Method>>;
  /** Paths of the JSON gateway, all POST; empty when it has none. */
  readonly gatewayPaths: readonly string[];
  readonly auth: AuthKind;
}

function rpc<Method extends MethodName>(
  name: Method,
  kind: RpcTypes[Method]['kind'] & RpcKind,
  codecs: readonly [MessageCodec<RequestOf<Method>>, MessageCodec<ResponseOf<Method>>],
  auth: AuthKind,
  ...gatewayPaths: readonly string[]
): Rpc<Method> {
  const slash = name.indexOf('/');
  const service = name.slice(0, slash);
  const method = name.slice(slash + 1);
  const [request, response] = codecs;
  return Object.freeze({ name, service, method, kind, request, response, gatewayPaths, auth });
}

/** All RPCs by name. */
export const RPC_TABLE: { readonly [Method in MethodName]: Rpc<Method> } = {
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

  'etcdserverpb.Cluster/MemberAdd': rpc(
    'etcdserverpb.Cluster/MemberAdd',
    'unary',
    [MemberAddRequest, MemberAddResponse],
    'root',
    '/v3/cluster/member/add',
  ),
  'etcdserverpb.Cluster/MemberRemove': rpc(
    'etcdserverpb.Cluster/MemberRemove',
    'unary',
    [MemberRemoveRequest, MemberRemoveResponse],
    'root',
    '/v3/cluster/member/remove',
  ),
  'etcdserverpb.Cluster/MemberUpdate': rpc(
    'etcdserverpb.Cluster/MemberUpdate',
    'unary',
    [MemberUpdateRequest, MemberUpdateResponse],
    'root',
    '/v3/cluster/member/update',
  ),
  'etcdserverpb.Cluster/MemberList': rpc(
    'etcdserverpb.Cluster/MemberList',
    'unary',
    [MemberListRequest, MemberListResponse],
    'user',
    '/v3/cluster/member/list',
  ),
  'etcdserverpb.Cluster/MemberPromote': rpc(
    'etcdserverpb.Cluster/MemberPromote',
    'unary',
    [MemberPromoteRequest, MemberPromoteResponse],
    'root',
    '/v3/cluster/member/promote',
  ),

  'etcdserverpb.Maintenance/Alarm': rpc(
    'etcdserverpb.Maintenance/Alarm',
    'unary',
    [AlarmRequest, AlarmResponse],
    'root-to-change',
    '/v3/maintenance/alarm',
  ),
  'etcdserverpb.Maintenance/Status': rpc(
    'etcdserverpb.Maintenance/Status',
    'unary',
    [StatusRequest, StatusResponse],
    'user',
    '/v3/maintenance/status',
  ),
  'etcdserverpb.Maintenance/Defragment': rpc(
    'etcdserverpb.Maintenance/Defragment',
    'unary',
    [DefragmentRequest, DefragmentResponse],
    'root',
    '/v3/maintenance/defragment',
  ),
  'etcdserverpb.Maintenance/Hash': rpc(
    'etcdserverpb.Maintenance/Hash',
    'unary',
    [HashRequest, HashResponse],
    'root',
    '/v3/maintenance/hash',
  ),
  'etcdserverpb.Maintenance/Snapshot': rpc(
    'etcdserverpb.Maintenance/Snapshot',
    'server-stream',
    [SnapshotRequest, SnapshotResponse],
    'root',
    '/v3/maintenance/snapshot',
  ),
  'etcdserverpb.Maintenance/HashKV': rpc(
    'etcdserverpb.Maintenance/HashKV',
    'unary',
    [HashKVRequest, HashKVResponse],
    'root',
    '/v3/maintenance/hashkv',
  ),
  'etcdserverpb.Maintenance/MoveLeader': rpc(
    'etcdserverpb.Maintenance/MoveLeader',
    'unary',
    [MoveLeaderRequest, MoveLeaderResponse],
    'root',
    '/v3/maintenance/transfer-leadership',
  ),
  'etcdserverpb.Maintenance/Downgrade': rpc(
    'etcdserverpb.Maintenance/Downgrade',
    'unary',
    [DowngradeRequest, DowngradeResponse],
    'root',
    '/v3/maintenance/downgrade',
  ),

  'etcdserverpb.Auth/AuthEnable': rpc(
    'etcdserverpb.Auth/AuthEnable',
    'unary',
    [AuthEnableRequest, AuthEnableResponse],
    'root',
    '/v3/auth/enable',
  ),
  'etcdserverpb.Auth/AuthDisable': rpc(
    'etcdserverpb.Auth/AuthDisable',
    'unary',
    [AuthDisableRequest, AuthDisableResponse],
    'root',
    '/v3/auth/disable',
  ),
  'etcdserverpb.Auth/Authenticate': rpc(
    'etcdserverpb.Auth/Authenticate',
    'unary',
    [AuthenticateRequest, AuthenticateResponse],
    'none',
    '/v3/auth/authenticate',
  ),
  'etcdserverpb.Auth/UserAdd': rpc(
    'etcdserverpb.Auth/UserAdd',
    'unary',
    [AuthUserAddRequest, AuthUserAddResponse],
    'root',
    '/v3/auth/user/add',
  ),
  'etcdserverpb.Auth/UserGet': rpc(
    'etcdserverpb.Auth/UserGet',
    'unary',
    [AuthUserGetRequest, AuthUserGetResponse],
    'root-or-self',
    '/v3/auth/user/get',
  ),
  'etcdserverpb.Auth/UserList': rpc(
    'etcdserverpb.Auth/UserList',
    'unary',
    [AuthUserListRequest, AuthUserListResponse],
    'root',
    '/v3/auth/user/list',
  ),
  'etcdserverpb.Auth/UserDelete': rpc(
    'etcdserverpb.Auth/UserDelete',
    'unary',
    [AuthUserDeleteRequest, AuthUserDeleteResponse],
    'root',
    '/v3/auth/user/delete',
  ),
  'etcdserverpb.Auth/UserChangePassword': rpc(
    'etcdserverpb.Auth/UserChangePassword',
    'unary',
    [AuthUserChangePasswordRequest, AuthUserChangePasswordResponse],
    'root',
    '/v3/auth/user/changepw',
  ),
  'etcdserverpb.Auth/UserGrantRole': rpc(
    'etcdserverpb.Auth/UserGrantRole',
    'unary',
    [AuthUserGrantRoleRequest, AuthUserGrantRoleResponse],
    'root',
    '/v3/auth/user/grant',
  ),
  'etcdserverpb.Auth/UserRevokeRole': rpc(
    'etcdserverpb.Auth/UserRevokeRole',
    'unary',
    [AuthUserRevokeRoleRequest, AuthUserRevokeRoleResponse],
    'root',
    '/v3/auth/user/revoke',
  ),
  'etcdserverpb.Auth/RoleAdd': rpc(
    'etcdserverpb.Auth/RoleAdd',
    'unary',
    [AuthRoleAddRequest, AuthRoleAddResponse],
    'root',
    '/v3/auth/role/add',
  ),
  'etcdserverpb.Auth/RoleGet': rpc(
    'etcdserverpb.Auth/RoleGet',
    'unary',
    [AuthRoleGetRequest, AuthRoleGetResponse],
    'root-or-self',
    '/v3/auth/role/get',
  ),
  'etcdserverpb.Auth/RoleList': rpc(
    'etcdserverpb.Auth/RoleList',
    'unary',
    [AuthRoleListRequest, AuthRoleListResponse],
    'root',
    '/v3/auth/role/list',
  ),
  'etcdserverpb.Auth/RoleDelete': rpc(
    'etcdserverpb.Auth/RoleDelete',
    'unary',
    [AuthRoleDeleteRequest, AuthRoleDeleteResponse],
    'root',
    '/v3/auth/role/delete',
  ),
  'etcdserverpb.Auth/RoleGrantPermission': rpc(
    'etcdserverpb.Auth/RoleGrantPermission',
    'unary',
    [AuthRoleGrantPermissionRequest, AuthRoleGrantPermissionResponse],
    'root',
    '/v3/auth/role/grant',
  ),
  'etcdserverpb.Auth/RoleRevokePermission': rpc(
    'etcdserverpb.Auth/RoleRevokePermission',
    'unary',
    [AuthRoleRevokePermissionRequest, AuthRoleRevokePermissionResponse],
    'root',
    '/v3/auth/role/revoke',
  ),
  'etcdserverpb.Auth/AuthStatus': rpc(
    'etcdserverpb.Auth/AuthStatus',
    'unary',
    [AuthStatusRequest, AuthStatusResponse],
    'root',
    '/v3/auth/status',
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
};

/** All RPCs, in etcd's order. */
export const RPCS: readonly Rpc<MethodName>[] = Object.values(RPC_TABLE);
