import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  advertisedProblem,
  initialCluster,
  parseInitialCluster,
} from '../src/bootstrap/initial-cluster.ts';
import { joinCluster } from '../src/bootstrap/join.ts';
import { computeClusterId, computeMemberId } from '../src/bootstrap/member-id.ts';
import { leadToSame } from '../src/bootstrap/same-addresses.ts';
import { sha1 } from '../src/bootstrap/sha1.ts';
import type { NameResolver } from '../src/bootstrap/srv.ts';
import { bindAddress, urlProblem } from '../src/bootstrap/urls.ts';
import { resolveOptions } from '../src/options.ts';
import type { ClusterFacts } from '../src/peers/peer-transport.ts';

describe('ids', () => {
  test('SHA-1 of any message equals that of the platform', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
        expect(Buffer.from(sha1(bytes)).toString('hex')).toBe(
          createHash('sha1').update(bytes).digest('hex'),
        );
      }),
    );
  });

  test('member and cluster ids are those that etcd 3.5.30 prints for the same options', () => {
    const member = computeMemberId(['http://127.0.0.1:23801'], 'etcd-cluster');
    expect(member.toString(16)).toBe('bdae9bbc11dd390d');
    expect(computeClusterId([member]).toString(16)).toBe('d1cfaf999eb97a2a');
  });

  test('neither the order of the URLs nor that of the members changes an id', () => {
    const urls = ['http://b:1', 'http://a:1'];
    const id = computeMemberId(urls, 't');
    expect(computeMemberId([...urls].reverse(), 't')).toBe(id);
    const other = computeMemberId(['http://c:1'], 't');
    expect(computeClusterId([id, other])).toBe(computeClusterId([other, id]));
  });
});

describe('initial cluster', () => {
  const of = (text: string): unknown =>
    initialCluster({ name: 'a', token: 't', cluster: parseInitialCluster(text) });

  test('a name may have several URLs', () => {
    const cluster = parseInitialCluster('a=http://h:1,b=http://h:2,a=http://h:3');
    expect([...cluster]).toEqual([
      ['a', ['http://h:1', 'http://h:3']],
      ['b', ['http://h:2']],
    ]);
  });

  test('the local name must be among the members', () => {
    expect(() => of('b=http://127.0.0.1:1')).toThrow(
      `couldn't find local name "a" in the initial cluster configuration`,
    );
  });

  test('two members cannot share a URL', () => {
    expect(() => of('a=http://127.0.0.1:1,b=http://127.0.0.1:1')).toThrow(
      'initial cluster a=http://127.0.0.1:1,b=http://127.0.0.1:1 has duplicate url',
    );
  });

  test('the advertised URLs must be those of the cluster', () => {
    const cluster = parseInitialCluster('a=http://127.0.0.1:2');
    const problem = (...advertisePeerUrls: string[]): string | undefined =>
      advertisedProblem({ name: 'a', cluster, advertisePeerUrls })?.message;
    expect(problem('http://127.0.0.1:1')).toBe(
      '--initial-cluster has a=http://127.0.0.1:2 but missing from --initial-advertise-peer-urls=http://127.0.0.1:1',
    );
    expect(problem('http://127.0.0.1:2', 'http://h:3')).toBe(
      '--initial-advertise-peer-urls has http://h:3 but missing from --initial-cluster=a=http://127.0.0.1:2',
    );
    expect(problem('http://127.0.0.1:2')).toBeUndefined();
  });

  test.each([
    [['http://one:1'], ['http://192.0.2.1:1'], true],
    [['http://one:1'], ['http://both:1'], true],
    [['http://one:1', 'http://192.0.2.2:1'], ['http://two:1', 'http://192.0.2.1:1'], true],
    [['http://one:1'], ['http://192.0.2.1:2'], false],
    [['http://one:1'], ['https://192.0.2.1:1'], false],
    [['http://one:1', 'http://one:1'], ['http://one:1', 'http://two:1'], false],
    [['http://one:1'], ['http://one:1', 'http://two:1'], false],
    [['http://nobody:1'], ['http://nobody:1'], true],
    [['http://localhost:1'], ['http://127.0.0.1:1'], false],
    [['unix://a:1'], ['unix://a:1'], true],
  ])('%j and %j lead to the same places: %j', async (one, other, isSame) => {
    const hosts: Record<string, string[]> = {
      one: ['192.0.2.1'],
      two: ['192.0.2.2'],
      both: ['192.0.2.2', '192.0.2.1'],
      localhost: ['127.0.0.1'],
    };
    const resolver: NameResolver = {
      resolveSrv: () => Promise.reject(new Error('not asked')),
      addresses: (host) =>
        hosts[host] ? Promise.resolve(hosts[host]) : Promise.reject(new Error('unknown')),
    };
    expect(await leadToSame(resolver, one, other)).toBe(isSame);
  });

  test('commas too many mean nothing, as in etcd', () => {
    expect([...parseInitialCluster(',a=http://h:1,,b=http://h:2,')]).toEqual([
      ['a', ['http://h:1']],
      ['b', ['http://h:2']],
    ]);
  });

  test('a part without URL is refused in the words of etcd', () => {
    expect(() => parseInitialCluster('a=http://h:1,b')).toThrow(
      'error setting up initial cluster: URL scheme must be http, https, unix, or unixs: ',
    );
  });
});

describe('URLs', () => {
  test.each([
    ['localhost:2380', 'URL scheme must be http, https, unix, or unixs: localhost:2380'],
    ['ftp://h:1', 'URL scheme must be http, https, unix, or unixs: ftp://h:1'],
    ['http://h', 'URL address does not have the form "host:port": http://h'],
    ['http://h:1/x', 'URL must not contain a path: http://h:1/x'],
    ['http://h:1/', 'URL must not contain a path: http://h:1/'],
  ])('%s is refused', (url, problem) => {
    expect(urlProblem(url)).toBe(problem);
  });

  test('addresses of both families and localhost can be bound to, names cannot', () => {
    expect(bindAddress('http://[::1]:5')).toEqual({ host: '::1', port: 5, tls: false });
    expect(bindAddress('http://localhost:5')).toEqual({ host: '127.0.0.1', port: 5, tls: false });
    expect(() => bindAddress('http://foo.bar:5')).toThrow(
      'expected IP in URL for binding (http://foo.bar:5)',
    );
  });
});

describe('options', () => {
  test('without any the node is complete, alone and in memory', () => {
    const options = resolveOptions();
    expect(options.dataDir).toBeUndefined();
    expect([...options.initialCluster.keys()]).toEqual(['default']);
    expect(Object.isFrozen(options)).toBe(true);
  });

  test('the object given is left as it was', () => {
    const given = { name: 'a' };
    resolveOptions(given);
    expect(given).toEqual({ name: 'a' });
  });

  test.each([
    [{ heartbeatIntervalMs: 0 }, '--heartbeat-interval must be >0 (set to 0ms)'],
    [
      { heartbeatIntervalMs: 100, electionTimeoutMs: 499 },
      '--election-timeout[499ms] should be at least as 5 times as --heartbeat-interval[100ms]',
    ],
    [
      { electionTimeoutMs: 60_000 },
      '--election-timeout[60000ms] is too long, and should be set less than 50000ms',
    ],
    [{ snapshotCount: 0 }, 'snapshotCount must be a whole number of at least 1, is 0'],
    [{ maxTxnOps: 1.5 }, 'maxTxnOps must be a whole number from 1 to 1000000, is 1.5'],
    [
      { initialCluster: 'default=http://localhost:2380,b=http://h:1' },
      'a cluster of 2 members needs listenPeerUrls',
    ],
    [
      { listenClientUrls: ['https://127.0.0.1:1'] },
      'TLS key/cert (--cert-file, --key-file) must be provided',
    ],
  ])('%j is refused with the value in the message', (options, message) => {
    expect(() => resolveOptions(options)).toThrow(message);
  });
});

describe('joining a cluster that is there', () => {
  const OWN = 'http://own:1';
  const [A, B, C] = ['http://a:1', 'http://b:1', 'http://c:1'];
  const options = resolveOptions({
    name: 'own',
    listenPeerUrls: ['http://127.0.0.1:0'],
    initialAdvertisePeerUrls: [OWN],
    initialCluster: `a=${A},b=${B},c=${C},own=${OWN}`,
    initialClusterState: 'existing',
  });
  const knows = (appliedIndex: number, id: bigint | undefined, cluster = 5n): ClusterFacts => ({
    clusterId: cluster,
    appliedIndex,
    members: [
      { id: 1n, name: 'a', peerUrls: [A], clientUrls: [] },
      ...(id === undefined ? [] : [{ id, name: '', peerUrls: [OWN], clientUrls: [] }]),
    ],
  });
  const join = (
    facts: Readonly<Record<string, ClusterFacts>>,
    names?: NameResolver,
  ): Promise<unknown> => {
    const askMembers = (url: string): Promise<ClusterFacts> => {
      const one = facts[url];
      return one === undefined ? Promise.reject(new Error('gone')) : Promise.resolve(one);
    };
    return joinCluster(options, { askMembers }, names).then(({ memberId: id }) => id);
  };

  test('the id is that of the member that is furthest, not the one of a member that was removed', async () => {
    expect(await join({ [A]: knows(10, 7n), [B]: knows(30, 9n), [C]: knows(20, 7n) })).toBe(9n);
    expect(await join({ [B]: knows(30, 9n) })).toBe(9n);
  });

  test('what a member that lags behind still knows is not believed', async () => {
    await expect(join({ [A]: knows(10, 7n), [B]: knows(30, undefined) })).rejects.toThrow(
      `${B} knows no member at ${OWN}`,
    );
  });

  test('it may have been added under a name, or an address, that leads to what it advertises', async () => {
    const hosts: Record<string, string> = { own: '192.0.2.1', alias: '192.0.2.1', a: '192.0.2.2' };
    const names: NameResolver = {
      resolveSrv: () => Promise.reject(new Error('not asked')),
      addresses: (host) => Promise.resolve([hosts[host] ?? host]),
    };
    const addedAt = (url: string): Readonly<Record<string, ClusterFacts>> => {
      const { members, ...rest } = knows(10, undefined);
      const added = { id: 9n, name: '', peerUrls: [url], clientUrls: [] };
      return { [A]: { ...rest, members: [...members, added] } };
    };
    expect(await join(addedAt('http://alias:1'), names)).toBe(9n);
    expect(await join(addedAt('http://192.0.2.1:1'), names)).toBe(9n);
    await expect(join(addedAt('http://alias:2'), names)).rejects.toThrow('knows no member');
    await expect(join(addedAt('http://alias:1'))).rejects.toThrow('knows no member');
  });

  test('members of two clusters, and nobody at all, are refused', async () => {
    await expect(join({ [A]: knows(10, 7n), [B]: knows(30, 7n, 6n) })).rejects.toThrow(
      `${B} and ${A} are of two clusters`,
    );
    await expect(join({})).rejects.toThrow(`${A}: gone`);
  });
});
