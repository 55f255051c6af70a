import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { request } from 'node:https';
import { createConnection } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { X509Certificate } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { connect } from '@etcd-ts/client/node';
import {
  type Authority,
  issue,
  makeCertificates,
  revoke,
} from '../../../../examples/tls/certificates.ts';
import { freePorts } from '../../../../tools/peers/free-ports.ts';
import { EtcdNode, type EtcdNodeOptions, silentLogger } from '../../src/index.ts';
import { resolveOptions } from '../../src/options.ts';

let authority: Authority;
let folder: string;
const path = (name: string): string => join(folder, name);

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'etcd-ts-node-tls-'));
  authority = await makeCertificates(folder);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const HTTPS = { listenClientUrls: ['https://127.0.0.1:0'] };

describe('a certificate of the member itself', () => {
  test('is made in the data directory, serves, and is the same after a restart', async () => {
    const dataDir = path('auto');
    const options: EtcdNodeOptions = {
      ...HTTPS,
      dataDir,
      autoTls: true,
      listenPeerUrls: ['https://127.0.0.1:0'],
      peerAutoTls: true,
      selfSignedCertValidityYears: 2,
    };
    const cert = join(dataDir, 'fixtures', 'client', 'cert.pem');
    const first = await EtcdNode.start(options);
    // Before anybody has connected.
    const folders = ['client', 'peer'].map((kind) => readdirSync(join(dataDir, 'fixtures', kind)));
    expect(folders.map((names) => names.sort())).toEqual(
      Array.from({ length: 2 }, () => ['cert.pem', 'key.pem']),
    );
    const client = connect({
      endpoints: first.clientUrls,
      channel: { tls: { rejectUnauthorized: false } },
    });
    await client.put('a', '1');
    await client.close();
    const { validTo, validFrom, subject, subjectAltName } = new X509Certificate(readFileSync(cert));
    expect(Date.parse(validTo) - Date.parse(validFrom)).toBe(2 * 365 * 24 * 3_600_000);
    expect({ subject, subjectAltName }).toEqual({
      subject: 'O=etcd',
      subjectAltName: 'IP Address:127.0.0.1',
    });
    expect(statSync(join(dataDir, 'fixtures', 'client', 'key.pem')).mode & 0o777).toBe(0o600);
    await first.stop();
    const before = readFileSync(cert, 'utf8');
    const second = await EtcdNode.start(options);
    const again = connect({ endpoints: second.clientUrls, channel: { tls: { ca: before } } });
    expect((await again.get('a'))?.text).toBe('1');
    await again.close();
    await second.stop();
    expect(readFileSync(cert, 'utf8')).toBe(before);
  });

  test('is not made where a certificate is given', async () => {
    const dataDir = path('given');
    const node = await EtcdNode.start({
      ...HTTPS,
      dataDir,
      autoTls: true,
      certFile: path('server.crt'),
      keyFile: path('server.key'),
    });
    await node.stop();
    expect(existsSync(join(dataDir, 'fixtures'))).toBe(false);
  });
});

test('three members with self-signed peer certificates elect a leader and replicate', async () => {
  const names = ['a', 'b', 'c'];
  const sockets = names.map((name) => `unixs://${path(`${name}.sock`)}`);
  const initialCluster = Object.fromEntries(names.map((name, i) => [name, sockets[i] as string]));
  const nodes = await Promise.all(
    names.map((name, i) =>
      EtcdNode.start({
        name,
        initialCluster,
        listenPeerUrls: [sockets[i] as string],
        peerAutoTls: true,
      }),
    ),
  );
  await Promise.all(nodes.map((node) => node.ready()));
  await nodes[0]?.client().put('a', '1');
  expect((await nodes[2]?.client().get('a'))?.text).toBe('1');
  await Promise.all(nodes.map((node) => node.stop()));
});

test('peers are dialled with a certificate of its own where one is named', async () => {
  const here = ['127.0.0.1'];
  await issue(folder, 'only-server', authority, { commonName: 'p', hosts: here, usage: 'server' });
  await issue(folder, 'only-client', authority, { commonName: 'p', hosts: here, usage: 'client' });
  const ports = await freePorts(2);
  const urls = ports.map((port) => `https://127.0.0.1:${port}`);
  const initialCluster = { a: urls[0] as string, b: urls[1] as string };
  const start = (dials: boolean) =>
    Promise.all(
      (['a', 'b'] as const).map((name) =>
        EtcdNode.start({
          name,
          initialCluster,
          listenPeerUrls: [initialCluster[name]],
          peerCertFile: path('only-server.crt'),
          peerKeyFile: path('only-server.key'),
          peerTrustedCaFile: path('ca.crt'),
          peerClientCertAuth: true,
          ...(dials
            ? {
                peerClientCertFile: path('only-client.crt'),
                peerClientKeyFile: path('only-client.key'),
              }
            : {}),
          logger: { ...silentLogger, warn: (_, fields) => void refused.push(fields?.['error']) },
        }),
      ),
    );
  const refused: unknown[] = [];
  const apart = await start(false);
  await expect
    .poll(() => refused.map(String))
    .toContainEqual(expect.stringContaining('incompatible key usage'));
  await Promise.all(apart.map((node) => node.kill()));
  const together = await start(true);
  await Promise.all(together.map((node) => node.ready()));
  await Promise.all(together.map((node) => node.stop()));
});

test('plain, TLS and Unix sockets stand side by side, and a socket file left behind is no hindrance', async () => {
  const options = {
    listenClientUrls: [
      'http://127.0.0.1:0',
      'https://127.0.0.1:0',
      `unix://${path('plain.sock')}`,
      `unixs://${path('secure.sock')}`,
    ],
    certFile: path('server.crt'),
    keyFile: path('server.key'),
  };
  const crashed = await EtcdNode.start(options);
  await crashed.kill();
  const node = await EtcdNode.start(options);
  expect(node.clientUrls.map((url) => url.replace(/:\d+$/, ''))).toEqual([
    'http://127.0.0.1',
    'https://127.0.0.1',
    `unix://${path('plain.sock')}`,
    `unixs://${path('secure.sock')}`,
  ]);
  const tls = { ca: readFileSync(path('ca.crt')) };
  for (const url of node.clientUrls) {
    const channel = /^(https|unixs)/.test(url) ? { tls } : {};
    const client = connect({ endpoints: [url], channel });
    await client.put('from', url);
    await client.close();
  }
  expect((await node.client().get('from'))?.text).toBe(node.clientUrls[3]);
  await node.stop();
  await new Promise<void>((resolve) => {
    createConnection(path('plain.sock')).on('error', () => resolve());
  });
});

test.each([
  [
    { ...HTTPS },
    'TLS key/cert (--cert-file, --key-file) must be provided for client url https://127.0.0.1:0 with HTTPS scheme',
  ],
  [{ certFile: 'a' }, 'KeyFile and CertFile must both be present[key: , cert: a]'],
  [
    { listenPeerUrls: ['https://127.0.0.1:1'] },
    'cannot listen on TLS for 127.0.0.1:1: KeyFile and CertFile are not presented',
  ],
  [
    { peerCertAllowedCns: ['a'], peerCertAllowedHostnames: ['b'] },
    'AllowedCNs and AllowedHostnames are mutually exclusive (cns=["a"], hostnames=["b"])',
  ],
  [
    { certFile: 'a', keyFile: 'b', clientCertFile: 'c' },
    'ClientKeyFile and ClientCertFile must both be present or both absent: key: , cert: c]',
  ],
  [{ cipherSuites: ['FOO'] }, 'unexpected TLS cipher suite "FOO"'],
  [{ tlsMinVersion: 'TLS1.9' }, 'unexpected TLS version "TLS1.9" (must be one of: TLS1.2, TLS1.3)'],
  [
    { tlsMinVersion: 'TLS1.3', tlsMaxVersion: 'TLS1.2' },
    'min version (TLS1.3) is greater than max version (TLS1.2)',
  ],
  [
    { tlsMinVersion: 'TLS1.3', cipherSuites: ['TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256'] },
    'cipher suites cannot be configured when only TLS1.3 is enabled',
  ],
] as [EtcdNodeOptions, string][])('%j is refused in the words of etcd', (options, message) => {
  expect(() => resolveOptions(options)).toThrow(message);
});

test.each([
  ['certFile', 'nope.crt', /open .+nope\.crt: no such file or directory/],
  ['keyFile', 'client.key', /private key does not match public key/],
  ['trustedCaFile', 'server.key', /PEM|certificate/i],
  ['clientCrlFile', 'server.key', /./],
  ['clientCertFile', 'nope.crt', /open .+nope\.crt: no such file or directory/],
])('a %s that is %s stops the start before the disk is touched', async (option, file, message) => {
  const dataDir = path(`bad-${option}`);
  const start = EtcdNode.start({
    ...HTTPS,
    dataDir,
    certFile: path('server.crt'),
    keyFile: path('server.key'),
    trustedCaFile: path('ca.crt'),
    ...(option === 'clientCertFile' ? { clientKeyFile: path('client.key') } : {}),
    [option]: path(file),
  });
  await expect(start).rejects.toThrow(message);
  expect(existsSync(dataDir)).toBe(false);
});

test('GHSA-3wh4-j44w-pg92: a revoked certificate is refused where HTTP and gRPC have ports of their own', async () => {
  const revoked = await issue(folder, 'gone', authority, { commonName: 'gone' });
  await revoke(path('gone.crl'), authority, [revoked]);
  const node = await EtcdNode.start({
    ...HTTPS,
    listenClientHttpUrls: ['https://127.0.0.1:0'],
    listenMetricsUrls: ['https://127.0.0.1:0'],
    certFile: path('server.crt'),
    keyFile: path('server.key'),
    clientCertAuth: true,
    trustedCaFile: path('ca.crt'),
    clientCrlFile: path('gone.crl'),
  });
  const [grpc = '', http = ''] = node.clientUrls;
  const as = (name: string) => ({
    ca: readFileSync(path('ca.crt')),
    cert: readFileSync(path(`${name}.crt`)),
    key: readFileSync(path(`${name}.key`)),
  });
  const put = async (name: string): Promise<unknown> => {
    const client = connect({ endpoints: [grpc], channel: { tls: as(name) }, timeoutMs: 2_000 });
    try {
      return await client.put('k', name);
    } finally {
      await client.close();
    }
  };
  const health = async (url: string, name: string): Promise<unknown> => {
    const asked = request(`${url}/health`, { ...as(name), agent: false }).end();
    const [answer] = (await once(asked, 'response')) as [IncomingMessage];
    answer.resume();
    return answer.statusCode;
  };
  const doors = [http, ...node.metricsUrls];
  expect(doors.length).toBe(2);
  await put('client');
  for (const url of doors) expect(await health(url, 'client')).toBe(200);
  await expect(put('gone')).rejects.toThrow();
  for (const url of doors) await expect(health(url, 'gone')).rejects.toThrow();
  await node.stop();
});

test('certificates that a URL has no use for are warned of in the words of etcd', async () => {
  const warned: unknown[] = [];
  const warn = (message: string, fields?: unknown): void => void warned.push([message, fields]);
  const node = await EtcdNode.start({
    listenClientUrls: ['http://127.0.0.1:0', 'https://127.0.0.1:0'],
    certFile: path('server.crt'),
    keyFile: path('server.key'),
    clientCertAuth: true,
    logger: { ...silentLogger, warn },
  });
  await node.stop();
  const url = { 'client-url': 'http://127.0.0.1:0' };
  expect(warned).toEqual([
    [
      'scheme is http or unix while key and cert files are present; ignoring key and cert files',
      url,
    ],
    [
      'scheme is http or unix while --client-cert-auth is enabled; ignoring client cert auth for this URL',
      url,
    ],
  ]);
});
