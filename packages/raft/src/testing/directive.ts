/**
 * The grammar of transcripts: prose, commands and their expected output in one text file.
 *
 * The form is that of the datadriven tests of etcd-io/raft, so that its files can be run as they are:
 *
 *     # a comment
 *     command key key=value key=(a, b)
 *     input lines, if any
 *     ----
 *     expected output, up to the first blank line
 */

/** One argument of a command: `key`, `key=value` or `key=(a, b)`; a bare key has no values. */
export interface Argument {
  readonly key: string;
  readonly values: readonly string[];
}

/** A command with its input and the output that it is to produce. */
export interface Directive {
  readonly command: string;
  readonly args: readonly Argument[];
  /** Lines between the command and `----`, trimmed at both ends. */
  readonly input: string;
  /** Expected output; empty or ending in a newline. */
  readonly expected: string;
  /** 1-based line of the command. */
  readonly line: number;
  /** Index of the first line of the expected output and of the line after its last, for rewriting. */
  readonly outputStart: number;
  readonly outputEnd: number;
}

/** A transcript that does not follow the grammar. */
export class TranscriptSyntaxError extends Error {
  override readonly name = 'TranscriptSyntaxError';
  readonly line: number;

  constructor(line: number, message: string) {
    super(`line ${line}: ${message}`);
    this.line = line;
  }
}

const SEPARATOR = '----';

/**
 * Reads all directives of a transcript.
 *
 * @throws TranscriptSyntaxError when a command has no `----` or an argument is malformed.
 */
export function parseTranscript(text: string): readonly Directive[] {
  const lines = text.split('\n');
  if (lines.at(-1) === '') lines.pop();
  const directives: Directive[] = [];
  let at = 0;
  while (at < lines.length) {
    if (isSkipped(lineAt(lines, at))) {
      at++;
      continue;
    }
    const directive = parseDirective(lines, at);
    directives.push(directive);
    at = directive.outputEnd;
  }
  return directives;
}

function lineAt(lines: readonly string[], at: number): string {
  return lines[at] ?? '';
}

function isSkipped(line: string): boolean {
  const trimmed = line.trim();
  return trimmed === '' || trimmed.startsWith('#');
}

function parseDirective(lines: readonly string[], start: number): Directive {
  let at = start;
  let commandLine = lineAt(lines, at++).trim();
  while (commandLine.endsWith('\\')) {
    commandLine = `${commandLine.slice(0, -1).trimEnd()} ${lineAt(lines, at++).trim()}`;
  }
  const input: string[] = [];
  while (at < lines.length && lineAt(lines, at) !== SEPARATOR) input.push(lineAt(lines, at++));
  if (at >= lines.length) {
    throw new TranscriptSyntaxError(start + 1, `command "${commandLine}" has no ${SEPARATOR}`);
  }
  at++;
  const output = readOutput(lines, at);
  const [command, args] = parseCommandLine(commandLine, start + 1);
  return {
    command,
    args,
    input: input.join('\n').trim(),
    expected: output.text,
    line: start + 1,
    outputStart: at,
    outputEnd: output.end,
  };
}

/** Output ends at the first blank line, or at a double `----` when it began with one. */
function readOutput(lines: readonly string[], start: number): { text: string; end: number } {
  let at = start;
  const output: string[] = [];
  if (lineAt(lines, at) === SEPARATOR) {
    at++;
    while (at < lines.length) {
      if (lineAt(lines, at) === SEPARATOR && lineAt(lines, at + 1) === SEPARATOR) {
        return { text: joinLines(output), end: at + 2 };
      }
      output.push(lineAt(lines, at++));
    }
    throw new TranscriptSyntaxError(start + 1, `output has no closing pair of ${SEPARATOR}`);
  }
  while (at < lines.length && lineAt(lines, at).trim() !== '') output.push(lineAt(lines, at++));
  return { text: joinLines(output), end: at };
}

function joinLines(lines: readonly string[]): string {
  return lines.length === 0 ? '' : `${lines.join('\n')}\n`;
}

/**
 * Splits a command line into its word and its arguments.
 *
 * @throws TranscriptSyntaxError when a parenthesis is not closed.
 */
export function parseCommandLine(
  text: string,
  line: number,
): readonly [command: string, args: readonly Argument[]] {
  let at = 0;
  const word = (): string => {
    const start = at;
    while (at < text.length && text[at] !== ' ') at++;
    return text.slice(start, at);
  };
  const command = word();
  const args: Argument[] = [];
  while (at < text.length) {
    if (text[at] === ' ') {
      at++;
      continue;
    }
    const start = at;
    while (at < text.length && text[at] !== ' ' && text[at] !== '=') at++;
    const key = text.slice(start, at);
    if (text[at] !== '=') {
      args.push({ key, values: [] });
      continue;
    }
    at++;
    if (text[at] !== '(') {
      args.push({ key, values: [word()] });
      continue;
    }
    const end = closingParenthesis(text, at);
    if (end < 0)
      throw new TranscriptSyntaxError(line, `argument ${key} has no closing parenthesis`);
    args.push({ key, values: splitTopLevel(text.slice(at + 1, end)) });
    at = end + 1;
  }
  return [command, args];
}

function closingParenthesis(text: string, open: number): number {
  let depth = 0;
  for (let at = open; at < text.length; at++) {
    if (text[at] === '(') depth++;
    if (text[at] === ')' && --depth === 0) return at;
  }
  return -1;
}

function splitTopLevel(text: string): readonly string[] {
  if (text.trim() === '') return [];
  const parts: string[] = [];
  let depth = 0;
  let start = 0;
  for (let at = 0; at <= text.length; at++) {
    if (text[at] === '(') depth++;
    if (text[at] === ')') depth--;
    if (at === text.length || (text[at] === ',' && depth === 0)) {
      parts.push(text.slice(start, at).trim());
      start = at + 1;
    }
  }
  return parts;
}
