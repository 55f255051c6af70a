/**
 * Makes the certificates of a TLS cluster on this machine, good ones and bad ones: an authority, one certificate each
 * for the client URLs, the peer URLs and a client; and those that are to be refused: expired, revoked (with the list
 * that says so), of another name, of another authority.
 *
 * From the command line: `npx tsx examples/tls/certificates.ts FOLDER`.
 */
import 'reflect-metadata';
import { randomBytes, webcrypto } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import {
  AuthorityKeyIdentifierExtension,
  BasicConstraintsExtension,
  cryptoProvider,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  KeyUsageFlags,
  KeyUsagesExtension,
  PemConverter,
  SubjectAlternativeNameExtension,
  SubjectKeyIdentifierExtension,
  type X509Certificate,
  X509CertificateGenerator,
  X509CrlGenerator,
} from '@peculiar/x509';

cryptoProvider.set(webcrypto as never);

const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;
const DAY_MS = 24 * 3_600_000;
const HERE = ['127.0.0.1', '::1', 'localhost'];

/** An authority that signs certificates. */
export interface Authority {
  readonly certificate: X509Certificate;
  readonly keys: webcrypto.CryptoKeyPair;
}

/** What a certificate is to say. */
export interface Wanted {
  /** Empty: none. */
  readonly commonName: string;
  /** Names and addresses of its holder. @defaultValue none */
  readonly hosts?: readonly string[];
  /** From now; negative: expired. @defaultValue 365 */
  readonly days?: number;
  /** @defaultValue both */
  readonly usage?: 'server' | 'client' | 'both';
}

/** Makes an authority. */
export async function makeAuthority(name: string): Promise<Authority> {
  const keys = await webcrypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify']);
  const certificate = await X509CertificateGenerator.createSelfSigned({
    serialNumber: serialNumber(),
    name: `CN=${name}`,
    notBefore: new Date(Date.now() - 2 * DAY_MS),
    notAfter: new Date(Date.now() + 3650 * DAY_MS),
    keys,
    signingAlgorithm: ALGORITHM,
    extensions: [
      new BasicConstraintsExtension(true, undefined, true),
      new KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign, true),
      // Tells authorities of one name apart, when one takes over from the other.
      await SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
  return { certificate, keys };
}

/** Makes a certificate and writes `NAME.crt` and `NAME.key`. */
export async function issue(
  folder: string,
  name: string,
  authority: Authority,
  wanted: Wanted,
): Promise<X509Certificate> {
  const { commonName, hosts = [], days = 365, usage = 'both' } = wanted;
  const keys = await webcrypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify']);
  const usages = [
    ...(usage === 'client' ? [] : [ExtendedKeyUsage.serverAuth]),
    ...(usage === 'server' ? [] : [ExtendedKeyUsage.clientAuth]),
  ];
  const names = hosts.map((value) => ({
    type: /^[\d.]+$|:/.test(value) ? ('ip' as const) : ('dns' as const),
    value,
  }));
  const certificate = await X509CertificateGenerator.create({
    serialNumber: serialNumber(),
    subject: commonName === '' ? 'O=etcd' : `CN=${commonName}`,
    issuer: authority.certificate.subject,
    notBefore: new Date(Date.now() - 2 * DAY_MS),
    notAfter: new Date(Date.now() + days * DAY_MS),
    signingKey: authority.keys.privateKey,
    publicKey: keys.publicKey,
    signingAlgorithm: ALGORITHM,
    extensions: [
      new ExtendedKeyUsageExtension(usages),
      await AuthorityKeyIdentifierExtension.create(authority.keys.publicKey),
      ...(names.length === 0 ? [] : [new SubjectAlternativeNameExtension(names)]),
    ],
  });
  writePem(join(folder, `${name}.crt`), certificate.toString('pem'));
  const key = await webcrypto.subtle.exportKey('pkcs8', keys.privateKey);
  writePem(join(folder, `${name}.key`), PemConverter.encode(key, 'PRIVATE KEY'), 0o600);
  return certificate;
}

/** Writes a list that revokes these certificates; it is to be renewed in so many days. */
export async function revoke(
  path: string,
  authority: Authority,
  certificates: readonly X509Certificate[],
  days = 365,
): Promise<void> {
  const list = await X509CrlGenerator.create({
    issuer: authority.certificate.subject,
    thisUpdate: new Date(Date.now() - 2 * DAY_MS),
    nextUpdate: new Date(Date.now() + days * DAY_MS),
    signingKey: authority.keys.privateKey,
    signingAlgorithm: ALGORITHM,
    entries: certificates.map(({ serialNumber: serial }) => ({ serialNumber: serial })),
  });
  writePem(path, PemConverter.encode(list.rawData, 'X509 CRL'));
}

/**
 * Makes everything.
 *
 * @returns The authority, to issue more.
 */
export async function makeCertificates(folder: string): Promise<Authority> {
  mkdirSync(folder, { recursive: true });
  const authority = await makeAuthority('etcd-ts example authority');
  const other = await makeAuthority('somebody else');
  writePem(join(folder, 'ca.crt'), authority.certificate.toString('pem'));
  writePem(join(folder, 'other-ca.crt'), other.certificate.toString('pem'));
  const here = { hosts: HERE };
  await issue(folder, 'server', authority, { commonName: 'server', ...here });
  await issue(folder, 'peer', authority, { commonName: 'peer', ...here });
  await issue(folder, 'client', authority, { commonName: 'client', usage: 'client' });
  const expired = { days: -1, usage: 'client' } as const;
  await issue(folder, 'expired', authority, { commonName: 'client', ...expired });
  await issue(folder, 'expired-peer', authority, { commonName: 'peer', ...here, days: -1 });
  await issue(folder, 'wrong-cn', authority, { commonName: 'intruder', ...here });
  await issue(folder, 'wrong-ca', other, { commonName: 'client', ...here });
  const revoked = [
    await issue(folder, 'revoked', authority, { commonName: 'client', usage: 'client' }),
    await issue(folder, 'revoked-peer', authority, { commonName: 'peer', ...here }),
  ];
  await revoke(join(folder, 'revoked.crl'), authority, revoked);
  return authority;
}

/** With the line end that lets files be put together by `cat`. */
function writePem(path: string, pem: string, mode = 0o644): void {
  writeFileSync(path, `${pem}\n`, { mode });
}

/** Sixteen random bytes, the first of them positive: a serial number is a signed integer. */
function serialNumber(): string {
  const bytes = randomBytes(16);
  bytes[0] = ((bytes[0] as number) & 0x7f) | 0x40;
  return bytes.toString('hex');
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const folder = process.argv[2] ?? 'certs';
  await makeCertificates(folder);
  console.log(`certificates are in ${folder}`);
}
