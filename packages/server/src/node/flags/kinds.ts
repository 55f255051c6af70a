/**
 * The kinds of values that flags take: each reads a word of the command line or of the environment, and a value of the
 * configuration file, as etcd's own type of that flag does.
 */
import { urlProblem } from '../../bootstrap/urls.ts';
import {
  readBoolean,
  readDurationMs,
  readInteger,
  type Reading,
  readUint32,
} from '../../go-values.ts';

/** A kind of value. */
export interface Kind<Value = unknown> {
  /** As docs/flags.md calls it. */
  readonly name: string;
  /** The Go type that a configuration file is decoded into, as its error messages name it. */
  readonly goType: string;
  /** The flag alone means true; the next word is not its value. */
  readonly isBoolean?: boolean;
  /** Reads text; `problem` is in the words of Go or etcd. */
  readonly read: (text: string) => Reading<Value>;
  /** Reads a value of the configuration file; undefined when it has the wrong type. */
  readonly readYaml: (value: unknown) => Reading<Value> | undefined;
}

const MAX_UINT64 = (1n << 64n) - 1n;
const MAX_INT64 = (1n << 63n) - 1n;

/** Any text. */
export const TEXT: Kind<string> = {
  name: 'text',
  goType: 'string',
  read: (value) => ({ value }),
  readYaml: (value) => (typeof value === 'string' ? { value } : undefined),
};

/** One of some words; others are refused while the command line is read. */
export function choice<Word extends string>(...words: readonly Word[]): Kind<Word> {
  const read = (text: string): Reading<Word> =>
    words.includes(text as Word) ? { value: text as Word } : { problem: 'invalid value' };
  return {
    name: words.map((word) => `\`${word}\``).join(', '),
    goType: 'string',
    read,
    // A configuration file is not held to the words at once: the options are.
    readYaml: (value) => (typeof value === 'string' ? { value: value as Word } : undefined),
  };
}

function integer(name: string, goType: string, least: bigint, greatest: bigint): Kind<number> {
  const read = (text: string): Reading<number> => readInteger(text, least, greatest);
  return { name, goType, read, readYaml: (value) => readYamlInteger(value, read) };
}

function readYamlInteger(
  value: unknown,
  read: (text: string) => Reading<number>,
): Reading<number> | undefined {
  if (typeof value !== 'number' || !Number.isInteger(value)) return undefined;
  const reading = read(String(BigInt(value)));
  return 'value' in reading ? reading : undefined;
}

/** A whole number from 0 on. */
export const UINT: Kind<number> = integer('number', 'uint', 0n, MAX_UINT64);

/** A whole number from 0 on, of etcd's type uint64. */
export const UINT64: Kind<number> = integer('number', 'uint64', 0n, MAX_UINT64);

/** A whole number. */
export const INT: Kind<number> = integer('number', 'int', -MAX_INT64 - 1n, MAX_INT64);

/** A whole number of etcd's type int64. */
export const INT64: Kind<number> = integer('number', 'int64', -MAX_INT64 - 1n, MAX_INT64);

/** A whole number from 0 to 4294967295. */
export const UINT32: Kind<number> = {
  name: 'number',
  goType: 'uint32',
  read: readUint32,
  readYaml: (value) => readYamlInteger(value, readUint32),
};

/** True or false. */
export const BOOLEAN: Kind<boolean> = {
  name: 'boolean',
  goType: 'bool',
  isBoolean: true,
  read: readBoolean,
  readYaml: (value) => (typeof value === 'boolean' ? { value } : undefined),
};

/** Go's durations, in milliseconds. A configuration file has nanoseconds; `1m30s` is understood there too. */
export const DURATION: Kind<number> = {
  name: 'duration',
  goType: 'time.Duration',
  read: readDurationMs,
  readYaml: (value) => {
    if (typeof value === 'number')
      return Number.isInteger(value) ? { value: value / 1e6 } : undefined;
    if (typeof value !== 'string') return undefined;
    const reading = readDurationMs(value);
    return 'value' in reading ? reading : undefined;
  },
};

/** URLs, cut at commas; empty text is no URL at all. */
export const URLS: Kind<readonly string[]> = {
  name: 'URLs',
  goType: 'string',
  read: readUrls,
  readYaml: (value) => (typeof value === 'string' ? readUrls(value) : undefined),
};

function readUrls(text: string): Reading<readonly string[]> {
  if (text === '') return { value: [] };
  const urls = text.split(',').map((url) => url.trim());
  const problem = urls.map(urlProblem).find((found) => found !== undefined);
  return problem === undefined ? { value: [...new Set(urls)] } : { problem };
}

/** Origins, cut at commas; `*` is every one. */
export const ORIGINS: Kind<readonly string[]> = {
  ...URLS,
  name: 'URLs or `*`',
  read: readOrigins,
  readYaml: (value) => (typeof value === 'string' ? readOrigins(value) : undefined),
};

function readOrigins(text: string): Reading<readonly string[]> {
  return text === '*' ? { value: ['*'] } : readUrls(text);
}

/** Words, cut at commas; a list in the configuration file. */
export const LIST: Kind<readonly string[]> = {
  name: 'list',
  goType: '[]string',
  read: readList,
  readYaml: (value) =>
    Array.isArray(value) && value.every((word) => typeof word === 'string') ? { value } : undefined,
};

/** Words, cut at commas; in the configuration file too. */
export const TEXT_LIST: Kind<readonly string[]> = {
  name: 'list',
  goType: 'string',
  read: readList,
  readYaml: (value) => (typeof value === 'string' ? readList(value) : undefined),
};

function readList(text: string): Reading<readonly string[]> {
  return { value: text === '' ? [] : [...new Set(text.split(',').map((word) => word.trim()))] };
}
