import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test, vi } from 'vitest';
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
const otherRsa = keyFiles('other', generateKeyPairSync('rsa', { modulusLength: 2048 }));
const ec = keyFiles('ec', generateKeyPairSync('ec', { namedCurve: 'P-256' }));
const ed = keyFiles('ed', generateKeyPairSync('ed25519'));
const secret = join(folder, 'secret');
writeFileSync(secret, randomBytes(64));
const ttlSeconds = 300;
const claims = { username: 'alice', authRevision: 7 };

describe('JSON web tokens', () => {
  const methods = [
    ...(['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512'] as const).map(
      (method) => [method, rsa] as const,
    ),
    ['ES256', ec] as const,
    ['EdDSA', ed] as const,
    ...(['HS256', 'HS384', 'HS512'] as const).map(
      (method) => [method, { privateKeyFile: secret }] as const,
    ),
  ];
  for (const [signMethod, files] of methods) {
    test(`${signMethod} gives back the claims it signed`, async () => {
      const tokens = await JwtTokens.open({ signMethod, ttlSeconds, ...files });
      expect(await tokens.verify(await tokens.issue(claims))).toEqual(claims);
    });
  }

  test('a token of another key, another method or no signature is refused', async () => {
    const ours = await JwtTokens.open({ signMethod: 'RS256', ttlSeconds, ...rsa });
    const theirs = await JwtTokens.open({
      signMethod: 'RS256',
      ttlSeconds,
      ...otherRsa,
    });
    expect(await ours.verify(await theirs.issue(claims))).toBeUndefined();
    const ps = await JwtTokens.open({ signMethod: 'PS256', ttlSeconds, ...rsa });
    expect(await ours.verify(await ps.issue(claims))).toBeUndefined();
    const part = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');
    const unsigned = `${part({ alg: 'none' })}.${part({ username: 'root', revision: 7 })}.`;
    expect(await ours.verify(unsigned)).toBeUndefined();
    expect(await ours.verify('nonsense')).toBeUndefined();
  });

  test('a token is refused when its time is up', async () => {
    vi.useFakeTimers({ toFake: ['Date'] });
    try {
      const tokens = await JwtTokens.open({ signMethod: 'RS256', ...rsa, ttlSeconds: 60 });
      const token = await tokens.issue(claims);
      vi.setSystemTime(Date.now() + 58_000);
      expect(await tokens.verify(token)).toEqual(claims);
      vi.setSystemTime(Date.now() + 3_000);
      expect(await tokens.verify(token)).toBeUndefined();
    } finally {
      vi.useRealTimers();
    }
  });

  test('with a public key alone tokens are verified and not issued', async () => {
    const signer = await JwtTokens.open({ signMethod: 'RS256', ttlSeconds, ...rsa });
    const verifier = await JwtTokens.open({
      signMethod: 'RS256',
      ttlSeconds,
      publicKeyFile: rsa.publicKeyFile,
    });
    expect(await verifier.verify(await signer.issue(claims))).toEqual(claims);
    await expect(verifier.issue(claims)).rejects.toMatchObject({ code: 'VERIFY_ONLY' });
  });

  test('a key that is not there, is none, or does not fit is named', async () => {
    const open = (settings: Partial<Parameters<typeof JwtTokens.open>[0]>) =>
      JwtTokens.open({ signMethod: 'RS256', ttlSeconds, ...settings });
    const bad = (text: string) =>
      expect.objectContaining({ code: 'BAD_OPTION', message: expect.stringContaining(text) });
    await expect(open({ privateKeyFile: '/not/there' })).rejects.toEqual(bad('/not/there'));
    await expect(open({ privateKeyFile: secret })).rejects.toEqual(bad('holds no key'));
    await expect(open(ec)).rejects.toEqual(bad('does not fit RS256'));
    await expect(open({ publicKeyFile: ec.publicKeyFile })).rejects.toEqual(
      bad('does not fit RS256'),
    );
    const mixed = { ...rsa, publicKeyFile: otherRsa.publicKeyFile };
    await expect(open(mixed)).rejects.toEqual(bad('pub-key does not verify'));
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

test('a password of which bcrypt would overlook a part is refused', async () => {
  const hasher = new BcryptHasher(4);
  await expect(hasher.hash('é'.repeat(37))).rejects.toMatchObject({
    code: 'UNKNOWN',
    message: 'bcrypt: password length exceeds 72 bytes',
  });
  expect(await hasher.matches('é'.repeat(36), await hasher.hash('é'.repeat(36)))).toBe(true);
  await hasher.close();
});

test('a flood of logins is refused beyond a limit', async () => {
  const hasher = new BcryptHasher(4, 20);
  const hash = await hasher.hash('x');
  const flood = Array.from({ length: 30 }, () => hasher.matches('x', hash));
  const answers = await Promise.allSettled(flood);
  const refused = answers.filter(({ status }) => status === 'rejected');
  expect(refused).toHaveLength(10);
  expect(refused[0]).toMatchObject({ reason: { code: 'TOO_MANY_REQUESTS' } });
  // Those before it were served, and there is room again.
  expect(await hasher.matches('x', hash)).toBe(true);
  await hasher.close();
});
