import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { regionOf, relativeLinks, snippets } from './regions.ts';

const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..');

function documents(folder: string): string[] {
  return readdirSync(join(root, folder), { withFileTypes: true }).flatMap((entry) => {
    if (['node_modules', 'dist', 'testdata'].includes(entry.name) || entry.name.startsWith('.'))
      return [];
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return documents(path);
    return entry.name.endsWith('.md') ? [path] : [];
  });
}

test('a region is found without its indentation, and a missing one is not', () => {
  const source = 'f();\n  // #region a\n  if (x) {\n    g();\n  }\n  // #endregion\n';
  expect(regionOf(source, 'a')).toBe('if (x) {\n  g();\n}');
  expect(regionOf(source, 'b')).toBeUndefined();
});

test('a snippet names its file and region', () => {
  const markdown = 'Text\n<!-- examples/embed.ts#embed -->\n```ts\nf();\n```\n';
  expect(snippets(markdown)).toEqual([
    { file: 'examples/embed.ts', region: 'embed', text: 'f();' },
  ]);
});

for (const path of documents('.')) {
  const markdown = readFileSync(join(root, path), 'utf8');
  const claimed = snippets(markdown);
  if (claimed.length > 0) {
    test(`${path} shows code that is run`, () => {
      for (const { file, region, text } of claimed) {
        const source = readFileSync(join(root, file), 'utf8');
        expect({ file, region, text: regionOf(source, region) }).toEqual({ file, region, text });
      }
    });
  }
  const links = relativeLinks(markdown);
  if (links.length > 0) {
    test(`${path} links to what exists`, () => {
      expect(links.filter((link) => !existsSync(join(root, dirname(path), link)))).toEqual([]);
    });
  }
}

test('the programs that the README starts from node_modules/.bin stand there', () => {
  const readme = readFileSync(join(root, 'README.md'), 'utf8');
  const programs = [...readme.matchAll(/node_modules\/\.bin\/([\w-]+)/g)].map(([path]) => path);
  expect(programs).not.toEqual([]);
  expect(programs.filter((path) => !existsSync(join(root, path)))).toEqual([]);
});
