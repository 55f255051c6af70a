/**
 * Runs a folder of transcripts and reports per file: `npm run raft:transcripts -- FOLDER [--show]`.
 *
 * The folder (or RAFT_TESTDATA) holds `interaction/`, `quorum/`, `confchange/`, as etcd-io/raft's test data
 * does, or transcripts directly. Protocol: log lines left out on both sides; strict: byte for byte.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  interpreterFor,
  runTranscript,
  TRANSCRIPT_KINDS,
  type TranscriptKind,
  type TranscriptMismatch,
} from '@etcd-ts/raft/testing';

interface TranscriptFile {
  readonly kind: TranscriptKind;
  readonly path: string;
  readonly name: string;
}

function filesIn(folder: string, kind: TranscriptKind, prefix: string): TranscriptFile[] {
  return readdirSync(folder)
    .filter((name) => name.endsWith('.txt'))
    .sort()
    .map((name) => ({ kind, path: join(folder, name), name: `${prefix}${name}` }));
}

function transcriptsOf(folder: string): TranscriptFile[] {
  const files = filesIn(folder, 'interaction', '');
  for (const kind of TRANSCRIPT_KINDS) {
    const inner = join(folder, kind);
    if (existsSync(inner)) files.push(...filesIn(inner, kind, `${kind}/`));
  }
  return files;
}

/** Lines shown before and after the first one that differs. */
const CONTEXT_LINES = 3;

function describeMismatch(mismatch: TranscriptMismatch): string {
  const expected = mismatch.expected.split('\n');
  const actual = mismatch.actual.split('\n');
  const first = expected.findIndex((line, at) => line !== actual[at]);
  const at = first < 0 ? expected.length : first;
  const shown = (lines: readonly string[], sign: string): readonly string[] =>
    lines.slice(at, at + CONTEXT_LINES).map((line) => `    ${sign} ${line}`);
  return [
    `    line ${mismatch.line}: ${mismatch.command}`,
    ...expected.slice(Math.max(0, at - CONTEXT_LINES), at).map((line) => `      ${line}`),
    ...shown(expected, '-'),
    ...shown(actual, '+'),
  ].join('\n');
}

function main(): void {
  const args = process.argv.slice(2);
  const folder = args.find((arg) => !arg.startsWith('--')) ?? process.env['RAFT_TESTDATA'];
  if (folder === undefined) {
    console.error('usage: npm run raft:transcripts -- FOLDER [--show]');
    process.exitCode = 2;
    return;
  }
  const shows = args.includes('--show');
  let strictCount = 0;
  let protocolCount = 0;
  const files = transcriptsOf(folder);
  for (const file of files) {
    const result = runTranscript(readFileSync(file.path, 'utf8'), interpreterFor(file.kind));
    if (result.strict.length === 0) strictCount++;
    if (result.protocol.length === 0) protocolCount++;
    const grade = (mismatches: readonly TranscriptMismatch[]): string =>
      mismatches.length === 0 ? 'ok  ' : `${String(mismatches.length).padStart(3)}x`;
    console.log(
      `protocol ${grade(result.protocol)}  strict ${grade(result.strict)}  ` +
        `${String(result.directives).padStart(3)} directives  ${file.name}`,
    );
    const shown = result.protocol.length > 0 ? result.protocol : result.strict;
    if (shows) for (const mismatch of shown.slice(0, 2)) console.log(describeMismatch(mismatch));
  }
  console.log(`${files.length} files: ${protocolCount} at protocol level, ${strictCount} strictly`);
  if (protocolCount < files.length) process.exitCode = 1;
}

main();
