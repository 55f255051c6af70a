/**
 * Every RPC of etcd's client API, as types: `package.Service/Method` to kind, request and response.
 *
 * Source: the services of etcd 3.6, KV.RangeStream of 3.7, grpc.health.v1, grpc.reflection in both versions, whose
 * messages are the same. What a method needs at run time (codecs,
 * gateway paths, auth) is in `rpc-table.ts`, which has exactly these keys.
 */
import type {
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
import type {
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
import type {
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
import type {
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
import type {
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
import type { WatchRequest, WatchResponse } from './gen/etcdserverpb/watch.ts';
import type {
  LockRequest,
  LockResponse,
  UnlockRequest,
  UnlockResponse,
} from './gen/v3lockpb/v3lock.ts';
import type {
  CampaignRequest,
  CampaignResponse,
  LeaderRequest,
  LeaderResponse,
  ProclaimRequest,
  ProclaimResponse,
  ResignRequest,
  ResignResponse,
} from './gen/v3electionpb/v3election.ts';
import type {
  HealthCheckRequest,
  HealthCheckResponse,
  HealthListRequest,
  HealthListResponse,
} from './gen/health/health.ts';
import type {
  ServerReflectionRequest,
  ServerReflectionResponse,
} from './gen/reflection/reflection_v1.ts';

/** How many messages go each way. No RPC of etcd is a client stream. */
export type RpcKind = 'unary' | 'server-stream' | 'bidi-stream';

/** The types of one RPC. */
export interface RpcType<Kind extends RpcKind, Request, Response> {
  readonly kind: Kind;
  readonly request: Request;
  readonly response: Response;
}

type Unary<Request, Response> = RpcType<'unary', Request, Response>;
type ServerStream<Request, Response> = RpcType<'server-stream', Request, Response>;
type BidiStream<Request, Response> = RpcType<'bidi-stream', Request, Response>;

/** The types of all RPCs. */
export interface RpcTypes {
  'etcdserverpb.KV/Range': Unary<RangeRequest, RangeResponse>;
  'etcdserverpb.KV/Put': Unary<PutRequest, PutResponse>;
  'etcdserverpb.KV/DeleteRange': Unary<DeleteRangeRequest, DeleteRangeResponse>;
  'etcdserverpb.KV/Txn': Unary<TxnRequest, TxnResponse>;
  'etcdserverpb.KV/Compact': Unary<CompactionRequest, CompactionResponse>;
  'etcdserverpb.KV/RangeStream': ServerStream<RangeRequest, RangeStreamResponse>;

  'etcdserverpb.Watch/Watch': BidiStream<WatchRequest, WatchResponse>;

  'etcdserverpb.Lease/LeaseGrant': Unary<LeaseGrantRequest, LeaseGrantResponse>;
  'etcdserverpb.Lease/LeaseRevoke': Unary<LeaseRevokeRequest, LeaseRevokeResponse>;
  'etcdserverpb.Lease/LeaseKeepAlive': BidiStream<LeaseKeepAliveRequest, LeaseKeepAliveResponse>;
  'etcdserverpb.Lease/LeaseTimeToLive': Unary<LeaseTimeToLiveRequest, LeaseTimeToLiveResponse>;
  'etcdserverpb.Lease/LeaseLeases': Unary<LeaseLeasesRequest, LeaseLeasesResponse>;

  'etcdserverpb.Cluster/MemberAdd': Unary<MemberAddRequest, MemberAddResponse>;
  'etcdserverpb.Cluster/MemberRemove': Unary<MemberRemoveRequest, MemberRemoveResponse>;
  'etcdserverpb.Cluster/MemberUpdate': Unary<MemberUpdateRequest, MemberUpdateResponse>;
  'etcdserverpb.Cluster/MemberList': Unary<MemberListRequest, MemberListResponse>;
  'etcdserverpb.Cluster/MemberPromote': Unary<MemberPromoteRequest, MemberPromoteResponse>;

  'etcdserverpb.Maintenance/Alarm': Unary<AlarmRequest, AlarmResponse>;
  'etcdserverpb.Maintenance/Status': Unary<StatusRequest, StatusResponse>;
  'etcdserverpb.Maintenance/Defragment': Unary<DefragmentRequest, DefragmentResponse>;
  'etcdserverpb.Maintenance/Hash': Unary<HashRequest, HashResponse>;
  'etcdserverpb.Maintenance/Snapshot': ServerStream<SnapshotRequest, SnapshotResponse>;
  'etcdserverpb.Maintenance/HashKV': Unary<HashKVRequest, HashKVResponse>;
  'etcdserverpb.Maintenance/MoveLeader': Unary<MoveLeaderRequest, MoveLeaderResponse>;
  'etcdserverpb.Maintenance/Downgrade': Unary<DowngradeRequest, DowngradeResponse>;

  'etcdserverpb.Auth/AuthEnable': Unary<AuthEnableRequest, AuthEnableResponse>;
  'etcdserverpb.Auth/AuthDisable': Unary<AuthDisableRequest, AuthDisableResponse>;
  'etcdserverpb.Auth/Authenticate': Unary<AuthenticateRequest, AuthenticateResponse>;
  'etcdserverpb.Auth/UserAdd': Unary<AuthUserAddRequest, AuthUserAddResponse>;
  'etcdserverpb.Auth/UserGet': Unary<AuthUserGetRequest, AuthUserGetResponse>;
  'etcdserverpb.Auth/UserList': Unary<AuthUserListRequest, AuthUserListResponse>;
  'etcdserverpb.Auth/UserDelete': Unary<AuthUserDeleteRequest, AuthUserDeleteResponse>;
  'etcdserverpb.Auth/UserChangePassword': Unary<
    AuthUserChangePasswordRequest,
    AuthUserChangePasswordResponse
  >;
  'etcdserverpb.Auth/UserGrantRole': Unary<AuthUserGrantRoleRequest, AuthUserGrantRoleResponse>;
  'etcdserverpb.Auth/UserRevokeRole': Unary<AuthUserRevokeRoleRequest, AuthUserRevokeRoleResponse>;
  'etcdserverpb.Auth/RoleAdd': Unary<AuthRoleAddRequest, AuthRoleAddResponse>;
  'etcdserverpb.Auth/RoleGet': Unary<AuthRoleGetRequest, AuthRoleGetResponse>;
  'etcdserverpb.Auth/RoleList': Unary<AuthRoleListRequest, AuthRoleListResponse>;
  'etcdserverpb.Auth/RoleDelete': Unary<AuthRoleDeleteRequest, AuthRoleDeleteResponse>;
  'etcdserverpb.Auth/RoleGrantPermission': Unary<
    AuthRoleGrantPermissionRequest,
    AuthRoleGrantPermissionResponse
  >;
  'etcdserverpb.Auth/RoleRevokePermission': Unary<
    AuthRoleRevokePermissionRequest,
    AuthRoleRevokePermissionResponse
  >;
  'etcdserverpb.Auth/AuthStatus': Unary<AuthStatusRequest, AuthStatusResponse>;

  'v3lockpb.Lock/Lock': Unary<LockRequest, LockResponse>;
  'v3lockpb.Lock/Unlock': Unary<UnlockRequest, UnlockResponse>;

  'v3electionpb.Election/Campaign': Unary<CampaignRequest, CampaignResponse>;
  'v3electionpb.Election/Proclaim': Unary<ProclaimRequest, ProclaimResponse>;
  'v3electionpb.Election/Leader': Unary<LeaderRequest, LeaderResponse>;
  'v3electionpb.Election/Observe': ServerStream<LeaderRequest, LeaderResponse>;
  'v3electionpb.Election/Resign': Unary<ResignRequest, ResignResponse>;

  'grpc.health.v1.Health/Check': Unary<HealthCheckRequest, HealthCheckResponse>;
  'grpc.health.v1.Health/Watch': ServerStream<HealthCheckRequest, HealthCheckResponse>;
  'grpc.health.v1.Health/List': Unary<HealthListRequest, HealthListResponse>;

  'grpc.reflection.v1.ServerReflection/ServerReflectionInfo': BidiStream<
    ServerReflectionRequest,
    ServerReflectionResponse
  >;
  'grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo': BidiStream<
    ServerReflectionRequest,
    ServerReflectionResponse
  >;
}

/** `package.Service/Method`, as in the path of a gRPC call without its first slash. */
export type MethodName = keyof RpcTypes;

/** Methods with one response. */
export type UnaryMethodName = {
  [Method in MethodName]: RpcTypes[Method]['kind'] extends 'unary' ? Method : never;
}[MethodName];

/** Methods with a stream of responses. */
export type StreamMethodName = Exclude<MethodName, UnaryMethodName>;

/** The request message of a method. */
export type RequestOf<Method extends MethodName> = RpcTypes[Method]['request'];

/** The response message of a method. */
export type ResponseOf<Method extends MethodName> = RpcTypes[Method]['response'];
