import { readFile } from 'node:fs/promises';
import { createPrivateKey, createPublicKey, type KeyObject } from 'node:crypto';
import { must } from '@etcd-ts/base';
import { EtcdError } from '@etcd-ts/protocol';
import { errors, jwtVerify, SignJWT } from 'jose';
import { StartError } from '../../start-error.ts';
import type { JwtSettings } from '../token-option.ts';
import type { SignedTokens, TokenClaims } from '../token-provider.ts';

/** Tokens as JSON web tokens with etcd's claims: username, revision, exp. */
export class JwtTokens implements SignedTokens {
  readonly #algorithm: string;
  readonly #signingKey: KeyObject | Uint8Array | undefined;
  readonly #verifyingKey: KeyObject | Uint8Array;
  readonly #ttlSeconds: number;

  private constructor(algorithm: string, keys: Keys, ttlSeconds: number) {
    this.#algorithm = algorithm;
    this.#signingKey = keys.signing;
    this.#verifyingKey = keys.verifying;
    this.#ttlSeconds = ttlSeconds;
  }

  /**
   * Reads the keys.
   *
   * @throws StartError BAD_OPTION: a key that is missing, cannot be read, or does not fit the method.
   */
  static async open(settings: JwtSettings): Promise<JwtTokens> {
    const { signMethod, ttlSeconds } = settings;
    const tokens = new JwtTokens(signMethod, await readKeys(settings), ttlSeconds);
    try {
      // A key of another kind, or too short a one, shows with the first use.
      await importable(signMethod, tokens.#verifyingKey);
      if (tokens.#signingKey !== undefined) await tokens.#assertPair();
    } catch (cause) {
      const detail = cause instanceof Error ? cause.message : String(cause);
      const message = `auth: invalid auth options: the key does not fit ${signMethod}: ${detail}`;
      throw new StartError('BAD_OPTION', message, { cause });
    }
    return tokens;
  }

  /** What the private key signs, the public key must verify. */
  async #assertPair(): Promise<void> {
    const token = await this.issue({ username: '', authRevision: 0 });
    // Long before it expires.
    const options = { algorithms: [this.#algorithm], currentDate: new Date(0) };
    try {
      await jwtVerify(token, this.#verifyingKey, options);
    } catch (cause) {
      throw new Error('what priv-key signs, pub-key does not verify', { cause });
    }
  }

  async issue({ username, authRevision }: TokenClaims): Promise<string> {
    if (this.#signingKey === undefined) throw new EtcdError('VERIFY_ONLY');
    return new SignJWT({ username, revision: authRevision })
      .setProtectedHeader({ alg: this.#algorithm, typ: 'JWT' })
      .setExpirationTime(new Date(Date.now() + this.#ttlSeconds * 1_000))
      .sign(this.#signingKey);
  }

  async verify(token: string): Promise<TokenClaims | undefined> {
    try {
      // Only our own algorithm: a token must not choose how it is judged.
      const algorithms = [this.#algorithm];
      const { payload } = await jwtVerify(token, this.#verifyingKey, { algorithms });
      const { username, revision } = payload;
      if (typeof username !== 'string' || typeof revision !== 'number') return undefined;
      return { username, authRevision: revision };
    } catch (error) {
      if (error instanceof errors.JOSEError) return undefined;
      throw error;
    }
  }
}

interface Keys {
  readonly signing: KeyObject | Uint8Array | undefined;
  readonly verifying: KeyObject | Uint8Array;
}

async function readKeys({ signMethod, publicKeyFile, privateKeyFile }: JwtSettings): Promise<Keys> {
  if (signMethod.startsWith('HS')) {
    const secret = new Uint8Array(await read(must(privateKeyFile, 'priv-key')));
    return { signing: secret, verifying: secret };
  }
  const signing =
    privateKeyFile === undefined
      ? undefined
      : parsed(privateKeyFile, createPrivateKey, await read(privateKeyFile));
  const verifying =
    publicKeyFile === undefined
      ? createPublicKey(must(signing, 'priv-key'))
      : parsed(publicKeyFile, createPublicKey, await read(publicKeyFile));
  return { signing, verifying };
}

async function read(file: string): Promise<Buffer> {
  try {
    return await readFile(file);
  } catch (cause) {
    throw new StartError('BAD_OPTION', `auth: invalid auth options: ${String(cause)}`, { cause });
  }
}

function parsed(file: string, parse: (pem: Buffer) => KeyObject, pem: Buffer): KeyObject {
  try {
    return parse(pem);
  } catch (cause) {
    const message = `auth: invalid auth options: ${file} holds no key: ${String(cause)}`;
    throw new StartError('BAD_OPTION', message, { cause });
  }
}

/** Verifies what cannot be right: a key of the wrong kind fails otherwise than a wrong signature. */
async function importable(algorithm: string, key: KeyObject | Uint8Array): Promise<void> {
  const part = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');
  const unsigned = `${part({ alg: algorithm })}.${part({})}.AAAA`;
  try {
    await jwtVerify(unsigned, key, { algorithms: [algorithm] });
  } catch (error) {
    if (!(error instanceof errors.JWSSignatureVerificationFailed)) throw error;
  }
}
