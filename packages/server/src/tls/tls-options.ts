/** What a node can be told of TLS, as etcd's flags say it, and the checks that etcd makes of it. */
import { cipherSuitesProblem } from './cipher-suites.ts';
import { StartError } from '../start-error.ts';

/** The TLS versions that etcd names. */
export type TlsVersion = 'TLS1.2' | 'TLS1.3';

/** TLS of the client and peer URLs. Files are PEM, and read again for each new handshake. */
export interface TlsNodeOptions {
  /** Certificate shown to clients, with its intermediates. etcd --cert-file. */
  readonly certFile?: string;
  /** etcd --key-file. */
  readonly keyFile?: string;
  /** For calls of the gateway, which need none here; only looked at. etcd --client-cert-file. @defaultValue certFile */
  readonly clientCertFile?: string;
  /** etcd --client-key-file. @defaultValue keyFile */
  readonly clientKeyFile?: string;
  /** Clients must have a verified certificate; its common name is then a user's name. etcd --client-cert-auth. */
  readonly clientCertAuth?: boolean;
  /** Authorities of client certificates; by itself it makes certificates a must, too. etcd --trusted-ca-file. */
  readonly trustedCaFile?: string;
  /** Serial numbers that are refused, PEM or DER. etcd --client-crl-file. */
  readonly clientCrlFile?: string;
  /** A client certificate must be valid for one of these names. etcd --client-cert-allowed-hostname. */
  readonly clientCertAllowedHostnames?: readonly string[];
  /** A self-signed certificate for clients, kept in the data directory. etcd --auto-tls. */
  readonly autoTls?: boolean;
  /** Certificate shown to peers. etcd --peer-cert-file. */
  readonly peerCertFile?: string;
  /** etcd --peer-key-file. */
  readonly peerKeyFile?: string;
  /** Certificate for dialling peers. etcd --peer-client-cert-file. @defaultValue peerCertFile */
  readonly peerClientCertFile?: string;
  /** etcd --peer-client-key-file. @defaultValue peerKeyFile */
  readonly peerClientKeyFile?: string;
  /** Peers must have a verified certificate. etcd --peer-client-cert-auth. */
  readonly peerClientCertAuth?: boolean;
  /** Authorities of peer certificates, on both sides. etcd --peer-trusted-ca-file. */
  readonly peerTrustedCaFile?: string;
  /** etcd --peer-crl-file. */
  readonly peerCrlFile?: string;
  /** Common names that peers may have. etcd --peer-cert-allowed-cn. */
  readonly peerCertAllowedCns?: readonly string[];
  /** A peer certificate must be valid for one of these names. etcd --peer-cert-allowed-hostname. */
  readonly peerCertAllowedHostnames?: readonly string[];
  /** A self-signed certificate for peers, kept in the data directory. etcd --peer-auto-tls. */
  readonly peerAutoTls?: boolean;
  /** Peers need not come from an address that their certificate names. etcd --peer-skip-client-san-verification. */
  readonly peerSkipClientSanVerification?: boolean;
  /** Go's names of the suites of TLS 1.2 that are taken. etcd --cipher-suites. @defaultValue OpenSSL's choice */
  readonly cipherSuites?: readonly string[];
  /** `TLS1.2` or `TLS1.3`. etcd --tls-min-version. @defaultValue 'TLS1.2' */
  readonly tlsMinVersion?: string;
  /** `TLS1.2` or `TLS1.3`. etcd --tls-max-version. @defaultValue the newest */
  readonly tlsMaxVersion?: string;
  /** Life of certificates that the member signs itself. etcd --self-signed-cert-validity. @defaultValue 1 */
  readonly selfSignedCertValidityYears?: number;
}

/** TLS at one kind of URL. */
export interface TlsInfo {
  readonly certFile: string;
  readonly keyFile: string;
  readonly clientCertFile: string;
  readonly clientKeyFile: string;
  readonly trustedCaFile: string;
  readonly crlFile: string;
  readonly clientCertAuth: boolean;
  readonly allowedCns: readonly string[];
  readonly allowedHostnames: readonly string[];
  /** Whoever dials in must come from an address that its certificate names. */
  readonly checkClientSan: boolean;
  /** Folder below the data directory for a self-signed certificate: `fixtures/client` as in etcd; undefined: none. */
  readonly selfSigned: { readonly folder: string | undefined; readonly years: number } | undefined;
  readonly cipherSuites: readonly string[];
  readonly minVersion: TlsVersion;
  readonly maxVersion: TlsVersion | undefined;
}

/** Whether whoever connects must show a certificate (etcd client/pkg/transport/listener.go, ServerConfig). */
export function requiresClientCert(info: TlsInfo): boolean {
  return info.clientCertAuth || info.trustedCaFile !== '';
}

const VERSIONS: readonly TlsVersion[] = ['TLS1.2', 'TLS1.3'];

/** What is common to both kinds of URL. */
type SharedTls = Pick<TlsInfo, 'cipherSuites' | 'minVersion' | 'maxVersion'>;

/** TLS of a node, by kind of URL. */
export interface NodeTls {
  readonly client: TlsInfo;
  readonly peer: TlsInfo;
}

/** Where a node listens, and where it keeps certificates of its own. */
interface TlsPlaces {
  readonly dataDir?: string | undefined;
  readonly listenClientUrls: readonly string[];
  readonly listenPeerUrls: readonly string[];
}

/**
 * Completes and checks the options.
 *
 * @throws StartError BAD_OPTION in etcd's words.
 */
export function resolveTls(
  options: TlsNodeOptions & { readonly listenMetricsUrls?: readonly string[] },
  { dataDir, listenClientUrls, listenPeerUrls }: TlsPlaces,
): NodeTls {
  const shared = sharedTls(options);
  const years = options.selfSignedCertValidityYears ?? 1;
  if (!Number.isSafeInteger(years) || years < 1 || years > 1_000) {
    fail(`selfSignedCertValidity is invalid,it should be greater than 0`);
  }
  const folder = (kind: string): string | undefined =>
    dataDir === undefined ? undefined : `${dataDir}/fixtures/${kind}`;
  const hasClientCert = text(options.certFile) !== '' || text(options.keyFile) !== '';
  const hasPeerCert = text(options.peerCertFile) !== '' || text(options.peerKeyFile) !== '';
  const client: TlsInfo = {
    ...shared,
    certFile: text(options.certFile),
    keyFile: text(options.keyFile),
    clientCertFile: text(options.clientCertFile),
    clientKeyFile: text(options.clientKeyFile),
    trustedCaFile: text(options.trustedCaFile),
    crlFile: text(options.clientCrlFile),
    clientCertAuth: options.clientCertAuth ?? false,
    allowedCns: [],
    allowedHostnames: options.clientCertAllowedHostnames ?? [],
    checkClientSan: false,
    selfSigned:
      options.autoTls === true && !hasClientCert ? { folder: folder('client'), years } : undefined,
  };
  const peer: TlsInfo = {
    ...shared,
    certFile: text(options.peerCertFile),
    keyFile: text(options.peerKeyFile),
    clientCertFile: text(options.peerClientCertFile),
    clientKeyFile: text(options.peerClientKeyFile),
    trustedCaFile: text(options.peerTrustedCaFile),
    crlFile: text(options.peerCrlFile),
    clientCertAuth: options.peerClientCertAuth ?? false,
    allowedCns: options.peerCertAllowedCns ?? [],
    allowedHostnames: options.peerCertAllowedHostnames ?? [],
    checkClientSan: options.peerSkipClientSanVerification !== true,
    selfSigned:
      options.peerAutoTls === true && !hasPeerCert ? { folder: folder('peer'), years } : undefined,
  };
  for (const url of listenPeerUrls) checkPeerUrl(url, peer);
  for (const url of [...listenClientUrls, ...(options.listenMetricsUrls ?? [])])
    checkClientUrl(url, client);
  checkPairs(client);
  checkPairs(peer);
  return { client, peer };
}

/**
 * Completes and checks what client and peer URLs share.
 *
 * @throws StartError BAD_OPTION in etcd's words.
 */
export function sharedTls(options: TlsNodeOptions): SharedTls {
  const min = versionOf(options.tlsMinVersion) ?? 'TLS1.2';
  const max = versionOf(options.tlsMaxVersion);
  if (max !== undefined && min > max) {
    fail(`min version (${min}) is greater than max version (${max})`);
  }
  const cipherSuites = options.cipherSuites ?? [];
  if (cipherSuites.length > 0 && min === 'TLS1.3') {
    fail('cipher suites cannot be configured when only TLS1.3 is enabled');
  }
  const problem = cipherSuitesProblem(cipherSuites);
  if (problem !== undefined) fail(problem);
  return { cipherSuites, minVersion: min, maxVersion: max };
}

/** Empty text is no version, as in etcd. */
function versionOf(name: string | undefined): TlsVersion | undefined {
  if (name === undefined || name === '') return undefined;
  const version = VERSIONS.find((each) => each === name);
  return (
    version ?? fail(`unexpected TLS version "${name}" (must be one of: ${VERSIONS.join(', ')})`)
  );
}

/** Whether a URL is one of TLS. */
export function isTlsUrl(url: string): boolean {
  return url.startsWith('https:') || url.startsWith('unixs:');
}

/** A line that etcd writes when it starts, and the URL that it is about. */
export interface TlsWarning {
  readonly message: string;
  readonly fields: Readonly<Record<string, string>>;
}

/** What etcd warns of: certificates that a URL has no use for (embed/etcd.go). */
export function tlsWarnings(
  kind: 'client' | 'peer',
  urls: readonly string[],
  { certFile, keyFile, clientCertAuth }: TlsInfo,
): TlsWarning[] {
  const isClient = kind === 'client';
  const scheme = isClient ? 'scheme is http or unix' : 'scheme is HTTP';
  const flag = isClient ? '--client-cert-auth' : '--peer-client-cert-auth';
  const messages: string[] = [];
  if (certFile !== '' || keyFile !== '') {
    messages.push(`${scheme} while key and cert files are present; ignoring key and cert files`);
  }
  if (clientCertAuth) {
    messages.push(`${scheme} while ${flag} is enabled; ignoring client cert auth for this URL`);
  }
  return urls
    .filter((url) => !isTlsUrl(url))
    .flatMap((url) => messages.map((message) => ({ message, fields: { [`${kind}-url`]: url } })));
}

function checkPeerUrl(url: string, info: TlsInfo): void {
  if (!isTlsUrl(url) || hasCertificate(info)) return;
  const address = url.replace(/^[a-z]+:\/\//, '');
  fail(`cannot listen on TLS for ${address}: KeyFile and CertFile are not presented`);
}

function checkClientUrl(url: string, info: TlsInfo): void {
  if (!isTlsUrl(url) || hasCertificate(info)) return;
  fail(
    `TLS key/cert (--cert-file, --key-file) must be provided for client url ${url} with HTTPS scheme`,
  );
}

function hasCertificate({ certFile, keyFile, selfSigned }: TlsInfo): boolean {
  return certFile !== '' || keyFile !== '' || selfSigned !== undefined;
}

/** What etcd's client/pkg/transport refuses in any combination. */
function checkPairs(info: TlsInfo): void {
  const { certFile, keyFile, clientCertFile, clientKeyFile, allowedCns, allowedHostnames } = info;
  if ((certFile === '') !== (keyFile === '')) {
    fail(`KeyFile and CertFile must both be present[key: ${keyFile}, cert: ${certFile}]`);
  }
  if ((clientCertFile === '') !== (clientKeyFile === '')) {
    fail(
      `ClientKeyFile and ClientCertFile must both be present or both absent: key: ${clientKeyFile}, cert: ${clientCertFile}]`,
    );
  }
  if (allowedCns.length > 0 && allowedHostnames.length > 0) {
    const list = (names: readonly string[]): string =>
      `[${names.map((name) => JSON.stringify(name)).join(' ')}]`;
    fail(
      `AllowedCNs and AllowedHostnames are mutually exclusive (cns=${list(allowedCns)}, hostnames=${list(allowedHostnames)})`,
    );
  }
}

function text(value: string | undefined): string {
  return value ?? '';
}

function fail(message: string): never {
  throw new StartError('BAD_OPTION', message);
}
