/**
 * What is claimed of each flag: that a bad value is refused, and which test shows what it does. The defaults are held
 * against etcd's in table.test.ts.
 */
import type { FeatureGate } from '../../src/node/flags/feature-gates.ts';

/** A claim. */
export interface Claim {
  /** File below the repository, and the beginning or a part of a test's name in it. */
  readonly shown: readonly [file: string, test: string];
  /**
   * A value that is refused and a part of the message; `any`: every text is a value. Left out where the kind alone says
   * what is refused: numbers, booleans, durations, URLs, choices.
   */
  readonly bad?: readonly [value: string, message: string] | 'any';
}

const SERVER = 'packages/server/test';
const EFFECTS = `${SERVER}/flags/effects.test.ts`;
const DOOR = `${SERVER}/tls/tls-door.test.ts`;
const NODE_TLS = `${SERVER}/tls/node-tls.test.ts`;
const E2E_TLS = 'e2e/tls.test.ts';
const LOG = `${SERVER}/log/program-logger.test.ts`;
const OPTIONS = `${SERVER}/serving-options.test.ts`;
const REGISTRY = `${SERVER}/discovery/registry.test.ts`;
const SRV = `${SERVER}/discovery/srv.test.ts`;
const REGISTRY_CLIENT = `${SERVER}/discovery/registry-client.test.ts`;
const TRACING = `${SERVER}/tracing/tracing.test.ts`;
const CORRUPTION = `${SERVER}/corruption.test.ts`;

const effect = (test: string, bad?: Claim['bad']): Claim => ({
  shown: [EFFECTS, test],
  ...(bad === undefined ? {} : { bad }),
});
const by = (file: string, test: string, bad?: Claim['bad']): Claim => ({
  shown: [file, test],
  ...(bad === undefined ? {} : { bad }),
});

const mutual = 'with mutual authentication the common name is known';
const meet = 'members meet in another cluster';
const believed = 'the registry is believed by its authority';

/** By flag; twins and flags without effect are shown all at once. */
export const CLAIMS: Readonly<Record<string, Claim>> = {
  name: effect('--name, --advertise-client-urls and', 'any'),
  'data-dir': effect('--data-dir and --wal-dir', 'any'),
  'wal-dir': effect('--data-dir and --wal-dir', 'any'),
  'snapshot-count': effect('--snapshot-count and --snapshot-catchup-entries'),
  'snapshot-catchup-entries': effect('--snapshot-count and --snapshot-catchup-entries'),
  'heartbeat-interval': by(`${SERVER}/tick-advance.test.ts`, 'without the advance it waits'),
  'election-timeout': effect('--election-timeout is what'),
  'initial-election-tick-advance': by(`${SERVER}/tick-advance.test.ts`, 'without the advance it'),
  'listen-peer-urls': by('e2e/kill-leader.test.ts', ''),
  'listen-client-urls': by('e2e/process.test.ts', 'a member starts from variables alone'),
  'listen-client-http-urls': by(OPTIONS, 'gRPC is served on the one, HTTP on the other'),
  'max-wals': by(`${SERVER}/node.test.ts`, 'drops its log behind the state'),
  'raft-read-timeout': by(OPTIONS, 'are given up when nothing is heard within the read timeout'),
  'raft-write-timeout': by(OPTIONS, 'are given up when what was sent does not leave'),
  'socket-reuse-port': by(OPTIONS, 'is listened on by two nodes'),
  'initial-advertise-peer-urls': effect('--name, --advertise-client-urls and'),
  'advertise-client-urls': effect('--name, --advertise-client-urls and'),
  'initial-cluster': by(`${SERVER}/bootstrap.test.ts`, 'the local name must be among the members', [
    'x',
    'error setting up initial cluster: URL scheme must be http, https, unix, or unixs',
  ]),
  'initial-cluster-state': by(`${SERVER}/cluster.test.ts`, 'is added, gets the state, and takes'),
  'initial-cluster-token': effect('--initial-cluster-token goes into the ids', 'any'),
  'strict-reconfig-check': by('e2e/membership.test.ts', 'below it where the strict check is'),
  'pre-vote': by(`${SERVER}/tick-advance.test.ts`, 'a pre-vote leaves the term as it is'),
  'max-learners': effect('--max-learners is how many'),
  'downgrade-check-time': by(`${SERVER}/versions.test.ts`, 'takes the cluster down at once'),
  'force-new-cluster': by(`${SERVER}/force-new-cluster.test.ts`, 'keeps its ids and everything'),
  'discovery-srv': by(SRV, 'three members that know nothing but a domain', 'any'),
  'discovery-srv-name': by(
    SRV,
    'records of TLS give https, and a suffix goes into the name',
    'any',
  ),
  'discovery-endpoints': by(REGISTRY, meet, ['http://h:1', '--discovery-token']),
  'discovery-token': by(REGISTRY, meet, ['t', '--discovery-endpoints']),
  'discovery-dial-timeout': by(REGISTRY_CLIENT, 'a registry that does not speak'),
  'discovery-request-timeout': by(REGISTRY_CLIENT, 'a registry that does not speak'),
  'discovery-keepalive-time': by(REGISTRY_CLIENT, 'a registry that falls silent'),
  'discovery-keepalive-timeout': by(REGISTRY_CLIENT, 'a registry that falls silent'),
  'discovery-insecure-transport': by(REGISTRY_CLIENT, believed),
  'discovery-insecure-skip-tls-verify': by(REGISTRY_CLIENT, believed),
  'discovery-cert': by(REGISTRY_CLIENT, believed, 'any'),
  'discovery-key': by(REGISTRY_CLIENT, believed, 'any'),
  'discovery-cacert': by(REGISTRY_CLIENT, believed, 'any'),
  'discovery-user': by(REGISTRY_CLIENT, 'a user logs in', 'any'),
  'discovery-password': by(REGISTRY_CLIENT, 'a user logs in', 'any'),
  'cert-file': by(DOOR, 'a client without certificate is served', 'any'),
  'key-file': by(DOOR, 'a client without certificate is served', 'any'),
  'client-cert-file': by(NODE_TLS, 'stops the start before the disk is touched', 'any'),
  'client-key-file': by(NODE_TLS, 'stops the start before the disk is touched', 'any'),
  'client-cert-auth': by(DOOR, mutual),
  'client-crl-file': by(DOOR, 'a list of revoked certificates that cannot be read', 'any'),
  'client-cert-allowed-hostname': by(DOOR, 'names that are not on the list are refused', 'any'),
  'trusted-ca-file': by(DOOR, 'an authority alone makes certificates a must', 'any'),
  'auto-tls': by(NODE_TLS, 'is made in the data directory, serves'),
  cors: effect('--cors names the origins'),
  'host-whitelist': effect('--host-whitelist names', 'any'),
  'peer-cert-file': by(E2E_TLS, 'a member with the peer certificate', 'any'),
  'peer-key-file': by(E2E_TLS, 'a member with the peer certificate', 'any'),
  'peer-client-cert-file': by(NODE_TLS, 'peers are dialled with a certificate of its own', 'any'),
  'peer-client-key-file': by(NODE_TLS, 'peers are dialled with a certificate of its own', 'any'),
  'peer-client-cert-auth': by(E2E_TLS, 'a member with the peer certificate'),
  'peer-trusted-ca-file': by(E2E_TLS, 'a member with the peer certificate', 'any'),
  'peer-cert-allowed-cn': by(DOOR, 'names that are not on the list are refused', 'any'),
  'peer-cert-allowed-hostname': by(DOOR, 'names that are not on the list are refused', 'any'),
  'peer-auto-tls': by(NODE_TLS, 'three members with self-signed peer certificates'),
  'peer-skip-client-san-verification': by(DOOR, 'a peer must come from an address of its'),
  'peer-crl-file': by(E2E_TLS, 'a member with the peer certificate', 'any'),
  'self-signed-cert-validity': by(NODE_TLS, 'is made in the data directory, serves'),
  'cipher-suites': by(DOOR, 'versions and cipher suites are as', ['foo', 'foo']),
  'tls-min-version': by(DOOR, 'versions and cipher suites are as', ['TLS9', 'TLS9']),
  'tls-max-version': by(DOOR, 'versions and cipher suites are as', ['TLS9', 'TLS9']),
  'auth-token': by(`${SERVER}/auth/tokens-in-cluster.test.ts`, 'are good on every member', [
    'foo',
    'foo',
  ]),
  'bcrypt-cost': effect('--bcrypt-cost is the work'),
  'auth-token-ttl': by(
    `${SERVER}/auth/simple-tokens.test.ts`,
    'a token lives for its time to live',
  ),
  'max-txn-ops': effect('--max-txn-ops bounds'),
  'max-request-bytes': effect('--max-request-bytes bounds'),
  'max-concurrent-streams': effect('--max-concurrent-streams bounds'),
  'enable-grpc-gateway': effect('--enable-grpc-gateway=false'),
  'grpc-keepalive-min-time': by(
    'packages/protocol/test/http2/server-connection.test.ts',
    'ping wit',
  ),
  'grpc-keepalive-interval': by(`${SERVER}/listeners/sign-of-life.test.ts`, 'silence is asked for'),
  'grpc-keepalive-timeout': by(`${SERVER}/listeners/sign-of-life.test.ts`, 'silence is asked for'),
  'warning-apply-duration': by(
    `${SERVER}/services/slow-requests.test.ts`,
    'a read that takes longer',
  ),
  'warning-unary-request-duration': by(
    `${SERVER}/services/slow-requests.test.ts`,
    'an answer that takes longer',
  ),
  'watch-progress-notify-interval': effect('--watch-progress-notify-interval tells'),
  'quota-backend-bytes': effect('--quota-backend-bytes refuses'),
  'backend-batch-interval': by(`${SERVER}/flusher.test.ts`, 'what was applied is written when the'),
  'backend-batch-limit': by(`${SERVER}/flusher.test.ts`, 'a full batch is written at once'),
  'bootstrap-defrag-threshold-megabytes': by(OPTIONS, 'is done when so much would come free'),
  'auto-compaction-mode': by(`${SERVER}/auto-compaction.test.ts`, 'keeps so many revisions', [
    'daily',
    'unknown auto-compaction-mode "daily"',
  ]),
  'auto-compaction-retention': by(
    `${SERVER}/auto-compaction.test.ts`,
    'compacts what is older than its period',
    ['foo', 'error parsing CompactionRetention: time: invalid duration "foo"'],
  ),
  'compaction-batch-limit': by(`${SERVER}/compaction-driver.test.ts`, 'no faster than so many'),
  'compaction-sleep-interval': by(`${SERVER}/compaction-driver.test.ts`, 'no faster than so many'),
  'corrupt-check-time': by(CORRUPTION, 'and raises the alarm for the member that differs'),
  'compact-hash-check-time': by(CORRUPTION, 'and raises the alarm for the member that a majority'),
  'feature-gates': by(`${SERVER}/flags/sources.test.ts`, 'set the options of their gates', [
    'Foo=true',
    'unrecognized feature gate: Foo',
  ]),
  'unsafe-no-fsync': by(`${SERVER}/unsynced-disk.test.ts`, 'a member that never syncs answers'),
  'enable-pprof': effect('--enable-pprof serves'),
  metrics: effect('--metrics=extensive', 'any'),
  'listen-metrics-urls': effect('--listen-metrics-urls serves'),
  'enable-distributed-tracing': by(TRACING, 'the span of a put reaches the collector'),
  'distributed-tracing-address': by(TRACING, 'the span of a put reaches the collector', 'any'),
  'distributed-tracing-service-name': by(TRACING, 'tell service and instance', 'any'),
  'distributed-tracing-instance-id': by(TRACING, 'tell service and instance', 'any'),
  'distributed-tracing-sampling-rate': by(TRACING, 'a rate of 0 sends only what'),
  logger: by(LOG, 'refused', ['capnslog', 'unknown logger option "capnslog"']),
  'log-outputs': by(LOG, 'several outputs get every line', [
    '/nonexistent/x',
    'open /nonexistent/x: no such file or directory',
  ]),
  'log-level': by(LOG, 'lines below the level are dropped', ['loud', 'unrecognized level: "loud"']),
  'log-format': by(LOG, 'the console form has tabs', ['xml', 'unknown log format: xml']),
  'enable-log-rotation': by(`${SERVER}/log/rotating-file.test.ts`, 'a line that would make the'),
  'log-rotation-config-json': by(
    `${SERVER}/log/rotating-file.test.ts`,
    "has etcd's fields and units",
    'any',
  ),
  'config-file': by('e2e/process.test.ts', 'a member starts from a file', [
    '/nonexistent.yaml',
    'open /nonexistent.yaml: no such file or directory',
  ]),
  version: by(`${SERVER}/flags/command-line.test.ts`, 'help is asked for where it stands'),
};

/** By gate. */
export const GATE_CLAIMS: Readonly<Partial<Record<FeatureGate, Claim>>> = {
  StopGRPCServiceOnDefrag: by(OPTIONS, 'is NOT_SERVING when that was asked for'),
  InitialCorruptCheck: by(CORRUPTION, 'and does not start with other data'),
  CompactHashCheck: by(CORRUPTION, 'and raises the alarm for the member that a majority'),
  LeaseCheckpoint: by(`${SERVER}/services/lease.test.ts`, 'what is left of a long lease survives'),
  LeaseCheckpointPersist: by(
    `${SERVER}/services/lease.test.ts`,
    'what is left of a long lease survives',
  ),
  SetMemberLocalAddr: by(OPTIONS, 'are made from the local address'),
};
