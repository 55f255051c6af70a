/** More of what the flags of the gRPC proxy do: who is found, shown and believed, what is kept, served and logged. */
import { X509Certificate } from 'node:crypto';
import { copyFileSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import {
  type AddressInfo,
  connect as connectTcp,
  createServer,
  type Server,
  type Socket,
} from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect as connectTls, type ConnectionOptions, type TLSSocket } from 'node:tls';
import { utf8 } from '@etcd-ts/base';
import type { GrpcChannelOptions } from '@etcd-ts/client/node';
import { type Channel, RangeRequest, RangeResponse, WatchRequest } from '@etcd-ts/protocol';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import {
  type Authority,
  issue,
  makeAuthority,
  makeCertificates,
} from '../../../../examples/tls/certificates.ts';
import { freePorts } from '../../../../tools/peers/free-ports.ts';
import { silentLogger } from '../../src/logger.ts';
import { nameResolver } from '../../src/node/name-resolver.ts';
import { Namespace } from '../../src/proxy/namespace.ts';
import { readCommandFlags } from '../../src/proxy/node/command-flags.ts';
import { GRPC_PROXY_FLAGS } from '../../src/proxy/node/grpc-proxy-flags.ts';
import { proxyLogLevel } from '../../src/proxy/node/proxy-main.ts';
import { proxiedKv } from '../../src/proxy/proxied-kv.ts';
import { RangeCache } from '../../src/proxy/range-cache.ts';
import { Upstream } from '../../src/proxy/upstream.ts';
import { DnsServer, srv } from '../support/dns-server.ts';
import { channelTo, closeAll, ends, member, proxy, proxyFrom } from './proxy-from.ts';

const RANGE = 'etcdserverpb.KV/Range';
const WATCH = 'etcdserverpb.Watch/Watch';
const folder = mkdtempSync(join(tmpdir(), 'etcd-ts-proxy-effects-'));
const path = (name: string): string => join(folder, name);
const read = (name: string): Buffer => readFileSync(path(name));
const range = (key: string, more: Partial<RangeRequest> = {}): RangeRequest =>
  RangeRequest.fromPartial({ key: utf8(key), ...more });

let authority: Authority;
beforeAll(async () => {
  authority = await makeCertificates(folder);
  await issue(folder, 'nameless', authority, { commonName: '', usage: 'client' });
});
afterEach(closeAll);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Something in front of a member that can be stopped without a word. */
class Relay {
  readonly #sockets = new Set<Socket>();
  readonly #server: Server;
  address = '';

  constructor(target: string) {
    const { hostname: host, port } = new URL(target);
    this.#server = createServer((client) => {
      const server = connectTcp({ host, port: Number(port) });
      this.#sockets.add(client);
      for (const socket of [client, server]) socket.on('error', () => socket.destroy());
      client.pipe(server).pipe(client);
      client.on('close', () => {
        this.#sockets.delete(client);
        this.dropped += 1;
        server.destroy();
      });
      server.on('close', () => client.destroy());
    });
    ends.push(() => this.close());
  }

  async listen(): Promise<this> {
    await new Promise<void>((resolve) => void this.#server.listen(0, '127.0.0.1', resolve));
    this.address = `127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
    return this;
  }

  /** Connections that have ended. */
  dropped = 0;

  get connections(): number {
    return this.#sockets.size;
  }

  /** What the members answer does not come through any more. */
  fallSilent(): void {
    for (const socket of this.#sockets) socket.write = () => true;
  }

  close(): void {
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
  }
}

/** What a TLS client meets. */
function shakeHands(url: string, options: ConnectionOptions = {}): Promise<TLSSocket> {
  const { hostname: host, port } = new URL(url);
  return new Promise((resolve, reject) => {
    const all = { host, port: Number(port), rejectUnauthorized: false, ...options };
    const socket = connectTls(all, () => resolve(socket));
    socket.on('error', reject);
    ends.push(() => void socket.destroy());
  });
}

const works = (url: string, options?: GrpcChannelOptions): Promise<boolean> =>
  channelTo(url, options)
    .unary(RANGE, range('a'), { timeoutMs: 2_000 })
    .then(
      () => true,
      () => false,
    );

test('it serves where it is told', async () => {
  const { endpoints } = await member();
  const [port] = await freePorts(1);
  expect(await proxy([endpoints, `--listen-addr=127.0.0.1:${port}`])).toBe(
    `http://127.0.0.1:${port}`,
  );
  expect(await works(`http://127.0.0.1:${port}`)).toBe(true);
});

test('it finds members by DNS, those without TLS only when it may', async () => {
  const { node } = await member();
  const { port } = new URL(node.clientUrls[0]!);
  const name = '_etcd-client-blue._tcp.example.test';
  const dns = await DnsServer.start({ [`SRV ${name}`]: [srv(name, '127.0.0.1', Number(port))] });
  ends.push(() => dns.stop());
  const flags = ['--discovery-srv=example.test', '--discovery-srv-name=blue'];
  const names = nameResolver([dns.address]);
  await expect(proxyFrom(flags, silentLogger, names)).rejects.toThrow('secure endpoints');
  const found = await proxyFrom([...flags, '--insecure-discovery'], silentLogger, names);
  expect(await works(found.url)).toBe(true);
});

test('it follows the member list where that is asked for', async () => {
  const [port] = await freePorts(1);
  const { node } = await member({ listenClientUrls: [`http://127.0.0.1:${port}`] });
  const relay = await new Relay(node.clientUrls[0]!).listen();
  const url = await proxy([`--endpoints=${relay.address}`, '--endpoints-auto-sync-interval=20ms']);
  // One for calls, which it gives up for the member's own address, and one for the list.
  await works(url);
  await expect.poll(() => [relay.connections, relay.dropped]).toEqual([1, 1]);
  relay.close();
  expect(await works(url)).toBe(true);
});

test('profiles are served only where they are asked for', async () => {
  const { endpoints } = await member();
  const status = async (...flags: string[]): Promise<number> =>
    (await fetch(`${await proxy([endpoints, ...flags])}/debug/pprof/cmdline`)).status;
  expect(await status()).toBe(404);
  expect(await status('--enable-pprof')).toBe(200);
});

test('a certificate of its own making is kept, and good for so many years', async () => {
  const { endpoints } = await member();
  const flags = [
    endpoints,
    '--auto-tls',
    `--data-dir=${path('own')}`,
    '--self-signed-cert-validity=3',
  ];
  const shown = async (): Promise<X509Certificate> => {
    const socket = await shakeHands(await proxy(flags));
    return new X509Certificate(socket.getPeerCertificate().raw);
  };
  const [first, second] = [await shown(), await shown()];
  expect(second.fingerprint256).toBe(first.fingerprint256);
  expect(Date.parse(first.validTo) - Date.parse(first.validFrom)).toBe(3 * 365 * 86_400_000);
});

test('calls on one connection have their limit', async () => {
  const { endpoints } = await member();
  const channel = channelTo(await proxy([endpoints, '--max-concurrent-streams=1']));
  const watch = channel.stream(WATCH);
  const create = { $case: 'createRequest', value: { key: utf8('a') } } as const;
  watch.send(WatchRequest.fromPartial({ requestUnion: create }));
  for await (const { created } of watch.responses) {
    expect(created).toBe(true);
    const asked = channel.unary(RANGE, range('a'), { timeoutMs: 200 });
    await expect(asked).rejects.toMatchObject({ code: 'DEADLINE_EXCEEDED' });
    break;
  }
  expect((await channel.unary(RANGE, range('a'))).count).toBe(0);
});

test('it shows members its certificate, and believes theirs by their authority', async () => {
  const { endpoints } = await member({
    listenClientUrls: ['https://127.0.0.1:0'],
    certFile: path('server.crt'),
    keyFile: path('server.key'),
    trustedCaFile: path('ca.crt'),
    clientCertAuth: true,
  });
  const own = [endpoints, `--cert=${path('nameless.crt')}`, `--key=${path('nameless.key')}`];
  expect(await works(await proxy([...own, `--cacert=${path('ca.crt')}`]))).toBe(true);
  expect(await works(await proxy([...own, '--insecure-skip-tls-verify']))).toBe(true);
  expect(await works(await proxy([...own, `--cacert=${path('other-ca.crt')}`]))).toBe(false);
  expect(await works(await proxy([endpoints, `--cacert=${path('ca.crt')}`]))).toBe(false);
  // A certificate that is replaced is shown with the next connection; one with a name never is.
  await issue(folder, 'rotated', await makeAuthority('another'), { commonName: '' });
  const [cert, key] = [path('rotated.crt'), path('rotated.key')];
  const ca = `--cacert=${path('ca.crt')}`;
  const rotating = await proxy([endpoints, ca, `--cert=${cert}`, `--key=${key}`]);
  expect(await works(rotating)).toBe(false);
  const replaceBy = (name: string): void => {
    for (const kind of ['crt', 'key'])
      copyFileSync(path(`${name}.${kind}`), path(`rotated.${kind}`));
  };
  replaceBy('client');
  expect(await works(rotating)).toBe(false);
  replaceBy('nameless');
  expect(await works(rotating)).toBe(true);
  expect((await fetch(`${rotating}/metrics`)).status).toBe(200);
});

test('clients are told by certificate, revocation, version and cipher suite', async () => {
  const { endpoints } = await member();
  const flags = [
    endpoints,
    `--cert-file=${path('server.crt')}`,
    `--key-file=${path('server.key')}`,
  ];
  const mutual = [
    `--trusted-ca-file=${path('ca.crt')}`,
    `--client-crl-file=${path('revoked.crl')}`,
  ];
  const url = await proxy([...flags, ...mutual]);
  const as = (name: string): Promise<boolean> =>
    works(url, {
      tls: { ca: read('ca.crt'), cert: read(`${name}.crt`), key: read(`${name}.key`) },
    });
  expect([await as('client'), await as('revoked'), await as('wrong-ca')]).toEqual([
    true,
    false,
    false,
  ]);
  const suite = '--listen-cipher-suites=TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384';
  const old = await proxy([...flags, '--tls-max-version=TLS1.2', suite]);
  const socket = await shakeHands(old);
  expect([socket.getProtocol(), socket.getCipher().standardName]).toEqual([
    'TLSv1.2',
    'TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384',
  ]);
  await expect(shakeHands(old, { minVersion: 'TLSv1.3' })).rejects.toThrow();
  const strict = await proxy([...flags, '--tls-min-version=TLS1.3']);
  await expect(shakeHands(strict, { maxVersion: 'TLSv1.2' })).rejects.toThrow();
});

test('a member that falls silent is given up after the time for an answer', async () => {
  const { node } = await member();
  const relay = await new Relay(node.clientUrls[0]!).listen();
  const url = await proxy([
    `--endpoints=${relay.address}`,
    '--dial-keepalive-time=20ms',
    '--dial-keepalive-timeout=20ms',
  ]);
  expect(await works(url)).toBe(true);
  const asked = channelTo(url).stream(WATCH);
  const create = { $case: 'createRequest', value: { key: utf8('a') } } as const;
  asked.send(WatchRequest.fromPartial({ requestUnion: create }));
  for await (const { created } of asked.responses) {
    expect(created).toBe(true);
    const before = relay.dropped;
    relay.fallSilent();
    await expect.poll(() => relay.dropped).toBeGreaterThan(before);
    break;
  }
});

test('serializable reads never go back in time where that is asked for', async () => {
  const asked: boolean[] = [];
  const revisions = [5, 3, 6];
  const member = {
    unary: (_method: string, request: RangeRequest) => {
      asked.push(request.serializable);
      const header = {
        clusterId: 1n,
        memberId: 1n,
        revision: revisions[asked.length - 1]!,
        raftTerm: 1,
      };
      return Promise.resolve(RangeResponse.fromPartial({ header }));
    },
    close: () => Promise.resolve(),
  } as unknown as Channel;
  const handlers = proxiedKv({
    upstream: new Upstream(['a'], () => member),
    namespace: new Namespace(utf8('')),
    cache: new RangeCache(),
    ordersReads: true,
  });
  const ask = handlers['etcdserverpb.KV/Range']!;
  const context = { metadata: new Map([['token', 't']]), signal: new AbortController().signal };
  const revision = async (): Promise<number | undefined> =>
    (await ask(range('a', { serializable: true }), context as never)).header?.revision;
  expect([await revision(), await revision()]).toEqual([5, 6]);
  expect(asked).toEqual([true, true, false]);
});

test('--debug logs more', async () => {
  const level = (...words: string[]): string =>
    proxyLogLevel(readCommandFlags(words, GRPC_PROXY_FLAGS)!);
  expect([level(), level('--debug')]).toEqual(['info', 'debug']);
  const { endpoints } = await member();
  const said: string[] = [];
  const debug = (message: string): void => void said.push(message);
  expect(await works(await proxy([endpoints], { ...silentLogger, debug }))).toBe(true);
  expect(said).toContain('connecting to a member');
});
