import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

test('mvcc-alone.ts prints what it promises', { timeout: 60_000 }, () => {
  const args = ['--conditions=@etcd-ts/source', '--import', import.meta.resolve('tsx')];
  const path = fileURLToPath(new URL('mvcc-alone.ts', import.meta.url));
  const printed = execFileSync(process.execPath, [...args, path], { encoding: 'utf8' });
  expect(printed.trimEnd().split('\n')).toEqual([
    '2 color red new',
    '3 color blue 2',
    "[ 'red' ]",
    '3 17 true',
  ]);
});
