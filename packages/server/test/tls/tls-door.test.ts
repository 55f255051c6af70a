import { writeFileSync } from 'node:fs';
import { connect as connectTcp } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Authority, issue, revoke } from '../../../../examples/tls/certificates.ts';
import { isCovered } from '../../src/tls/node/peer-check.ts';
import { ask, listen, makeFolder, MUTUAL, path, removeFolder, SERVER } from './tls-port.ts';

let authority: Authority;
beforeAll(async () => {
  authority = await makeFolder();
});
afterAll(removeFolder);

test('a client without certificate is served where none is asked for', async () => {
  const { port } = await listen(SERVER());
  expect(await ask(port, undefined)).toBe('http2 -');
  expect(await ask(port, undefined, { ALPNProtocols: ['http/1.1'], hello: 'GET /' })).toBe(
    'http1 -',
  );
  expect(await ask(port, undefined, { ALPNProtocols: undefined as never })).toBe('http2 -');
});

test('with mutual authentication the common name is known, and everybody else is refused', async () => {
  const { port, log } = await listen({ ...MUTUAL(), clientCrlFile: path('revoked.crl') });
  expect(await ask(port, 'client')).toBe('http2 client');
  for (const name of [undefined, 'wrong-ca', 'expired', 'revoked']) {
    expect([name, await ask(port, name)]).toEqual([name, 'refused']);
  }
  expect(log.map(({ message }) => message)).toEqual(
    Array.from({ length: 4 }, () => 'rejected connection on client endpoint'),
  );
  const errors = log.map(({ fields }) => String(fields?.['error']));
  expect(errors[0]).toBe("tls: client didn't provide a certificate");
  expect(errors[1]).toMatch(/x509: certificate signed by unknown authority$/);
  expect(errors[2]).toMatch(
    /x509: certificate has expired or is not yet valid: current time .+ is after /,
  );
  expect(errors[3]).toMatch(/^transport: certificate serial [0-9a-f]{32} revoked$/);
  for (const { fields } of log) expect(fields?.['remote-addr']).toMatch(/127\.0\.0\.1:\d+$/);
});

test('an authority alone makes certificates a must, and no name known', async () => {
  const { port } = await listen({ ...SERVER(), trustedCaFile: path('ca.crt') });
  expect(await ask(port, undefined)).toBe('refused');
  expect(await ask(port, 'client')).toBe('http2 -');
});

test('names that are not on the list are refused', async () => {
  const peer = {
    peerCertFile: path('peer.crt'),
    peerKeyFile: path('peer.key'),
    peerTrustedCaFile: path('ca.crt'),
  };
  const byName = await listen({ ...peer, peerCertAllowedCns: ['peer', 'other'] }, { kind: 'peer' });
  expect(await ask(byName.port, 'peer')).toBe('http2 -');
  expect(await ask(byName.port, 'wrong-cn')).toBe('refused');
  expect(byName.log[0]?.fields).toMatchObject({
    error: 'client certificate authentication failed',
    'common-name': 'intruder',
  });
  const byHost = await listen(
    { ...MUTUAL(), clientCertAllowedHostnames: ['elsewhere', 'localhost'] },
    {},
  );
  expect(await ask(byHost.port, 'server')).toBe('http2 server');
  expect(await ask(byHost.port, 'client')).toBe('refused');
});

test('a peer must come from an address of its certificate, unless that is switched off', async () => {
  await issue(path(''), 'far', authority, {
    commonName: 'peer',
    hosts: ['192.0.2.1', 'far.invalid'],
  });
  await issue(path(''), 'named', authority, { commonName: 'peer', hosts: ['localhost'] });
  const peer = {
    peerCertFile: path('peer.crt'),
    peerKeyFile: path('peer.key'),
    peerClientCertAuth: true,
    peerTrustedCaFile: path('ca.crt'),
  };
  const { port, log } = await listen(peer, { kind: 'peer' });
  expect(await ask(port, 'far')).toBe('refused');
  expect(log[0]?.fields?.['error']).toBe(
    'tls: "127.0.0.1" does not match any of DNSNames ["far.invalid"]',
  );
  expect(await ask(port, 'named')).toBe('http2 peer');
  expect(await ask(port, 'client')).toBe('http2 client');
  const loose = await listen({ ...peer, peerSkipClientSanVerification: true }, { kind: 'peer' });
  expect(await ask(loose.port, 'far')).toBe('http2 peer');
});

test('a wildcard of a certificate covers the names of its holder at any depth, and no others', () => {
  const names = ['*.etcd.example', 'etcd-0.example'];
  for (const name of ['a.etcd.example', 'etcd-1.a.etcd.example', 'etcd-0.example']) {
    expect(isCovered(name, names)).toBe(true);
  }
  for (const name of ['etcd.example', 'aetcd.example', 'a.etcd-0.example', 'a.etcd.example.org']) {
    expect(isCovered(name, names)).toBe(false);
  }
});

test('files are read again for each handshake', async () => {
  await issue(path(''), 'turning', authority, { commonName: 'first', hosts: ['127.0.0.1'] });
  await revoke(path('turning.crl'), authority, []);
  const { port, log } = await listen({
    ...MUTUAL(),
    certFile: path('turning.crt'),
    keyFile: path('turning.key'),
    clientCrlFile: path('turning.crl'),
  });
  const shownName = (): Promise<string> =>
    new Promise((resolve) => {
      const socket = connectTls({ port, host: '127.0.0.1', rejectUnauthorized: false }, () => {
        resolve(String(socket.getPeerCertificate().subject.CN));
        socket.destroy();
      });
      socket.on('error', () => undefined);
    });
  expect(await shownName()).toBe('first');
  expect(await ask(port, 'client')).toBe('http2 client');
  await issue(path(''), 'turning', authority, { commonName: 'second', hosts: ['127.0.0.1'] });
  expect(await shownName()).toBe('second');
  const lost = await issue(path(''), 'lost', authority, { commonName: 'lost', usage: 'client' });
  expect(await ask(port, 'lost')).toBe('http2 lost');
  await revoke(path('turning.crl'), authority, [lost]);
  expect(await ask(port, 'lost')).toBe('refused');
  log.length = 0;
  writeFileSync(path('turning.key'), 'no key');
  expect(await ask(port, 'client')).toBe('refused');
  expect(log).toHaveLength(1);
  await issue(path(''), 'turning', authority, { commonName: 'third', hosts: ['127.0.0.1'] });
  expect(await ask(port, 'client')).toBe('http2 client');
});

test('a list of revoked certificates that cannot be read lets nobody in', async () => {
  const { port, log } = await listen({ ...MUTUAL(), clientCrlFile: path('none.crl') });
  expect(await ask(port, 'client')).toBe('refused');
  expect(log[0]?.fields?.['error']).toMatch(/ENOENT/);
});

test('versions and cipher suites are as they are configured', async () => {
  const only13 = await listen({ ...SERVER(), tlsMinVersion: 'TLS1.3' });
  expect(await ask(only13.port, undefined, { maxVersion: 'TLSv1.2' })).toBe('refused');
  expect(await ask(only13.port, undefined)).toBe('http2 -');
  const only12 = await listen({
    ...SERVER(),
    tlsMaxVersion: 'TLS1.2',
    cipherSuites: ['TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384'],
  });
  expect(await ask(only12.port, undefined, { minVersion: 'TLSv1.3' })).toBe('refused');
  expect(await ask(only12.port, undefined, { ciphers: 'ECDHE-ECDSA-AES128-GCM-SHA256' })).toBe(
    'refused',
  );
  expect(await ask(only12.port, undefined)).toBe('http2 -');
});

test('whoever does not speak TLS, or says nothing, is hung up on and logged', async () => {
  const { port, log } = await listen(SERVER(), { handshakeTimeoutMs: 100 });
  for (const hello of ['GET / HTTP/1.1\r\n\r\n', '', '\x16\x03\x01']) {
    await new Promise<void>((resolve) => {
      const socket = connectTcp(port, '127.0.0.1', () => socket.write(hello));
      socket.on('error', () => undefined);
      socket.on('close', () => resolve());
      socket.resume();
    });
  }
  expect(log.map(({ fields }) => fields?.['error'])).toEqual([
    'tls: first record does not look like a TLS handshake',
    'tls: handshake timed out after 100 ms',
    'tls: handshake timed out after 100 ms',
  ]);
});
