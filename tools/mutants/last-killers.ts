/** What saw each planted bug the last time, from the page that the run wrote: tried first, it mostly sees it again. */

/** Bug to test, of the rows of a page. @param columns Where a row has the two. */
export function lastKillers(
  page: string,
  columns: { readonly bug: number; readonly killer: number },
): ReadonlyMap<string, string> {
  const killers = new Map<string, string>();
  for (const line of page.split('\n')) {
    if (!line.startsWith('| ')) continue;
    const cells = line.slice(2, -2).split(' | ');
    const [bug, killer] = [cells[columns.bug], cells[columns.killer]];
    if (bug !== undefined && killer !== undefined) killers.set(bug, killer);
  }
  return killers;
}

/** A pattern for vitest's `-t` that is this title and no other. */
export function titlePattern(title: string): string {
  return `${title.replaceAll(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`)}$`;
}
