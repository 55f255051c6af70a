/**
 * The flags of the bin, as a table: the parser, `--help` and the node's options all come from it.
 *
 * Written as Go's flag package reads them: `--x=y`, `--x y`, `-x`; a boolean takes no next word.
 */
import type { EtcdNodeOptions } from '../options.ts';
import { StartError } from '../start-error.ts';
import { urlProblem } from '../bootstrap/urls.ts';

/** What a flag's value may be. */
type FlagKind = 'text' | 'urls' | 'uint' | 'int' | 'duration' | 'bool' | 'choice';

interface Flag {
  readonly kind: FlagKind;
  /** As `--help` shows it. */
  readonly fallback: string;
  readonly help: string;
  /** Of a choice. */
  readonly values?: readonly string[];
  /** The node's option; what has none is the bin's own affair. */
  readonly option?: keyof EtcdNodeOptions;
}

/** Levels of the log, least first. */
export const LOG_LEVELS = ['debug', 'info', 'warn', 'error', 'panic', 'fatal'] as const;

/** Every flag, grouped as in etcd's help. */
export const FLAGS: Readonly<Record<string, Readonly<Record<string, Flag>>>> = {
  Member: {
    name: {
      kind: 'text',
      fallback: 'default',
      help: 'Human-readable name for this member.',
      option: 'name',
    },
    'data-dir': {
      kind: 'text',
      fallback: '${name}.etcd',
      help: 'Path to the data directory.',
      option: 'dataDir',
    },
    'wal-dir': {
      kind: 'text',
      fallback: '',
      help: 'Path to the dedicated wal directory.',
      option: 'walDir',
    },
    'snapshot-count': {
      kind: 'uint',
      fallback: '10000',
      help: 'Number of committed transactions to trigger a snapshot.',
      option: 'snapshotCount',
    },
    'snapshot-catchup-entries': {
      kind: 'uint',
      fallback: '5000',
      help: 'Number of entries for a slow follower to catch up after compacting the raft log.',
      option: 'snapshotCatchUpEntries',
    },
    'max-wals': {
      kind: 'uint',
      fallback: '5',
      help: 'Maximum number of wal files to retain (0 is unlimited).',
      option: 'maxWals',
    },
    'heartbeat-interval': {
      kind: 'uint',
      fallback: '100',
      help: 'Time (in milliseconds) of a heartbeat interval.',
      option: 'heartbeatIntervalMs',
    },
    'election-timeout': {
      kind: 'uint',
      fallback: '1000',
      help: 'Time (in milliseconds) for an election to timeout.',
      option: 'electionTimeoutMs',
    },
    'listen-peer-urls': {
      kind: 'urls',
      fallback: 'http://localhost:2380',
      help: 'List of URLs to listen on for peer traffic.',
      option: 'listenPeerUrls',
    },
    'listen-client-urls': {
      kind: 'urls',
      fallback: 'http://localhost:2379',
      help: 'List of URLs to listen on for client grpc and http traffic.',
      option: 'listenClientUrls',
    },
    'max-txn-ops': {
      kind: 'uint',
      fallback: '128',
      help: 'Maximum number of operations permitted in a transaction.',
      option: 'maxTxnOps',
    },
    'max-request-bytes': {
      kind: 'uint',
      fallback: '1572864',
      help: 'Maximum client request size in bytes the server will accept.',
      option: 'maxRequestBytes',
    },
    'quota-backend-bytes': {
      kind: 'int',
      fallback: '0',
      help: 'Raise alarms when the database exceeds this size; 0 means the default of 2 GiB, negative disables.',
      option: 'quotaBackendBytes',
    },
    'backend-batch-interval': {
      kind: 'duration',
      fallback: '100ms',
      help: 'Maximum time before the database is written behind.',
      option: 'backendBatchIntervalMs',
    },
    'backend-batch-limit': {
      kind: 'uint',
      fallback: '10000',
      help: 'Maximum entries before the database is written behind.',
      option: 'backendBatchEntries',
    },
    'pre-vote': {
      kind: 'bool',
      fallback: 'true',
      help: 'Run an additional Raft election phase before campaigning.',
      option: 'preVote',
    },
    'warning-apply-duration': {
      kind: 'duration',
      fallback: '100ms',
      help: 'Time after which applying is logged as slow.',
      option: 'warningApplyDurationMs',
    },
  },
  Clustering: {
    'initial-advertise-peer-urls': {
      kind: 'urls',
      fallback: 'http://localhost:2380',
      help: "List of this member's peer URLs to advertise to the rest of the cluster.",
      option: 'initialAdvertisePeerUrls',
    },
    'initial-cluster': {
      kind: 'text',
      fallback: '${name}=http://localhost:2380',
      help: 'Initial cluster configuration for bootstrapping.',
      option: 'initialCluster',
    },
    'initial-cluster-state': {
      kind: 'choice',
      values: ['new', 'existing'],
      fallback: 'new',
      help: "Initial cluster state ('new' or 'existing').",
      option: 'initialClusterState',
    },
    'initial-cluster-token': {
      kind: 'text',
      fallback: 'etcd-cluster',
      help: 'Initial cluster token for the etcd cluster during bootstrap.',
      option: 'initialClusterToken',
    },
    'advertise-client-urls': {
      kind: 'urls',
      fallback: 'http://localhost:2379',
      help: "List of this member's client URLs to advertise to the public.",
      option: 'advertiseClientUrls',
    },
  },
  Logging: {
    'log-level': {
      kind: 'choice',
      values: LOG_LEVELS,
      fallback: 'info',
      help: 'Log level: debug, info, warn, error, panic or fatal.',
    },
  },
  Other: {
    version: { kind: 'bool', fallback: 'false', help: 'Print the version and exit.' },
    help: { kind: 'bool', fallback: 'false', help: 'Print this text and exit.' },
  },
};

const ALL: ReadonlyMap<string, Flag> = new Map(
  Object.values(FLAGS).flatMap((group) => Object.entries(group)),
);

/** A command line that cannot be read: reported with the usage, exit code 2. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

/** What the command line asks for. */
export type CommandLine =
  | { readonly action: 'help' | 'version' }
  | {
      readonly action: 'run';
      readonly options: EtcdNodeOptions;
      readonly logLevel: (typeof LOG_LEVELS)[number];
    };

/**
 * Reads a command line.
 *
 * @throws UsageError: an unknown flag, a missing or malformed value. StartError BAD_OPTION: values that contradict one
 *   another.
 */
export function parseFlags(words: readonly string[]): CommandLine {
  const given = readWords(words);
  if (given.get('help') === 'true') return { action: 'help' };
  if (given.get('version') === 'true') return { action: 'version' };
  if (given.has('listen-client-urls') && !given.has('advertise-client-urls')) {
    throw new StartError(
      'BAD_OPTION',
      '--advertise-client-urls is required when --listen-client-urls is set explicitly',
    );
  }
  const name = given.get('name') ?? 'default';
  const values = new Map<string, string>([
    ['data-dir', `${name}.etcd`],
    ['listen-peer-urls', 'http://localhost:2380'],
    ['listen-client-urls', 'http://localhost:2379'],
    ['initial-advertise-peer-urls', 'http://localhost:2380'],
    ['advertise-client-urls', 'http://localhost:2379'],
    ...given,
  ]);
  const options: Record<string, unknown> = {};
  for (const [flag, text] of values) {
    const { option, kind } = ALL.get(flag) as Flag;
    if (option !== undefined && !(text === '' && kind !== 'text'))
      options[option] = convert(kind, text);
  }
  if (options['walDir'] === '') delete options['walDir'];
  const logLevel = (values.get('log-level') ?? 'info') as (typeof LOG_LEVELS)[number];
  return { action: 'run', options: options as EtcdNodeOptions, logLevel };
}

/** The text of `--help`. */
export function usage(): string {
  const lines = ['Usage:', '', '  etcd-ts [flags]', '    Start an etcd-ts server.', ''];
  lines.push(
    '  etcd-ts --version',
    '    Show the version.',
    '',
    '  etcd-ts -h | --help',
    '    Show this text.',
    '',
  );
  for (const [group, flags] of Object.entries(FLAGS)) {
    lines.push(`${group}:`);
    for (const [flag, { fallback, help }] of Object.entries(flags)) {
      lines.push(`  --${flag} '${fallback}'`, `    ${help}`);
    }
    lines.push('');
  }
  return lines.join('\n');
}

/** Values by flag, the last one counting. */
function readWords(words: readonly string[]): Map<string, string> {
  const given = new Map<string, string>();
  for (let at = 0; at < words.length; at++) {
    const word = words[at] as string;
    const match = /^--?([^-=][^=]*)(?:=(.*))?$/s.exec(word);
    if (match === null) throw new StartError('BAD_OPTION', `'${word}' is not a valid flag`);
    const flag = match[1] === 'h' ? 'help' : (match[1] as string);
    const known = ALL.get(flag);
    if (known === undefined) throw new UsageError(`flag provided but not defined: -${flag}`);
    let text = match[2];
    if (text === undefined && known.kind === 'bool') text = 'true';
    if (text === undefined) {
      at += 1;
      text = words[at];
    }
    if (text === undefined) throw new UsageError(`flag needs an argument: -${flag}`);
    given.set(flag, text);
    checkValue(flag, known, text);
  }
  return given;
}

/** Go's words for values that a flag does not take. */
function checkValue(flag: string, { kind, values }: Flag, text: string): void {
  const problem = problemOf(kind, values, text);
  if (problem === undefined) return;
  const kindOf = kind === 'bool' ? 'boolean value' : 'value';
  throw new UsageError(`invalid ${kindOf} "${text}" for flag -${flag}: ${problem}`);
}

function problemOf(
  kind: FlagKind,
  values: readonly string[] | undefined,
  text: string,
): string | undefined {
  switch (kind) {
    case 'text':
      return undefined;
    case 'uint':
      return /^\d{1,15}$/.test(text) ? undefined : 'parse error';
    case 'int':
      return /^-?\d{1,15}$/.test(text) ? undefined : 'parse error';
    case 'bool':
      return /^(1|t|true|0|f|false)$/i.test(text) ? undefined : 'parse error';
    case 'duration':
      return parseDurationMs(text) === undefined ? 'parse error' : undefined;
    case 'choice':
      return values?.includes(text) === true ? undefined : 'invalid value';
    case 'urls':
      return text
        .split(',')
        .map(urlProblem)
        .find((problem) => problem !== undefined);
  }
}

function convert(kind: FlagKind, text: string): unknown {
  switch (kind) {
    case 'text':
    case 'choice':
      return text;
    case 'uint':
    case 'int':
      return Number(text);
    case 'bool':
      return /^(1|t|true)$/i.test(text);
    case 'duration':
      return parseDurationMs(text);
    case 'urls':
      return text.split(',').map((url) => url.trim());
  }
}

const UNITS_MS: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 };

/** Milliseconds of Go's `1m30s`; undefined when it is none. Finer than a millisecond is not taken. */
export function parseDurationMs(text: string): number | undefined {
  if (text === '0') return 0;
  if (!/^(\d+(\.\d+)?(ms|s|m|h))+$/.test(text)) return undefined;
  let total = 0;
  for (const [, number, unit] of text.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h)/g)) {
    total += Number(number) * (UNITS_MS[unit as string] as number);
  }
  return Number.isSafeInteger(total) ? total : undefined;
}
