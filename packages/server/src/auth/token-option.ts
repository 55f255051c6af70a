/**
 * The kind of token a node gives and takes, as etcd's `--auth-token` writes it: `simple`, or
 * `jwt,sign-method=RS256,pub-key=FILE,priv-key=FILE,ttl=10m` (etcd server/auth/store.go, decomposeOpts; options.go).
 */
import { StartError } from '../start-error.ts';

/** Signing methods that etcd knows, and EdDSA, as `sign-method` names them. */
export const JWT_SIGN_METHODS = [
  'RS256',
  'RS384',
  'RS512',
  'PS256',
  'PS384',
  'PS512',
  'ES256',
  'ES384',
  'ES512',
  'HS256',
  'HS384',
  'HS512',
  'EdDSA',
] as const;

/** etcd's default time to live of a JWT. */
export const DEFAULT_JWT_TTL_SECONDS = 300;

/** How signed tokens are made and judged. */
export interface JwtSettings {
  readonly signMethod: (typeof JWT_SIGN_METHODS)[number];
  /** File of the public key or of a certificate, PEM. Means nothing to HS methods. */
  readonly publicKeyFile?: string;
  /** File of the private key, PEM; for HS methods the secret's bytes. Without it tokens are only verified. */
  readonly privateKeyFile?: string;
  readonly ttlSeconds: number;
}

/** What `--auth-token` says. */
export type TokenOption = 'simple' | JwtSettings;

/** Parameters of `jwt`; etcd warns of any other and goes on, here it is refused. */
const JWT_PARAMETERS = ['sign-method', 'pub-key', 'priv-key', 'ttl'];

const UNITS_SECONDS = { h: 3_600, m: 60, s: 1, ms: 1e-3, us: 1e-6, µs: 1e-6, ns: 1e-9 } as const;

/**
 * Reads the option.
 *
 * @throws StartError BAD_OPTION: etcd's words, and behind them what is wrong.
 */
export function parseTokenOption(text: string): TokenOption {
  const [kind, ...pairs] = text.split(',');
  const parameters = readParameters(text, pairs);
  if (kind === 'simple') return 'simple';
  if (kind !== 'jwt') throw invalid(`'${kind}' is neither simple nor jwt`);
  const unknown = [...parameters.keys()].find((name) => !JWT_PARAMETERS.includes(name));
  if (unknown !== undefined) {
    throw invalid(`jwt has no parameter '${unknown}', only ${JWT_PARAMETERS.join(', ')}`);
  }
  return jwtSettings(parameters);
}

function readParameters(text: string, pairs: readonly string[]): ReadonlyMap<string, string> {
  const parameters = new Map<string, string>();
  for (const pair of pairs) {
    const [name = '', value, ...more] = pair.split('=');
    if (value === undefined || more.length > 0) throw invalid(`'${pair}' in '${text}'`);
    if (parameters.has(name)) throw invalid(`'${name}' is given twice in '${text}'`);
    parameters.set(name, value);
  }
  return parameters;
}

function jwtSettings(parameters: ReadonlyMap<string, string>): JwtSettings {
  const named = parameters.get('sign-method') ?? '';
  const signMethod = JWT_SIGN_METHODS.find((method) => method === named);
  if (signMethod === undefined) {
    throw invalid(`sign-method '${named}' is none of ${JWT_SIGN_METHODS.join(', ')}`);
  }
  const publicKeyFile = fileOf(parameters, 'pub-key');
  const privateKeyFile = fileOf(parameters, 'priv-key');
  const needed = signMethod.startsWith('HS') ? [privateKeyFile] : [publicKeyFile, privateKeyFile];
  if (needed.every((file) => file === undefined)) {
    const missing = signMethod.startsWith('HS') ? 'priv-key' : 'pub-key or priv-key';
    throw new StartError('BAD_OPTION', `auth: missing key data: ${signMethod} needs ${missing}`);
  }
  return {
    signMethod,
    ttlSeconds: ttlOf(parameters.get('ttl')),
    ...(publicKeyFile === undefined ? {} : { publicKeyFile }),
    ...(privateKeyFile === undefined ? {} : { privateKeyFile }),
  };
}

function fileOf(parameters: ReadonlyMap<string, string>, name: string): string | undefined {
  const file = parameters.get(name);
  return file === '' ? undefined : file;
}

/** Go's durations; a token that is void from its start is refused. */
function ttlOf(text: string | undefined): number {
  if (text === undefined || text === '') return DEFAULT_JWT_TTL_SECONDS;
  if (!/^(\d+(\.\d+)?(h|ms|m|us|µs|ns|s))+$/.test(text)) {
    throw invalid(`time: invalid duration "${text}"`);
  }
  let seconds = 0;
  for (const [, number, unit] of text.matchAll(/(\d+(?:\.\d+)?)(h|ms|m|us|µs|ns|s)/g)) {
    seconds += Number(number) * UNITS_SECONDS[unit as keyof typeof UNITS_SECONDS];
  }
  if (seconds <= 0) throw invalid(`ttl ${text} must be more than nothing`);
  return seconds;
}

function invalid(detail: string): StartError {
  return new StartError('BAD_OPTION', `auth: invalid auth options: ${detail}`);
}
