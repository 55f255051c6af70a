/** Flags about TLS, browsers, and who is who. */
import { type Family, flag } from './flag.ts';
import { BOOLEAN, LIST, ORIGINS, TEXT, TEXT_LIST, UINT } from './kinds.ts';

const CLIENT = 'client-transport-security';
const PEER = 'peer-transport-security';

/** TLS towards clients. */
export const CLIENT_SECURITY: Family = {
  title: 'Client security',
  flags: [
    flag('cert-file', TEXT, {
      fallback: '',
      key: `${CLIENT}.cert-file`,
      help: 'Certificate file towards clients.',
      option: 'certFile',
    }),
    flag('key-file', TEXT, {
      fallback: '',
      key: `${CLIENT}.key-file`,
      help: 'Key file of that certificate.',
      option: 'keyFile',
    }),
    flag('client-cert-file', TEXT, {
      fallback: '',
      key: `${CLIENT}.client-cert-file`,
      help: 'Certificate file for calls of the gateway. Checked, and otherwise not needed: the gateway calls the services in the process.',
      option: 'clientCertFile',
    }),
    flag('client-key-file', TEXT, {
      fallback: '',
      key: `${CLIENT}.client-key-file`,
      help: 'Key file of that certificate.',
      option: 'clientKeyFile',
    }),
    flag('client-cert-auth', BOOLEAN, {
      fallback: 'false',
      key: `${CLIENT}.client-cert-auth`,
      help: 'Clients must show a certificate.',
      option: 'clientCertAuth',
    }),
    flag('client-crl-file', TEXT, {
      fallback: '',
      help: 'File of revoked client certificates.',
      option: 'clientCrlFile',
    }),
    flag('client-cert-allowed-hostname', LIST, {
      fallback: '',
      key: `${CLIENT}.allowed-hostname`,
      help: 'Names one of which a client certificate must be for.',
      option: 'clientCertAllowedHostnames',
    }),
    flag('trusted-ca-file', TEXT, {
      fallback: '',
      key: `${CLIENT}.trusted-ca-file`,
      help: 'File of the authorities that client certificates must be from.',
      option: 'trustedCaFile',
    }),
    flag('auto-tls', BOOLEAN, {
      fallback: 'false',
      key: `${CLIENT}.auto-tls`,
      help: 'Serve clients with a certificate made by the member itself.',
      option: 'autoTls',
    }),
    flag('cors', ORIGINS, {
      fallback: '*',
      help: 'Origins whose pages may call over HTTP.',
      option: 'cors',
    }),
    flag('host-whitelist', TEXT_LIST, {
      fallback: '*',
      help: 'Host names that requests over plain HTTP may be for.',
      option: 'hostWhitelist',
    }),
  ],
};

/** TLS between members, and what holds for both. */
export const PEER_SECURITY: Family = {
  title: 'Peer security',
  flags: [
    flag('peer-cert-file', TEXT, {
      fallback: '',
      key: `${PEER}.cert-file`,
      help: 'Certificate file towards peers.',
      option: 'peerCertFile',
    }),
    flag('peer-key-file', TEXT, {
      fallback: '',
      key: `${PEER}.key-file`,
      help: 'Key file of that certificate.',
      option: 'peerKeyFile',
    }),
    flag('peer-client-cert-file', TEXT, {
      fallback: '',
      key: `${PEER}.client-cert-file`,
      help: 'Certificate file that the member shows when it dials a peer, when it is another one.',
      option: 'peerClientCertFile',
    }),
    flag('peer-client-key-file', TEXT, {
      fallback: '',
      key: `${PEER}.client-key-file`,
      help: 'Key file of that certificate.',
      option: 'peerClientKeyFile',
    }),
    flag('peer-client-cert-auth', BOOLEAN, {
      fallback: 'false',
      key: `${PEER}.client-cert-auth`,
      help: 'Peers must show a certificate.',
      option: 'peerClientCertAuth',
    }),
    flag('peer-trusted-ca-file', TEXT, {
      fallback: '',
      key: `${PEER}.trusted-ca-file`,
      help: 'File of the authorities that certificates of peers must be from.',
      option: 'peerTrustedCaFile',
    }),
    flag('peer-cert-allowed-cn', LIST, {
      fallback: '',
      key: `${PEER}.allowed-cn`,
      help: 'Common names one of which a certificate of a peer must have.',
      option: 'peerCertAllowedCns',
    }),
    flag('peer-cert-allowed-hostname', LIST, {
      fallback: '',
      key: `${PEER}.allowed-hostname`,
      help: 'Names one of which a certificate of a peer must be for.',
      option: 'peerCertAllowedHostnames',
    }),
    flag('peer-auto-tls', BOOLEAN, {
      fallback: 'false',
      key: `${PEER}.auto-tls`,
      help: 'Serve peers with a certificate made by the member itself.',
      option: 'peerAutoTls',
    }),
    flag('peer-skip-client-san-verification', BOOLEAN, {
      fallback: 'false',
      since: '3.6',
      key: `${PEER}.skip-client-san-verification`,
      help: 'Do not hold the address of a peer against its certificate.',
      option: 'peerSkipClientSanVerification',
    }),
    flag('peer-crl-file', TEXT, {
      fallback: '',
      help: 'File of revoked certificates of peers.',
      option: 'peerCrlFile',
    }),
    flag('self-signed-cert-validity', UINT, {
      fallback: '1',
      help: 'Years for which certificates made by the member itself are good.',
      option: 'selfSignedCertValidityYears',
    }),
    flag('cipher-suites', LIST, {
      fallback: '',
      help: 'Cipher suites for TLS 1.2; empty leaves the choice to Node.',
      option: 'cipherSuites',
    }),
    flag('tls-min-version', TEXT, {
      fallback: 'TLS1.2',
      help: 'Lowest version of TLS: TLS1.2 or TLS1.3.',
      option: 'tlsMinVersion',
    }),
    flag('tls-max-version', TEXT, {
      fallback: '',
      help: 'Highest version of TLS; empty is the highest there is.',
      option: 'tlsMaxVersion',
    }),
  ],
};

/** Users and their tokens. */
export const AUTH: Family = {
  title: 'Auth',
  flags: [
    flag('auth-token', TEXT, {
      fallback: 'simple',
      help: 'Kind of token: simple, or jwt with its settings.',
      option: 'authToken',
    }),
    flag('bcrypt-cost', UINT, {
      fallback: '10',
      help: 'Work that hashing a password takes, from 4 to 31.',
      option: 'bcryptCost',
    }),
    flag('auth-token-ttl', UINT, {
      fallback: '300',
      help: 'Seconds for which an unused simple token is good.',
      option: 'authTokenTtlSeconds',
    }),
  ],
};
