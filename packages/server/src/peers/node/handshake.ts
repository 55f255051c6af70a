/**
 * How two members begin a connection: an HTTP/1.1 request with `Upgrade`, so that peer URLs stay plain HTTP to
 * whoever asks them with a browser or a probe.
 */
import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { idToHex } from '@etcd-ts/base';
import { urlProblem } from '../../bootstrap/urls.ts';
import type { LocalPeer } from '../peer-transport.ts';

/** Name and version of what is spoken after the upgrade. */
export const PEER_PROTOCOL = 'etcd-ts-peer/1';

/** Path of the upgrade. */
export const PEER_PATH = '/etcd-ts/peer';

/** Length of all the URLs that a connection tells of its sender; whoever tells more is refused, and nobody does. */
export const MAX_HELLO_URLS_BYTES = 4_096;

/** What a header carries between two commas. */
const TELLABLE = /^[\x21-\x2b\x2d-\x7e]+$/;

/** Messages and calls go on one lane, a snapshot has a connection of its own. */
export type Lane = 'log' | 'bulk';

/** What a connection says of itself; etcd's header names (server/etcdserver/api/rafthttp). */
export interface Hello {
  readonly clusterId: string;
  readonly from: bigint;
  readonly to: bigint;
  readonly lane: Lane;
  /** Where the sender is reached; empty where it does not say: it is heard only by who knows it. */
  readonly urls: readonly string[];
}

/** The headers of a connection from this member to another. */
export function helloHeaders(local: LocalPeer, to: bigint, lane: Lane): Record<string, string> {
  return {
    connection: 'Upgrade',
    upgrade: PEER_PROTOCOL,
    'x-etcd-cluster-id': idToHex(local.clusterId),
    'x-server-from': idToHex(local.id),
    'x-raft-to': idToHex(to),
    'x-etcd-ts-lane': lane,
    'x-peerurls': toldUrls(local.peerUrls()),
  };
}

/** As many of them as may be told. */
function toldUrls(urls: readonly string[]): string {
  let told = '';
  for (const url of urls) {
    const more = told === '' ? url : `${told},${url}`;
    if (TELLABLE.test(url) && more.length <= MAX_HELLO_URLS_BYTES) told = more;
  }
  return told;
}

/** Why a connection is refused, as an HTTP status and text. */
export interface HandshakeRefusal {
  readonly status: string;
  readonly reason: string;
}

/** What a request for an upgrade says; or why it is none of ours. */
export function readHello(request: IncomingMessage): Hello | HandshakeRefusal {
  const header = (name: string): string => String(request.headers[name] ?? '');
  if (request.url !== PEER_PATH) return refusal('404 Not Found', '404 page not found');
  if (header('upgrade') !== PEER_PROTOCOL) {
    return refusal(
      '412 Precondition Failed',
      `peer protocol ${header('upgrade')}, this member speaks ${PEER_PROTOCOL}`,
    );
  }
  const from = parseId(header('x-server-from'));
  const to = parseId(header('x-raft-to'));
  const lane = header('x-etcd-ts-lane');
  if (from === undefined || to === undefined || (lane !== 'log' && lane !== 'bulk')) {
    return refusal('400 Bad Request', 'sender, receiver or lane is missing');
  }
  const told = header('x-peerurls');
  if (told.length > MAX_HELLO_URLS_BYTES) {
    const limit = `the limit is ${MAX_HELLO_URLS_BYTES}`;
    return refusal('400 Bad Request', `peer URLs of ${told.length} bytes, ${limit}`);
  }
  const urls = told === '' ? [] : told.split(',');
  const problem = urls.map(urlProblem).find((each) => each !== undefined);
  if (problem !== undefined) return refusal('400 Bad Request', problem);
  return { clusterId: header('x-etcd-cluster-id'), from, to, lane, urls };
}

/** Why this member does not talk to that one; undefined when it does: with one that it does not know, if it can answer. */
export function judgeHello(
  hello: Hello,
  local: LocalPeer,
  known: (id: bigint) => 'member' | 'removed' | 'unknown',
): HandshakeRefusal | undefined {
  if (hello.clusterId !== idToHex(local.clusterId)) {
    return refusal(
      '412 Precondition Failed',
      `cluster ID mismatch: the request is of ${hello.clusterId}, this member of ${idToHex(local.clusterId)}`,
    );
  }
  if (hello.to !== local.id) {
    return refusal(
      '412 Precondition Failed',
      `member ID mismatch: the request is for ${idToHex(hello.to)}, this member is ${idToHex(local.id)}`,
    );
  }
  switch (known(hello.from)) {
    case 'member':
      return undefined;
    case 'removed':
      return refusal('410 Gone', 'the member has been permanently removed from the cluster');
    case 'unknown':
      if (hello.urls.length > 0 && hello.from !== local.id) return undefined;
      return refusal('404 Not Found', `member ${idToHex(hello.from)} is unknown here`);
  }
}

/** Accepts. */
export function accept(socket: Duplex): void {
  socket.write(
    `HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: ${PEER_PROTOCOL}\r\n\r\n`,
  );
}

/** Refuses, and closes. */
export function refuse(socket: Duplex, { status, reason }: HandshakeRefusal): void {
  const body = `${reason}\n`;
  socket.end(
    `HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
  );
}

function refusal(status: string, reason: string): HandshakeRefusal {
  return { status, reason };
}

function parseId(hex: string): bigint | undefined {
  return /^[0-9a-f]{1,16}$/.test(hex) ? BigInt(`0x${hex}`) : undefined;
}
