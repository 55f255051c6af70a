/** The files behind a TlsInfo, read again for each handshake. */
import { constants, X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { createSecureContext, type SecureContext, type SecureContextOptions } from 'node:tls';
import type { Logger } from '../../logger.ts';
import { StartError } from '../../start-error.ts';
import { opensslCiphers } from '../cipher-suites.ts';
import { requiresClientCert, type TlsInfo } from '../tls-options.ts';
import { RevocationList } from './revocation.ts';
import { type KeyPair, selfSignedPair } from './self-signed.ts';

const VERSIONS = { 'TLS1.2': 'TLSv1.2', 'TLS1.3': 'TLSv1.3' } as const;

/** Which of the two certificates of an info: the one of a server, or the one for dialling. */
export type Side = 'server' | 'dialler';

/**
 * What a handshake needs of certificates, keys and authorities.
 *
 * Invariant: what {@link context} gives was made of the files as they were when it was asked; files that cannot be read
 * or do not fit together refuse the handshake, they are never replaced by older ones.
 */
export class Credentials {
  readonly info: TlsInfo;
  readonly revoked: RevocationList | undefined;
  readonly #hosts: readonly string[];
  readonly #log: Logger;
  readonly #made = new Map<Side, { readonly parts: readonly string[]; readonly context: Made }>();
  #selfSigned: Promise<KeyPair> | undefined;

  /** @param hosts What a self-signed certificate is valid for. */
  constructor(info: TlsInfo, hosts: readonly string[], log: Logger) {
    this.info = info;
    this.revoked = info.crlFile === '' ? undefined : new RevocationList(info.crlFile);
    this.#hosts = hosts;
    this.#log = log;
  }

  /**
   * Reads everything once.
   *
   * @throws StartError BAD_OPTION with etcd's words: a file that is not there, or does not fit.
   */
  async check(): Promise<void> {
    const { info } = this;
    if (info.certFile === '' && info.selfSigned === undefined && info.trustedCaFile === '') return;
    try {
      await this.context('server');
      await this.context('dialler');
      await this.revoked?.load();
    } catch (error) {
      throw new StartError('BAD_OPTION', goWords(error), { cause: error });
    }
  }

  /**
   * The context for one handshake.
   *
   * @throws Error when a file cannot be read, or certificate and key do not fit together.
   */
  async context(side: Side): Promise<Made> {
    const pair = await this.#pair(side);
    const ca = await this.#read(this.info.trustedCaFile);
    const parts = [pair?.cert ?? '', pair?.key ?? '', ca ?? ''];
    const made = this.#made.get(side);
    if (made?.parts.every((part, at) => part === parts[at]) === true) return made.context;
    const options = this.#contextOptions(pair, ca);
    const context = { options, secureContext: createSecureContext(options) };
    this.#made.set(side, { parts, context });
    return context;
  }

  /** Options of `node:tls` for whoever listens; certificate and key come with {@link context}. */
  get listenOptions(): { readonly requestCert: boolean } {
    return { requestCert: requiresClientCert(this.info) };
  }

  async #pair(side: Side): Promise<KeyPair | undefined> {
    const { certFile, keyFile, clientCertFile, clientKeyFile, selfSigned } = this.info;
    if (selfSigned !== undefined) {
      this.#selfSigned ??= selfSignedPair({ ...selfSigned, hosts: this.#hosts }, this.#log);
      return this.#selfSigned;
    }
    const isOwn = side === 'dialler' && clientCertFile !== '';
    const [certPath, keyPath] = isOwn ? [clientCertFile, clientKeyFile] : [certFile, keyFile];
    const [cert, key] = [await this.#read(certPath), await this.#read(keyPath)];
    return cert === undefined || key === undefined ? undefined : { cert, key };
  }

  async #read(path: string): Promise<string | undefined> {
    return path === '' ? undefined : readFile(path, 'latin1');
  }

  #contextOptions(pair: KeyPair | undefined, ca: string | undefined): SecureContextOptions {
    const { cipherSuites, minVersion, maxVersion } = this.info;
    const ciphers = opensslCiphers(cipherSuites);
    if (ca !== undefined) checkAuthorities(ca);
    return {
      ...pair,
      ...(ca === undefined ? {} : { ca }),
      ...(ciphers === undefined ? {} : { ciphers }),
      // Whoever comes back with a session would not be verified again: not its dates, nor its authority.
      secureOptions: constants.SSL_OP_NO_TICKET,
      minVersion: VERSIONS[minVersion],
      ...(maxVersion === undefined ? {} : { maxVersion: VERSIONS[maxVersion] }),
    };
  }
}

/** A context, and what it was made of. */
export interface Made {
  readonly options: SecureContextOptions;
  readonly secureContext: SecureContext;
}

/** OpenSSL takes a file of authorities without a single certificate; that would let nobody in, and not say why. */
function checkAuthorities(pem: string): void {
  // Throws for what is no certificate.
  void new X509Certificate(pem);
}

/** Go's words for files that cannot be read. */
function goWords(error: unknown): string {
  const { code, path, message } = error as NodeJS.ErrnoException;
  if (code === 'ENOENT') return `open ${path}: no such file or directory`;
  if (code === 'EACCES') return `open ${path}: permission denied`;
  if (/key values mismatch/.test(message)) return 'tls: private key does not match public key';
  return message;
}
