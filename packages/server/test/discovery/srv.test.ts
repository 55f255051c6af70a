import { afterEach, expect, test } from 'vitest';
import { endpointsBySrv, membersBySrv } from '../../src/bootstrap/srv.ts';
import { EtcdNode, type EtcdNodeOptions } from '../../src/index.ts';
import { nameResolver } from '../../src/node/name-resolver.ts';
import { systemEnv } from '../../src/node/system-env.ts';
import { resolveOptions } from '../../src/options.ts';
import { freePorts } from '../../../../tools/peers/free-ports.ts';
import { a, DnsServer, type Records, srv } from '../support/dns-server.ts';

const servers: DnsServer[] = [];
const DOMAIN = { domain: 'example.test', suffix: '' };

async function dns(records: Records): Promise<ReturnType<typeof nameResolver>> {
  const server = await DnsServer.start(records);
  servers.push(server);
  return nameResolver([server.address]);
}

afterEach(async () => {
  await Promise.all(servers.splice(0).map((server) => server.stop()));
});

const HOSTS: Records = {
  'A one.example.test': [a('one.example.test', '192.0.2.1')],
  'A two.example.test': [a('two.example.test', '192.0.2.2')],
};

test('records name the members; the one that asks keeps its name, the others get numbers', async () => {
  const name = '_etcd-server._tcp.example.test';
  const resolver = await dns({
    ...HOSTS,
    [`SRV ${name}`]: [srv(name, 'one.example.test', 2380), srv(name, 'two.example.test', 2380)],
  });
  const asker = { name: 'second', advertisePeerUrls: ['http://192.0.2.2:2380'] };
  expect(await membersBySrv(resolver, DOMAIN, asker)).toEqual(
    new Map([
      ['0', ['http://one.example.test:2380']],
      ['second', ['http://two.example.test:2380']],
    ]),
  );
});

test('records of TLS give https, and a suffix goes into the name', async () => {
  const name = '_etcd-server-ssl-blue._tcp.example.test';
  const resolver = await dns({ ...HOSTS, [`SRV ${name}`]: [srv(name, 'one.example.test', 1)] });
  const asker = { name: 'me', advertisePeerUrls: ['https://one.example.test:1'] };
  const query = { ...DOMAIN, suffix: 'blue' };
  expect(await membersBySrv(resolver, query, asker)).toEqual(
    new Map([['me', ['https://one.example.test:1']]]),
  );
});

test('no records, or none of the member itself, are refused', async () => {
  const name = '_etcd-server._tcp.example.test';
  const asker = { name: 'me', advertisePeerUrls: ['http://192.0.2.9:1'] };
  const some = await dns({ ...HOSTS, [`SRV ${name}`]: [srv(name, 'one.example.test', 1)] });
  await expect(membersBySrv(await dns({}), DOMAIN, asker)).rejects.toThrow(
    'error setting up initial cluster: error querying DNS SRV records for _etcd-server-ssl lookup _etcd-server-ssl._tcp.example.test: no such host; error querying DNS SRV records for _etcd-server lookup _etcd-server._tcp.example.test: no such host',
  );
  await expect(membersBySrv(some, DOMAIN, asker)).rejects.toThrow(
    'error setting up initial cluster: cannot find local etcd member "me" in SRV records',
  );
});

test('endpoints keep priority and weight', async () => {
  const name = '_etcd-client._tcp.example.test';
  const resolver = await dns({ [`SRV ${name}`]: [srv(name, 'one.example.test', 2379, 3, 7)] });
  expect(await endpointsBySrv(resolver, DOMAIN)).toEqual([
    { scheme: 'http', host: 'one.example.test', port: 2379, priority: 3, weight: 7 },
  ]);
});

test('three members that know nothing but a domain found a cluster', async () => {
  const ports = await freePorts(3);
  const name = '_etcd-server._tcp.example.test';
  const resolver = await dns({
    'A here.example.test': [a('here.example.test')],
    [`SRV ${name}`]: ports.map((port) => srv(name, 'here.example.test', port)),
  });
  const nodes = await Promise.all(
    ports.map((port, i) => {
      const options: EtcdNodeOptions = {
        name: `m${i}`,
        listenPeerUrls: [`http://127.0.0.1:${port}`],
        // One of them by its address, which its name in DNS leads to.
        initialAdvertisePeerUrls: [`http://${i === 0 ? '127.0.0.1' : 'here.example.test'}:${port}`],
        discoverySrv: 'example.test',
      };
      const env = systemEnv(resolveOptions(options));
      // The host has this name in the test's DNS alone.
      const peers: typeof env.peers = (resolved, traffic) => {
        const transport = env.peers(resolved, traffic);
        const here = (url: string): string => url.replace('here.example.test', '127.0.0.1');
        const setPeers = transport.setPeers.bind(transport);
        transport.setPeers = (all) =>
          setPeers(all.map((peer) => ({ ...peer, urls: peer.urls.map(here) })));
        return transport;
      };
      return EtcdNode.start(options, { ...env, names: resolver, peers });
    }),
  );
  await Promise.all(nodes.map((node) => node.ready()));
  const members = await nodes[0]!.client().cluster.members();
  expect(members.map((member) => member.name).sort()).toEqual(['m0', 'm1', 'm2']);
  expect(new Set(nodes.map((node) => node.clusterId)).size).toBe(1);
  await Promise.all(nodes.map((node) => node.stop()));
});
