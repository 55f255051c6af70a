/**
 * Plants bugs one at a time and reports which proof sees each: `npm run raft:mutants [-- --only PATTERN]`.
 *
 * Each mutant is one exact text replaced in a copy of the package; the copy's own proofs then run against
 * it. A full run writes MUTANTS.md. The run fails when a mutant that breaks safety or serves a stale read
 * survives, or when a patch no longer fits the source.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Mutant, MUTANTS } from './mutant-table.ts';

interface Verdict {
  readonly proof: string;
  readonly killer: string;
  readonly reason: string;
  readonly milliseconds: number;
}

interface Result {
  readonly mutant: Mutant;
  readonly verdicts: readonly Verdict[];
}

const SEEDS = 400;
const STATES = 10_000;
/** A mutant that hangs is killed too. */
const KILLERS_TIMEOUT_MS = 180_000;

/** What the tests of the copy import besides. */
const TEST_MODULES = ['fast-check', 'vitest'];

/** The copy's tests, with sources resolved as in the repository. */
const TESTS_CONFIG = `const conditions = ['@etcd-ts/source'];
export default {
  resolve: { conditions },
  ssr: { resolve: { conditions } },
  test: { include: ['test/**/*.test.ts'], testTimeout: 120_000 },
};
`;

const here = dirname(fileURLToPath(import.meta.url));
const packageFolder = join(here, '..');
const repository = join(packageFolder, '..', '..');

function patch(folder: string, mutant: Mutant): void {
  const path = join(folder, 'src', mutant.file);
  writeFileSync(path, patched(path, mutant));
}

/** The text with the bug in it. The text that it replaces must be there exactly once. */
function patched(path: string, mutant: Mutant): string {
  const parts = readFileSync(path, 'utf8').split(mutant.find);
  if (parts.length !== 2) {
    throw new Error(`${mutant.name}: its text is ${parts.length - 1} times in ${mutant.file}`);
  }
  return parts.join(mutant.replace);
}

/** A copy of the package beside nothing: its dependencies are links, its source is its own. */
function copyPackage(from: string): string {
  const folder = mkdtempSync(join(tmpdir(), 'raft-mutant-'));
  for (const name of ['src', 'test', 'scripts', 'package.json']) {
    cpSync(join(from, name), join(folder, name), { recursive: true });
  }
  const modules = join(folder, 'node_modules');
  mkdirSync(modules);
  symlinkSync(join(packageFolder, 'node_modules', '@etcd-ts'), join(modules, '@etcd-ts'));
  for (const name of TEST_MODULES) {
    symlinkSync(join(repository, 'node_modules', name), join(modules, name));
  }
  writeFileSync(join(folder, 'vitest.config.mjs'), TESTS_CONFIG);
  return folder;
}

/** The package as it was when the run began, so that work may go on beside it. */
const origin = copyPackage(packageFolder);

function tsx(folder: string, script: string, args: readonly string[]): string {
  const loader = join(repository, 'node_modules', 'tsx', 'dist', 'cli.mjs');
  return execFileSync(
    process.execPath,
    [loader, '--conditions=@etcd-ts/source', join(folder, 'scripts', script), ...args],
    {
      cwd: folder,
      encoding: 'utf8',
      timeout: KILLERS_TIMEOUT_MS,
      stdio: ['ignore', 'pipe', 'pipe'],
    },
  );
}

/** What `execFileSync` says of a child that failed. */
interface ExecFileError {
  readonly code?: string;
  readonly signal?: string;
  readonly status?: number;
}

function isVerdicts(value: unknown): value is readonly Verdict[] {
  return Array.isArray(value) && value.every((item) => typeof item === 'object' && 'proof' in item);
}

function judge(folder: string, states: number, seeds: number): readonly Verdict[] {
  const start = performance.now();
  try {
    const output = tsx(folder, 'mutant-killers.ts', [
      join(folder, 'test', 'transcripts'),
      `${seeds}`,
      `${states}`,
    ]);
    const verdicts: unknown = JSON.parse(output);
    if (!isVerdicts(verdicts)) throw new Error(`not a list of verdicts: ${output}`);
    return verdicts;
  } catch (error) {
    // A mutant that does not even load proves nothing; one that never comes to an end does.
    if (!hasNoEnd(error)) throw error;
    const milliseconds = Math.round(performance.now() - start);
    return [{ proof: 'any', killer: 'hangs', reason: '', milliseconds }];
  }
}

/** Status of a process whose engine had no memory left and aborted, as shells tell it. */
const ABORTED_STATUS = 134;

/** It took too long, or all the memory. */
function hasNoEnd(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const { code, signal, status } = error as ExecFileError;
  return code === 'ETIMEDOUT' || signal === 'SIGABRT' || status === ABORTED_STATUS;
}

/** Which tests: by section of the thesis, of the algebra, of what is sent when. */
const KILLING_TESTS = ['test/thesis', 'test/conf-change', 'test/quorum', 'test/flow-control'];

/** The tests; slow, so only for what the others let live. */
function judgeByTests(folder: string): Verdict {
  const start = performance.now();
  const vitest = join(repository, 'node_modules', 'vitest', 'vitest.mjs');
  const result = spawnSync(
    process.execPath,
    [vitest, 'run', '--root', folder, '--reporter=json', ...KILLING_TESTS],
    { cwd: folder, encoding: 'utf8', timeout: KILLERS_TIMEOUT_MS },
  );
  const milliseconds = Math.round(performance.now() - start);
  const failed = /"status":"failed","title":"([^"]*)"/.exec(result.stdout);
  return { proof: 'tests', killer: failed?.[1] ?? '', reason: '', milliseconds };
}

const isKill = (verdict: Verdict): boolean => verdict.killer !== '';

/** All verdicts on a core: that of slow proofs only when the quick ones find nothing. */
function judgeAll(folder: string): readonly Verdict[] {
  const verdicts = [...judge(folder, 0, SEEDS)];
  if (!verdicts.some(isKill)) verdicts.push(...judge(folder, STATES, 0).filter(isKill));
  if (!verdicts.some(isKill)) verdicts.push(judgeByTests(folder));
  return verdicts;
}

function run(mutant: Mutant): Result {
  const folder = copyPackage(origin);
  try {
    patch(folder, mutant);
    return { mutant, verdicts: judgeAll(folder) };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** A proof that fails without a bug kills nothing. A run of a few mutants checks the quick proofs alone. */
function checkBaseline(isWholeRun: boolean): void {
  const folder = copyPackage(origin);
  try {
    const verdicts = isWholeRun ? judgeAll(folder) : judge(folder, 0, SEEDS);
    const failing = verdicts.filter(isKill);
    if (failing.length > 0) throw new Error(`the core itself fails: ${JSON.stringify(failing)}`);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function describe(result: Result): string {
  const kills = result.verdicts.filter(isKill);
  if (kills.length === 0) return 'survives';
  return kills
    .map(({ proof, killer, milliseconds }) => `${proof}: ${killer} (${milliseconds} ms)`)
    .join('; ');
}

const MUTANTS_PAGE = join(packageFolder, 'MUTANTS.md');
const ROW = /^\| (.*?) \| /;

function row({ mutant, verdicts }: Result): string {
  const text = describe({ mutant, verdicts }).replaceAll('|', '\\|');
  return `| ${mutant.name} | ${mutant.kind} | \`${mutant.file}\` | ${text} |`;
}

/** Rows of the last run, by the mutants' names. */
function knownRows(): Map<string, string> {
  const rows = new Map<string, string>();
  if (!existsSync(MUTANTS_PAGE)) return rows;
  for (const line of readFileSync(MUTANTS_PAGE, 'utf8').split('\n')) {
    const name = ROW.exec(line)?.[1];
    if (name !== undefined) rows.set(name, line);
  }
  return rows;
}

/** The page with the rows of this run; mutants that it left out keep those of the run before. */
function page(results: readonly Result[]): string {
  const known = knownRows();
  for (const result of results) known.set(result.mutant.name, row(result));
  const rows = MUTANTS.map(({ name }) => known.get(name)).filter((line) => line !== undefined);
  const killed = rows.filter((line) => !line.includes('| survives |')).length;
  return `# Mutants

${rows.length} classic bugs, planted one at a time in a copy of the core (\`npm run raft:mutants\`; the list is
\`scripts/mutant-table.ts\`). ${killed} of ${rows.length} are killed. Every mutant first meets our transcripts and the
simulator (at most ${SEEDS} seeds); one that survives both meets the explorer, and then the tests by thesis section,
of quorums, of the configuration algebra and of what is sent when.
Rows are of their last run, whole or with \`--only\`; times are those of a busy machine, to the first failure.

Kinds: *safety* loses or forks what was committed, *stale read* answers with an old state, *liveness* stops or
disturbs the cluster, *contract* breaks a promise of the interface.

| bug | kind | file | killed by |
|---|---|---|---|
${rows.join('\n')}
`;
}

function main(): void {
  const at = process.argv.indexOf('--only');
  const only = at < 0 ? undefined : process.argv[at + 1];
  const chosen = MUTANTS.filter(({ name }) => only === undefined || new RegExp(only).test(name));
  for (const mutant of chosen) patched(join(packageFolder, 'src', mutant.file), mutant);
  checkBaseline(only === undefined);
  const results: Result[] = [];
  for (const mutant of chosen) {
    const result = run(mutant);
    results.push(result);
    console.log(`${mutant.kind.padEnd(10)} ${mutant.name}: ${describe(result)}`);
    writeFileSync(MUTANTS_PAGE, page(results));
  }
  const survivors = results.filter(({ verdicts }) => !verdicts.some(isKill));
  console.log(`${results.length - survivors.length} of ${results.length} killed`);
  const grave = survivors.filter(
    ({ mutant }) => mutant.kind === 'safety' || mutant.kind === 'stale read',
  );
  if (grave.length > 0) process.exitCode = 1;
}

try {
  main();
} finally {
  rmSync(origin, { recursive: true, force: true });
}
