/** Signed tokens of etcd and ours are the same: each takes the other's. */
import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { utf8 } from '@etcd-ts/base';
import { AuthUserAddRequest, type CallOptions, RangeRequest } from '@etcd-ts/protocol';
import { afterAll, describe, expect, test } from 'vitest';
import { hasEtcd, realEtcd } from '../../../../tools/peers/real-etcd.ts';
import { JwtTokens } from '../../src/auth/node/jwt-tokens.ts';
import { parseTokenOption } from '../../src/auth/token-option.ts';
import { startRealEtcd } from '../differential/target.ts';

const peers = realEtcd();
const folder = mkdtempSync(join(tmpdir(), 'etcd-ts-jwt-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function keyFile(name: string, key: string | Uint8Array): string {
  const path = join(folder, name);
  writeFileSync(path, key);
  return path;
}

const pem = (pair: ReturnType<typeof generateKeyPairSync>) =>
  pair.privateKey.export({ type: 'pkcs8', format: 'pem' });
const rsa = keyFile('rsa', pem(generateKeyPairSync('rsa', { modulusLength: 2048 })));
const ec = keyFile('ec', pem(generateKeyPairSync('ec', { namedCurve: 'P-384' })));
const secret = keyFile('secret', randomBytes(64));

describe.runIf(hasEtcd(peers))('tokens beside real etcd', () => {
  for (const [method, key] of [
    ['PS256', rsa],
    ['ES384', ec],
    ['HS512', secret],
  ] as const) {
    test(`${method}: each takes what the other signed`, { timeout: 60_000 }, async () => {
      const option = `jwt,sign-method=${method},priv-key=${key},ttl=5m`;
      const settings = parseTokenOption(option);
      if (settings === 'simple') throw new Error('a signed token was asked for');
      const ours = await JwtTokens.open(settings);
      const flags = ['--auth-token', option, '--bcrypt-cost=4'];
      const target = await startRealEtcd('missing' in peers ? '' : peers.etcd, { flags });
      try {
        const { channel } = target;
        const root = { name: 'root', password: 'pw' };
        await channel.unary('etcdserverpb.Auth/UserAdd', AuthUserAddRequest.fromPartial(root));
        await channel.unary('etcdserverpb.Auth/UserGrantRole', { user: 'root', role: 'root' });
        await channel.unary('etcdserverpb.Auth/AuthEnable', {});
        const { token } = await channel.unary('etcdserverpb.Auth/Authenticate', root);
        const claims = await ours.verify(token);
        expect(claims).toEqual({ username: 'root', authRevision: expect.any(Number) });
        const read = (mine: string) => {
          const options: CallOptions = { metadata: new Map([['token', mine]]) };
          const request = RangeRequest.fromPartial({ key: utf8('a') });
          return channel.unary('etcdserverpb.KV/Range', request, options);
        };
        expect((await read(await ours.issue(claims!))).kvs).toEqual([]);
        const old = await ours.issue({ username: 'root', authRevision: 1 });
        await expect(read(old)).rejects.toMatchObject({ code: 'AUTH_OLD_REVISION' });
      } finally {
        await target.stop();
      }
    });
  }
});
