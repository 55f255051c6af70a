import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { EDGE_FILES, RULES } from './rules.ts';
import { readSources } from './source-file.ts';

const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..');
const sources = readSources(root, 'packages');

test('the tree is read', () => {
  expect(sources.length).toBeGreaterThan(20);
});

test('every exception of the rules names a file that exists', () => {
  const paths = new Set(sources.map((file) => file.path));
  expect([...EDGE_FILES].filter((path) => !paths.has(path))).toEqual([]);
});

for (const [name, rule] of Object.entries(RULES)) {
  test(name, () => {
    const found = sources.flatMap((file) => rule(file));
    expect(found.map((each) => `${each.path}:${each.line} ${each.message}`)).toEqual([]);
  });
}
