/** Response headers, as etcd fills them (server/etcdserver/api/v3rpc/header.go). */
import type { ResponseHeader } from '@etcd-ts/protocol';
import type { NodePort } from '../node-port.ts';

/** A full header with this revision; 0 where etcd leaves it out. */
export function headerAt(node: NodePort, revision: number): ResponseHeader {
  return {
    clusterId: node.clusterId,
    memberId: node.memberId,
    revision,
    raftTerm: node.status().term,
  };
}

/** A full header with the store's revision as of now. */
export function headerNow(node: NodePort): ResponseHeader {
  return headerAt(node, node.state.store.revision);
}

/** Completes a header that apply made: its revision stays, cluster, member and term are added. */
export function stamp<Response extends { header?: ResponseHeader | undefined }>(
  node: NodePort,
  response: Response,
): Response {
  response.header = headerAt(node, response.header?.revision ?? node.state.store.revision);
  return response;
}
