/** How the first members of a cluster find one another without being named. */
import { StartError } from '../start-error.ts';

/** DNS, or another cluster as the registry. */
export interface DiscoveryOptions {
  /** Domain whose SRV records name the first members. etcd --discovery-srv. */
  readonly discoverySrv?: string;
  /** Suffix of the service's name in them. etcd --discovery-srv-name. */
  readonly discoverySrvName?: string;
  /** Endpoints of the registry. etcd --discovery-endpoints. */
  readonly discoveryEndpoints?: readonly string[];
  /** Token of the cluster to be. etcd --discovery-token. */
  readonly discoveryToken?: string;
  /** Longest time to connect with the registry. etcd --discovery-dial-timeout. @defaultValue 2000 */
  readonly discoveryDialTimeoutMs?: number;
  /** Longest time for one request to it. etcd --discovery-request-timeout. @defaultValue 5000 */
  readonly discoveryRequestTimeoutMs?: number;
  /** Silence after which it is asked for a sign of life. etcd --discovery-keepalive-time. @defaultValue 2000 */
  readonly discoveryKeepaliveTimeMs?: number;
  /** How long that is waited for. etcd --discovery-keepalive-timeout. @defaultValue 6000 */
  readonly discoveryKeepaliveTimeoutMs?: number;
  /** Without TLS, unless a certificate or an authority is named. etcd --discovery-insecure-transport. @defaultValue true */
  readonly discoveryInsecureTransport?: boolean;
  /** Any certificate will do. etcd --discovery-insecure-skip-tls-verify. @defaultValue false */
  readonly discoveryInsecureSkipTlsVerify?: boolean;
  /** Certificate file to show. etcd --discovery-cert. */
  readonly discoveryCert?: string;
  /** etcd --discovery-key. */
  readonly discoveryKey?: string;
  /** Authorities of the registry's certificate. etcd --discovery-cacert. */
  readonly discoveryCacert?: string;
  /** `name`, or `name:password`. etcd --discovery-user. */
  readonly discoveryUser?: string;
  /** etcd --discovery-password. */
  readonly discoveryPassword?: string;
}

/** The registry, complete. */
export interface Registry {
  readonly endpoints: readonly string[];
  readonly token: string;
  readonly dialTimeoutMs: number;
  readonly requestTimeoutMs: number;
  readonly keepaliveTimeMs: number;
  readonly keepaliveTimeoutMs: number;
  readonly tls:
    | {
        readonly cert: string;
        readonly key: string;
        readonly ca: string;
        readonly skipsVerification: boolean;
      }
    | undefined;
  readonly user: { readonly name: string; readonly password: string } | undefined;
}

/** How members are found; undefined for both: the initial cluster names them. */
export interface ResolvedDiscoveryOptions {
  readonly srv: { readonly domain: string; readonly suffix: string } | undefined;
  readonly registry: Registry | undefined;
}

/**
 * Completes and checks.
 *
 * @throws StartError BAD_OPTION in etcd's words.
 */
export function resolveDiscovery(
  options: DiscoveryOptions & { readonly initialCluster?: unknown },
): ResolvedDiscoveryOptions {
  const { discoverySrv = '', discoverySrvName = '', discoveryEndpoints = [] } = options;
  const { discoveryToken = '' } = options;
  const isNamed = options.initialCluster !== undefined && options.initialCluster !== '';
  const ways = [
    isNamed,
    discoverySrv !== '',
    discoveryEndpoints.length > 0 || discoveryToken !== '',
  ];
  if (ways.filter(Boolean).length > 1) {
    fail(
      'multiple discovery or bootstrap flags are set. Choose one of "initial-cluster", "discovery", "discovery-endpoints" or "discovery-srv"',
    );
  }
  if (discoveryToken !== '' && discoveryEndpoints.length === 0) {
    fail('both --discovery-endpoints and --discovery-token must be set');
  }
  if (discoveryToken === '' && discoveryEndpoints.length > 0) {
    fail('both --discovery-endpoints and --discovery-token must be set');
  }
  return {
    srv: discoverySrv === '' ? undefined : { domain: discoverySrv, suffix: discoverySrvName },
    registry: discoveryToken === '' ? undefined : registryOf(options),
  };
}

function registryOf(options: DiscoveryOptions): Registry {
  const { discoveryCert = '', discoveryKey = '', discoveryCacert = '' } = options;
  const { discoveryInsecureTransport = true, discoveryInsecureSkipTlsVerify = false } = options;
  if ((discoveryCert === '') !== (discoveryKey === '')) {
    fail('both --discovery-cert and --discovery-key must be set');
  }
  const isSecure =
    discoveryCert !== '' ||
    discoveryCacert !== '' ||
    discoveryInsecureSkipTlsVerify ||
    !discoveryInsecureTransport;
  return {
    endpoints: options.discoveryEndpoints ?? [],
    token: options.discoveryToken ?? '',
    dialTimeoutMs: options.discoveryDialTimeoutMs ?? 2_000,
    requestTimeoutMs: options.discoveryRequestTimeoutMs ?? 5_000,
    keepaliveTimeMs: options.discoveryKeepaliveTimeMs ?? 2_000,
    keepaliveTimeoutMs: options.discoveryKeepaliveTimeoutMs ?? 6_000,
    tls: isSecure
      ? {
          cert: discoveryCert,
          key: discoveryKey,
          ca: discoveryCacert,
          skipsVerification: discoveryInsecureSkipTlsVerify,
        }
      : undefined,
    user: userOf(options),
  };
}

function userOf({ discoveryUser = '', discoveryPassword }: DiscoveryOptions): Registry['user'] {
  if (discoveryUser === '') return undefined;
  if (discoveryPassword !== undefined && discoveryPassword !== '') {
    return { name: discoveryUser, password: discoveryPassword };
  }
  const colon = discoveryUser.indexOf(':');
  if (colon < 0) fail('password is missing');
  return { name: discoveryUser.slice(0, colon), password: discoveryUser.slice(colon + 1) };
}

function fail(message: string): never {
  throw new StartError('BAD_OPTION', message);
}
