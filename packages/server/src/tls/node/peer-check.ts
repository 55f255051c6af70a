/** What etcd checks of a certificate beyond its chain: names it must have, and where its holder must come from. */
import { X509Certificate } from 'node:crypto';
import { lookup, lookupService, reverse } from 'node:dns/promises';
import { isIP } from 'node:net';
import type { DetailedPeerCertificate, PeerCertificate, TLSSocket } from 'node:tls';
import { NO_CERTIFICATE, NOT_ALLOWED, verificationProblem } from '../go-words.ts';
import { requiresClientCert } from '../tls-options.ts';
import type { Credentials } from './credentials.ts';

/** What a certificate says of its holder. */
export interface Holder {
  readonly commonName: string | undefined;
  readonly dnsNames: readonly string[];
  readonly ipAddresses: readonly string[];
}

/**
 * Why whoever connected is not let in, in etcd's words; undefined when it is.
 *
 * @throws Error when the list of revoked certificates cannot be read.
 */
export async function refusalOfCaller(
  socket: TLSSocket,
  credentials: Credentials,
): Promise<string | undefined> {
  const { info } = credentials;
  if (!requiresClientCert(info)) return undefined;
  const address = socket.remoteAddress ?? '';
  const certificate = certificateOf(socket);
  if (certificate === undefined) return NO_CERTIFICATE;
  if (!socket.authorized) return unverified(socket, certificate);
  if (!isAllowed(certificate, credentials)) return NOT_ALLOWED;
  if (info.checkClientSan) {
    const problem = await sanProblem(certificate, address);
    if (problem !== undefined) return problem;
  }
  return credentials.revoked?.problem(serialsOf(socket));
}

/**
 * Why a server that was dialled is not talked to; undefined when it is. Its chain and host name are already checked.
 *
 * @throws Error when the list of revoked certificates cannot be read.
 */
export async function refusalOfServer(
  socket: TLSSocket,
  credentials: Credentials,
): Promise<string | undefined> {
  const certificate = certificateOf(socket);
  if (certificate === undefined) return 'tls: the server showed no certificate';
  if (!isAllowed(certificate, credentials)) return NOT_ALLOWED;
  return credentials.revoked?.problem(serialsOf(socket));
}

/**
 * The certificate that the other side showed; undefined without one. (`getPeerX509Certificate` gives it to a client
 * only once.)
 */
export function certificateOf(socket: TLSSocket): X509Certificate | undefined {
  const shown: Partial<PeerCertificate> | null = socket.getPeerCertificate();
  return shown?.raw === undefined ? undefined : new X509Certificate(shown.raw);
}

/** Whether a certificate is valid for a host, which Go never reads from the common name. */
export function isValidFor(certificate: X509Certificate, host: string): boolean {
  return isIP(host) === 0
    ? certificate.checkHost(host, { subject: 'never', partialWildcards: false }) !== undefined
    : certificate.checkIP(host) !== undefined;
}

/** The common name of a certificate's subject; undefined without one. */
export function commonNameOf(certificate: X509Certificate): string | undefined {
  return holderOf(certificate).commonName;
}

/** What a certificate says of its holder. */
export function holderOf(certificate: X509Certificate): Holder {
  const { subject, subjectaltname } = certificate.toLegacyObject();
  const name: string | string[] | undefined = subject?.CN;
  const names = (subjectaltname ?? '').split(', ');
  const of = (kind: string): string[] =>
    names.filter((each) => each.startsWith(kind)).map((each) => each.slice(kind.length));
  return {
    commonName: Array.isArray(name) ? name.at(-1) : name,
    dnsNames: of('DNS:'),
    ipAddresses: of('IP Address:'),
  };
}

function isAllowed(certificate: X509Certificate, { info }: Credentials): boolean {
  const { allowedCns, allowedHostnames } = info;
  if (allowedCns.length > 0) return allowedCns.includes(commonNameOf(certificate) ?? '');
  if (allowedHostnames.length === 0) return true;
  return allowedHostnames.some((host) => isValidFor(certificate, host));
}

function unverified(socket: TLSSocket, certificate: X509Certificate): string {
  const code = String(socket.authorizationError);
  const problem = verificationProblem(code);
  const now = new Date();
  const [from, to] = [new Date(certificate.validFrom), new Date(certificate.validTo)];
  const time = (date: Date): string => date.toISOString().replace(/\.\d+Z$/, 'Z');
  if (now > to) return `${problem}: current time ${time(now)} is after ${time(to)}`;
  if (now < from) return `${problem}: current time ${time(now)} is before ${time(from)}`;
  return problem;
}

/** Serial numbers of the whole chain, the leaf's first. */
function serialsOf(socket: TLSSocket): string[] {
  const serials: string[] = [];
  let certificate: DetailedPeerCertificate | undefined = socket.getPeerCertificate(true);
  while (certificate?.serialNumber !== undefined && !serials.includes(certificate.serialNumber)) {
    serials.push(certificate.serialNumber);
    certificate = certificate.issuerCertificate;
  }
  return serials;
}

/**
 * Whether the caller comes from where its certificate says (etcd client/pkg/transport/listener_tls.go, checkCertSAN):
 * an address that it names, or one that one of its names resolves to. A certificate without names may come from
 * anywhere.
 */
async function sanProblem(
  certificate: X509Certificate,
  remoteAddress: string,
): Promise<string | undefined> {
  const { dnsNames, ipAddresses } = holderOf(certificate);
  if (dnsNames.length === 0 && ipAddresses.length === 0) return undefined;
  const address = remoteAddress.replace(/^::ffff:(?=\d+\.)/, '');
  if (ipAddresses.length > 0) {
    if (address !== '' && certificate.checkIP(address) !== undefined) return undefined;
    if (dnsNames.length === 0) {
      return `x509: certificate is valid for ${ipAddresses.join(', ')}, not ${address}`;
    }
  }
  if (await isNamed(address, dnsNames)) return undefined;
  const quoted = dnsNames.map((name) => JSON.stringify(name)).join(' ');
  return `tls: "${address}" does not match any of DNSNames [${quoted}]`;
}

async function isNamed(address: string, dnsNames: readonly string[]): Promise<boolean> {
  for (const name of dnsNames.filter((each) => !each.startsWith('*'))) {
    const found = await lookup(name, { all: true }).catch(() => []);
    if (found.some((each) => each.address === address)) return true;
  }
  const names = await namesOf(address);
  return names.some((name) => isCovered(name, dnsNames));
}

/**
 * Whether the names of a certificate cover the name of a caller. A wildcard stands for any number of labels here, other
 * than in the name of a server (etcd client/pkg/transport/listener_tls.go, isHostInDNS).
 */
export function isCovered(name: string, dnsNames: readonly string[]): boolean {
  return dnsNames.some((each) =>
    each.startsWith('*.') ? name.endsWith(each.slice(1)) : name === each,
  );
}

/** Names that an address has, by DNS and by the system's own table. */
async function namesOf(address: string): Promise<string[]> {
  const byDns = await reverse(address).catch((): string[] => []);
  const { hostname } = await lookupService(address, 0).catch(() => ({ hostname: '' }));
  return [...byDns, ...(hostname === '' ? [] : [hostname])].map((name) => name.replace(/\.$/, ''));
}
