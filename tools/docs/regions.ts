/**
 * Prose that runs: a fenced block below `<!-- FILE#NAME -->` in a document is the region NAME of that file, to the
 * letter. In the file a region stands between `// #region NAME` and `// #endregion`.
 */

/** A fenced block of a document that claims to be a region of a file. */
export interface Snippet {
  readonly file: string;
  readonly region: string;
  readonly text: string;
}

/** The claimed snippets of a Markdown text. */
export function snippets(markdown: string): Snippet[] {
  const pattern = /<!-- ([\w./-]+)#([\w-]+) -->\n```\w*\n([\s\S]*?)```/g;
  return [...markdown.matchAll(pattern)].map(([, file, region, text]) => ({
    file: file as string,
    region: region as string,
    text: (text as string).trimEnd(),
  }));
}

/** The text of a region, less the indentation that all its lines share. */
export function regionOf(source: string, name: string): string | undefined {
  const lines = source.split('\n');
  const first = lines.findIndex((line) => line.trim() === `// #region ${name}`);
  if (first < 0) return undefined;
  const length = lines.slice(first + 1).findIndex((line) => line.trim() === '// #endregion');
  if (length < 0) return undefined;
  const body = lines.slice(first + 1, first + 1 + length);
  const indents = body
    .filter((line) => line.trim() !== '')
    .map((line) => /^ */.exec(line)?.[0].length ?? 0);
  const shared = Math.min(...indents);
  return body
    .map((line) => line.slice(shared))
    .join('\n')
    .trimEnd();
}

/** Relative links of a Markdown text, without their anchors. */
export function relativeLinks(markdown: string): string[] {
  return [...markdown.matchAll(/\]\(([^)\s]+)\)/g)]
    .map(([, target]) => (target as string).split('#')[0] as string)
    .filter((target) => target !== '' && !/^[a-z]+:/.test(target));
}
