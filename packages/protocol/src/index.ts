// End users: errors and messages.
export {
  CATALOGUE,
  type CatalogueEntry,
  ETCD_ERRORS,
  type ErrorCode,
  GENERIC_ERRORS,
  WATCH_CANCEL_REASONS,
} from './catalogue.ts';
export {
  EtcdError,
  type EtcdErrorOptions,
  errorFromRpcText,
  errorFromWire,
  rpcErrorText,
} from './errors.ts';
export { Status, STATUS_NAMES } from './status.ts';
export { Permission, PermissionType, Role, User, UserAddOptions } from './gen/authpb/auth.ts';
export {
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
export {
  Member,
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
export { Lease } from './gen/leasepb/lease.ts';
export { ResponseHeader } from './gen/etcdserverpb/header.ts';
export {
  CompactionRequest,
  CompactionResponse,
  Compare,
  CompareResult,
  CompareTarget,
  DeleteRangeRequest,
  DeleteRangeResponse,
  PutRequest,
  PutResponse,
  RangeRequest,
  RangeResponse,
  RangeStreamResponse,
  RequestOp,
  ResponseOp,
  SortOrder,
  SortTarget,
  TxnRequest,
  TxnResponse,
} from './gen/etcdserverpb/kv.ts';
export {
  LeaseGrantRequest,
  LeaseGrantResponse,
  LeaseKeepAliveRequest,
  LeaseKeepAliveResponse,
  LeaseLeasesRequest,
  LeaseLeasesResponse,
  LeaseRevokeRequest,
  LeaseRevokeResponse,
  LeaseStatus,
  LeaseTimeToLiveRequest,
  LeaseTimeToLiveResponse,
} from './gen/etcdserverpb/lease.ts';
export {
  AlarmAction,
  AlarmMember,
  AlarmRequest,
  AlarmResponse,
  AlarmType,
  DefragmentRequest,
  DefragmentResponse,
  DowngradeAction,
  DowngradeInfo,
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
export {
  FilterType,
  WatchCancelRequest,
  WatchCreateRequest,
  WatchProgressRequest,
  WatchRequest,
  WatchResponse,
} from './gen/etcdserverpb/watch.ts';
export {
  HealthCheckRequest,
  HealthCheckResponse,
  HealthListRequest,
  HealthListResponse,
  ServingStatus,
} from './gen/health/health.ts';
export {
  ServerReflectionRequest,
  ServerReflectionResponse,
} from './gen/reflection/reflection_v1.ts';
export { Event, EventType, KeyValue } from './gen/mvccpb/kv.ts';
export {
  CampaignRequest,
  CampaignResponse,
  LeaderKey,
  LeaderRequest,
  LeaderResponse,
  ProclaimRequest,
  ProclaimResponse,
  ResignRequest,
  ResignResponse,
} from './gen/v3electionpb/v3election.ts';
export { LockRequest, LockResponse, UnlockRequest, UnlockResponse } from './gen/v3lockpb/v3lock.ts';

// Those who build on it: channels, services, listeners.
export type { CallOptions, Channel, StreamCall } from './channel.ts';
export type {
  CallContext,
  HandlerOf,
  Handlers,
  PeerInfo,
  RangeParts,
  ResponseSink,
  StreamHandler,
  UnaryHandler,
} from './services.ts';
export { untilAborted } from './until-aborted.ts';
export { type HandlerWrappers, wrapHandlers } from './wrap-handlers.ts';
export type {
  MethodName,
  RequestOf,
  ResponseOf,
  RpcKind,
  RpcType,
  RpcTypes,
  StreamMethodName,
  UnaryMethodName,
} from './rpcs.ts';
export { FILE_DESCRIPTORS, type FileDescriptor } from './gen/file-descriptors.ts';
export { RPC_TABLE, RPCS } from './rpc-table.ts';
export type { AuthKind, Rpc } from './rpc-table/rpc.ts';
export type { DeepPartial, Field, FieldKind, MessageCodec } from './wire/codec.ts';
export {
  CALL_DEADLINE_GRAIN_MS,
  CallDeadline,
  CallDeadlines,
  type DeadlineClock,
  type DeadlineTimer,
  MAX_TIMER_MS,
} from './call-deadlines.ts';
export { MessageQueue } from './message-queue.ts';
export { DecodeError } from './wire/decode-error.ts';
export { MAX_NESTING_DEPTH } from './wire/reader.ts';
