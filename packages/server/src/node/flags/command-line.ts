/** Reads words as Go's flag package does: `--x=y`, `--x y`, `-x`; up to the first word that is no flag. */
import { StartError } from '../../start-error.ts';
import type { Flag } from './flag.ts';
import { FLAGS } from './table.ts';

/** Stands in logs for what must not be seen. */
export const HIDDEN = '********';

/** A command line that cannot be read: reported with the usage, exit code 2. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

/** What a command line says: values by flag, the last of several counting; or that it asks for help. */
export type Words =
  | { readonly asks: 'help' }
  | { readonly asks: 'run'; readonly values: ReadonlyMap<string, unknown> };

/**
 * Reads a command line.
 *
 * @throws UsageError: an unknown flag, a missing or malformed value, in Go's words. StartError BAD_OPTION: a word that
 *   is no flag.
 */
export function readCommandLine(words: readonly string[]): Words {
  const values = new Map<string, unknown>();
  let at = 0;
  for (; at < words.length; at++) {
    const word = words[at] as string;
    if (!word.startsWith('-') || word === '-') break;
    if (word === '--') {
      at += 1;
      break;
    }
    const match = /^--?([^-=][^=]*)(?:=(.*))?$/s.exec(word);
    if (match === null) throw new UsageError(`bad flag syntax: ${word}`);
    const [, name = '', attached] = match;
    const known = FLAGS.get(name);
    if (known === undefined) {
      if (name === 'help' || name === 'h') return { asks: 'help' };
      throw new UsageError(`flag provided but not defined: -${name}`);
    }
    if (attached === undefined && known.kind.isBoolean !== true) at += 1;
    values.set(name, valueOf(known, attached, words[at]));
  }
  const rest = words[at];
  if (rest !== undefined) throw new StartError('BAD_OPTION', `'${rest}' is not a valid flag`);
  return { asks: 'run', values };
}

/** The words as they may be logged: passwords are not shown. */
export function withoutSecrets(words: readonly string[]): readonly string[] {
  let isNextSecret = false;
  return words.map((word) => {
    const [, head = '', name = '', value] = /^(--?([^-=][^=]*))(?:=(.*))?$/s.exec(word) ?? [];
    const isSecret = FLAGS.get(name)?.isSecret === true;
    const shown = isNextSecret
      ? HIDDEN
      : isSecret && value !== undefined
        ? `${head}=${HIDDEN}`
        : word;
    isNextSecret = isSecret && value === undefined;
    return shown;
  });
}

function valueOf(flag: Flag, attached: string | undefined, next: string | undefined): unknown {
  const isBoolean = flag.kind.isBoolean === true;
  const text = attached ?? (isBoolean ? 'true' : next);
  if (text === undefined) throw new UsageError(`flag needs an argument: -${flag.name}`);
  const reading = flag.kind.read(text);
  if ('value' in reading) return reading.value;
  const what = isBoolean ? `boolean value "${text}" for` : `value "${text}" for flag`;
  throw new UsageError(`invalid ${what} -${flag.name}: ${reading.problem}`);
}
