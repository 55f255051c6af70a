import { mkdtempSync, rmSync } from 'node:fs';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { makeCertificates } from '../../../../examples/tls/certificates.ts';
import { EtcdNode, type EtcdNodeOptions } from '../../src/index.ts';
import { connectRegistry } from '../../src/node/registry-client.ts';
import { resolveOptions } from '../../src/options.ts';

let folder: string;
const nodes: EtcdNode[] = [];
const path = (name: string): string => join(folder, name);

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'etcd-ts-registry-'));
  await makeCertificates(folder);
});
afterAll(async () => {
  await Promise.all(nodes.map((node) => node.stop()));
  rmSync(folder, { recursive: true, force: true });
});

async function registry(options: EtcdNodeOptions): Promise<EtcdNode> {
  const node = await EtcdNode.start(options);
  nodes.push(node);
  await node.ready();
  return node;
}

/** What a member with these options reads from the registry. */
async function read(endpoints: readonly string[], options: EtcdNodeOptions): Promise<unknown> {
  const given = { discoveryEndpoints: endpoints, discoveryToken: 't', ...options };
  const client = await connectRegistry(resolveOptions(given).discovery.registry!);
  try {
    return (await client.get('key'))?.text;
  } finally {
    await client.close();
  }
}

test('the registry is believed by its authority, shown a certificate, or taken as it is', async () => {
  const node = await registry({
    listenClientUrls: ['https://127.0.0.1:0'],
    certFile: path('server.crt'),
    keyFile: path('server.key'),
    trustedCaFile: path('ca.crt'),
  });
  await node.client().put('key', 'value');
  const own = { discoveryCert: path('client.crt'), discoveryKey: path('client.key') };
  const urls = node.clientUrls;
  const quick = { discoveryRequestTimeoutMs: 1_000 };
  expect(await read(urls, { ...own, discoveryCacert: path('ca.crt') })).toBe('value');
  expect(await read(urls, { ...own, discoveryInsecureSkipTlsVerify: true })).toBe('value');
  const wrong = read(urls, { ...own, ...quick, discoveryCacert: path('other-ca.crt') });
  await expect(wrong).rejects.toThrow(/cannot connect to .+certificate/);
  const none = read(urls, { ...quick, discoveryCacert: path('ca.crt') });
  await expect(none).rejects.toThrow(/cannot connect to|hung up/);
  const plain = node.clientUrls.map((url) => url.replace('https://', ''));
  const secure = { ...own, discoveryCacert: path('ca.crt'), discoveryInsecureTransport: false };
  expect(await read(plain, secure)).toBe('value');
});

test('a user logs in, with the password beside the name or by itself', async () => {
  const node = await registry({ listenClientUrls: ['http://127.0.0.1:0'] });
  const client = node.client();
  await client.put('key', 'value');
  await client.auth.addUser('root', 'secret');
  await client.auth.grantRole('root', 'root');
  await client.auth.enable();
  const urls = node.clientUrls;
  expect(await read(urls, { discoveryUser: 'root:secret' })).toBe('value');
  expect(await read(urls, { discoveryUser: 'root', discoveryPassword: 'secret' })).toBe('value');
  await expect(read(urls, { discoveryUser: 'root:wrong' })).rejects.toThrow(
    /authentication failed/,
  );
  await expect(read(urls, {})).rejects.toThrow('user name is empty');
});

test('a registry that does not speak is given up in time', async () => {
  const accepted: Socket[] = [];
  const silent = createServer((socket) => void accepted.push(socket.on('error', () => undefined)));
  await new Promise<void>((resolve) => {
    silent.listen(0, '127.0.0.1', resolve);
  });
  const urls = [`http://127.0.0.1:${(silent.address() as AddressInfo).port}`];
  const limits = { discoveryRequestTimeoutMs: 400 };
  const dial = read(urls, { ...limits, discoveryDialTimeoutMs: 50 });
  await expect(dial).rejects.toThrow(/no connection within 50 ms|deadline exceeded/);
  // Each connection that does not come about is followed by another attempt.
  expect(accepted.length).toBeGreaterThan(1);
  const before = accepted.length;
  const request = read(urls, { ...limits, discoveryDialTimeoutMs: 5_000 });
  await expect(request).rejects.toMatchObject({ code: 'DEADLINE_EXCEEDED' });
  expect(accepted.length).toBe(before + 1);
  for (const socket of accepted) socket.destroy();
  await new Promise((resolve) => silent.close(resolve));
});
