import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { concatBytes } from '@etcd-ts/base';
import type { EtcdClient } from '@etcd-ts/client';
import { FrameType, PREFACE } from '@etcd-ts/protocol/http2';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { makeCertificates } from '../../../../examples/tls/certificates.ts';
import { EtcdNode, type EtcdNodeOptions } from '../../src/index.ts';
import { connectRegistry } from '../../src/node/registry-client.ts';
import { resolveOptions } from '../../src/options.ts';
import { frame, framesOf } from '../../../protocol/test/http2/frames.ts';

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

/** Limits that no machine is too slow for. */
const PATIENT = { discoveryRequestTimeoutMs: 60_000, discoveryDialTimeoutMs: 60_000 };

function connected(urls: readonly string[], options: EtcdNodeOptions): Promise<EtcdClient> {
  const given = { discoveryEndpoints: urls, discoveryToken: 't', ...PATIENT, ...options };
  return connectRegistry(resolveOptions(given).discovery.registry!);
}

/** What a member with these options reads from the registry. */
async function read(urls: readonly string[], options: EtcdNodeOptions): Promise<unknown> {
  const client = await connected(urls, options);
  try {
    return (await client.get('key'))?.text;
  } finally {
    await client.close();
  }
}

/** Asks the registry once: a read is tried again until its time is up, the status is not. */
async function ask(urls: readonly string[], options: EtcdNodeOptions): Promise<void> {
  const client = await connected(urls, options);
  try {
    await client.maintenance.status();
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
  expect(await read(urls, { ...own, discoveryCacert: path('ca.crt') })).toBe('value');
  expect(await read(urls, { ...own, discoveryInsecureSkipTlsVerify: true })).toBe('value');
  const wrong = ask(urls, { ...own, discoveryCacert: path('other-ca.crt') });
  await expect(wrong).rejects.toThrow(/cannot connect to .+certificate/);
  const none = ask(urls, { discoveryCacert: path('ca.crt') });
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
  const silent = createServer((socket) => {
    accepted.push(socket.resume().on('error', () => undefined));
  });
  await new Promise<void>((resolve) => {
    silent.listen(0, '127.0.0.1', resolve);
  });
  const urls = [`http://127.0.0.1:${(silent.address() as AddressInfo).port}`];
  const untilAccepted = async (count: number): Promise<void> => {
    while (accepted.length < count) await once(silent, 'connection');
  };
  const request = read(urls, { discoveryRequestTimeoutMs: 400 });
  await expect(request).rejects.toMatchObject({ code: 'DEADLINE_EXCEEDED' });
  await untilAccepted(1);
  expect(accepted.length).toBe(1);
  const dial = { discoveryDialTimeoutMs: 50 };
  await expect(ask(urls, dial)).rejects.toThrow('no connection within 50 ms');
  await untilAccepted(2);
  expect(accepted.length).toBe(2);
  // Each connection of a read that does not come about is followed by another attempt, until its time is up.
  const client = await connected(urls, dial);
  const reading = client.get('key').catch((error: unknown) => error);
  await untilAccepted(4);
  await client.close();
  expect(await reading).toMatchObject({ code: 'CANCELED' });
  const both = read(urls, { ...dial, discoveryRequestTimeoutMs: 400 });
  await expect(both).rejects.toThrow(/no connection within 50 ms|deadline exceeded/);
  for (const socket of accepted) socket.destroy();
  await new Promise((resolve) => silent.close(resolve));
});

test('a registry that falls silent is asked for a sign of life, and given up when it gives none', async () => {
  const accepted: { closed: boolean; hasPing: () => boolean }[] = [];
  // It greets, and says nothing more.
  const silent = createServer((socket) => {
    const heard: Uint8Array[] = [];
    const connection = { closed: false, hasPing: () => pingsIn(heard) > 0 };
    accepted.push(connection);
    socket.on('error', () => undefined).on('data', (chunk: Buffer) => heard.push(chunk));
    socket.on('close', () => (connection.closed = true));
    socket.write(frame(FrameType.SETTINGS, 0, 0));
  });
  await new Promise<void>((resolve) => {
    silent.listen(0, '127.0.0.1', resolve);
  });
  const endpoint = `http://127.0.0.1:${(silent.address() as AddressInfo).port}`;
  const connectedWith = async (timeMs: number, timeoutMs: number): Promise<EtcdClient> => {
    const options = {
      discoveryEndpoints: [endpoint],
      discoveryToken: 't',
      discoveryRequestTimeoutMs: 60_000,
      discoveryKeepaliveTimeMs: timeMs,
      discoveryKeepaliveTimeoutMs: timeoutMs,
    };
    const client = await connectRegistry(resolveOptions(options).discovery.registry!);
    client.get('key').catch(() => undefined);
    return client;
  };
  const patient = await connectedWith(20, 60_000);
  await expect.poll(() => accepted[0]?.hasPing()).toBe(true);
  const quick = await connectedWith(20, 20);
  await expect.poll(() => accepted[1]?.closed).toBe(true);
  expect(accepted[1]?.hasPing()).toBe(true);
  expect(accepted[0]?.closed).toBe(false);
  await Promise.all([patient.close(), quick.close()]);
  await new Promise((resolve) => silent.close(resolve));
});

/** Pings among what a client has sent behind its greeting. */
function pingsIn(heard: readonly Uint8Array[]): number {
  const bytes = concatBytes(heard).subarray(PREFACE.length);
  return framesOf([bytes]).filter(({ type }) => type === FrameType.PING).length;
}
