/** Flags of the programs beside the server, read as cobra reads them in etcd: `--x=y`, `--x y`, `--bool`. */
import { must } from '@etcd-ts/base';
import { UsageError } from '../../node/flags/command-line.ts';
import type { Kind } from '../../node/flags/kinds.ts';
import { FLAGS } from '../../node/flags/table.ts';

/** A flag of a command. */
export interface CommandFlag {
  readonly name: string;
  readonly kind: Kind;
  /** As on a command line. */
  readonly fallback: string;
  readonly help: string;
}

/** One flag. */
export function commandFlag<Value>(
  name: string,
  kind: Kind<Value>,
  fallback: string,
  help: string,
): CommandFlag {
  return { name, kind: kind as Kind, fallback, help };
}

/** Flags that are the server's of the same names. */
export function asServer(...names: readonly string[]): readonly CommandFlag[] {
  return names.map((name) => {
    const { fallback, help, kind } = must(FLAGS.get(name), name);
    const words = `${help.charAt(0).toLowerCase()}${help.slice(1)}`.replace(/\.$/, '');
    return { name, kind, fallback, help: words };
  });
}

/** Values by flag, defaults where nothing is said. */
export type CommandValues = ReadonlyMap<string, unknown>;

/**
 * Reads the words behind a command.
 *
 * @returns Undefined when they ask for help.
 * @throws UsageError in cobra's words.
 */
export function readCommandFlags(
  words: readonly string[],
  flags: readonly CommandFlag[],
): CommandValues | undefined {
  const known = new Map(flags.map((flag) => [flag.name, flag]));
  const values = new Map(flags.map((flag) => [flag.name, valueOf(flag, flag.fallback)]));
  for (let at = 0; at < words.length; at++) {
    const word = words[at] as string;
    if (word === '-h' || word === '--help') return undefined;
    const match = /^--([^=]+)(?:=(.*))?$/s.exec(word);
    const [, name = '', attached] = match ?? [];
    const flag = known.get(name);
    if (match === null) throw new UsageError(`unknown command or argument: ${word}`);
    if (flag === undefined) throw new UsageError(`unknown flag: --${name}`);
    let text = attached ?? (flag.kind.isBoolean === true ? 'true' : undefined);
    if (text === undefined) {
      at += 1;
      text = words[at];
    }
    if (text === undefined) throw new UsageError(`flag needs an argument: --${name}`);
    values.set(name, valueOf(flag, text));
  }
  return values;
}

function valueOf({ name, kind }: CommandFlag, text: string): unknown {
  const reading = kind.read(text);
  if ('value' in reading) return reading.value;
  throw new UsageError(`invalid argument "${text}" for "--${name}" flag: ${reading.problem}`);
}

/** What `--help` shows. */
export function commandHelp(command: string, flags: readonly CommandFlag[]): string {
  const lines = flags.map(({ name, kind, fallback, help }) => {
    const shown = fallback === '' || fallback === 'false' ? '' : ` (default ${fallback})`;
    return `      --${name}${kind.isBoolean === true ? '' : ` ${kind.name}`}   ${help}${shown}`;
  });
  return ['Usage:', `  etcd-ts ${command} [flags]`, '', 'Flags:', ...lines, ''].join('\n');
}
