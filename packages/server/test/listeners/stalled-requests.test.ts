/** Clients of HTTP/1.1 that begin a request and do not go on with it, on a door whose time a test lets pass. */
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { type Handlers, RangeResponse } from '@etcd-ts/protocol';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { BODY_TIMEOUT_MS, Gateway } from '../../src/listeners/node/gateway.ts';
import { HttpServer } from '../../src/listeners/node/http.ts';
import { HEADERS_TIMEOUT_MS } from '../../src/listeners/node/stalled-requests.ts';
import { ManualClock } from './manual-clock.ts';

/** More than a deadline may be noticed late. */
const LATE_MS = 100;
const GET = 'GET /page HTTP/1.1\r\nHost: x\r\n';
const post = (path: string): string =>
  `POST ${path} HTTP/1.1\r\nHost: x\r\nContent-Length: 15\r\n\r\n{"key":`;

let clock: ManualClock;
let port: number;
let isAsked: boolean;
let answer: (() => void) | undefined;
/** The door's ends of the connections. */
let accepted: Socket[];
const toClose: (() => void)[] = [];

const handlers: Handlers = {
  'etcdserverpb.KV/Range': () =>
    new Promise((resolve) => {
      answer = () => resolve(RangeResponse.fromPartial({ count: 7 }));
    }),
  'etcdserverpb.Watch/Watch': async (requests) => {
    isAsked = true;
    for await (const _ of requests);
  },
};

beforeEach(async () => {
  clock = new ManualClock();
  accepted = [];
  answer = undefined;
  isAsked = false;
  const page = {
    answer: () => Promise.resolve({ status: 200, contentType: 'text/plain', body: 'the page' }),
  };
  const http = new HttpServer({
    routes: new Map([['/page', page]]),
    gateway: new Gateway({ handlers, clock, maxMessageBytes: 5_000 }),
    clock,
  });
  const server = createServer((socket) => {
    accepted.push(socket);
    http.accept(socket);
  });
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  port = (server.address() as AddressInfo).port;
  toClose.push(() => {
    http.close();
    server.close();
    for (const socket of accepted) socket.destroy();
  });
});
afterEach(() => {
  for (const close of toClose.splice(0)) close();
});

/** Says this much and waits until it has arrived. */
async function say(text: string): Promise<{ socket: Socket; heard: () => string; door: Socket }> {
  const before = accepted.length;
  const socket = connect(port, '127.0.0.1');
  let heard = '';
  socket.on('error', () => undefined).on('data', (chunk) => (heard += String(chunk)));
  socket.write(text);
  await expect.poll(() => accepted[before]?.bytesRead).toBe(text.length);
  return { socket, heard: () => heard, door: accepted[before] as Socket };
}

test('whoever does not end the headers of a request is hung up on, however often something comes', async () => {
  const { socket, door } = await say(GET);
  clock.pass(HEADERS_TIMEOUT_MS - LATE_MS);
  socket.write('A: b\r\n');
  await expect.poll(() => door.bytesRead).toBe(GET.length + 6);
  expect(door.destroyed).toBe(false);
  clock.pass(2 * LATE_MS);
  expect(door.destroyed).toBe(true);
});

test('so is whoever does that after requests that were answered', async () => {
  const { socket, heard, door } = await say(`${GET}\r\n`);
  await expect.poll(heard).toContain('the page');
  socket.write(GET);
  await expect.poll(() => door.bytesRead).toBe(2 * GET.length + 2);
  expect(door.destroyed).toBe(false);
  clock.pass(HEADERS_TIMEOUT_MS + LATE_MS);
  expect(door.destroyed).toBe(true);
});

test('whoever does not end the body of a unary request is hung up on', async () => {
  const { door } = await say(post('/v3/kv/range'));
  clock.pass(BODY_TIMEOUT_MS - LATE_MS);
  expect(door.destroyed).toBe(false);
  clock.pass(2 * LATE_MS);
  expect(door.destroyed).toBe(true);
});

test('an answer may take longer, and what a stream asks for may come at any time', async () => {
  const { socket, heard, door } = await say(post('/v3/kv/range'));
  socket.write('"Zm9v"}\n');
  await expect.poll(() => answer).toBeDefined();
  const stream = await say(post('/v3/watch'));
  await expect.poll(() => isAsked).toBe(true);
  clock.pass(10 * BODY_TIMEOUT_MS);
  expect([door.destroyed, stream.door.destroyed]).toEqual([false, false]);
  answer?.();
  await expect.poll(heard).toContain('"count":"7"');
});
