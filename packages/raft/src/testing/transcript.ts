import { type Directive, parseTranscript } from './directive.ts';

/** Runs the commands of one transcript; its state lives for the whole file. */
export interface TranscriptInterpreter {
  /** The output of a command, as it would stand in the file. Throws only for a command it does not know. */
  run(directive: Directive): string;
}

/** A directive whose output was not the expected one. */
export interface TranscriptMismatch {
  /** 1-based line of the command in its file. */
  readonly line: number;
  readonly command: string;
  readonly expected: string;
  readonly actual: string;
}

/** How a whole file went, compared in both ways. */
export interface TranscriptResult {
  readonly directives: number;
  /** Byte for byte. */
  readonly strict: readonly TranscriptMismatch[];
  /** Without the lines that begin with DEBUG, INFO, WARN or ERROR, on both sides. */
  readonly protocol: readonly TranscriptMismatch[];
  /** The file with every output replaced by the actual one. */
  readonly rewritten: string;
}

const LOG_LINE = /^\s*(DEBUG|INFO|WARN|ERROR|FATAL) /;

/**
 * Removes log lines, so that only what nodes did is left; `ok` stands for nothing at all.
 *
 * A command that only logs and one that only says `ok` are the same to the protocol.
 */
export function protocolOnly(output: string): string {
  const lines = output.split('\n').filter((line) => line !== '' && !LOG_LINE.test(line));
  if (lines.length === 1 && lines[0] === 'ok') return '';
  return lines.join('\n');
}

/**
 * Runs a transcript to its end and compares every output.
 *
 * @throws TranscriptSyntaxError when the text does not follow the grammar.
 */
export function runTranscript(text: string, interpreter: TranscriptInterpreter): TranscriptResult {
  const directives = parseTranscript(text);
  const strict: TranscriptMismatch[] = [];
  const protocol: TranscriptMismatch[] = [];
  const lines = text.split('\n');
  if (lines.at(-1) === '') lines.pop();
  const rewritten: string[] = [];
  let copied = 0;
  for (const directive of directives) {
    const actual = withNewline(runOne(interpreter, directive));
    const mismatch: TranscriptMismatch = {
      line: directive.line,
      command: directive.command,
      expected: directive.expected,
      actual,
    };
    if (actual !== directive.expected) strict.push(mismatch);
    if (protocolOnly(actual) !== protocolOnly(directive.expected)) protocol.push(mismatch);
    rewritten.push(...lines.slice(copied, directive.outputStart), ...outputLines(actual));
    copied = directive.outputEnd;
  }
  rewritten.push(...lines.slice(copied));
  return {
    directives: directives.length,
    strict,
    protocol,
    rewritten: `${rewritten.join('\n')}\n`,
  };
}

/** A command that fails says so in its output, so that one failure does not hide the rest of a file. */
function runOne(interpreter: TranscriptInterpreter, directive: Directive): string {
  try {
    return interpreter.run(directive);
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    return `failed: ${error.message}`;
  }
}

function withNewline(output: string): string {
  return output === '' || output.endsWith('\n') ? output : `${output}\n`;
}

function outputLines(output: string): readonly string[] {
  const body = output.replace(/\n$/, '');
  if (body === '') return [];
  const lines = body.split('\n');
  return lines.includes('') ? ['----', ...lines, '----', '----'] : lines;
}
