/** What a connection to a peer says in the log while the peer cannot be reached. */
import dns from 'node:dns';
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { clusterId, memberId, must } from '@etcd-ts/base';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { type Logger, silentLogger } from '../src/logger.ts';
import { PeerTraffic } from '../src/metrics/peer-traffic.ts';
import { accept, refuse } from '../src/peers/node/handshake.ts';
import { DEFAULT_PEER_TIMEOUTS, MAX_RECONNECT_MS, PeerLink } from '../src/peers/node/peer-link.ts';
import { ManualClock } from '../src/testing/manual-clock.ts';

const REMOTE = memberId(2n);

/** One URL of the peer: it refuses with the reason, or accepts where there is none. */
class Door {
  reason: string | undefined;
  /** Comes with the answer of one that accepts. */
  head: Uint8Array = new Uint8Array(0);
  dialled = 0;
  url = '';
  readonly #server: Server = createServer();
  readonly #sockets = new Set<Duplex>();

  constructor(reason: string) {
    this.reason = reason;
    this.#server.on('upgrade', (_request, socket: Duplex) => {
      this.dialled += 1;
      this.#sockets.add(socket);
      socket.on('error', () => undefined);
      if (this.reason === undefined) {
        socket.cork();
        accept(socket);
        socket.write(this.head);
        socket.uncork();
      } else refuse(socket, { status: '503 Service Unavailable', reason: this.reason });
    });
  }

  async open(): Promise<this> {
    this.#server.listen(0, '127.0.0.1');
    await once(this.#server, 'listening');
    this.url = `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
    return this;
  }

  hangUp(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  close(): void {
    this.hangUp();
    this.#server.close();
  }
}

let doors: readonly [Door, Door];
let clock: ManualClock;
let link: PeerLink | undefined;
/** What was logged since it was last looked at. */
let lines: string[];

beforeEach(async () => {
  doors = [await new Door('not today').open(), await new Door('never').open()];
  clock = new ManualClock();
  lines = [];
});
afterEach(() => {
  vi.restoreAllMocks();
  link?.close();
  for (const door of doors) door.close();
});

const logged = (): string[] => lines.splice(0);

function open(urls: readonly string[] = doors.map(({ url }) => url)): PeerLink {
  const log: Logger = {
    ...silentLogger,
    warn: (message, fields) => {
      const which = doors.findIndex(({ url }) => url === fields?.['remote-peer-url']);
      const where = which < 0 ? 'elsewhere' : `door ${which}`;
      lines.push(`${message}: ${where}: ${String(fields?.['error'])}`);
    },
  };
  link = new PeerLink(
    { id: REMOTE, urls },
    {
      local: { id: memberId(1n), clusterId: clusterId(1n), peerUrls: () => [] },
      clock,
      log,
      counts: new PeerTraffic().of(REMOTE),
      timeouts: DEFAULT_PEER_TIMEOUTS,
      localAddress: undefined,
      unreachable: () => undefined,
      removed: () => undefined,
    },
  );
  return link;
}

/** The attempt under way comes to its end: a timer is set then, for the next one or for the first ping. */
async function attempted(): Promise<void> {
  while (clock.timers === 0) await new Promise((resolve) => setImmediate(resolve));
}

/** Each door is dialled so many times more. */
async function rounds(count: number): Promise<void> {
  for (let attempts = 0; attempts < count * doors.length; attempts++) {
    await attempted();
    await clock.pass(MAX_RECONNECT_MS);
  }
  await attempted();
}

test('a peer whose URLs fail each for its own reason is logged once for each of them', async () => {
  open();
  await rounds(4);
  expect(doors.map(({ dialled }) => dialled)).toEqual([5, 4]);
  expect(logged()).toEqual([
    'peer refused this member: door 0: not today',
    'peer refused this member: door 1: never',
  ]);
});

test('another reason is logged, once too', async () => {
  open();
  await rounds(2);
  logged();
  doors[1].reason = 'still not';
  await rounds(3);
  expect(logged()).toEqual(['peer refused this member: door 1: still not']);
});

test('after a connection, or under a URL that had gone, the same failure is news again', async () => {
  const opened = open();
  await rounds(2);
  logged();
  doors[1].reason = undefined;
  while (opened.connectedSinceMs === undefined) {
    await attempted();
    if (opened.connectedSinceMs === undefined) await clock.pass(MAX_RECONNECT_MS);
  }
  doors[1].reason = 'never';
  doors[1].hangUp();
  while (opened.connectedSinceMs !== undefined) {
    await new Promise((resolve) => setImmediate(resolve));
  }
  await rounds(2);
  expect(logged()).toEqual([
    'lost connection with remote peer: elsewhere: closed by the peer',
    'peer refused this member: door 0: not today',
    'peer refused this member: door 1: never',
  ]);
  const [first, second] = doors.map(({ url }) => url);
  opened.update({ id: REMOTE, urls: [must(first, 'URL')] });
  opened.update({ id: REMOTE, urls: [must(first, 'URL'), must(second, 'URL')] });
  await rounds(2);
  expect(logged()).toEqual(['peer refused this member: door 1: never']);
});

test('a host of several addresses is logged with what each of them failed with', async () => {
  const both = ['127.0.0.1', '127.0.0.2'].map((address) => ({ address, family: 4 }));
  type Lookup = (host: string, options: object, found: (...all: unknown[]) => void) => void;
  const lookup: Lookup = (_host, _options, found) => found(null, both);
  vi.spyOn(dns, 'lookup').mockImplementation(lookup as never);
  const { port } = new URL(doors[0].url);
  doors[0].close();
  open([`http://several.example:${port}`]);
  await attempted();
  const refusals = both.map(({ address }) => `connect ECONNREFUSED ${address}:${port}`);
  expect(logged()).toEqual([`peer is unreachable: elsewhere: ${refusals.join('; ')}`]);
});

test('a peer whose first bytes are no frame counts as lost, and is dialled again', async () => {
  const [door] = doors;
  door.reason = undefined;
  door.head = new Uint8Array(8).fill(0xff);
  const opened = open([door.url]);
  await attempted();
  expect(opened.connectedSinceMs).toBeUndefined();
  expect(clock.timers).toBe(1);
  expect(logged()).toEqual([
    'lost connection with remote peer: elsewhere: a frame of 4294967295 bytes, the limit is 134217728',
  ]);
  door.head = new Uint8Array(0);
  await clock.pass(MAX_RECONNECT_MS);
  await attempted();
  expect(door.dialled).toBe(2);
  expect(opened.connectedSinceMs).toBeDefined();
});

test('a peer without URLs is tried again until it has some', async () => {
  const opened = open([]);
  await attempted();
  doors[0].reason = undefined;
  opened.update({ id: REMOTE, urls: [doors[0].url] });
  await clock.pass(MAX_RECONNECT_MS);
  await attempted();
  expect(opened.connectedSinceMs).toBeDefined();
});

test('a server that is no peer, and would keep the connection, is hung up on', async () => {
  const stranger = createServer((_request, response) => response.writeHead(404).end('no peer\n'));
  stranger.listen(0, '127.0.0.1');
  const connected = once(stranger, 'connection') as Promise<[Socket]>;
  await once(stranger, 'listening');
  open([`http://127.0.0.1:${(stranger.address() as AddressInfo).port}`]);
  const [socket] = await connected;
  await once(socket, 'close');
  await attempted();
  expect(logged()).toEqual(['peer refused this member: elsewhere: no peer']);
  stranger.close();
});
