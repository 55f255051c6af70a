/** Where two plain values differ, for the reader of a report. */
import { inspect } from 'node:util';

/** `path: ours … theirs …`, one line for each place, at most `linesMax`. */
export function differingPaths(ours: unknown, theirs: unknown, linesMax = 12): readonly string[] {
  const lines: string[] = [];
  collect(ours, theirs, '', lines);
  return lines.slice(0, linesMax);
}

function collect(ours: unknown, theirs: unknown, path: string, lines: string[]): void {
  if (isRecord(ours) && isRecord(theirs)) {
    for (const name of new Set([...Object.keys(ours), ...Object.keys(theirs)])) {
      collect(ours[name], theirs[name], `${path}.${name}`, lines);
    }
  } else if (!Object.is(ours, theirs)) {
    lines.push(`${path}: ours ${show(ours)}, theirs ${show(theirs)}`);
  }
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null;
}

function show(value: unknown): string {
  return inspect(value, { depth: 6, breakLength: Infinity, maxStringLength: 80 });
}
