/** Members and maintenance. */
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
} from '../gen/etcdserverpb/cluster.ts';
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
} from '../gen/etcdserverpb/maintenance.ts';
import { type Rpc, rpc } from './rpc.ts';
import type { MethodName } from '../rpcs.ts';

/** Names of these methods. */
type Names = Extract<
  MethodName,
  `etcdserverpb.Cluster/${string}` | `etcdserverpb.Maintenance/${string}`
>;

/** Members and maintenance. */
export const ADMIN_RPCS: { readonly [Method in Names]: Rpc<Method> } = {
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
};
