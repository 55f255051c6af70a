/** Draws requests about the cluster that change nothing of it, and changes of users and roles while nobody asks for them. */
import {
  DefragmentRequest,
  DowngradeRequest,
  MemberAddRequest,
  MemberListRequest,
  MemberUpdateRequest,
  StatusRequest,
} from '@etcd-ts/protocol';
import { drawAuth } from './auth-requests.ts';
import type { Draw } from './draw.ts';
import type { UnaryStep } from './step.ts';

const NOBODY = 77n;

/** Draws one. */
export function drawAdmin(draw: Draw): UnaryStep {
  return draw.weighted<() => UnaryStep>([
    [20, () => drawAuth(draw)],
    [
      2,
      () => ({
        method: 'etcdserverpb.Cluster/MemberList',
        request: MemberListRequest.fromPartial({ linearizable: draw.oneIn(2) }),
      }),
    ],
    [
      2,
      () => ({
        method: 'etcdserverpb.Maintenance/Status',
        request: StatusRequest.fromPartial({}),
      }),
    ],
    [
      1,
      () => ({
        method: 'etcdserverpb.Maintenance/Defragment',
        request: DefragmentRequest.fromPartial({}),
      }),
    ],
    [1, () => ({ method: 'etcdserverpb.Maintenance/MoveLeader', request: { targetID: NOBODY } })],
    [1, () => ({ method: 'etcdserverpb.Cluster/MemberRemove', request: { ID: NOBODY } })],
    [1, () => ({ method: 'etcdserverpb.Cluster/MemberPromote', request: { ID: NOBODY } })],
    [
      1,
      () => ({
        method: 'etcdserverpb.Cluster/MemberUpdate',
        request: MemberUpdateRequest.fromPartial({ ID: NOBODY, peerURLs: ['http://127.0.0.1:1'] }),
      }),
    ],
    [
      1,
      () => ({
        method: 'etcdserverpb.Cluster/MemberAdd',
        request: MemberAddRequest.fromPartial({
          peerURLs: draw.pick([[], ['nonsense'], ['http://127.0.0.1'], ['127.0.0.1:1']]),
        }),
      }),
    ],
    [
      1,
      () => ({
        method: 'etcdserverpb.Maintenance/Downgrade',
        request: DowngradeRequest.fromPartial({ action: 0, version: draw.pick(['', 'x', '3']) }),
      }),
    ],
  ])();
}
