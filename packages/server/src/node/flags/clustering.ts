/** Flags about the cluster: who belongs to it, how it is founded and changed. */
import { type Family, flag } from './flag.ts';
import { BOOLEAN, choice, DURATION, INT, LIST, TEXT, URLS } from './kinds.ts';

/** Members and their addresses. */
export const CLUSTERING: Family = {
  title: 'Clustering',
  flags: [
    flag('initial-advertise-peer-urls', URLS, {
      fallback: 'http://localhost:2380',
      help: 'Where peers reach this member; its id is made of them when the cluster is founded.',
      option: 'initialAdvertisePeerUrls',
    }),
    flag('initial-cluster', TEXT, {
      fallback: '${name}=http://localhost:2380',
      help: 'First members, as name=url,name=url. Not read when there is data.',
      option: 'initialCluster',
    }),
    flag('initial-cluster-state', choice('new', 'existing'), {
      fallback: 'new',
      help: 'Whether the cluster is founded (new) or joined (existing). Not read when there is data.',
      option: 'initialClusterState',
    }),
    flag('initial-cluster-token', TEXT, {
      fallback: 'etcd-cluster',
      help: 'Goes into the ids, so that clusters cannot mix. Not read when there is data.',
      option: 'initialClusterToken',
    }),
    flag('advertise-client-urls', URLS, {
      fallback: 'http://localhost:2379',
      help: 'Where clients reach this member, as the list of members tells them.',
      option: 'advertiseClientUrls',
    }),
    flag('strict-reconfig-check', BOOLEAN, {
      fallback: 'true',
      help: 'Refuse changes of the membership that would cost the quorum.',
      option: 'strictReconfigCheck',
    }),
    flag('pre-vote', BOOLEAN, {
      fallback: 'true',
      help: 'Ask whether an election could be won before beginning one.',
      option: 'preVote',
    }),
    flag('max-learners', INT, {
      fallback: '1',
      since: '3.6',
      help: 'Learners that a cluster may have.',
      option: 'maxLearners',
    }),
    flag('downgrade-check-time', DURATION, {
      fallback: '5s',
      since: '3.6',
      help: 'How often it is looked whether a downgrade can go on.',
      option: 'downgradeCheckTimeMs',
    }),
    flag('force-new-cluster', BOOLEAN, {
      fallback: 'false',
      help: 'Make a cluster of this member alone, with the data that it has. For the loss of a quorum only.',
      option: 'forceNewCluster',
    }),
  ],
};

/** Finding the first members. */
export const DISCOVERY: Family = {
  title: 'Discovery',
  flags: [
    flag('discovery-srv', TEXT, {
      fallback: '',
      help: 'Domain whose SRV records name the first members.',
      option: 'discoverySrv',
    }),
    flag('discovery-srv-name', TEXT, {
      fallback: '',
      help: 'Suffix of the service name in those records.',
      option: 'discoverySrvName',
    }),
    flag('discovery-endpoints', LIST, {
      fallback: '',
      since: '3.6',
      key: 'discovery-config.endpoints',
      help: 'Another cluster in which the first members register.',
      option: 'discoveryEndpoints',
    }),
    flag('discovery-token', TEXT, {
      fallback: '',
      since: '3.6',
      key: 'discovery-config.token',
      help: 'The token of the cluster to be, in that other cluster.',
      option: 'discoveryToken',
    }),
    flag('discovery-dial-timeout', DURATION, {
      fallback: '2s',
      since: '3.6',
      key: 'discovery-config.dial-timeout',
      help: 'Longest time to connect with it.',
      option: 'discoveryDialTimeoutMs',
    }),
    flag('discovery-request-timeout', DURATION, {
      fallback: '5s',
      since: '3.6',
      key: 'discovery-config.request-timeout',
      help: 'Longest time for one request to it.',
      option: 'discoveryRequestTimeoutMs',
    }),
    flag('discovery-keepalive-time', DURATION, {
      fallback: '2s',
      since: '3.6',
      key: 'discovery-config.keepalive-time',
      help: 'Silence after which it is pinged.',
      option: 'discoveryKeepaliveTimeMs',
    }),
    flag('discovery-keepalive-timeout', DURATION, {
      fallback: '6s',
      since: '3.6',
      key: 'discovery-config.keepalive-timeout',
      help: 'How long the answer to such a ping is waited for.',
      option: 'discoveryKeepaliveTimeoutMs',
    }),
    flag('discovery-insecure-transport', BOOLEAN, {
      fallback: 'true',
      since: '3.6',
      key: 'discovery-config.secure.insecure-transport',
      help: 'Talk with it without TLS.',
      option: 'discoveryInsecureTransport',
    }),
    flag('discovery-insecure-skip-tls-verify', BOOLEAN, {
      fallback: 'false',
      since: '3.6',
      key: 'discovery-config.secure.insecure-skip-tls-verify',
      help: 'Take any certificate from it.',
      option: 'discoveryInsecureSkipTlsVerify',
    }),
    flag('discovery-cert', TEXT, {
      fallback: '',
      since: '3.6',
      key: 'discovery-config.secure.cert',
      help: 'Certificate file to show it.',
      option: 'discoveryCert',
    }),
    flag('discovery-key', TEXT, {
      fallback: '',
      since: '3.6',
      key: 'discovery-config.secure.key',
      help: 'Key file of that certificate.',
      option: 'discoveryKey',
    }),
    flag('discovery-cacert', TEXT, {
      fallback: '',
      since: '3.6',
      key: 'discovery-config.secure.cacert',
      help: 'File of the authorities that it must be certified by.',
      option: 'discoveryCacert',
    }),
    flag('discovery-user', TEXT, {
      fallback: '',
      since: '3.6',
      key: 'discovery-config.auth.username',
      help: 'User to log in with: name, or name:password.',
      option: 'discoveryUser',
      isSecret: true,
    }),
    flag('discovery-password', TEXT, {
      fallback: '',
      since: '3.6',
      key: 'discovery-config.auth.password',
      help: 'Password of that user.',
      option: 'discoveryPassword',
      isSecret: true,
    }),
  ],
};
