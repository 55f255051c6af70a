/** What a peer URL answers to plain HTTP: who this member is and whether it is well (etcd's api/etcdhttp/peer.go). */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { idToHex } from '@etcd-ts/base';
import { requestPath } from '../../listeners/request-path.ts';
import type { LocalPeer, PeerFacts } from '../peer-transport.ts';

/** How far the member has applied the log, so that whoever asks several knows whom to believe. */
export const APPLIED_INDEX_HEADER = 'X-Etcd-Ts-Applied-Index';

/** Answers one request. */
export function servePeerPage(
  request: IncomingMessage,
  response: ServerResponse,
  local: LocalPeer,
  facts: PeerFacts,
): void {
  // Whatever a stranger sends as a target, down to one that is no URL at all.
  const path = requestPath(request.url ?? '/')?.path;
  response.setHeader('X-Etcd-Cluster-ID', idToHex(local.clusterId));
  response.setHeader(APPLIED_INDEX_HEADER, facts.appliedIndex);
  if (path !== '/members' && path !== '/version' && path !== '/health') {
    return answer(response, 404, 'text/plain; charset=utf-8', '404 page not found\n');
  }
  if (request.method !== 'GET' && request.method !== 'HEAD') {
    response.setHeader('Allow', 'GET');
    return answer(response, 405, 'text/plain; charset=utf-8', 'Method Not Allowed\n');
  }
  switch (path) {
    case '/members':
      return answer(response, 200, 'application/json', `${membersJson(facts)}\n`);
    case '/version':
      return answer(response, 200, 'application/json', versionJson(facts));
    default: {
      const { healthy, reason } = facts.health;
      const body = JSON.stringify({ health: String(healthy), reason });
      return answer(response, healthy ? 200 : 503, 'application/json', body);
    }
  }
}

function answer(response: ServerResponse, status: number, type: string, body: string): void {
  response.writeHead(status, { 'Content-Type': type });
  response.end(body);
}

function versionJson({ serverVersion, clusterVersion }: PeerFacts): string {
  return JSON.stringify({ etcdserver: serverVersion, etcdcluster: clusterVersion });
}

/** Ids are 64-bit numbers in etcd's JSON, which JSON.stringify cannot write. */
function membersJson({ members }: PeerFacts): string {
  const records = members.map(({ id, name, peerUrls, clientUrls, isLearner }) => {
    const fields = [`"id":${id}`, `"peerURLs":${JSON.stringify(peerUrls)}`];
    if (name !== '') fields.push(`"name":${JSON.stringify(name)}`);
    if (clientUrls.length > 0) fields.push(`"clientURLs":${JSON.stringify(clientUrls)}`);
    if (isLearner) fields.push('"isLearner":true');
    return `{${fields.join(',')}}`;
  });
  return `[${records.join(',')}]`;
}
