import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';

const root = fileURLToPath(new URL('../..', import.meta.url));
const run = (script: string, ...args: readonly string[]) =>
  spawnSync(
    process.execPath,
    ['node_modules/tsx/dist/cli.mjs', '--conditions=@etcd-ts/source', script, ...args],
    { cwd: root, encoding: 'utf8' },
  );

describe.each([
  ['torture', 'e2e/torture/main.ts'],
  ['differential', 'packages/server/scripts/differential.ts'],
  ['fuzz', 'packages/server/scripts/fuzz.ts'],
  ['sim:mutants', 'packages/sim/scripts/mutants.ts'],
])('npm run %s', (name, script) => {
  test('says how it is used', () => {
    const { status, stdout, stderr } = run(script, '--help');
    expect([status, stderr]).toEqual([0, '']);
    expect(stdout).toMatch(new RegExp(`^usage: npm run ${name} -- `));
  });

  test('ends with 2 and one line for what it does not know', () => {
    const { status, stdout, stderr } = run(script, '--no-such-option');
    expect([status, stdout]).toEqual([2, '']);
    expect(stderr).toMatch(/^Unknown option '--no-such-option'[^\n]*\n\nusage: /);
  });
});

test('a limit that is no number is refused', () => {
  const { status, stderr } = run('e2e/torture/main.ts', '--kills', 'many');
  expect(status).toBe(2);
  expect(stderr).toMatch(/^--kills many is no whole number of at most 10 digits\n/);
});
