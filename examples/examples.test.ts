import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const folder = dirname(fileURLToPath(import.meta.url));

/** What each example prints, line by line; a pattern where the line depends on the run. */
const EXPECTED: Readonly<Record<string, { args?: string[]; lines: readonly (string | RegExp)[] }>> =
  {
    'embed.ts': {
      lines: [
        'second',
        'first',
        'put service/config first 2',
        'put service/config second 3',
        'put service/members/me here 4',
      ],
    },
    'replicas.ts': { lines: ['hello'] },
    'wal-alone.ts': { lines: ['1 one', '2 two'] },
    'client.ts': { lines: ['true 15', 'EMPTY_KEY - etcdserver: key is not provided'] },
    'three-members.ts': {
      args: ['--once'],
      lines: [
        /^etcd-ts: three members in one process, data in /,
        '',
        /three members elect a leader +m\d leads term \d+/,
        /put through follower m\d +revision 2/,
        /read through follower m\d +demo\/greeting = hello/,
        /watch on m\d +put demo\/greeting at revision 2/,
        /m\d crashes; without a leader for +m\d leads term \d+ \(\d+ ms\)/,
        /the next write succeeds +revision 3, the one after 2/,
        /m\d starts again and catches up +applied index \d+/,
        /all three hold the same state, cluster [0-9a-f]+/,
      ],
    },
  };

/** Examples with a test of their own beside them. */
const WITH_OWN_TEST = readdirSync(folder)
  .filter((name) => name.endsWith('.test.ts') && name !== 'examples.test.ts')
  .map((name) => name.replace('.test.ts', '.ts'));

/** Examples that a page runs whose commands are a test. */
const OPERATIONS = readFileSync(join(folder, '..', 'docs', 'operations.md'), 'utf8');
const RUN_BY_OPERATIONS = ['restore.ts'].filter((name) =>
  OPERATIONS.includes(`npx tsx examples/${name}`),
);

test('every example is run by a test', () => {
  const examples = readdirSync(folder).filter(
    (name) => name.endsWith('.ts') && !name.endsWith('.test.ts'),
  );
  expect(examples.sort()).toEqual(
    [...new Set([...Object.keys(EXPECTED), ...WITH_OWN_TEST, ...RUN_BY_OPERATIONS])].sort(),
  );
});

for (const [name, { args = [], lines }] of Object.entries(EXPECTED)) {
  test(`${name} prints what it promises`, { timeout: 60_000 }, () => {
    const tsx = [
      '--conditions=@etcd-ts/source',
      '--import',
      import.meta.resolve('tsx'),
      join(folder, name),
    ];
    const ran = spawnSync(process.execPath, [...tsx, ...args], { cwd: folder, encoding: 'utf8' });
    const printed = ran.stdout.trimEnd().split('\n');
    expect({ status: ran.status, stderr: ran.stderr, lines: printed.length }).toEqual({
      status: 0,
      stderr: '',
      lines: lines.length,
    });
    for (const [i, line] of lines.entries()) {
      if (typeof line === 'string') expect(printed[i]).toBe(line);
      else expect(printed[i]).toMatch(line);
    }
  });
}
