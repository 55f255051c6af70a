/** What is claimed of each flag of the programs beside the server: see claims.ts. */
import type { Claim } from './claims.ts';

const PROXY = 'packages/server/test/proxy';
const E2E = 'e2e/proxies.test.ts';
const COMMANDS = `${PROXY}/commands.test.ts`;
const FLAGS = `${PROXY}/grpc-proxy-flags.test.ts`;
const EFFECTS = `${PROXY}/grpc-proxy-effects.test.ts`;
const LEASING = `${PROXY}/leasing.test.ts`;

const by = (file: string, test: string, bad?: Claim['bad']): Claim => ({
  shown: [file, test],
  ...(bad === undefined ? {} : { bad }),
});

const ADDRESS = ['nowhere', 'address nowhere has not the form host:port'] as const;
const DNS = 'finds its endpoints by DNS';
const MUTUAL = 'shows members its certificate, and believes theirs by their authority';
const CERTIFICATE = 'the proxy shows its own certificate and asks clients';
const REVOKED = 'clients are told by certificate, revocation, version and cipher suite';
const LIKE = 'proxies under one prefix list one another';

/** Of the gateway. */
export const GATEWAY_CLAIMS: Readonly<Record<string, Claim>> = {
  'listen-addr': by(COMMANDS, 'forwards until both sides', ADDRESS),
  'discovery-srv': by(COMMANDS, DNS, ['nobody.invalid', 'dns lookup errors: lookup']),
  'discovery-srv-name': by(COMMANDS, 'by a suffix, over TLS', 'any'),
  'insecure-discovery': by(COMMANDS, DNS),
  'trusted-ca-file': by(COMMANDS, 'by a suffix, over TLS', 'any'),
  endpoints: by(COMMANDS, 'forwards until both sides', ADDRESS),
  'retry-delay': by(COMMANDS, 'tries a lost backend again'),
};

/** Of the gRPC proxy. */
export const GRPC_PROXY_CLAIMS: Readonly<Record<string, Claim>> = {
  'listen-addr': by(EFFECTS, 'serves where it is told', ADDRESS),
  'discovery-srv': by(EFFECTS, 'finds members by DNS', [
    'nobody.invalid',
    'dns lookup errors: lookup',
  ]),
  'discovery-srv-name': by(EFFECTS, 'finds members by DNS', 'any'),
  'metrics-addr': by(E2E, LIKE, ['nowhere', 'URL scheme must be http']),
  'insecure-discovery': by(EFFECTS, 'finds members by DNS'),
  endpoints: by(E2E, 'the proxy goes on when the member', 'any'),
  'endpoints-auto-sync-interval': by(EFFECTS, 'follows the member list'),
  'advertise-client-url': by(E2E, LIKE, 'any'),
  'resolver-prefix': by(E2E, LIKE, ['p', 'invalid resolver-ttl 0']),
  'resolver-ttl': by(COMMANDS, 'a proxy that ends is no member'),
  namespace: by(E2E, 'a namespace holds everything', 'any'),
  'enable-pprof': by(EFFECTS, 'profiles are served only where'),
  'data-dir': by(EFFECTS, 'a certificate of its own making is kept', 'any'),
  'max-send-bytes': by(FLAGS, '--max-send-bytes is the largest'),
  'max-recv-bytes': by(FLAGS, '--max-send-bytes is the largest'),
  'permit-without-stream': by(FLAGS, '--permit-without-stream asks'),
  'dial-keepalive-time': by(FLAGS, '--permit-without-stream asks'),
  'dial-keepalive-timeout': by(EFFECTS, 'a member that falls silent'),
  'grpc-keepalive-min-time': by(FLAGS, '--grpc-keepalive-min-time'),
  'grpc-keepalive-interval': by(FLAGS, '--grpc-keepalive-interval asks'),
  'grpc-keepalive-timeout': by(FLAGS, '--grpc-keepalive-timeout is how'),
  'max-concurrent-streams': by(EFFECTS, 'calls on one connection have their limit'),
  cert: by(EFFECTS, MUTUAL, ['/none', 'open /none']),
  key: by(EFFECTS, MUTUAL, ['/none', 'open /none']),
  cacert: by(EFFECTS, MUTUAL, ['/none', 'open /none']),
  'insecure-skip-tls-verify': by(EFFECTS, MUTUAL),
  'cert-file': by(E2E, CERTIFICATE, ['/none', 'KeyFile and CertFile must both be present']),
  'key-file': by(E2E, CERTIFICATE, ['/none', 'KeyFile and CertFile must both be present']),
  'trusted-ca-file': by(E2E, CERTIFICATE, 'any'),
  'listen-cipher-suites': by(EFFECTS, REVOKED, ['foo', 'unexpected TLS cipher suite "foo"']),
  'tls-min-version': by(EFFECTS, REVOKED, ['TLS9', 'unexpected TLS version "TLS9"']),
  'tls-max-version': by(EFFECTS, REVOKED, ['TLS9', 'unexpected TLS version "TLS9"']),
  'auto-tls': by(EFFECTS, 'a certificate of its own making is kept'),
  'client-crl-file': by(EFFECTS, REVOKED, 'any'),
  'self-signed-cert-validity': by(EFFECTS, 'a certificate of its own making is kept'),
  'experimental-serializable-ordering': by(EFFECTS, 'serializable reads never go back in time'),
  'experimental-leasing-prefix': by(LEASING, 'is read without the cluster', 'any'),
  'experimental-enable-grpc-logging': by(FLAGS, 'logs every request and every answer'),
  debug: by(EFFECTS, '--debug logs more'),
};
