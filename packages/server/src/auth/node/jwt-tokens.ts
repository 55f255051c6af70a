import { readFile } from 'node:fs/promises';
import { createPrivateKey, createPublicKey, type KeyObject } from 'node:crypto';
import { EtcdError } from '@etcd-ts/protocol';
import { errors, jwtVerify, SignJWT } from 'jose';
import type { SignedTokens, TokenClaims } from '../token-provider.ts';

/** Signing methods that etcd knows, as its `sign-method` names them. */
export const JWT_SIGN_METHODS = [
  'RS256',
  'RS384',
  'RS512',
  'PS256',
  'PS384',
  'PS512',
  'ES256',
  'ES384',
  'ES512',
  'HS256',
  'HS384',
  'HS512',
  'EdDSA',
] as const;

/** etcd's default time to live of a JWT. */
export const DEFAULT_JWT_TTL_SECONDS = 300;

/** How tokens are signed: etcd's `--auth-token=jwt,sign-method=…,pub-key=…,priv-key=…,ttl=…`. */
export interface JwtOptions {
  readonly signMethod: string;
  /** File of the public key, PEM. Not for HS methods. */
  readonly publicKeyFile?: string;
  /** File of the private key, PEM; for HS methods the secret's bytes. Without it tokens are only verified. */
  readonly privateKeyFile?: string;
  /** @defaultValue 300 */
  readonly ttlSeconds?: number;
}

/** Tokens as JSON web tokens with etcd's claims: username, revision, exp. */
export class JwtTokens implements SignedTokens {
  readonly #algorithm: string;
  readonly #signingKey: KeyObject | Uint8Array | undefined;
  readonly #verifyingKey: KeyObject | Uint8Array;
  readonly #ttlSeconds: number;

  private constructor(
    algorithm: string,
    keys: { signing: KeyObject | Uint8Array | undefined; verifying: KeyObject | Uint8Array },
    ttlSeconds: number,
  ) {
    this.#algorithm = algorithm;
    this.#signingKey = keys.signing;
    this.#verifyingKey = keys.verifying;
    this.#ttlSeconds = ttlSeconds;
  }

  /**
   * Reads the keys.
   *
   * @throws Error that names the option: an unknown method, a missing or unreadable key.
   */
  static async open(options: JwtOptions): Promise<JwtTokens> {
    const method = JWT_SIGN_METHODS.find((each) => each === options.signMethod);
    if (method === undefined) {
      const known = JWT_SIGN_METHODS.join(', ');
      throw new Error(`unknown signing method: '${options.signMethod}' is none of ${known}`);
    }
    const ttlSeconds = options.ttlSeconds ?? DEFAULT_JWT_TTL_SECONDS;
    if (method.startsWith('HS')) {
      if (options.privateKeyFile === undefined) throw new Error(`${method} needs priv-key`);
      const secret = new Uint8Array(await readFile(options.privateKeyFile));
      return new JwtTokens(method, { signing: secret, verifying: secret }, ttlSeconds);
    }
    return new JwtTokens(method, await readKeyPair(options), ttlSeconds);
  }

  async issue({ username, authRevision }: TokenClaims): Promise<string> {
    if (this.#signingKey === undefined) throw new EtcdError('VERIFY_ONLY');
    return new SignJWT({ username, revision: authRevision })
      .setProtectedHeader({ alg: this.#algorithm, typ: 'JWT' })
      .setExpirationTime(`${this.#ttlSeconds}s`)
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

async function readKeyPair(
  options: JwtOptions,
): Promise<{ signing: KeyObject | undefined; verifying: KeyObject }> {
  const { privateKeyFile, publicKeyFile } = options;
  const signing =
    privateKeyFile === undefined ? undefined : createPrivateKey(await readFile(privateKeyFile));
  if (publicKeyFile !== undefined) {
    return { signing, verifying: createPublicKey(await readFile(publicKeyFile)) };
  }
  if (signing === undefined) throw new Error(`${options.signMethod} needs pub-key or priv-key`);
  return { signing, verifying: createPublicKey(signing) };
}
