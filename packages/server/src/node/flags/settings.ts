/**
 * From what was given to what is done: command line, environment or configuration file become the node's options, the
 * program's settings, and the lines that are to be logged about them.
 */
import { formatDuration } from '../../go-values.ts';
import type { EtcdNodeOptions } from '../../options.ts';
import { DEFAULT_NAME } from '../../options/member-options.ts';
import { MIN_RAFT_TIMEOUT_MS } from '../../options/peer-options.ts';
import { StartError } from '../../start-error.ts';
import { systemWords } from '../system-words.ts';
import { type Addresses, advertisedByDefault, withDefaultAddresses } from './addresses.ts';
import { readCommandLine } from './command-line.ts';
import { readConfigFile } from './config-file.ts';
import { type Environment, readEnvironment } from './environment.ts';
import { FEATURE_GATES, type FeatureGate, type Gates } from './feature-gates.ts';
import { environmentName, type Flag } from './flag.ts';
import { DEFAULT_LOG_ROTATION, type Program } from './program.ts';
import type { Remark } from './remark.ts';
import { FLAGS } from './table.ts';

/** What a member is run with. */
export interface RunSettings {
  readonly action: 'run';
  readonly options: EtcdNodeOptions;
  readonly program: Program;
  /** In the order in which they arose. */
  readonly remarks: readonly Remark[];
}

/** What the program is to do. */
export type Settings = { readonly action: 'help' | 'version' } | RunSettings;

/** Where settings come from. */
export interface Sources {
  readonly words: readonly string[];
  readonly environment: Environment;
  /** The text of a file; throws what the system says. */
  readonly readFile: (path: string) => string;
  /** The address that other machines reach. @defaultValue not known */
  readonly defaultHost?: () => string | undefined;
}

interface Given {
  readonly values: ReadonlyMap<string, unknown>;
  readonly remarks: readonly Remark[];
}

const PROGRAM_DEFAULTS: Program = {
  logger: 'zap',
  logLevel: 'info',
  logFormat: 'json',
  logOutputs: ['default'],
  isLogRotated: false,
  logRotation: DEFAULT_LOG_ROTATION,
  configFile: '',
  showsVersion: false,
  featureGates: new Map(),
};

/**
 * Reads everything that configures the program.
 *
 * @throws UsageError: the command line cannot be read. StartError BAD_OPTION: a value that is malformed, or contradicts
 *   another.
 */
export function readSettings({
  words,
  environment,
  readFile,
  defaultHost = () => undefined,
}: Sources): Settings {
  const line = readCommandLine(words);
  if (line.asks === 'help') return { action: 'help' };
  if (line.values.get('version') === true) return { action: 'version' };
  const file =
    (line.values.get('config-file') as string | undefined) ??
    environment[environmentName('config-file')] ??
    '';
  const given =
    file === ''
      ? fromLineAndEnvironment(line.values, environment)
      : fromFile(file, readFile, [...line.values.keys()]);
  const { options, program, remarks } = assign(given.values);
  const { name = DEFAULT_NAME } = options;
  const complete = withDefaults(options);
  const advertised = advertisedByDefault(complete, defaultHost);
  return {
    action: 'run',
    options: { ...complete, ...advertised.options },
    program,
    remarks: [
      ...given.remarks,
      ...remarks,
      ...aboutDefaults(name, options.dataDir),
      ...advertised.remarks,
    ],
  };
}

function fromLineAndEnvironment(
  values: ReadonlyMap<string, unknown>,
  environment: Environment,
): Given {
  const more = readEnvironment(environment, new Set(values.keys()));
  const all = new Map([...more.values, ...values]);
  if (all.has('listen-client-urls') && !all.has('advertise-client-urls')) {
    throw new StartError(
      'BAD_OPTION',
      '--advertise-client-urls is required when --listen-client-urls is set explicitly',
    );
  }
  return { values: all, remarks: more.remarks };
}

function fromFile(path: string, readFile: (path: string) => string, flags: string[]): Given {
  let text: string;
  try {
    text = readFile(path);
  } catch (cause) {
    throw new StartError('BAD_OPTION', `open ${path}: ${systemWords(cause)}`, { cause });
  }
  const ignored = flags.filter((flag) => flag !== 'config-file').map((flag) => `--${flag}`);
  const { values, remarks } = readConfigFile(text);
  const loaded: Remark = {
    level: ignored.length === 0 ? 'info' : 'warn',
    message:
      'loaded server configuration, other configuration command line flags and environment variables will be ignored if provided',
    fields: { path, ...(ignored.length === 0 ? {} : { ignored }) },
  };
  return { values, remarks: [loaded, ...remarks] };
}

/** What etcd warns of when it is left to the defaults. */
function aboutDefaults(name: string, dataDir: string | undefined): readonly Remark[] {
  const remarks: Remark[] = [];
  if (name === DEFAULT_NAME) {
    const message =
      "it isn't recommended to use default name, please set a value for --name. Note that etcd might run into issue when multiple members have the same default name";
    remarks.push({ level: 'warn', message, fields: { name } });
  }
  if (dataDir === undefined) {
    const fields = { 'data-dir': `${name}.etcd` };
    remarks.push({ level: 'warn', message: "'data-dir' was empty; using default", fields });
  }
  return remarks;
}

/** The program has a data directory and doors where the node by itself has none. */
function withDefaults(options: EtcdNodeOptions): EtcdNodeOptions & Addresses {
  const { name = DEFAULT_NAME } = options;
  return { dataDir: `${name}.etcd`, ...options, ...withDefaultAddresses(options) };
}

/** Empty text and empty lists of these stand for "not given". */
const EMPTY_IS_ABSENT: ReadonlySet<keyof EtcdNodeOptions> = new Set<keyof EtcdNodeOptions>([
  'dataDir',
  'walDir',
  'initialCluster',
  'listenClientUrls',
  'listenPeerUrls',
  'initialAdvertisePeerUrls',
  'advertiseClientUrls',
]);

interface Assigned {
  readonly options: EtcdNodeOptions;
  readonly program: Program;
  readonly remarks: readonly Remark[];
}

function assign(values: ReadonlyMap<string, unknown>): Assigned {
  const options: Record<string, unknown> = {};
  const program: Record<string, unknown> = { ...PROGRAM_DEFAULTS };
  const remarks: Remark[] = [];
  const gates = new Map<FeatureGate, boolean>();
  checkTwins(values);
  remarks.push(...raisedTimeouts(values));
  for (const [name, value] of inOrder(values)) {
    const flag = FLAGS.get(name) as Flag;
    if (flag.deprecated !== undefined) remarks.push({ level: 'warn', message: flag.deprecated });
    const { target } = 'twinOf' in flag.target ? (FLAGS.get(flag.target.twinOf) as Flag) : flag;
    if ('option' in target) {
      const isAbsent = EMPTY_IS_ABSENT.has(target.option) && isEmpty(value);
      if (!isAbsent) options[target.option] = value;
    } else if ('program' in target) program[target.program] = value;
    else if ('gate' in target) setGate(gates, target.gate, name, value as boolean, values);
    else if ('noEffect' in target) remarks.push(withoutEffect(`--${name}`, target.noEffect));
    else if ('isPending' in target && !isDefault(flag, value)) throw unsupported(`--${name}`);
  }
  for (const [gate, value] of (program['featureGates'] as Gates) ?? []) gates.set(gate, value);
  remarks.push(...assignGates(gates, options));
  return { options, program: program as unknown as Program, remarks };
}

/** What is said of timeouts that are below their least value. */
function raisedTimeouts(values: ReadonlyMap<string, unknown>): readonly Remark[] {
  const least = formatDuration(MIN_RAFT_TIMEOUT_MS);
  return ['raft-read-timeout', 'raft-write-timeout']
    .filter((name) => ((values.get(name) as number | undefined) ?? Infinity) < MIN_RAFT_TIMEOUT_MS)
    .map((name) => ({ level: 'info', message: `${name} increased to minimum value: ${least}` }));
}

/** Twins come last: etcd 3.6 lets the old name win. */
function inOrder(values: ReadonlyMap<string, unknown>): readonly (readonly [string, unknown])[] {
  const isTwin = ([name]: readonly [string, unknown]): boolean =>
    'twinOf' in (FLAGS.get(name) as Flag).target;
  const all = [...values];
  return [...all.filter((pair) => !isTwin(pair)), ...all.filter(isTwin)];
}

function checkTwins(values: ReadonlyMap<string, unknown>): void {
  const name = 'warning-unary-request-duration';
  const both = [values.get(name), values.get(`experimental-${name}`)];
  if (both.some((value) => value === undefined || value === 0)) return;
  throw new StartError(
    'BAD_OPTION',
    `both --experimental-${name} and --${name} flags are set. Use only --${name}`,
  );
}

function setGate(
  gates: Map<FeatureGate, boolean>,
  gate: FeatureGate,
  name: string,
  value: boolean,
  values: ReadonlyMap<string, unknown>,
): void {
  if ((values.get('feature-gates') as Gates | undefined)?.has(gate) === true) {
    throw new StartError(
      'BAD_OPTION',
      `cannot specify both flags: --${name}=(true|false) and --feature-gates=${gate}=(true|false) at the same time, please just use --feature-gates=${gate}=(true|false)`,
    );
  }
  gates.set(gate, value);
}

function assignGates(gates: Gates, options: Record<string, unknown>): readonly Remark[] {
  const remarks: Remark[] = [];
  for (const [gate, value] of gates) {
    const row = FEATURE_GATES[gate];
    if (row.option !== undefined) options[row.option] = value;
    else if (row.noEffect !== undefined && value !== row.fallback) {
      remarks.push(withoutEffect(`--feature-gates=${gate}`, row.noEffect));
    } else if (row.isPending === true && value !== row.fallback) {
      throw unsupported(`--feature-gates=${gate}=${value}`);
    }
  }
  return remarks;
}

function isEmpty(value: unknown): boolean {
  return value === '' || (Array.isArray(value) && value.length === 0);
}

function isDefault({ kind, fallback, fallbackIn35 }: Flag, value: unknown): boolean {
  return [fallback, fallbackIn35 ?? fallback].some((text) => {
    const reading = kind.read(text);
    return 'value' in reading && JSON.stringify(reading.value) === JSON.stringify(value);
  });
}

function withoutEffect(what: string, why: string): Remark {
  return { level: 'warn', message: `${what} has no effect: ${why}` };
}

function unsupported(what: string): StartError {
  return new StartError('BAD_OPTION', `${what} is not supported in this version`);
}
