/** What a peer URL says to plain HTTP, and to peers that are none. */
import { once } from 'node:events';
import { request } from 'node:http';
import { connect } from 'node:net';
import { clusterId, idToHex, memberId } from '@etcd-ts/base';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { silentLogger } from '../src/logger.ts';
import {
  helloHeaders,
  type Lane,
  MAX_HELLO_URLS_BYTES,
  PEER_PATH,
} from '../src/peers/node/handshake.ts';
import { HANDSHAKE_TIMEOUT_MS, TcpTransport } from '../src/peers/node/tcp-transport.ts';
import type { PeerFacts } from '../src/peers/peer-transport.ts';
import { ManualClock } from './listeners/manual-clock.ts';

const ID = memberId(2n ** 63n + 5n);
const CLUSTER = clusterId(0xabcn);
const PEER = memberId(7n);

let transport: TcpTransport;
let health: PeerFacts['health'];
let clock: ManualClock;

beforeEach(async () => {
  health = { healthy: true, reason: '' };
  clock = new ManualClock();
  transport = new TcpTransport({
    listenUrls: ['http://127.0.0.1:0'],
    clock,
    log: silentLogger,
  });
  const none = (): void => undefined;
  await transport.start(
    { id: ID, clusterId: CLUSTER, peerUrls: () => ['http://a:1'] },
    {
      facts: () => ({
        members: [
          {
            id: ID,
            name: 'a',
            peerUrls: ['http://a:1'],
            clientUrls: ['http://a:2'],
            isLearner: false,
          },
          { id: PEER, name: '', peerUrls: ['http://b:1'], clientUrls: [], isLearner: true },
        ],
        serverVersion: '3.6.0',
        clusterVersion: '3.6.0',
        appliedIndex: 12,
        health,
      }),
      receive: none,
      unreachable: none,
      removed: none,
      receiveSnapshot: () => Promise.resolve(),
      call: () => Promise.resolve(new Uint8Array(0)),
    },
  );
});

afterEach(() => transport.close());

const url = (path: string): string => `http://127.0.0.1:${transport.addresses[0]?.port}${path}`;

describe('pages', () => {
  test('/members lists ids as whole numbers, and leaves out what is not there', async () => {
    const answer = await fetch(url('/members'));
    expect(answer.headers.get('x-etcd-cluster-id')).toBe('abc');
    expect(answer.headers.get('x-etcd-ts-applied-index')).toBe('12');
    expect((await transport.askMembers(url(''))).appliedIndex).toBe(12);
    expect(answer.headers.get('content-type')).toBe('application/json');
    expect(await answer.text()).toBe(
      `[{"id":${ID},"peerURLs":["http://a:1"],"name":"a","clientURLs":["http://a:2"]},{"id":7,"peerURLs":["http://b:1"],"isLearner":true}]\n`,
    );
  });

  test('/version names server and cluster', async () => {
    const answer = await fetch(url('/version'));
    expect(await answer.json()).toEqual({ etcdserver: '3.6.0', etcdcluster: '3.6.0' });
  });

  test('/health is 503 with the reason when the member is not well', async () => {
    expect((await fetch(url('/health'))).status).toBe(200);
    health = { healthy: false, reason: 'RAFT NO LEADER' };
    const answer = await fetch(url('/health'));
    expect(answer.status).toBe(503);
    expect(await answer.json()).toEqual({ health: 'false', reason: 'RAFT NO LEADER' });
  });

  test('anything else is not found, and nothing but GET is allowed', async () => {
    expect((await fetch(url('/nothing'))).status).toBe(404);
    expect((await fetch(url('/version'), { method: 'POST' })).status).toBe(405);
  });

  test.each(['//', '///', '//[', 'http://[', '/%', '*', '?', 'https://a:b'])(
    'a request for %s is answered, and the member goes on',
    async (target) => {
      const socket = connect(transport.addresses[0]?.port ?? 0, '127.0.0.1');
      socket.write(`GET ${target} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`);
      let text = '';
      for await (const part of socket) text += String(part);
      expect(text).toMatch(/^HTTP\/1\.1 (?:404 Not Found|400 Bad Request)\r\n/);
      expect((await fetch(url('/version'))).status).toBe(200);
    },
  );
});

describe('a connection that does not go on is hung up on', () => {
  const LATE_MS = 100;
  const GET = 'GET /version HTTP/1.1\r\nHost: a\r\n';

  /**
   * Says this, part by part, and waits for an answer to each but to the last of as many. Only the member ends the
   * connection.
   *
   * @returns Whether what is said now meets nobody any more.
   */
  async function talk(parts: readonly string[], answers: number): Promise<() => boolean> {
    const port = transport.addresses[0]?.port ?? 0;
    const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
    let isGone = false;
    socket.on('error', () => (isGone = true));
    let heard = '';
    socket.on('data', (part) => (heard += String(part)));
    for (const [i, part] of parts.entries()) {
      socket.write(part);
      const expected = Math.min(i + 1, answers);
      await expect.poll(() => heard.split('HTTP/1.1 ').length - 1).toBe(expected);
    }
    // It goes on with the name of a header, and comes to no end.
    return () => {
      socket.write('x');
      return isGone;
    };
  }

  test.each([
    ['with its first request', [GET], 0],
    ['with its second one', [`${GET}\r\n`, GET], 1],
    [
      'and does not take the end after a refusal',
      [
        `GET ${PEER_PATH} HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: etcd-ts-peer/1\r\n\r\n`,
      ],
      1,
    ],
  ])('%s', async (_what, parts, answers) => {
    const isGone = await talk(parts, answers);
    await expect.poll(() => clock.timerCount).toBeGreaterThan(0);
    clock.pass(HANDSHAKE_TIMEOUT_MS + LATE_MS);
    await expect.poll(isGone).toBe(true);
  });
});

describe('a connection that is refused', () => {
  async function greet(headers: Record<string, string>): Promise<[number | undefined, string]> {
    const asked = request(url(PEER_PATH), { headers, agent: false });
    asked.end();
    const [response] = await once(asked, 'response');
    let text = '';
    for await (const part of response) text += String(part);
    return [response.statusCode, text.trim()];
  }

  const hello = (
    over: Record<string, string> = {},
    lane: Lane = 'log',
  ): Record<string, string> => ({
    ...helloHeaders({ id: PEER, clusterId: CLUSTER, peerUrls: () => [] }, ID, lane),
    ...over,
  });

  test('of another cluster', async () => {
    expect(await greet(hello({ 'x-etcd-cluster-id': 'def' }))).toEqual([
      412,
      'cluster ID mismatch: the request is of def, this member of abc',
    ]);
  });

  test('for another member', async () => {
    expect(await greet(hello({ 'x-raft-to': '9' }))).toEqual([
      412,
      'member ID mismatch: the request is for 9, this member is 8000000000000005',
    ]);
  });

  test('of a stranger', async () => {
    expect(await greet(hello())).toEqual([404, 'member 7 is unknown here']);
  });

  test('of a stranger that calls itself by the name of this member', async () => {
    const headers = hello({ 'x-server-from': idToHex(ID), 'x-peerurls': 'http://c:1' });
    expect(await greet(headers)).toEqual([404, 'member 8000000000000005 is unknown here']);
  });

  test('whose URLs are none', async () => {
    expect(await greet(hello({ 'x-peerurls': 'http://c:1,ftp://c:1' }))).toEqual([
      400,
      'URL scheme must be http, https, unix, or unixs: ftp://c:1',
    ]);
  });

  test('whose URLs are too long; no member tells such', async () => {
    const [half, rest] = [`http://${'c'.repeat(MAX_HELLO_URLS_BYTES - 100)}:1`, 'http://d:1'];
    const long = `http://${'e'.repeat(200)}:1`;
    expect(await greet(hello({ 'x-peerurls': `${half},${long}` }))).toEqual([
      400,
      `peer URLs of ${half.length + 1 + long.length} bytes, the limit is ${MAX_HELLO_URLS_BYTES}`,
    ]);
    const local = { id: PEER, clusterId: CLUSTER, peerUrls: () => [half, long, rest] };
    expect(helloHeaders(local, ID, 'log')['x-peerurls']).toBe(`${half},${rest}`);
  });

  test('of a member that was removed', async () => {
    transport.setRemoved(new Set([PEER]));
    expect(await greet(hello())).toEqual([
      410,
      'the member has been permanently removed from the cluster',
    ]);
  });

  test('that speaks another protocol', async () => {
    expect((await greet(hello({ upgrade: 'etcd-ts-peer/2' })))[0]).toBe(412);
  });

  test('that does not say who it is', async () => {
    expect(await greet(hello({ 'x-server-from': 'nobody' }))).toEqual([
      400,
      'sender, receiver or lane is missing',
    ]);
  });
});
