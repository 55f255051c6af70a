/** The command line of the simulator. */
import { parseArgs } from 'node:util';
import { PROFILES } from '../plan/profile.ts';

/** What the command was asked to do. */
export interface CommandOptions {
  readonly from: number;
  readonly seeds: number;
  readonly profile: string;
  /** Ends after so many minutes, if seeds are left; Infinity for no limit. */
  readonly minutes: number;
  /** Ends when so many minutes of processor time are used; Infinity for no limit. */
  readonly cpuMinutes: number;
  readonly keepGoing: boolean;
  readonly shrink: boolean;
  /** Runs every seed a second time and compares the hashes. */
  readonly twice: boolean;
  /** A plan to replay in place of seeds. */
  readonly plan: string | undefined;
  /** Where failing plans are written. */
  readonly out: string;
  /** Prints one line a seed: its hash. */
  readonly hashes: boolean;
  /** Prints what the members log; for one seed or plan. */
  readonly logs: boolean;
  readonly report: string | undefined;
}

/** What the command prints for --help. */
export const USAGE: string = `usage: npm run sim -- [options]

  --seeds N        how many seeds to run (default 100)
  --from N         the first of them (default 0)
  --profile NAME   ${Object.keys(PROFILES).join(', ')} (default default)
  --minutes N      stop after so many minutes
  --cpu-minutes N  stop when so many minutes of processor time are used
  --keep-going     go on after a violation, and end with a summary
  --shrink         make a failing plan smaller before it is written
  --twice          run each seed twice; a different hash is a failure
  --plan FILE      replay a plan in place of seeds
  --report FILE    write a page about the run of --plan, or of one seed
  --hashes         print the hash of each seed
  --logs           print what the members log
  --out FOLDER     where failing plans go (default sim-failures)`;

/**
 * Reads the command line.
 *
 * @throws Error that says what is wrong.
 */
export function readCommandLine(args: readonly string[]): CommandOptions | 'help' {
  const { values } = parseArgs({
    args: [...args],
    options: {
      seeds: { type: 'string', default: '100' },
      from: { type: 'string', default: '0' },
      profile: { type: 'string', default: 'default' },
      minutes: { type: 'string' },
      'cpu-minutes': { type: 'string' },
      plan: { type: 'string' },
      report: { type: 'string' },
      out: { type: 'string', default: 'sim-failures' },
      'keep-going': { type: 'boolean', default: false },
      shrink: { type: 'boolean', default: false },
      twice: { type: 'boolean', default: false },
      hashes: { type: 'boolean', default: false },
      logs: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) return 'help';
  if (PROFILES[values.profile] === undefined) {
    throw new Error(`--profile ${values.profile} is none of ${Object.keys(PROFILES).join(', ')}`);
  }
  return {
    seeds: number('--seeds', values.seeds),
    from: number('--from', values.from),
    profile: values.profile,
    minutes: values.minutes === undefined ? Infinity : number('--minutes', values.minutes),
    cpuMinutes:
      values['cpu-minutes'] === undefined
        ? Infinity
        : number('--cpu-minutes', values['cpu-minutes']),
    keepGoing: values['keep-going'],
    shrink: values.shrink,
    twice: values.twice,
    plan: values.plan,
    out: values.out,
    hashes: values.hashes,
    logs: values.logs,
    report: values.report,
  };
}

function number(name: string, text: string): number {
  const value = Number(text);
  if (!Number.isFinite(value) || value < 0) {
    throw new Error(`${name} must be a number from 0, is ${text}`);
  }
  return value;
}
