/** Certificates that a member signs itself: etcd's --auto-tls and --peer-auto-tls. */
import 'reflect-metadata';
import { randomBytes, webcrypto } from 'node:crypto';
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { isIP } from 'node:net';
import { join } from 'node:path';
import {
  BasicConstraintsExtension,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  KeyUsageFlags,
  KeyUsagesExtension,
  PemConverter,
  SubjectAlternativeNameExtension,
  X509CertificateGenerator,
} from '@peculiar/x509';
import type { Logger } from '../../logger.ts';

/** A certificate and its key, as PEM. */
export interface KeyPair {
  readonly cert: string;
  readonly key: string;
}

/** What a self-signed certificate is to be. */
export interface SelfSigned {
  /** Where it is kept as `cert.pem` and `key.pem`; undefined: nowhere. */
  readonly folder: string | undefined;
  /** Names and addresses that it is valid for; a port behind them is ignored. */
  readonly hosts: readonly string[];
  readonly years: number;
}

const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-521', hash: 'SHA-512' } as const;

const YEAR_MS = 365 * 24 * 3_600_000;

/** The certificate in the folder, or a new one that is then in it. */
export async function selfSignedPair(wanted: SelfSigned, log: Logger): Promise<KeyPair> {
  const { folder } = wanted;
  if (folder === undefined) return createPair(wanted, log);
  const [certPath, keyPath] = [join(folder, 'cert.pem'), join(folder, 'key.pem')];
  try {
    return { cert: await readFile(certPath, 'utf8'), key: await readFile(keyPath, 'utf8') };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
  const pair = await createPair(wanted, log);
  await mkdir(folder, { recursive: true, mode: 0o700 });
  // The certificate comes last: where it is, its key is too.
  await writeWhole(keyPath, pair.key, 0o600);
  log.info('created key file', { path: keyPath });
  await writeWhole(certPath, pair.cert, 0o644);
  log.info('created cert file', { path: certPath });
  return pair;
}

async function createPair({ hosts, years }: SelfSigned, log: Logger): Promise<KeyPair> {
  const notBefore = new Date();
  const notAfter = new Date(notBefore.getTime() + years * YEAR_MS);
  log.warn('automatically generate certificates', {
    'certificate-validity-bound-not-after': notAfter.toISOString(),
  });
  const keys = await webcrypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify']);
  const certificate = await X509CertificateGenerator.createSelfSigned(
    {
      serialNumber: randomBytes(16).toString('hex'),
      name: 'O=etcd',
      notBefore,
      notAfter,
      keys,
      signingAlgorithm: ALGORITHM,
      extensions: [
        new KeyUsagesExtension(
          KeyUsageFlags.keyEncipherment | KeyUsageFlags.digitalSignature,
          true,
        ),
        // Peers show it from both sides.
        new ExtendedKeyUsageExtension([ExtendedKeyUsage.serverAuth, ExtendedKeyUsage.clientAuth]),
        new BasicConstraintsExtension(false, undefined, true),
        new SubjectAlternativeNameExtension(alternativeNames(hosts)),
      ],
    },
    webcrypto as never,
  );
  const key = await webcrypto.subtle.exportKey('pkcs8', keys.privateKey);
  return { cert: certificate.toString('pem'), key: PemConverter.encode(key, 'PRIVATE KEY') };
}

function alternativeNames(hosts: readonly string[]): { type: 'ip' | 'dns'; value: string }[] {
  const names = hosts.map((host) => host.replace(/:\d+$/, '').replace(/^\[|\]$/g, ''));
  return [...new Set(names)].map((value) => ({ type: isIP(value) === 0 ? 'dns' : 'ip', value }));
}

/** A reader sees the old content or the new one, never a part. */
async function writeWhole(path: string, content: string, mode: number): Promise<void> {
  await writeFile(`${path}.tmp`, content, { mode });
  await rename(`${path}.tmp`, path);
}
