import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { connect } from '@etcd-ts/client/node';
import type { EtcdClient } from '@etcd-ts/client';
import { EtcdNode, type EtcdNodeOptions } from '../../src/index.ts';
import { resolveOptions } from '../../src/options.ts';
import { freePorts } from '../../../../tools/peers/free-ports.ts';

let registry: EtcdNode;
let client: EtcdClient;
const nodes: EtcdNode[] = [];

beforeAll(async () => {
  registry = await EtcdNode.start({ listenClientUrls: ['http://127.0.0.1:0'] });
  client = connect({ endpoints: registry.clientUrls });
});
afterEach(async () => {
  await Promise.all(nodes.splice(0).map((node) => node.stop()));
});
afterAll(async () => {
  await client.close();
  await registry.stop();
});

function options(token: string, name: string, port: number): EtcdNodeOptions {
  return {
    name,
    listenPeerUrls: [`http://127.0.0.1:${port}`],
    discoveryEndpoints: registry.clientUrls,
    discoveryToken: token,
  };
}

async function start(token: string, name: string, port: number): Promise<EtcdNode> {
  const node = await EtcdNode.start(options(token, name, port));
  nodes.push(node);
  return node;
}

test('members meet in another cluster, under the keys of etcd', async () => {
  await client.put('/_etcd/registry/t1/_config/size', '3');
  const ports = await freePorts(3);
  const met = await Promise.all(ports.map((port, i) => start('t1', `m${i}`, port)));
  await Promise.all(met.map((node) => node.ready()));
  const { entries } = await client.getAll({ prefix: '/_etcd/registry/t1/members/' });
  const expected = met.map((node, i): [string, string] => [
    `/_etcd/registry/t1/members/${node.memberId.toString(16)}`,
    `m${i}=http://127.0.0.1:${ports[i]}`,
  ]);
  const found = entries.map(({ keyText, text }): [string, string] => [keyText, text]);
  expect(new Map(found)).toEqual(new Map(expected));
  const members = await met[0]!.client().cluster.members();
  expect(members).toHaveLength(3);
  const [late] = await freePorts(1);
  await expect(start('t1', 'late', late as number)).rejects.toThrow('discovery: cluster is full');
});

test('a token without a size, or with a bad one, is refused', async () => {
  const [port] = await freePorts(1);
  await expect(start('t2', 'm', port as number)).rejects.toThrow('discovery: size key not found');
  await client.put('/_etcd/registry/t2/_config/size', 'many');
  await expect(start('t2', 'm', port as number)).rejects.toThrow('discovery: size key is bad');
});

test('credentials and an authority are used', async () => {
  const resolved = resolveOptions({
    discoveryEndpoints: ['a:1'],
    discoveryToken: 't',
    discoveryUser: 'u:p',
    discoveryCacert: 'ca.crt',
    discoveryDialTimeoutMs: 5,
  }).discovery.registry;
  expect(resolved).toMatchObject({
    user: { name: 'u', password: 'p' },
    tls: { ca: 'ca.crt', skipsVerification: false },
    dialTimeoutMs: 5,
    requestTimeoutMs: 5_000,
  });
});

test.each([
  [{ discoveryToken: 't' }, 'both --discovery-endpoints and --discovery-token must be set'],
  [{ discoveryEndpoints: ['a:1'] }, 'both --discovery-endpoints and --discovery-token must be set'],
  [
    { discoverySrv: 'd', initialCluster: 'default=http://localhost:2380' },
    'multiple discovery or bootstrap flags are set',
  ],
  [{ discoveryEndpoints: ['a:1'], discoveryToken: 't', discoveryUser: 'u' }, 'password is missing'],
] as [EtcdNodeOptions, string][])('%j is refused', (given, message) => {
  expect(() => resolveOptions(given)).toThrow(message);
});
