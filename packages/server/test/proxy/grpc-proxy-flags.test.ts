/** What the flags of the gRPC proxy do, over real sockets: to a member's side, to a client's side, and in the log. */
import { once } from 'node:events';
import {
  connect as connectHttp2,
  constants,
  createServer,
  type ClientHttp2Session,
} from 'node:http2';
import { type AddressInfo, connect as connectTcp } from 'node:net';
import { utf8 } from '@etcd-ts/base';
import {
  AuthenticateRequest,
  PutRequest,
  RangeRequest,
  RangeResponse,
  WatchRequest,
} from '@etcd-ts/protocol';
import { afterEach, describe, expect, test } from 'vitest';
import { type LogFields, type Logger, silentLogger } from '../../src/logger.ts';
import { HELLO } from '../../../protocol/test/http2/frames.ts';
import { channelTo, closeAll, ends, member, proxy } from './proxy-from.ts';

const RANGE = 'etcdserverpb.KV/Range';
const PUT = 'etcdserverpb.KV/Put';
const WATCH = 'etcdserverpb.Watch/Watch';

afterEach(closeAll);

const range = (key: string): RangeRequest => RangeRequest.fromPartial({ key: utf8(key) });
const put = (key: string, bytes: number): PutRequest =>
  PutRequest.fromPartial({ key: utf8(key), value: new Uint8Array(bytes) });

describe('towards the members', () => {
  test('--max-send-bytes is the largest request, --max-recv-bytes the largest answer', async () => {
    const { node, endpoints } = await member();
    await node.client().put('big', new Uint8Array(4_000));
    await node.client().put('small', new Uint8Array(2_500));
    const url = await proxy([endpoints, '--max-send-bytes=2000', '--max-recv-bytes=3000']);
    const channel = channelTo(url);
    const sent = PutRequest.encode(put('a', 2_500)).length;
    await expect(channel.unary(PUT, put('a', 2_500))).rejects.toMatchObject({
      code: 'RESOURCE_EXHAUSTED',
      message: `trying to send message larger than max (${sent} vs. 2000)`,
    });
    await channel.unary(PUT, put('a', 1_900));
    expect((await channel.unary(RANGE, range('small'))).kvs[0]?.value).toHaveLength(2_500);
    await expect(channel.unary(RANGE, range('big'))).rejects.toMatchObject({
      code: 'RESOURCE_EXHAUSTED',
      message: expect.stringMatching(
        /^grpc: received message larger than max \(40\d\d vs\. 3000\)$/,
      ) as string,
    });
    expect((await node.client().get('a'))?.value).toHaveLength(1_900);
  });

  test('--permit-without-stream asks a member for a sign of life while nothing is open', async () => {
    const [asked, spared] = [await pingedMember(), await pingedMember()];
    const quick = '--dial-keepalive-time=20ms';
    const urls = [
      await proxy([`--endpoints=${asked.address}`, quick, '--permit-without-stream']),
      await proxy([`--endpoints=${spared.address}`, quick]),
    ];
    for (const url of urls) await channelTo(url).unary(RANGE, range('a'));
    await expect.poll(() => asked.pings()).toBeGreaterThan(4);
    expect(spared.pings()).toBe(0);
  });
});

/** A member that knows nothing, and counts the pings that it gets while no call is open. */
async function pingedMember(): Promise<{ address: string; pings: () => number }> {
  const server = createServer();
  let pings = 0;
  let open = 0;
  server.on('session', (session) => {
    ends.push(() => session.destroy());
    session.on('ping', () => (pings += open === 0 ? 1 : 0));
  });
  server.on('stream', (stream) => {
    open += 1;
    stream.on('close', () => (open -= 1));
    stream.respond({ ':status': 200 }, { waitForTrailers: true });
    stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }));
    stream.end(RangeResponse.encodeFrame(RangeResponse.fromPartial({})));
  });
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  ends.push(() => void server.close());
  return { address: `127.0.0.1:${(server.address() as AddressInfo).port}`, pings: () => pings };
}

describe('towards the clients', () => {
  const nobody = '--endpoints=127.0.0.1:1';

  test('--grpc-keepalive-interval asks them for a sign of life', async () => {
    const [url, slow] = [
      await proxy([nobody, '--grpc-keepalive-interval=20ms']),
      await proxy([nobody]),
    ];
    const [asked, spared] = [clientOf(url), clientOf(slow)];
    await expect.poll(() => asked.pings).toBeGreaterThan(4);
    expect(spared.pings).toBe(0);
  });

  test('--grpc-keepalive-timeout is how long that is waited for', async () => {
    const url = await proxy([
      nobody,
      '--grpc-keepalive-interval=20ms',
      '--grpc-keepalive-timeout=20ms',
    ]);
    const socket = connectTcp(Number(new URL(url).port), '127.0.0.1');
    ends.push(() => void socket.destroy());
    socket.on('error', () => undefined).resume();
    socket.write(HELLO);
    await once(socket, 'close');
  });

  test('--grpc-keepalive-min-time is how often they may ask', async () => {
    const [strict, lenient] = [
      clientOf(await proxy([nobody, '--grpc-keepalive-min-time=1h'])),
      clientOf(await proxy([nobody, '--grpc-keepalive-min-time=0s'])),
    ];
    await Promise.all([strict.ping(20), lenient.ping(20)]);
    await expect.poll(() => strict.goaway).toBe(constants.NGHTTP2_ENHANCE_YOUR_CALM);
    expect(strict.answers).toBeLessThan(20);
    expect(lenient.answers).toBe(20);
    expect(lenient.goaway).toBeUndefined();
  });
});

/** A client with a watch open. */
class Client {
  pings = 0;
  answers = 0;
  goaway: number | undefined;
  readonly #session: ClientHttp2Session;
  readonly #greeted: Promise<unknown>;

  constructor(url: string) {
    this.#session = connectHttp2(url);
    ends.push(() => this.#session.destroy());
    this.#session.on('error', () => undefined);
    this.#greeted = once(this.#session, 'remoteSettings');
    this.#session.on('ping', () => (this.pings += 1));
    this.#session.on('goaway', (code) => (this.goaway = code));
    const headers = { ':method': 'POST', ':path': `/${WATCH}`, 'content-type': 'application/grpc' };
    this.#session.request(headers, { endStream: false }).on('error', () => undefined);
  }

  /** So many pings, one after the other, as long as they are answered. */
  async ping(count: number): Promise<void> {
    await this.#greeted;
    for (let i = 0; i < count; i++) {
      const isAnswered = await new Promise<boolean>((resolve) => {
        if (this.#session.destroyed) return resolve(false);
        this.#session.ping((error) => resolve(error === null));
      });
      if (!isAnswered) return;
      this.answers += 1;
    }
  }
}

const clientOf = (url: string): Client => new Client(url);

describe('--experimental-enable-grpc-logging', () => {
  function collecting(): {
    lines: [message: string, fields: LogFields | undefined][];
    log: Logger;
  } {
    const lines: [string, LogFields | undefined][] = [];
    const info = (message: string, fields?: LogFields): void => void lines.push([message, fields]);
    return { lines, log: { ...silentLogger, info } };
  }
  const ASKED = 'server request payload logged as grpc.request.content field';
  const ANSWERED = 'server response payload logged as grpc.response.content field';
  const call = (service: string, method: string): LogFields => ({
    system: 'grpc',
    'span.kind': 'server',
    'grpc.service': `etcdserverpb.${service}`,
    'grpc.method': method,
    'peer.address': expect.stringMatching(/^127\.0\.0\.1:\d+$/) as string,
  });

  test('logs every request and every answer, of streams as well', async () => {
    const { endpoints } = await member();
    const { lines, log } = collecting();
    const channel = channelTo(await proxy([endpoints, '--experimental-enable-grpc-logging'], log));
    const messages = (): [string, LogFields | undefined][] =>
      lines.filter(([message]) => message === ASKED || message === ANSWERED);
    await channel.unary(PUT, put('a', 0));
    expect(messages()).toEqual([
      [ASKED, { ...call('KV', 'Put'), 'grpc.request.content': { msg: { key: 'YQ==' } } }],
      [
        ANSWERED,
        {
          ...call('KV', 'Put'),
          'grpc.response.content': {
            msg: { header: expect.objectContaining({ revision: '2' }) as LogFields },
          },
        },
      ],
    ]);
    lines.length = 0;
    const watch = channel.stream(WATCH);
    const request = { $case: 'createRequest', value: { key: utf8('a') } } as const;
    watch.send(WatchRequest.fromPartial({ requestUnion: request }));
    for await (const { created } of watch.responses) if (created) break;
    expect(messages()).toMatchObject([
      [ASKED, { ...call('Watch', 'Watch'), 'grpc.request.content': { msg: {} } }],
      [ANSWERED, { 'grpc.response.content': { msg: { created: true } } }],
    ]);
  });

  test('logs no password and no token', async () => {
    const { node, endpoints } = await member();
    await node.client().auth.addUser('root', 'my-secret');
    await node.client().auth.grantRole('root', 'root');
    await node.client().auth.enable();
    const { lines, log } = collecting();
    const channel = channelTo(await proxy([endpoints, '--experimental-enable-grpc-logging'], log));
    const request = AuthenticateRequest.fromPartial({ name: 'root', password: 'my-secret' });
    const { token } = await channel.unary('etcdserverpb.Auth/Authenticate', request);
    const text = JSON.stringify(lines);
    expect(text).toContain('"name":"root","password":"<withheld>"');
    expect(text).toContain('"token":"<withheld>"');
    expect(text).not.toContain('my-secret');
    expect(text).not.toContain(token);
  });

  test('is off unless it is asked for', async () => {
    const { endpoints } = await member();
    const { lines, log } = collecting();
    await channelTo(await proxy([endpoints], log)).unary(PUT, put('a', 0));
    expect(JSON.stringify(lines)).not.toContain('payload');
  });
});
