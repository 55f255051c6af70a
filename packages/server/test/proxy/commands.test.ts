import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createConnection, createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect } from '@etcd-ts/client/node';
import { afterEach, describe, expect, test } from 'vitest';
import { issue, makeAuthority, makeCertificates } from '../../../../examples/tls/certificates.ts';
import { EtcdNode } from '../../src/index.ts';
import { silentLogger } from '../../src/logger.ts';
import { nameResolver } from '../../src/node/name-resolver.ts';
import { commandHelp, readCommandFlags } from '../../src/proxy/node/command-flags.ts';
import { GATEWAY_FLAGS, startGateway } from '../../src/proxy/node/gateway-command.ts';
import { hangUp } from '../../src/proxy/node/gateway.ts';
import { GRPC_PROXY_FLAGS } from '../../src/proxy/node/grpc-proxy-flags.ts';
import { startGrpcProxy } from '../../src/proxy/node/grpc-proxy.ts';
import { a, DnsServer, srv } from '../support/dns-server.ts';

const ends: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

const gateway = (...words: string[]) => {
  const values = readCommandFlags(['--listen-addr=127.0.0.1:0', ...words], GATEWAY_FLAGS);
  return startGateway(values!, silentLogger, nameResolver());
};
const grpcProxy = (...words: string[]) => {
  const values = readCommandFlags(['--listen-addr=127.0.0.1:0', ...words], GRPC_PROXY_FLAGS);
  return startGrpcProxy(values!, silentLogger, nameResolver());
};

describe('flags of the commands', () => {
  test.each([
    [['--foo'], 'unknown flag: --foo'],
    [['word'], 'unknown command or argument: word'],
    [['--endpoints'], 'flag needs an argument: --endpoints'],
    [['--retry-delay=soon'], 'invalid argument "soon" for "--retry-delay" flag'],
  ])('%j is refused', (words, message) => {
    expect(() => readCommandFlags(words, GATEWAY_FLAGS)).toThrow(message);
  });

  test('have their defaults, take =, a next word or none, and show help', () => {
    const words = ['--endpoints', 'a:1,b:2', '--insecure-discovery', '--retry-delay=2s'];
    const values = readCommandFlags(words, GATEWAY_FLAGS)!;
    expect(values.get('endpoints')).toEqual(['a:1', 'b:2']);
    expect(values.get('insecure-discovery')).toBe(true);
    expect(values.get('retry-delay')).toBe(2_000);
    expect(values.get('listen-addr')).toBe('127.0.0.1:23790');
    expect(readCommandFlags(['--help'], GATEWAY_FLAGS)).toBeUndefined();
    expect(commandHelp('gateway start', GATEWAY_FLAGS)).toContain('--retry-delay duration');
  });
});

describe('the gateway', () => {
  test('finds its endpoints by DNS, those without TLS only when it may', async () => {
    const node = await EtcdNode.start({ listenClientUrls: ['http://127.0.0.1:0'] });
    ends.push(() => node.stop());
    const name = '_etcd-client._tcp.example.test';
    const port = Number(new URL(node.clientUrls[0] as string).port);
    const dns = await DnsServer.start({
      'A here.example.test': [a('here.example.test')],
      [`SRV ${name}`]: [srv(name, '127.0.0.1', port)],
    });
    ends.push(() => dns.stop());
    const start = (...words: string[]) => {
      const all = ['--listen-addr=127.0.0.1:0', '--discovery-srv=example.test', ...words];
      const values = readCommandFlags(all, GATEWAY_FLAGS)!;
      return startGateway(values, silentLogger, nameResolver([dns.address]));
    };
    await expect(start()).rejects.toThrow('could not find secure endpoints');
    const found = await start('--insecure-discovery');
    ends.push(() => found.close());
    const client = connect({ endpoints: [found.address] });
    ends.push(() => client.close());
    await client.put('a', '1');
    expect((await node.client().get('a'))?.text).toBe('1');
  });

  test('finds endpoints by a suffix, over TLS those of the authority that it trusts', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'etcd-ts-gateway-'));
    ends.push(() => Promise.resolve(rmSync(folder, { recursive: true, force: true })));
    await makeCertificates(folder);
    const node = await EtcdNode.start({
      listenClientUrls: ['https://127.0.0.1:0'],
      certFile: join(folder, 'server.crt'),
      keyFile: join(folder, 'server.key'),
    });
    ends.push(() => node.stop());
    const name = '_etcd-client-ssl-blue._tcp.example.test';
    const port = Number(new URL(node.clientUrls[0] as string).port);
    const dns = await DnsServer.start({ [`SRV ${name}`]: [srv(name, '127.0.0.1', port)] });
    ends.push(() => dns.stop());
    const start = (authority: string) => {
      const flags = ['--discovery-srv=example.test', '--discovery-srv-name=blue'];
      const ca = `--trusted-ca-file=${join(folder, authority)}`;
      const values = readCommandFlags(['--listen-addr=127.0.0.1:0', ...flags, ca], GATEWAY_FLAGS)!;
      return startGateway(values, silentLogger, nameResolver([dns.address]));
    };
    await expect(start('other-ca.crt')).rejects.toThrow('could not find secure endpoints');
    const found = await start('ca.crt');
    ends.push(() => found.close());
    const tls = { ca: readFileSync(join(folder, 'ca.crt')) };
    const client = connect({ endpoints: [`https://${found.address}`], channel: { tls } });
    ends.push(() => client.close());
    await client.put('a', '1');
    expect((await node.client().get('a'))?.text).toBe('1');
  });

  test('forwards until both sides have said all, and tries a lost backend again', async () => {
    const echo = (): Promise<Server> =>
      new Promise((resolve) => {
        const server = createServer({ allowHalfOpen: true }, (socket) => socket.pipe(socket));
        server.listen(0, '127.0.0.1', () => resolve(server));
      });
    const backend = await echo();
    const { port } = backend.address() as { port: number };
    const proxy = await gateway(`--endpoints=127.0.0.1:${port}`, '--retry-delay=50ms');
    ends.push(() => proxy.close());
    const ask = async (): Promise<string> => {
      return new Promise((resolve) => {
        const [host, at] = proxy.address.split(':') as [string, string];
        const socket = createConnection({ host, port: Number(at), allowHalfOpen: true });
        let text = '';
        socket.on('data', (chunk) => (text += String(chunk)));
        socket.on('error', () => undefined);
        socket.on('close', () => resolve(text));
        socket.end('hello');
      });
    };
    expect(await ask()).toBe('hello');
    await new Promise((resolve) => backend.close(resolve));
    expect(await ask()).toBe('');
    const again = createServer({ allowHalfOpen: true }, (socket) => socket.pipe(socket));
    await new Promise<void>((resolve) => {
      again.listen(port, '127.0.0.1', resolve);
    });
    ends.push(() => new Promise((resolve) => again.close(resolve)));
    await expect.poll(ask).toBe('hello');
  });
});

test('what one side said before it hung up still reaches the other, unless it broke off', async () => {
  const bytes = 16 * 1024 * 1024;
  const received = async (isBroken: boolean): Promise<number> => {
    let accept = (_socket: Socket): void => undefined;
    const accepted = new Promise<Socket>((resolve) => (accept = resolve));
    const server = createServer(accept);
    await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
    ends.push(() => new Promise((resolve) => server.close(resolve)));
    const { port } = server.address() as { port: number };
    const slow = createConnection({ host: '127.0.0.1', port }).pause();
    let count = 0;
    slow.on('data', (chunk) => (count += chunk.length)).on('error', () => undefined);
    const socket = await accepted;
    // More than the system takes at once, of somebody who does not read yet.
    socket.on('error', () => undefined).write(Buffer.alloc(bytes));
    hangUp(socket, isBroken);
    slow.resume();
    await new Promise((resolve) => void slow.once('close', resolve));
    return count;
  };
  expect(await received(false)).toBe(bytes);
  expect(await received(true)).toBeLessThan(bytes);
});

test.each([
  [['--resolver-prefix=p'], 'invalid resolver-ttl 0'],
  [['--resolver-ttl=1'], 'invalid resolver-prefix ""'],
  [
    ['--resolver-prefix=p', '--resolver-ttl=1', '--advertise-client-url='],
    'invalid advertise-client-url ""',
  ],
  [
    ['--max-send-bytes=3000', '--max-recv-bytes=2000'],
    'gRPC message recv limit (2000 bytes) must be greater than send limit (3000 bytes)',
  ],
  [['--cacert=/none'], 'open /none'],
  [['--cert-file=/none'], 'KeyFile and CertFile must both be present'],
  [['--listen-addr=nowhere'], 'address nowhere has not the form host:port'],
] as [string[], string][])('the gRPC proxy refuses %j', async (words, message) => {
  await expect(grpcProxy(...words)).rejects.toThrow(message);
});

test('the proxy shows members no certificate with a name: it would be the user of whoever has no token', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'etcd-ts-proxy-'));
  ends.push(() => Promise.resolve(rmSync(folder, { recursive: true, force: true })));
  await issue(folder, 'named', await makeAuthority('ca'), { commonName: 'root' });
  const [cert, key] = [join(folder, 'named.crt'), join(folder, 'named.key')];
  const start = grpcProxy('--endpoints=https://127.0.0.1:1', `--cert=${cert}`, `--key=${key}`);
  await expect(start).rejects.toMatchObject({
    code: 'BAD_OPTION',
    message: `cert has non empty Common Name (root): ${cert}`,
  });
});

test('a proxy that ends is no member of its like any more, and whatever else lies there is none', async () => {
  const node = await EtcdNode.start({ listenClientUrls: ['http://127.0.0.1:0'] });
  ends.push(() => node.stop());
  const endpoints = `--endpoints=${node.clientUrls[0]}`;
  const flags = [endpoints, '--resolver-prefix=p', '--resolver-ttl=60'];
  const proxy = await grpcProxy(...flags, '--advertise-client-url=here:1');
  const other = await grpcProxy(...flags, '--advertise-client-url=there:2');
  ends.push(() => other.close(0));
  const client = connect({ endpoints: [other.url] });
  ends.push(() => client.close());
  for (const text of ['junk', '{"Addr":7,"Metadata":"{\\"name\\":\\"n\\"}"}', '{"Addr":"x"}'])
    await node.client().put(`p/${text}`, text);
  const urls = async (): Promise<string[]> =>
    (await client.cluster.members()).flatMap(({ clientURLs }) => clientURLs);
  await expect.poll(urls).toEqual(['here:1', 'there:2']);
  await proxy.close(0);
  expect(await urls()).toEqual(['there:2']);
  expect(await node.client().lease.list()).toHaveLength(1);
});
