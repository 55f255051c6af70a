/**
 * Plants bugs one at a time and shows which tests see them: `npm run server:mutants [-- --only TEXT] [-- --part I/N]`.
 *
 * Each mutant is one exact text replaced in a copy of the package; the tests named with it then run on the copy. A full
 * run writes MUTANTS.md, and so does the last of the parts of one. The run fails when a mutant survives or when a text no longer fits the source.
 */
import { spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { type Found, partOf, Parts } from '../../../tools/mutants/parts.ts';
import { type Mutant, MUTANTS } from './mutant-table.ts';

/** A mutant that hangs its tests is killed too. */
const TESTS_TIMEOUT_MS = 120_000;

const CONFIG = `const conditions = ['@etcd-ts/source'];
export default {
  resolve: { conditions },
  ssr: { resolve: { conditions } },
  test: { include: ['test/**/*.test.ts'], testTimeout: 10_000 },
};
`;

const packageFolder = join(dirname(fileURLToPath(import.meta.url)), '..');
const repository = join(packageFolder, '..', '..');
const { values } = parseArgs({
  options: { only: { type: 'string', default: '' }, part: { type: 'string', default: '1/1' } },
});
const parts = new Parts(packageFolder);

/** The package as it was when the run began, so that work may go on beside it. */
const copy = mkdtempSync(join(tmpdir(), 'server-mutant-'));
for (const name of ['src', 'test', 'package.json']) {
  cpSync(join(packageFolder, name), join(copy, name), { recursive: true });
}
symlinkSync(join(packageFolder, 'node_modules'), join(copy, 'node_modules'));
writeFileSync(join(copy, 'vitest.config.mjs'), CONFIG);

/** What the tests make of a copy; the name of the first test that fails, undefined when none does. */
function firstFailure(tests: readonly string[]): string | undefined {
  const { status, stdout, error } = spawnSync(
    process.execPath,
    [
      join(repository, 'node_modules', 'vitest', 'vitest.mjs'),
      'run',
      '--reporter=json',
      '--bail=1',
      ...tests.map((test) => join('test', test)),
    ],
    { cwd: copy, encoding: 'utf8', timeout: TESTS_TIMEOUT_MS, maxBuffer: 1 << 28 },
  );
  if (error !== undefined) return 'the tests do not end';
  if (status === 0) return undefined;
  const report = JSON.parse(stdout.slice(stdout.indexOf('{'))) as {
    testResults: { assertionResults: { status: string; title: string }[]; message?: string }[];
  };
  const failed = report.testResults
    .flatMap(({ assertionResults }) => assertionResults)
    .find(({ status: outcome }) => outcome === 'failed');
  return failed?.title ?? 'the tests cannot be loaded';
}

function judge(mutant: Mutant): string | undefined {
  const path = join(copy, 'src', mutant.file);
  const source = readFileSync(path, 'utf8');
  const parts = source.split(mutant.find);
  if (parts.length !== 2) {
    throw new Error(`${mutant.name}: its text is ${parts.length - 1} times in ${mutant.file}`);
  }
  writeFileSync(path, parts.join(mutant.replace));
  try {
    return firstFailure(mutant.tests);
  } finally {
    writeFileSync(path, source);
  }
}

const named = MUTANTS.filter(({ name, file }) => `${file} ${name}`.includes(values.only));
const results: Found[] = [];
try {
  for (const mutant of partOf(named, values.part)) {
    const killer = judge(mutant) ?? '';
    console.log(`${killer === '' ? 'SURVIVED' : 'killed  '} ${mutant.file}: ${mutant.name}`);
    results.push({ name: keyOf(mutant), killer });
  }
} finally {
  rmSync(copy, { recursive: true, force: true });
}
const survivors = results.filter(({ killer }) => killer === '').length;
console.log(`${results.length - survivors} of ${results.length} killed`);
const all = values.only === '' ? parts.keep(values.part, results, MUTANTS.map(keyOf)) : undefined;
if (all !== undefined) {
  const killers = new Map(all.map(({ name, killer }) => [name, killer]));
  const rows = MUTANTS.map((mutant) => {
    const killer = killers.get(keyOf(mutant)) || '**survived**';
    return `| ${mutant.file} | ${mutant.name} | ${killer} |`;
  });
  const head = [
    '# Planted bugs',
    '',
    'One line each in the state machine, the leases and the services, and the first test that saw it.',
    'Written by `npm run server:mutants`.',
    '',
    '| File | Bug | Seen by |',
    '|---|---|---|',
  ];
  writeFileSync(join(packageFolder, 'MUTANTS.md'), [...head, ...rows, ''].join('\n'));
}
if (survivors > 0) process.exitCode = 1;

function keyOf({ file, name }: Mutant): string {
  return `${file}: ${name}`;
}
