/** Every bug of the lists can still be planted: its text is in the sources exactly once. */
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { MUTANTS as MVCC } from '../../packages/mvcc/scripts/mutant-table.ts';
import { MUTANTS as RAFT } from '../../packages/raft/scripts/mutant-table.ts';
import { MUTANTS as SERVER } from '../../packages/server/scripts/mutant-table.ts';
import { MUTANTS as SIM } from '../../packages/sim/scripts/mutant-list.ts';
import { misfits } from './misfits.ts';

const packages = join(dirname(fileURLToPath(import.meta.url)), '..', '..', 'packages');
const sourceBelow =
  (...folders: readonly string[]) =>
  (file: string): string =>
    readFileSync(join(packages, ...folders, file), 'utf8');

/** Each change of a bug that has several, as one of its own. */
const SIM_EDITS = SIM.flatMap((mutant) => [
  mutant,
  ...(mutant.also ?? []).map((edit, i) => ({ ...edit, name: `${mutant.name} (${i + 2})` })),
]);

test.each([
  { list: 'mvcc', mutants: MVCC, source: sourceBelow('mvcc', 'src') },
  { list: 'raft', mutants: RAFT, source: sourceBelow('raft', 'src') },
  { list: 'server', mutants: SERVER, source: sourceBelow('server', 'src') },
  { list: 'sim', mutants: SIM_EDITS, source: sourceBelow() },
])('every bug of the list of $list can be planted', ({ mutants, source }) => {
  expect(misfits(mutants, source)).toEqual([]);
});

test('a bug that cannot be planted is named with the reason', () => {
  const source = (): string => 'a();\nb();\nb();\n';
  const bug = (
    name: string,
    find: string,
    replace = '',
  ): Parameters<typeof misfits>[0][number] => ({
    name,
    file: 'x.ts',
    find,
    replace,
  });
  expect(misfits([bug('one', 'a();'), bug('two', 'a();', '// a')], source)).toEqual([]);
  expect(misfits([bug('none', 'c();')], source)).toEqual(['none: its text is 0 times in x.ts']);
  expect(misfits([bug('many', 'b();')], source)).toEqual(['many: its text is 2 times in x.ts']);
  expect(misfits([bug('same', 'a();', 'a();')], source)).toEqual(['same: it changes nothing']);
  expect(misfits([bug('twin', 'a();'), bug('twin', 'a();')], source)).toEqual([
    'twin: another one has its name',
  ]);
});
