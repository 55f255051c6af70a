/**
 * Plants each bug of the list in a copy of the sources and runs the simulator on it until it finds a violation or its
 * time is up.
 */
import { spawnSync } from 'node:child_process';
import {
  appendFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { readCommandLine, wholeNumber } from '../../../tools/command-line/command-line.ts';
import { simulationNode } from '../../../scripts/engine/engine.mjs';
import { ENGINE_FLAGS } from '../src/node/engine-flags.ts';
import { MUTANTS } from './mutant-list.ts';
import type { Mutant } from './mutant.ts';

const USAGE = `usage: npm run sim:mutants -- [options] [AREA or part of a name ...]

  --cpu-minutes N  processor time for one bug (default 2)
  --minutes N      begin no further one after so many minutes
  --results FILE   add each outcome to a file, and leave out the bugs that are in it
  --table          write MUTANTS.md from that file, and run nothing`;

const { values: options, positionals: wanted } = readCommandLine(USAGE, {
  'cpu-minutes': { type: 'string', default: '2' },
  minutes: { type: 'string', default: '1000000' },
  results: { type: 'string' },
  table: { type: 'boolean', default: false },
});
const CPU_MINUTES = wholeNumber(USAGE, '--cpu-minutes', options['cpu-minutes']);
const SEEDS = 1000;
const NODE = simulationNode();

const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..', '..');

interface Verdict {
  readonly name: string;
  /** The invariant, or that the run broke off; null: it survived. */
  readonly killedBy: string | null;
  /** `stale`: the line to change is not there any more. */
  readonly seeds: string;
  /** Of processor time. */
  readonly seconds: number;
}

/** A copy of the packages' sources that resolves like the original. */
function copyTree(): string {
  const copy = mkdtempSync(join(tmpdir(), 'etcd-ts-mutants-'));
  symlinkSync(join(root, 'node_modules'), join(copy, 'node_modules'));
  for (const name of readdirSync(join(root, 'packages'))) {
    for (const part of ['package.json', 'src', 'node_modules']) {
      const from = join(root, 'packages', name, part);
      const to = join(copy, 'packages', name, part);
      mkdirSync(dirname(to), { recursive: true });
      if (existsSync(from)) cpSync(from, to, { recursive: true, verbatimSymlinks: true });
    }
  }
  return copy;
}

/** Makes the changes in a copy; gives how to undo them. Undefined: a line to change is not there any more. */
function plant(copy: string, mutant: Mutant): (() => void) | undefined {
  const originals = new Map<string, string>();
  const undo = (): void => originals.forEach((text, file) => writeFileSync(file, text));
  for (const { file: name, find, replace } of [mutant, ...(mutant.also ?? [])]) {
    const file = join(copy, 'packages', name);
    const original = readFileSync(file, 'utf8');
    const parts = original.split(find);
    if (parts.length !== 2) {
      undo();
      return undefined;
    }
    originals.set(file, original);
    writeFileSync(file, parts.join(replace));
  }
  return undo;
}

/** What the simulator is to run. */
function workFor({ plan, profile = 'default' }: Mutant): readonly string[] {
  if (plan !== undefined) {
    return ['--plan', join(root, 'packages', 'sim', 'incidents', `${plan}.json`)];
  }
  return `--profile ${profile} --jobs 1 --seeds ${SEEDS} --cpu-minutes ${CPU_MINUTES}`.split(' ');
}

function judge(copy: string, mutant: Mutant): Verdict {
  const undo = plant(copy, mutant);
  if (undo === undefined) return { name: mutant.name, killedBy: null, seeds: 'stale', seconds: 0 };
  try {
    const main = join(copy, 'packages', 'sim', 'src', 'node', 'main.ts');
    const engine = [...ENGINE_FLAGS, '--import', 'tsx', '--conditions=@etcd-ts/source'];
    const args = [...engine, main, ...workFor(mutant), '--out', join(copy, 'plans')];
    const run = spawnSync(NODE, args, { cwd: copy, encoding: 'utf8' });
    if (run.error !== undefined) throw run.error;
    const text = `${run.stdout}${run.stderr}`;
    const violation = /violates (\w+): /.exec(text)?.[1];
    const killedBy = violation ?? (run.status === 0 ? null : 'the run broke off');
    // The last of these lines: those before it told how far the run was.
    const [, seeds = '?', seconds = '0'] =
      [...text.matchAll(/(\d+) seeds,.* (\d+) s of processor time/g)].at(-1) ?? [];
    return { name: mutant.name, killedBy, seeds, seconds: Number(seconds) };
  } finally {
    undo();
  }
}

/** What earlier runs have found, by name; the last word counts. */
function readResults(): Map<string, Verdict> {
  const { results } = options;
  const lines = results === undefined || !existsSync(results) ? '' : readFileSync(results, 'utf8');
  const verdicts = lines.split('\n').filter((line) => line !== '');
  return new Map(
    verdicts.map((line) => {
      const verdict = JSON.parse(line) as Verdict;
      return [verdict.name, verdict] as const;
    }),
  );
}

function table(verdicts: ReadonlyMap<string, Verdict>): string {
  const known = MUTANTS.filter(({ name }) => verdicts.has(name));
  const killed = known.filter(({ name }) => verdicts.get(name)?.killedBy !== null).length;
  const rows = known.map(({ area, name, profile, plan }) => {
    const { killedBy, seeds, seconds } = verdicts.get(name) as Verdict;
    return `| ${area} | ${name} | ${profile ?? plan} | ${killedBy ?? '**survived**'} | ${seeds} | ${seconds} |`;
  });
  return [
    '# Planted bugs',
    '',
    `\`npm run sim:mutants\` plants one bug at a time and lets the simulator look for it: ${killed} of ${known.length} found,`,
    `each within ${SEEDS} seeds or ${CPU_MINUTES} minutes of processor time.`,
    '',
    '| Area | Bug | Profile or plan | Found by | Seeds | Seconds of processor time |',
    '|---|---|---|---|---|---|',
    ...rows,
    ...notRun(verdicts),
    '',
  ].join('\n');
}

/** Those of the list that have no outcome yet. */
function notRun(verdicts: ReadonlyMap<string, Verdict>): readonly string[] {
  const names = MUTANTS.filter(({ name }) => !verdicts.has(name)).map(({ name }) => name);
  return names.length === 0 ? [] : ['', `Not run: ${names.join('; ')}.`];
}

/** Plants those that were asked for, one after the other. */
function run(done: ReadonlyMap<string, Verdict>): void {
  const chosen = MUTANTS.filter(
    ({ area, name }) =>
      !done.has(name) &&
      (wanted.length === 0 || wanted.some((part) => area === part || name.includes(part))),
  );
  const copy = copyTree();
  let killed = 0;
  let judged = 0;
  const started = performance.now();
  try {
    for (const mutant of chosen) {
      if (performance.now() - started > wholeNumber(USAGE, '--minutes', options.minutes) * 60_000)
        break;
      const verdict = judge(copy, mutant);
      judged++;
      if (verdict.killedBy !== null) killed++;
      if (options.results !== undefined) {
        appendFileSync(options.results, `${JSON.stringify(verdict)}\n`);
      }
      const { seconds, seeds } = verdict;
      const outcome = verdict.killedBy ?? 'SURVIVED';
      console.log(
        `${outcome.padEnd(10)} ${seconds} s, ${seeds} seeds: ${mutant.area}: ${mutant.name}`,
      );
    }
  } finally {
    rmSync(copy, { recursive: true, force: true });
  }
  console.log(`${killed} of ${judged} found; ${chosen.length - judged} not run`);
  process.exitCode = judged - killed > judged * 0.05 ? 1 : 0;
}

const done = readResults();
if (options.table) writeFileSync(join(root, 'packages', 'sim', 'MUTANTS.md'), table(done));
else run(done);
