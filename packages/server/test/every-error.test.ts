/** Every error of etcd is one that we answer and that a test asks for, or is listed as one that is never answered. */
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { ETCD_ERRORS } from '@etcd-ts/protocol';
import { expect, test } from 'vitest';

const root = fileURLToPath(new URL('../../../', import.meta.url));

/** The text of all TypeScript below these folders, but for this file. */
function textOf(...folders: readonly string[]): string {
  return folders
    .flatMap((folder) =>
      readdirSync(`${root}${folder}`, { recursive: true, encoding: 'utf8' })
        .filter((name) => name.endsWith('.ts') && !name.endsWith('every-error.test.ts'))
        .map((name) => readFileSync(`${root}${folder}/${name}`, 'utf8')),
    )
    .join('\n')
    .replaceAll(/^ *(?:\*|\/\/).*$/gm, '');
}

const sources = textOf('packages/server/src', 'packages/mvcc/src');
const tests = textOf('packages/server/test', 'packages/mvcc/test', 'e2e');
const differences = readFileSync(`${root}docs/differences.md`, 'utf8');

/** The part of the page that lists what is never answered. */
const [, neverAnswered = ''] =
  /## Errors that are never answered\n([^]*?)\n## /.exec(differences) ?? [];

test.each(Object.entries(ETCD_ERRORS))('%s', (code, { message }) => {
  const isAnswered = sources.includes(`'${code}'`);
  expect({ code, isListed: neverAnswered.includes(`\`${code}\``) }).toEqual({
    code,
    isListed: !isAnswered,
  });
  const isAskedFor = tests.includes(`'${code}'`) || tests.includes(message);
  if (isAnswered) expect(isAskedFor).toBe(true);
});
