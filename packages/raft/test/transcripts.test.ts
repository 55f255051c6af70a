import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { interpreterFor, runTranscript, TRANSCRIPT_KINDS } from '@etcd-ts/raft/testing';
import { describe, expect, test } from 'vitest';

const here = dirname(fileURLToPath(import.meta.url));
const own = join(here, 'transcripts');
const repository = join(here, '..', '..', '..');

/** RAFT_REWRITE=1 writes what nodes do into the files; the reviewer reads the difference. */
const rewrites = process.env['RAFT_REWRITE'] === '1';

function transcriptsIn(folder: string): readonly string[] {
  return readdirSync(folder)
    .filter((name) => name.endsWith('.txt'))
    .sort();
}

describe('our transcripts read to the letter', () => {
  const names = transcriptsIn(own);

  test('there are at least forty', () => {
    expect(names.length).toBeGreaterThanOrEqual(40);
  });

  test.each(names)('%s', (name) => {
    const path = join(own, name);
    const result = runTranscript(readFileSync(path, 'utf8'), interpreterFor('interaction'));
    if (rewrites) writeFileSync(path, result.rewritten);
    else expect(result.strict).toEqual([]);
  });
});

const neighbour = join(repository, '..', 'shared', 'raft-testdata');
const testdata = process.env['RAFT_TESTDATA'] ?? (existsSync(neighbour) ? neighbour : undefined);

describe("etcd-io/raft's transcripts", () => {
  if (testdata === undefined) {
    test('are run when they are here', ({ skip }) => {
      skip('set RAFT_TESTDATA to the folder of etcd-io/raft test data');
    });
    return;
  }
  for (const kind of TRANSCRIPT_KINDS) {
    test.each(transcriptsIn(join(testdata, kind)))(`${kind}/%s`, (name) => {
      const text = readFileSync(join(testdata, kind, name), 'utf8');
      const result = runTranscript(text, interpreterFor(kind));
      expect(result.protocol).toEqual([]);
      expect(result.strict).toEqual([]);
    });
  }
});
