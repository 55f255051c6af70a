import { describe, expect, test } from 'vitest';
import { parseCommandLine, parseTranscript } from '../src/testing/directive.ts';
import { TranscriptOutput } from '../src/testing/output.ts';
import { protocolOnly, runTranscript } from '../src/testing/transcript.ts';

const echo = (output: string) => ({ run: () => output });

describe('the grammar of transcripts', () => {
  test('comments and blank lines between directives are skipped', () => {
    const [first, second] = parseTranscript('# a\n\nfoo\n----\nok\n\n  # b\nbar\n----\n');
    expect(first).toMatchObject({ command: 'foo', input: '', expected: 'ok\n', line: 3 });
    expect(second).toMatchObject({ command: 'bar', expected: '', line: 8 });
  });

  test('input may hold blank lines and is trimmed', () => {
    const [only] = parseTranscript('foo\n  a\n\n  b\n\n----\nok\n');
    expect(only?.input).toBe('a\n\n  b');
  });

  test('a trailing backslash joins the next line with one space', () => {
    const [only] = parseTranscript('foo a \\\n   b\n----\nok\n');
    expect(only?.args.map((arg) => arg.key)).toEqual(['a', 'b']);
  });

  test('output after a double separator may hold blank lines', () => {
    const [only] = parseTranscript('foo\n----\n----\na\n\nb\n----\n----\n');
    expect(only?.expected).toBe('a\n\nb\n');
  });

  test('a command without a separator is refused with its line', () => {
    expect(() => parseTranscript('\nfoo\nbar\n')).toThrow('line 2: command "foo" has no ----');
  });

  test('arguments are keys, single values and lists with nested parentheses kept', () => {
    const [command, args] = parseCommandLine('x a b= c=1 d=(1, 2,(3, 4)) e=()', 1);
    expect(command).toBe('x');
    expect(args).toEqual([
      { key: 'a', values: [] },
      { key: 'b', values: [''] },
      { key: 'c', values: ['1'] },
      { key: 'd', values: ['1', '2', '(3, 4)'] },
      { key: 'e', values: [] },
    ]);
  });

  test('an open parenthesis is refused with its argument', () => {
    expect(() => parseCommandLine('x a=(1', 7)).toThrow('line 7: argument a has no closing');
  });
});

describe('comparing', () => {
  test('a difference in log lines alone is strict and not of the protocol', () => {
    const result = runTranscript('foo\n----\nINFO a\nx\n', echo('INFO b\nx'));
    expect(result.strict).toHaveLength(1);
    expect(result.protocol).toEqual([]);
  });

  test('ok and nothing but log lines are the same to the protocol', () => {
    expect(protocolOnly('ok\n')).toBe(protocolOnly('  DEBUG x\n'));
  });

  test('a difference in anything else is both', () => {
    const result = runTranscript('foo\n----\nx\n', echo('y'));
    expect(result.strict).toEqual(result.protocol);
    expect(result.protocol).toEqual([{ line: 1, command: 'foo', expected: 'x\n', actual: 'y\n' }]);
  });

  test('a command that fails shows in its output and does not end the file', () => {
    const interpreter = {
      run: (directive: { command: string }) => {
        if (directive.command === 'foo') throw new Error('no');
        return 'ok';
      },
    };
    const result = runTranscript('foo\n----\nok\n\nbar\n----\nok\n', interpreter);
    expect(result.strict).toMatchObject([{ command: 'foo', actual: 'failed: no\n' }]);
  });

  test('rewriting puts the actual output in place and keeps all else', () => {
    const text = '# why\nfoo\n  in\n----\nold\n\n\n# more\nbar\n----\n';
    const result = runTranscript(text, echo('new'));
    expect(result.rewritten).toBe('# why\nfoo\n  in\n----\nnew\n\n\n# more\nbar\n----\nnew\n');
  });

  test('rewriting an output with a blank line puts it between double separators', () => {
    const result = runTranscript('foo\n----\nold\n', echo('a\n\nb'));
    expect(result.rewritten).toBe('foo\n----\n----\na\n\nb\n----\n----\n');
    expect(runTranscript(result.rewritten, echo('a\n\nb')).strict).toEqual([]);
  });
});

describe('output', () => {
  test('levels below the one set are left out, none leaves out everything', () => {
    const output = new TranscriptOutput();
    output.level = 'info';
    output.log('debug', 'a');
    output.log('info', 'b');
    expect(output.take()).toBe('INFO b');
    output.level = 'none';
    output.print('c');
    expect(output.take()).toBe('ok');
  });

  test('every line of an indented block is indented, however deep', () => {
    const output = new TranscriptOutput();
    output.indented(() => {
      output.print('a\nb');
      output.indented(() => output.print('c'));
    });
    output.print('d');
    expect(output.take()).toBe('  a\n  b\n    c\nd');
  });
});
