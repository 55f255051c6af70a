/** Reads `ETCD_X` variables as etcd does, except that a flag beside one wins with a warning: there it ends the program. */
import { StartError } from '../../start-error.ts';
import { HIDDEN } from './command-line.ts';
import { environmentName } from './flag.ts';
import type { Remark } from './remark.ts';
import { FLAGS } from './table.ts';

/** Variables, as the process has them. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** What the environment says. */
export interface FromEnvironment {
  readonly values: ReadonlyMap<string, unknown>;
  readonly remarks: readonly Remark[];
}

/** Read before all others, and never a flag's value. */
const VERSION_VARIABLE = environmentName('version');

/**
 * Reads the environment.
 *
 * @param given Flags on the command line.
 * @throws StartError BAD_OPTION: a malformed value.
 */
export function readEnvironment(
  environment: Environment,
  given: ReadonlySet<string>,
): FromEnvironment {
  const values = new Map<string, unknown>();
  const remarks: Remark[] = [];
  const { [VERSION_VARIABLE]: version } = environment;
  if (version !== undefined && version !== '') {
    const fields = { key: VERSION_VARIABLE, value: version };
    remarks.push({ level: 'warn', message: 'cannot set special environment variable', fields });
  }
  const known = new Set([VERSION_VARIABLE]);
  for (const { name, kind, isSecret } of FLAGS.values()) {
    const variable = environmentName(name);
    const text = environment[variable];
    if (variable === VERSION_VARIABLE || text === undefined || text === '') continue;
    known.add(variable);
    if (given.has(name)) {
      remarks.push(shadowed(variable));
      continue;
    }
    const reading = kind.read(text);
    if ('problem' in reading) {
      const message = `invalid value "${text}" for ${variable}: ${reading.problem}`;
      throw new StartError('BAD_OPTION', message);
    }
    values.set(name, reading.value);
    remarks.push({
      level: 'info',
      message: 'recognized and used environment variable',
      fields: {
        'variable-name': variable,
        'variable-value': isSecret === true ? HIDDEN : text,
      },
    });
  }
  return { values, remarks: [...remarks, ...unrecognized(environment, known)] };
}

function shadowed(variable: string): Remark {
  return {
    level: 'warn',
    message: 'conflicting environment variable is shadowed by corresponding command-line flag',
    fields: { 'environment-variable': variable },
  };
}

function unrecognized(environment: Environment, known: ReadonlySet<string>): readonly Remark[] {
  return Object.entries(environment)
    .filter(([name, text]) => name.startsWith('ETCD_') && text !== '' && !known.has(name))
    .map(([name, text]) => ({
      level: 'warn',
      message: 'unrecognized environment variable',
      fields: { 'environment-variable': `${name}=${text}` },
    }));
}
