/** The command line of the simulator. */
import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import { PROFILES } from '../plan/profile.ts';

/** What the command was asked to do. */
export interface CommandOptions {
  readonly from: number;
  /** Infinity: as many as there is time for. */
  readonly seeds: number;
  readonly profile: string;
  /** Ends after so many minutes, if seeds are left; Infinity for no limit. */
  readonly minutes: number;
  /** Ends when so many minutes of processor time are used; Infinity for no limit. */
  readonly cpuMinutes: number;
  readonly keepGoing: boolean;
  readonly shrink: boolean;
  /** Processes that share the seeds. */
  readonly jobs: number;
  /** Runs every seed in two processes and compares the hashes. */
  readonly twice: boolean;
  /** Path of the Node that runs every second process; undefined: this one. */
  readonly node: string | undefined;
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

/** Unless something else ends the command. */
const DEFAULT_SEEDS = 100;

/** So many seeds are worth several processes. */
const SEEDS_FOR_JOBS = 20;

/** What the command prints for --help. */
export const USAGE: string = `usage: npm run sim -- [options]

  --seeds N        how many seeds to run (default ${DEFAULT_SEEDS}; without limit where minutes are given)
  --from N         the first of them (default 0)
  --profile NAME   ${Object.keys(PROFILES).join(', ')} (default default)
  --minutes N      stop after so many minutes
  --cpu-minutes N  stop when so many minutes of processor time are used
  --keep-going     go on after a violation, and end with a summary
  --shrink         make a failing plan smaller before it is written
  --jobs N         share the seeds among so many processes (default one a core)
  --twice          run each seed in two processes; a different hash is a failure
  --node PATH      with --twice: the second process is another Node
  --plan FILE      replay a plan in place of seeds
  --report FILE    write a page about the run of --plan, or of one seed
  --hashes         print the hash of each seed
  --logs           print what the members log
  --out FOLDER     where failing plans go (default sim-failures)

  SIM_NODE=PATH    in the environment: the Node that runs it (default the one of scripts/engine)`;

/**
 * Reads the command line.
 *
 * @throws Error that says what is wrong.
 */
export function readCommandLine(args: readonly string[]): CommandOptions | 'help' {
  const { values } = parseArgs({
    args: [...args],
    options: {
      seeds: { type: 'string' },
      from: { type: 'string', default: '0' },
      profile: { type: 'string', default: 'default' },
      minutes: { type: 'string' },
      'cpu-minutes': { type: 'string' },
      plan: { type: 'string' },
      report: { type: 'string' },
      jobs: { type: 'string' },
      node: { type: 'string' },
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
  const minutes = limitOf('--minutes', values.minutes);
  const cpuMinutes = limitOf('--cpu-minutes', values['cpu-minutes']);
  const isTimed = minutes < Infinity || cpuMinutes < Infinity;
  const seeds =
    values.seeds === undefined && !isTimed ? DEFAULT_SEEDS : limitOf('--seeds', values.seeds);
  return {
    seeds,
    from: number('--from', values.from),
    profile: values.profile,
    minutes,
    cpuMinutes,
    keepGoing: values['keep-going'],
    shrink: values.shrink,
    jobs: jobsOf(values.jobs, seeds),
    twice: values.twice,
    node: values.node,
    plan: values.plan,
    out: values.out,
    hashes: values.hashes,
    logs: values.logs,
    report: values.report,
  };
}

/** By default a process for each core, and none for a few seeds: starting one takes longer than they do. */
function jobsOf(text: string | undefined, seeds: number): number {
  if (text !== undefined) return Math.max(1, Math.trunc(number('--jobs', text)));
  return seeds < SEEDS_FOR_JOBS ? 1 : availableParallelism();
}

/** Infinity where none is given. */
function limitOf(name: string, text: string | undefined): number {
  return text === undefined ? Infinity : number(name, text);
}

function number(name: string, text: string): number {
  const value = Number(text);
  if (!Number.isFinite(value) || value < 0) {
    throw new Error(`${name} must be a number from 0, is ${text}`);
  }
  return value;
}
