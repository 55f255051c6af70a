/** Flags about what a member tells of itself: metrics, traces, checks, log. */
import { type Family, flag } from './flag.ts';
import { GATES } from './feature-gates.ts';
import { BOOLEAN, DURATION, INT, LIST, TEXT, URLS } from './kinds.ts';
import { DEFAULT_LOG_ROTATION } from './program.ts';

/** Metrics and profiles. */
export const MONITORING: Family = {
  title: 'Profiling and monitoring',
  flags: [
    flag('enable-pprof', BOOLEAN, {
      fallback: 'false',
      help: 'Serve profiles below /debug/pprof/.',
      option: 'enablePprof',
    }),
    flag('metrics', TEXT, {
      fallback: 'basic',
      help: 'basic, or extensive: with the times of gRPC calls.',
      option: 'metrics',
    }),
    flag('listen-metrics-urls', URLS, {
      fallback: '',
      help: 'Where /metrics and /health are served besides.',
      option: 'listenMetricsUrls',
    }),
  ],
};

/** Comparing data among members. */
export const CHECKS: Family = {
  title: 'Corruption checks and features',
  flags: [
    flag('corrupt-check-time', DURATION, {
      fallback: '0s',
      since: '3.6',
      help: 'How often the leader compares the data of all members; 0 is never.',
      option: 'corruptCheckTimeMs',
    }),
    flag('compact-hash-check-time', DURATION, {
      fallback: '1m0s',
      since: '3.6',
      help: 'How often the leader compares hashes of compacted data.',
      option: 'compactHashCheckTimeMs',
    }),
    flag('feature-gates', GATES, {
      fallback: '',
      since: '3.6',
      help: 'Features to switch on or off: name=true,name=false.',
      program: 'featureGates',
    }),
    flag('unsafe-no-fsync', BOOLEAN, {
      fallback: 'false',
      help: 'Never wait for the disk. A power cut then costs acknowledged writes.',
      option: 'unsafeNoFsync',
    }),
  ],
};

/** Traces. */
export const TRACING: Family = {
  title: 'Distributed tracing',
  flags: [
    flag('enable-distributed-tracing', BOOLEAN, {
      fallback: 'false',
      since: '3.6',
      help: 'Send a span of each sampled call to a collector of OpenTelemetry.',
      option: 'enableDistributedTracing',
    }),
    flag('distributed-tracing-address', TEXT, {
      fallback: 'localhost:4317',
      since: '3.6',
      help: 'Host and port of the collector: OTLP over gRPC, without TLS.',
      option: 'distributedTracingAddress',
    }),
    flag('distributed-tracing-service-name', TEXT, {
      fallback: 'etcd',
      since: '3.6',
      help: 'Name of the service in traces, the same for all members.',
      option: 'distributedTracingServiceName',
    }),
    flag('distributed-tracing-instance-id', TEXT, {
      fallback: '',
      since: '3.6',
      help: 'Name of this member in traces.',
      option: 'distributedTracingInstanceId',
    }),
    flag('distributed-tracing-sampling-rate', INT, {
      fallback: '0',
      since: '3.6',
      help: 'Of a million traces that begin here, how many are sampled; traces of callers are sampled as they say.',
      option: 'distributedTracingSamplingRatePerMillion',
    }),
  ],
};

/** The log of the program. */
export const LOGGING: Family = {
  title: 'Logging',
  flags: [
    flag('logger', TEXT, {
      fallback: 'zap',
      help: 'Shape of the log; zap is the only one.',
      program: 'logger',
    }),
    flag('log-outputs', LIST, {
      fallback: 'default',
      help: 'Where log lines go: stdout, stderr, default (stderr), systemd/journal, or files.',
      program: 'logOutputs',
    }),
    flag('log-level', TEXT, {
      fallback: 'info',
      help: 'Least level that is logged: debug, info, warn, error, panic or fatal. SIGUSR2 switches to debug and back.',
      program: 'logLevel',
    }),
    flag('log-format', TEXT, {
      fallback: 'json',
      since: '3.6',
      help: 'json or console.',
      program: 'logFormat',
    }),
    flag('enable-log-rotation', BOOLEAN, {
      fallback: 'false',
      help: 'Rotate the one file that the log goes to.',
      program: 'isLogRotated',
    }),
    flag('log-rotation-config-json', TEXT, {
      fallback: DEFAULT_LOG_ROTATION,
      help: 'When a file is full (MB), how long (days) and how many are kept, local time or UTC, gzip or not.',
      program: 'logRotation',
    }),
  ],
};
