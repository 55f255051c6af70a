/** The Cluster service (etcd server/etcdserver/api/v3rpc/member.go). Its headers carry no revision. */
import type { Handlers, Member as WireMember } from '@etcd-ts/protocol';
import type { Member } from '../membership/member.ts';
import type { NodePort } from '../node-port.ts';
import { headerAt } from './header.ts';

/** The handlers of etcdserverpb.Cluster. */
export function clusterHandlers(node: NodePort): Handlers {
  return {
    'etcdserverpb.Cluster/MemberList': async (request) => {
      if (request.linearizable) await node.readBarrier();
      const members = node.state.membership.members().map(wireMember);
      return { header: headerAt(node, 0), members };
    },
  };
}

/** A member as etcd's message. */
export function wireMember(member: Member): WireMember {
  return {
    ID: member.id,
    name: member.name,
    peerURLs: [...member.peerUrls],
    clientURLs: [...member.clientUrls],
    isLearner: member.isLearner,
  };
}
