import { describe, expect, test } from 'vitest';
import { readEndpoint } from '../src/endpoint-address.ts';

describe('an endpoint', () => {
  const where: readonly [string, object][] = [
    ['10.0.0.1:2379', { host: '10.0.0.1', port: 2379 }],
    ['etcd.example', { host: 'etcd.example', port: 2379 }],
    ['http://etcd.example', { host: 'etcd.example', port: 2379 }],
    ['http://etcd.example:80', { host: 'etcd.example', port: 80 }],
    ['etcd.example:80', { host: 'etcd.example', port: 80 }],
    ['https://etcd.example:443', { host: 'etcd.example', port: 443 }],
    ['https://etcd.example:443/', { host: 'etcd.example', port: 443 }],
    ['https://etcd.example:80', { host: 'etcd.example', port: 80 }],
    ['https://[::1]', { host: '::1', port: 2379 }],
    ['https://[::1]:443', { host: '::1', port: 443 }],
    ['unix:///run/etcd.sock', { path: '/run/etcd.sock' }],
    ['unixs:etcd.sock:1', { path: 'etcd.sock:1' }],
  ];
  for (const [endpoint, target] of where) {
    test(`${endpoint} leads to ${JSON.stringify(target)}`, () => {
      expect(readEndpoint(endpoint).target).toEqual(target);
    });
  }

  test('is spoken to over TLS when its scheme says so', () => {
    const secure = ['a:1', 'http://a:1', 'https://a:1', 'unix://a', 'unixs://a'].map(
      (endpoint) => readEndpoint(endpoint).isTls,
    );
    expect(secure).toEqual([false, false, true, false, true]);
  });
});
