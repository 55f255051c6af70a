/** Flags about what clients ask: how large, how many, how long, and when that is worth a line. */
import { type Family, flag } from './flag.ts';
import { BOOLEAN, DURATION, UINT, UINT32 } from './kinds.ts';

/** Limits of requests and connections. */
export const REQUESTS: Family = {
  title: 'Requests',
  flags: [
    flag('max-txn-ops', UINT, {
      fallback: '128',
      help: 'Operations in one transaction.',
      option: 'maxTxnOps',
    }),
    flag('max-request-bytes', UINT, {
      fallback: '1572864',
      help: 'Bytes of one request.',
      option: 'maxRequestBytes',
    }),
    flag('max-concurrent-streams', UINT32, {
      fallback: '4294967295',
      help: 'Calls that one connection of a client may have open.',
      option: 'maxConcurrentStreams',
    }),
    flag('enable-grpc-gateway', BOOLEAN, {
      fallback: 'true',
      help: 'Serve JSON below /v3.',
      option: 'enableGrpcGateway',
    }),
    flag('grpc-keepalive-min-time', DURATION, {
      fallback: '5s',
      help: 'Shortest time between two pings of a client; who pings more often is cut off.',
      option: 'grpcKeepaliveMinTimeMs',
    }),
    flag('grpc-keepalive-interval', DURATION, {
      fallback: '2h0m0s',
      help: 'Silence after which a client is pinged; 0 is never.',
      option: 'grpcKeepaliveIntervalMs',
    }),
    flag('grpc-keepalive-timeout', DURATION, {
      fallback: '20s',
      help: 'How long the answer to such a ping is waited for.',
      option: 'grpcKeepaliveTimeoutMs',
    }),
    flag('warning-apply-duration', DURATION, {
      fallback: '100ms',
      since: '3.6',
      help: 'Applying for longer is logged.',
      option: 'warningApplyDurationMs',
    }),
    flag('warning-unary-request-duration', DURATION, {
      fallback: '0s',
      since: '3.6',
      help: 'Answering a request for longer is logged; 0 is 300ms.',
      option: 'warningUnaryRequestDurationMs',
    }),
    flag('watch-progress-notify-interval', DURATION, {
      fallback: '0s',
      since: '3.6',
      help: 'Idle watchers that ask for it are told the revision so often; 0 is 10m.',
      option: 'watchProgressNotifyIntervalMs',
    }),
  ],
};
