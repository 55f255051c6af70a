import { describe, expect, test } from 'vitest';
import { UsageError } from '../../src/node/flags/command-line.ts';
import { formatDuration, readDurationMs, readInteger } from '../../src/go-values.ts';
import { flagsText } from '../../src/node/flags/usage.ts';
import { actionOf, optionsOf } from './settings.ts';

describe('without flags', () => {
  test('the defaults are those of etcd', () => {
    const options = optionsOf();
    expect(options).toMatchObject({
      name: 'default',
      dataDir: 'default.etcd',
      listenClientUrls: ['http://localhost:2379'],
      advertiseClientUrls: ['http://localhost:2379'],
      listenPeerUrls: ['http://localhost:2380'],
      initialAdvertisePeerUrls: ['http://localhost:2380'],
      initialClusterState: 'new',
      initialClusterToken: 'etcd-cluster',
      heartbeatIntervalMs: 100,
      electionTimeoutMs: 1000,
      snapshotCount: 10_000,
      maxWals: 5,
      preVote: true,
    });
    expect([...options.initialCluster]).toEqual([['default', ['http://localhost:2380']]]);
  });
});

describe('forms', () => {
  test.each([['--name=m1'], ['--name', 'm1'], ['-name=m1'], ['-name', 'm1']])(
    '%s %s',
    (...words) => {
      expect(optionsOf(...words).name).toBe('m1');
      expect(optionsOf(...words).dataDir).toBe('m1.etcd');
    },
  );

  test('a boolean takes no next word', () => {
    expect(optionsOf('--pre-vote').preVote).toBe(true);
    expect(optionsOf('--pre-vote=false').preVote).toBe(false);
    expect(() => optionsOf('--pre-vote', 'false')).toThrow("'false' is not a valid flag");
  });

  test('the last of several values counts', () => {
    expect(optionsOf('--name=a', '--name=b').name).toBe('b');
  });

  test('lists are cut at commas', () => {
    const options = optionsOf(
      '--listen-client-urls=http://127.0.0.1:1,http://127.0.0.1:2',
      '--advertise-client-urls=http://h:1',
    );
    expect(options.listenClientUrls).toEqual(['http://127.0.0.1:1', 'http://127.0.0.1:2']);
  });

  test('reading ends at the first word that is no flag, and at --', () => {
    expect(() => actionOf('extra', '--bogus')).toThrow("'extra' is not a valid flag");
    expect(() => actionOf('--', '--name=x')).toThrow("'--name=x' is not a valid flag");
    expect(() => actionOf('-')).toThrow("'-' is not a valid flag");
    expect(optionsOf('--name=x', '--').name).toBe('x');
  });

  test('names that etcd ignores take no next word', () => {
    expect(optionsOf('-v', '--force=3', '--name=x').name).toBe('x');
    expect(() => actionOf('-v', '3')).toThrow("'3' is not a valid flag");
  });
});

describe("numbers are written in Go's ways", () => {
  const uint64 = (text: string) => readInteger(text, 0n, (1n << 64n) - 1n);
  test.each([
    ['17', 17],
    ['0x10', 16],
    ['0b11', 3],
    ['0o17', 15],
    ['017', 15],
    ['1_000', 1_000],
    ['0', 0],
  ])('%s is %s', (text, value) => {
    expect(uint64(text)).toEqual({ value });
  });

  test.each(['', '+1', '-1', '1.5', '1e3', '08', '1__0', '_1', '0x', ' 1'])(
    '%j is none',
    (text) => {
      expect(uint64(text)).toEqual({ problem: 'parse error' });
    },
  );

  test('what does not fit the type is out of range', () => {
    expect(uint64('18446744073709551616')).toEqual({ problem: 'value out of range' });
    expect(readInteger('-9', -8n, 7n)).toEqual({ problem: 'value out of range' });
    expect(readInteger('-8', -8n, 7n)).toEqual({ value: -8 });
  });
});

describe("durations are Go's", () => {
  test.each([
    ['1m30s', 90_000],
    ['100ms', 100],
    ['1.5s', 1_500],
    ['.5s', 500],
    ['250us', 0.25],
    ['250µs', 0.25],
    ['-1h', -3_600_000],
    ['0', 0],
    ['0s', 0],
  ])('%s is %s ms', (text, value) => {
    expect(readDurationMs(text)).toEqual({ value });
  });

  test.each(['', '5', '1d', 's', '.s', '1 s', '9999999999h'])('%j is none', (text) => {
    expect(readDurationMs(text)).toEqual({ problem: 'parse error' });
  });

  test.each([
    [0, '0s'],
    [100, '100ms'],
    [1_500, '1.5s'],
    [90_000, '1m30s'],
    [7_200_000, '2h0m0s'],
    [0.25, '250µs'],
    [-1_000, '-1s'],
  ])('%s ms are printed as %s', (ms, text) => {
    expect(formatDuration(ms)).toBe(text);
  });
});

describe('refused with the usage', () => {
  test.each([
    ['--bogus', 'flag provided but not defined: -bogus'],
    ['--name', 'flag needs an argument: -name'],
    ['--heartbeat-interval=abc', 'invalid value "abc" for flag -heartbeat-interval: parse error'],
    ['--snapshot-count=-1', 'invalid value "-1" for flag -snapshot-count: parse error'],
    [
      '--initial-cluster-state=foo',
      'invalid value "foo" for flag -initial-cluster-state: invalid value',
    ],
    ['--pre-vote=maybe', 'invalid boolean value "maybe" for -pre-vote: parse error'],
    ['--pre-vote=', 'invalid boolean value "" for -pre-vote: parse error'],
    ['--heartbeat-interval=', 'invalid value "" for flag -heartbeat-interval: parse error'],
    ['---x', 'bad flag syntax: ---x'],
    ['--=3', 'bad flag syntax: --=3'],
    [
      '--snapshot-count=99999999999999999999',
      'invalid value "99999999999999999999" for flag -snapshot-count: value out of range',
    ],
    [
      '--max-concurrent-streams=x',
      'invalid value "x" for flag -max-concurrent-streams: strconv.ParseUint: parsing "x": invalid syntax',
    ],
    [
      '--max-concurrent-streams=99999999999',
      'invalid value "99999999999" for flag -max-concurrent-streams: strconv.ParseUint: parsing "99999999999": value out of range',
    ],
    ['--v2-deprecation=foo', 'invalid value "foo" for flag -v2-deprecation: invalid value "foo"'],
    [
      '--cors=foo',
      'invalid value "foo" for flag -cors: URL scheme must be http, https, unix, or unixs: foo',
    ],
    [
      '--listen-peer-urls=localhost:2380',
      'invalid value "localhost:2380" for flag -listen-peer-urls: URL scheme must be http, https, unix, or unixs: localhost:2380',
    ],
  ])('%s', (word, message) => {
    expect(() => actionOf(word)).toThrow(UsageError);
    expect(() => actionOf(word)).toThrow(message);
  });
});

describe('refused before anything starts', () => {
  test('listening for clients without saying where they reach the member', () => {
    expect(() => actionOf('--listen-client-urls=http://127.0.0.1:1')).toThrow(
      '--advertise-client-urls is required when --listen-client-urls is set explicitly',
    );
  });

  test('a word that is no flag', () => {
    expect(() => actionOf('extra')).toThrow("'extra' is not a valid flag");
  });
});

test('help is asked for where it stands, the version anywhere', () => {
  expect(actionOf('--name=x', '--help')).toBe('help');
  expect(actionOf('-h', '--bogus')).toBe('help');
  expect(() => actionOf('--bogus', '-h')).toThrow(UsageError);
  expect(actionOf('--version', '--heartbeat-interval=3')).toBe('version');
});

test('the usage names every flag with its default', () => {
  expect(flagsText()).toContain("--heartbeat-interval '100'");
  expect(flagsText()).toContain("--initial-cluster '${name}=http://localhost:2380'");
});
