import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { BcryptHasher } from '../../src/auth/node/bcrypt-hasher.ts';
import { JwtTokens } from '../../src/auth/node/jwt-tokens.ts';

const folder = mkdtempSync(join(tmpdir(), 'etcd-ts-auth-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function keyFiles(name: string, pair: ReturnType<typeof generateKeyPairSync>) {
  const privateKeyFile = join(folder, `${name}.key`);
  const publicKeyFile = join(folder, `${name}.pub`);
  writeFileSync(privateKeyFile, pair.privateKey.export({ type: 'pkcs8', format: 'pem' }));
  writeFileSync(publicKeyFile, pair.publicKey.export({ type: 'spki', format: 'pem' }));
  return { privateKeyFile, publicKeyFile };
}

const rsa = keyFiles('rsa', generateKeyPairSync('rsa', { modulusLength: 2048 }));
const ec = keyFiles('ec', generateKeyPairSync('ec', { namedCurve: 'P-256' }));
const ed = keyFiles('ed', generateKeyPairSync('ed25519'));
const secret = join(folder, 'secret');
writeFileSync(secret, randomBytes(64));
const claims = { username: 'alice', authRevision: 7 };

describe('JSON web tokens', () => {
  const methods = [
    ...['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512'].map(
      (method) => [method, rsa] as const,
    ),
    ['ES256', ec] as const,
    ['EdDSA', ed] as const,
    ...['HS256', 'HS384', 'HS512'].map((method) => [method, { privateKeyFile: secret }] as const),
  ];
  for (const [signMethod, files] of methods) {
    test(`${signMethod} gives back the claims it signed`, async () => {
      const tokens = await JwtTokens.open({ signMethod, ...files });
      expect(await tokens.verify(await tokens.issue(claims))).toEqual(claims);
    });
  }

  test('a token of another key, another method or no signature is refused', async () => {
    const ours = await JwtTokens.open({ signMethod: 'RS256', ...rsa });
    const other = generateKeyPairSync('rsa', { modulusLength: 2048 });
    const theirs = await JwtTokens.open({ signMethod: 'RS256', ...keyFiles('other', other) });
    expect(await ours.verify(await theirs.issue(claims))).toBeUndefined();
    const ps = await JwtTokens.open({ signMethod: 'PS256', ...rsa });
    expect(await ours.verify(await ps.issue(claims))).toBeUndefined();
    const part = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');
    const unsigned = `${part({ alg: 'none' })}.${part({ username: 'root', revision: 7 })}.`;
    expect(await ours.verify(unsigned)).toBeUndefined();
    expect(await ours.verify('nonsense')).toBeUndefined();
  });

  test('an expired token is refused', async () => {
    const tokens = await JwtTokens.open({ signMethod: 'RS256', ...rsa, ttlSeconds: -1 });
    expect(await tokens.verify(await tokens.issue(claims))).toBeUndefined();
  });

  test('with a public key alone tokens are verified and not issued', async () => {
    const signer = await JwtTokens.open({ signMethod: 'RS256', ...rsa });
    const verifier = await JwtTokens.open({
      signMethod: 'RS256',
      publicKeyFile: rsa.publicKeyFile,
    });
    expect(await verifier.verify(await signer.issue(claims))).toEqual(claims);
    await expect(verifier.issue(claims)).rejects.toMatchObject({ code: 'VERIFY_ONLY' });
  });

  test('an unknown method and a missing key are named', async () => {
    await expect(JwtTokens.open({ signMethod: 'RS1', ...rsa })).rejects.toThrow("'RS1'");
    await expect(JwtTokens.open({ signMethod: 'RS256' })).rejects.toThrow('pub-key');
    await expect(JwtTokens.open({ signMethod: 'HS256' })).rejects.toThrow('priv-key');
  });
});

test('a password matches its own bcrypt hash and no other', async () => {
  const hasher = new BcryptHasher(4);
  const hash = await hasher.hash('secret');
  expect(hash).toMatch(/^\$2[ab]\$04\$/);
  expect(await hasher.matches('secret', hash)).toBe(true);
  expect(await hasher.matches('Secret', hash)).toBe(false);
  expect(await hasher.matches('secret', 'no hash')).toBe(false);
  await hasher.close();
});
