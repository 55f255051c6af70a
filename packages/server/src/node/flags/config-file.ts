/** Reads the YAML of `--config-file`, with etcd's keys and its words for values of the wrong type. */
import {
  type DocumentOptions,
  parse,
  type ParseOptions,
  type SchemaOptions,
  type Tags,
} from 'yaml';
import { StartError } from '../../start-error.ts';
import type { Flag } from './flag.ts';
import type { Remark } from './remark.ts';
import { FAMILIES } from './table.ts';

/** What a configuration file says. */
export interface FromFile {
  readonly values: ReadonlyMap<string, unknown>;
  readonly remarks: readonly Remark[];
}

type Section = Readonly<Record<string, unknown>>;

/** Keys that hold a section. */
const SECTIONS: ReadonlySet<string> = new Set([
  'client-transport-security',
  'peer-transport-security',
  'discovery-config',
  'discovery-config.secure',
  'discovery-config.auth',
  'socket-options',
]);

/** Keys of the program itself, and names that only a command line has. */
const NOT_IN_FILES: ReadonlySet<string> = new Set(['config-file', 'version']);

const BY_KEY: ReadonlyMap<string, Flag> = new Map(
  FAMILIES.filter(({ title }) => title !== 'Ignored')
    .flatMap(({ flags }) => flags)
    .filter(({ name }) => !NOT_IN_FILES.has(name))
    .map((flag) => [keyOf(flag), flag]),
);

/** Where a flag stands in a configuration file. */
export function keyOf({ name, key }: Flag): string {
  return key ?? name;
}

/**
 * Reads the text of a configuration file. Keys without a value count as absent.
 *
 * @throws StartError BAD_OPTION: no YAML, or a value of the wrong type.
 */
export function readConfigFile(text: string): FromFile {
  const document = parseYaml(text);
  const values = new Map<string, unknown>();
  const unknown: string[] = [];
  readSection(document, '', values, unknown);
  const remarks = unknown.map((key): Remark => ({
    level: 'warn',
    message: 'unrecognized key in the configuration file',
    fields: { key },
  }));
  return { values, remarks };
}

/**
 * YAML 1.1 as the package of Go reads it that etcd uses: `yes` and `off` are booleans, `0100` is 64 and `1_000` a number;
 * but what looks like a time is text.
 */
const GO_YAML: ParseOptions & DocumentOptions & SchemaOptions = {
  version: '1.1',
  customTags: (tags: Tags): Tags => tags.filter((tag) => !isTime(tag)),
  // The last one counts.
  uniqueKeys: false,
};

function isTime(tag: Tags[number]): boolean {
  if (typeof tag === 'string') return false;
  return tag.tag.endsWith(':timestamp') || ('format' in tag && tag.format === 'TIME');
}

function parseYaml(text: string): Section {
  let document: unknown;
  try {
    document = parse(text, GO_YAML);
  } catch (cause) {
    // The lines behind the first show the place.
    const [why = ''] = (cause as Error).message.split(/:?\n/);
    throw new StartError('BAD_OPTION', `error converting YAML to JSON: yaml: ${why}`);
  }
  if (document === null || document === undefined) return {};
  return sectionOf(document, '');
}

function sectionOf(value: unknown, key: string): Section {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Section;
  throw wrongType(value, key, key === '' ? 'embed.configYAML' : 'embed.securityConfig');
}

function readSection(
  section: Section,
  prefix: string,
  values: Map<string, unknown>,
  unknown: string[],
): void {
  for (const [name, value] of Object.entries(section)) {
    const key = prefix === '' ? name : `${prefix}.${name}`;
    if (value === null || value === undefined) continue;
    if (SECTIONS.has(key)) {
      readSection(sectionOf(value, key), key, values, unknown);
      continue;
    }
    const flag = BY_KEY.get(key);
    if (flag === undefined) unknown.push(key);
    else values.set(flag.name, valueOf(flag, value, key));
  }
}

function valueOf({ name, kind }: Flag, value: unknown, key: string): unknown {
  const reading = kind.readYaml(value);
  if (reading === undefined) throw wrongType(value, key, kind.goType);
  if ('value' in reading) return reading.value;
  throw new StartError('BAD_OPTION', `unexpected error setting up ${name}: ${reading.problem}`);
}

function wrongType(value: unknown, key: string, goType: string): StartError {
  const found = jsonType(value);
  const field = key === '' ? '' : `struct field configYAML.${key} of type `;
  return new StartError(
    'BAD_OPTION',
    `error unmarshaling JSON: while decoding JSON: json: cannot unmarshal ${found} into Go ${field === '' ? 'value of type ' : field}${goType}`,
  );
}

/** What Go calls a JSON value in its messages. */
function jsonType(value: unknown): string {
  if (Array.isArray(value)) return 'array';
  switch (typeof value) {
    case 'boolean':
      return 'bool';
    case 'number':
      return Number.isInteger(value) && value >= 0 ? 'number' : `number ${value}`;
    case 'string':
      return 'string';
    default:
      return 'object';
  }
}
