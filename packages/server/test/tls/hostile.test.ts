import { connect as connectTcp } from 'node:net';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Authority, issue, revoke } from '../../../../examples/tls/certificates.ts';
import { ask, listen, makeFolder, MUTUAL, path, removeFolder, SERVER } from './tls-port.ts';

let authority: Authority;
beforeAll(async () => {
  authority = await makeFolder();
});
afterAll(removeFolder);

test.each(['TLSv1.2', 'TLSv1.3'] as const)(
  'a client whose certificate is revoked does not come back with its session of %s',
  async (version) => {
    const name = `session-${version}`;
    const certificate = await issue(path(''), name, authority, { commonName: name });
    await revoke(path('session.crl'), authority, []);
    const { port } = await listen({ ...MUTUAL(), clientCrlFile: path('session.crl') });
    const sessions: Buffer[] = [];
    const enter = (): Promise<{ isReused: boolean; text: string }> =>
      new Promise((resolve) => {
        const socket: TLSSocket = connectTls({
          port,
          host: '127.0.0.1',
          ca: readFileSync(path('ca.crt')),
          cert: readFileSync(path(`${name}.crt`)),
          key: readFileSync(path(`${name}.key`)),
          minVersion: version,
          maxVersion: version,
          ...(sessions[0] === undefined ? {} : { session: sessions[0] }),
        });
        let text = '';
        let isReused = false;
        socket.on('session', (session) => sessions.unshift(session));
        socket.on('secureConnect', () => {
          isReused = socket.isSessionReused();
          socket.write('GET /');
        });
        socket.on('data', (chunk) => (text += String(chunk)));
        socket.on('error', () => undefined);
        socket.on('close', () => resolve({ isReused, text }));
      });
    expect(await enter()).toEqual({ isReused: false, text: `http1 ${name}` });
    expect(await enter()).toEqual({ isReused: false, text: `http1 ${name}` });
    await revoke(path('session.crl'), authority, [certificate]);
    expect((await enter()).text).toBe('');
  },
);

test('whatever name a client asks for, it gets the one certificate and the same checks', async () => {
  const { port } = await listen(MUTUAL());
  for (const servername of ['localhost', 'somewhere.else', 'a'.repeat(200)]) {
    const options = { servername, checkServerIdentity: () => undefined };
    expect(await ask(port, 'client', options)).toBe('http2 client');
    expect(await ask(port, undefined, options)).toBe('refused');
  }
});

test('a protocol that nobody speaks is refused in the handshake', async () => {
  const { port } = await listen(SERVER());
  expect(await ask(port, undefined, { ALPNProtocols: ['spdy/3'] })).toBe('refused');
});

test('a certificate for servers is none for clients', async () => {
  await issue(path(''), 'server-only', authority, { commonName: 'client', usage: 'server' });
  const { port, log } = await listen(MUTUAL());
  expect(await ask(port, 'server-only')).toBe('refused');
  expect(log[0]?.fields?.['error']).toMatch(/incompatible key usage$/);
});

test('a common name is no host name, and a host name no common name', async () => {
  await issue(path(''), 'cn-host', authority, { commonName: 'localhost' });
  await issue(path(''), 'san-peer', authority, {
    commonName: 'other',
    hosts: ['peer', '127.0.0.1'],
  });
  const byHost = await listen({ ...MUTUAL(), clientCertAllowedHostnames: ['localhost'] });
  expect(await ask(byHost.port, 'cn-host')).toBe('refused');
  const peer = {
    peerCertFile: path('peer.crt'),
    peerKeyFile: path('peer.key'),
    peerTrustedCaFile: path('ca.crt'),
    peerCertAllowedCns: ['peer'],
  };
  const byName = await listen(peer, { kind: 'peer' });
  expect(await ask(byName.port, 'san-peer')).toBe('refused');
  expect(await ask(byName.port, 'peer')).toBe('http2 -');
});

test('a star beside other letters in a certificate stands for nothing, as in Go', async () => {
  const shown = [
    ['partial', 'w*.example.test', 'refused'],
    ['star', '*.example.test', 'http2 -'],
    ['deep', '*.test', 'refused'],
  ] as const;
  const { port } = await listen({ ...MUTUAL(), clientCertAllowedHostnames: ['www.example.test'] });
  for (const [name, host, answer] of shown) {
    await issue(path(''), name, authority, { commonName: '', hosts: [host] });
    expect(await ask(port, name)).toBe(answer);
  }
});

test('a list of revoked certificates counts beyond its date, and for whole chains', async () => {
  const certificate = await issue(path(''), 'old-news', authority, { commonName: 'old' });
  await revoke(path('old.crl'), authority, [certificate], -1);
  const { port } = await listen({ ...MUTUAL(), clientCrlFile: path('old.crl') });
  expect(await ask(port, 'old-news')).toBe('refused');
  expect(await ask(port, 'client')).toBe('http2 client');
  await revoke(path('old.crl'), authority, [authority.certificate]);
  expect(await ask(port, 'client')).toBe('refused');
});

test('handshakes that are begun and not ended are bounded in number and in time', async () => {
  const limits = { maxOpenHandshakes: 2, handshakeTimeoutMs: 2_000 };
  const { port, log } = await listen(SERVER(), limits);
  const begin = (): Promise<void> =>
    new Promise((resolve) => {
      const socket = connectTcp(port, '127.0.0.1');
      socket.on('error', () => undefined);
      socket.on('close', () => resolve());
      socket.resume();
    });
  const hanging = [begin(), begin()];
  await begin();
  expect(log.map(({ fields }) => fields?.['error'])).toEqual([
    '2 handshakes are under way already',
  ]);
  await Promise.all(hanging);
  expect(log).toHaveLength(3);
  expect(await ask(port, undefined)).toBe('http2 -');
});
