/** What the commands of the repository have in common: `--help`, and one line and code 2 for what they do not understand. */
import { parseArgs, type ParseArgsConfig } from 'node:util';

/** Code of the end of a command that was not understood. */
const MISUSED = 2;

type Parsed<Options extends ParseArgsConfig['options']> = ReturnType<
  typeof parseArgs<{ readonly options: Options; readonly allowPositionals: true }>
>;

/** Reads the command line; prints the usage and ends the process for `--help` and for what is none of the options. */
export function readCommandLine<const Options extends NonNullable<ParseArgsConfig['options']>>(
  usage: string,
  options: Options,
): Parsed<Options> {
  if (process.argv.slice(2).some((arg) => arg === '--help' || arg === '-h')) {
    console.log(usage);
    process.exit(0);
  }
  try {
    return parseArgs({ options, allowPositionals: true });
  } catch (error) {
    return misused(usage, error instanceof Error ? error.message : String(error));
  }
}

/** Says what is wrong, and ends the process. */
export function misused(usage: string, what: string): never {
  console.error(`${what}\n\n${usage}`);
  process.exit(MISUSED);
}

/** A whole number of at most ten digits; ends the process when it is none. */
export function wholeNumber(usage: string, flag: string, text: string): number {
  if (/^\d{1,10}$/.test(text)) return Number(text);
  return misused(usage, `${flag} ${text} is no whole number of at most 10 digits`);
}
