/**
 * Plants bugs one at a time in a copy of the package and reports which test sees each.
 *
 *     npx tsx packages/mvcc/scripts/mutants.ts [--only TEXT] [--part I/N]
 *
 * The test that saw a bug the last time (MUTANTS.md) is tried first, then all. A run of all writes MUTANTS.md. So does the last of the parts of one: what the parts found lies beside the package's
 * dependencies until then, and is void as soon as a source, a test or the list has changed. It fails when a mutant
 * survives, or when its text is no longer in the source.
 */
import { spawnSync } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { lastKillers, titlePattern } from '../../../tools/mutants/last-killers.ts';
import { type Found, partOf, Parts } from '../../../tools/mutants/parts.ts';
import { type Mutant, MUTANTS } from './mutant-table.ts';

interface Result {
  /** The test that failed; empty when none did. */
  readonly killer: string;
  readonly seconds: number;
}

/** A mutant that hangs is killed too. */
const TIMEOUT_MS = 120_000;

/** The copy's tests, with sources resolved as in the repository. */
const TESTS_CONFIG = `const conditions = ['@etcd-ts/source'];
export default {
  resolve: { conditions },
  ssr: { resolve: { conditions } },
  test: { include: ['test/**/*.test.ts'], bail: 1, testTimeout: 60_000 },
};
`;

const packageFolder = join(dirname(fileURLToPath(import.meta.url)), '..');
const repository = join(packageFolder, '..', '..');

const LAST = lastKillers(readFileSync(join(packageFolder, 'MUTANTS.md'), 'utf8'), {
  bug: 0,
  killer: 3,
});

/** A copy of the package in a folder of its own: its dependencies are links, its sources are not. */
function copyPackage(): string {
  const root = mkdtempSync(join(tmpdir(), 'mvcc-mutant-'));
  symlinkSync(join(repository, 'node_modules'), join(root, 'node_modules'));
  const folder = join(root, 'mvcc');
  for (const name of ['src', 'test', 'package.json']) {
    cpSync(join(packageFolder, name), join(folder, name), { recursive: true });
  }
  symlinkSync(join(packageFolder, 'node_modules'), join(folder, 'node_modules'));
  writeFileSync(join(folder, 'vitest.config.mjs'), TESTS_CONFIG);
  return folder;
}

/** The text with the bug in it. The text that it replaces must be there exactly once. */
function patched(folder: string, { name, file, find, replace }: Mutant): string {
  const parts = readFileSync(join(folder, 'src', file), 'utf8').split(find);
  if (parts.length !== 2)
    throw new Error(`${name}: its text is ${parts.length - 1} times in ${file}`);
  return parts.join(replace);
}

/** Quick tests first: most bugs need no other. */
const STAGES: readonly (readonly string[])[] = [
  [
    'write',
    'range.test',
    'stepped',
    'validation',
    'watch.test',
    'compaction',
    'hash-kv',
    'open-store',
    'record',
  ],
  ['property', 'backend-suite'],
];

/** Runs the tests of a copy. @param last Is tried first. @returns the first that failed, or an empty string. */
function killerOf(folder: string, last?: string): string {
  if (last !== undefined) {
    const names = filesWith(folder, last);
    const killer = names.length === 0 ? '' : failureOf(folder, names, ['-t', titlePattern(last)]);
    if (killer !== '') return killer;
  }
  for (const names of STAGES) {
    const killer = failureOf(folder, names);
    if (killer !== '') return killer;
  }
  return '';
}

/** The test files in which a title stands as it is. */
function filesWith(folder: string, title: string): string[] {
  return readdirSync(join(folder, 'test')).filter((file) =>
    readFileSync(join(folder, 'test', file), 'utf8').includes(title),
  );
}

function failureOf(folder: string, names: readonly string[], only: readonly string[] = []): string {
  const vitest = join(repository, 'node_modules', 'vitest', 'vitest.mjs');
  const report = join(folder, 'report.json');
  rmSync(report, { force: true });
  const options = ['--root', folder, '--reporter=json', `--outputFile=${report}`];
  const args = [vitest, 'run', ...names, ...only, ...options];
  const run = spawnSync(process.execPath, args, {
    cwd: folder,
    encoding: 'utf8',
    timeout: TIMEOUT_MS,
    killSignal: 'SIGKILL',
  });
  if (run.status === 0) return '';
  const text = existsSync(report) ? readFileSync(report, 'utf8') : '';
  return (
    /"status":"failed","title":"((?:[^"\\]|\\.)*)"/.exec(text)?.[1] ?? 'it does not come to an end'
  );
}

function judge(folder: string, mutant: Mutant): Result {
  const path = join(folder, 'src', mutant.file);
  const original = readFileSync(path, 'utf8');
  const started = performance.now();
  try {
    writeFileSync(path, patched(folder, mutant));
    const killer = killerOf(folder, LAST.get(mutant.name));
    return { killer, seconds: Math.round((performance.now() - started) / 1000) };
  } finally {
    writeFileSync(path, original);
  }
}

function table(found: readonly Found[]): string {
  const killed = found.filter(({ killer }) => killer !== '').length;
  const killers = new Map(found.map(({ name, killer }) => [name, killer]));
  const rows = MUTANTS.map(
    ({ name, area, file }) =>
      `| ${name} | ${area} | \`${file}\` | ${killers.get(name) || '**survives**'} |`,
  );
  return `# Mutants

${found.length} bugs, planted one at a time in a copy of the package (\`npx tsx packages/mvcc/scripts/mutants.ts\`; the list
is \`scripts/mutant-table.ts\`). ${killed} of ${found.length} are killed by the package's own tests; the last column is the first
test that failed, of those that saw it before or else of all.

| bug | area | file | killed by |
|---|---|---|---|
${rows.join('\n')}
`;
}

function main(): void {
  const { values } = parseArgs({
    options: { only: { type: 'string', default: '' }, part: { type: 'string', default: '1/1' } },
  });
  const named = MUTANTS.filter(({ name }) => name.includes(values.only));
  const chosen = partOf(named, values.part);
  for (const mutant of chosen) patched(packageFolder, mutant);
  const parts = new Parts(packageFolder);
  const folder = copyPackage();
  try {
    // A test that fails without a bug kills nothing.
    const broken = values.only !== '' || parts.isSound ? '' : killerOf(folder);
    if (broken !== '') throw new Error(`without a bug this fails: ${broken}`);
    if (values.only === '') parts.foundSound();
    const results = chosen.map((mutant) => {
      const { killer, seconds } = judge(folder, mutant);
      console.log(
        `${killer === '' ? 'SURVIVES' : 'killed'} ${mutant.name}: ${killer} (${seconds} s)`,
      );
      return { name: mutant.name, killer };
    });
    const names = MUTANTS.map(({ name }) => name);
    const all = values.only === '' ? parts.keep(values.part, results, names) : undefined;
    if (all !== undefined) writeFileSync(join(packageFolder, 'MUTANTS.md'), table(all));
    if (results.some(({ killer }) => killer === '')) process.exitCode = 1;
  } finally {
    rmSync(dirname(folder), { recursive: true, force: true });
  }
}

main();
