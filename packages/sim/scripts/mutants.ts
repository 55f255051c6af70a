/**
 * `npm run sim:mutants [-- [--cpu-minutes=N] AREA or part of a name …]`: plants each bug of the list in a copy of the
 * sources, runs the simulator on it until it finds a violation or its time is up, and writes the table to MUTANTS.md
 * when all were run.
 */
import { spawnSync } from 'node:child_process';
import {
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
import { type Mutant, MUTANTS } from './mutant-list.ts';

const options = process.argv.slice(2).filter((each) => each.startsWith('--'));
/** Processor time for one mutant. */
const CPU_MINUTES = Number(/^--cpu-minutes=(.*)$/.exec(options[0] ?? '')?.[1] ?? 2);
const SEEDS = 1000;

const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..', '..');

interface Verdict {
  readonly mutant: Mutant;
  readonly killedBy: string | undefined;
  /** `stale`: the line to change is not there any more. */
  readonly seeds: string;
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

function judge(copy: string, mutant: Mutant): Verdict {
  const file = join(copy, 'packages', mutant.file);
  const original = readFileSync(file, 'utf8');
  const parts = original.split(mutant.find);
  if (parts.length !== 2) return { mutant, killedBy: undefined, seeds: 'stale', seconds: 0 };
  writeFileSync(file, parts.join(mutant.replace));
  const started = performance.now();
  try {
    const main = join(copy, 'packages', 'sim', 'src', 'node', 'main.ts');
    const flags = [
      '--profile',
      mutant.profile,
      '--seeds',
      `${SEEDS}`,
      '--cpu-minutes',
      `${CPU_MINUTES}`,
    ];
    const run = spawnSync(
      process.execPath,
      [
        '--import',
        'tsx',
        '--conditions=@etcd-ts/source',
        main,
        ...flags,
        '--out',
        join(copy, 'plans'),
      ],
      { cwd: copy, encoding: 'utf8' },
    );
    const text = `${run.stdout}${run.stderr}`;
    const violation = /violates (\w+): /.exec(text)?.[1];
    const killedBy = violation ?? (run.status === 0 ? undefined : 'the run broke off');
    const seeds = /(\d+) seeds,/.exec(text)?.[1] ?? '?';
    return { mutant, killedBy, seeds, seconds: Math.round((performance.now() - started) / 1000) };
  } finally {
    writeFileSync(file, original);
  }
}

function table(verdicts: readonly Verdict[]): string {
  const killed = verdicts.filter((each) => each.killedBy !== undefined).length;
  const rows = verdicts.map(
    ({ mutant, killedBy, seeds, seconds }) =>
      `| ${mutant.area} | ${mutant.name} | ${mutant.profile} | ${killedBy ?? '**survived**'} | ${seeds} | ${seconds} |`,
  );
  return [
    '# Planted bugs',
    '',
    `\`npm run sim:mutants\` plants one bug at a time and lets the simulator look for it: ${killed} of ${verdicts.length} found,`,
    `each within ${SEEDS} seeds or ${CPU_MINUTES} minutes of processor time.`,
    '',
    '| Area | Bug | Profile | Found by | Seeds | Seconds |',
    '|---|---|---|---|---|---|',
    ...rows,
    '',
  ].join('\n');
}

const wanted = process.argv.slice(2).filter((each) => !each.startsWith('--'));
const chosen = MUTANTS.filter(
  ({ area, name }) =>
    wanted.length === 0 || wanted.some((part) => area === part || name.includes(part)),
);
const copy = copyTree();
const verdicts: Verdict[] = [];
try {
  for (const mutant of chosen) {
    const verdict = judge(copy, mutant);
    verdicts.push(verdict);
    const outcome = verdict.killedBy ?? 'SURVIVED';
    console.log(
      `${outcome.padEnd(10)} ${verdict.seconds} s, ${verdict.seeds} seeds: ${mutant.area}: ${mutant.name}`,
    );
  }
} finally {
  rmSync(copy, { recursive: true, force: true });
}
const survivors = verdicts.filter((each) => each.killedBy === undefined).length;
console.log(`${verdicts.length - survivors} of ${verdicts.length} found`);
if (wanted.length === 0) {
  writeFileSync(join(root, 'packages', 'sim', 'MUTANTS.md'), table(verdicts));
}
process.exitCode = survivors > verdicts.length * 0.05 ? 1 : 0;
