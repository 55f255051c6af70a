import { readFileSync } from 'node:fs';

/** Rows of a table of facts beside this file, by column name. */
export function facts(name: string): Readonly<Record<string, string>>[] {
  const text = readFileSync(new URL(`wire-facts/${name}.tsv`, import.meta.url), 'utf8');
  const [head = '', ...lines] = text.trimEnd().split('\n');
  const columns = head.split('\t');
  return lines.map((line) => {
    const cells = line.split('\t');
    return Object.fromEntries(columns.map((column, i) => [column, cells[i] ?? '']));
  });
}
