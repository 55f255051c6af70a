import { describe, expect, test } from 'vitest';
import { parseDurationMs, parseFlags, usage, UsageError } from '../src/node/flags.ts';
import { resolveOptions } from '../src/options.ts';

const optionsOf = (...words: string[]) => {
  const line = parseFlags(words);
  if (line.action !== 'run') throw new Error(`the action is ${line.action}`);
  return resolveOptions(line.options);
};

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

  test.each([
    ['1m30s', 90_000],
    ['100ms', 100],
    ['1.5s', 1_500],
    ['0', 0],
    ['5', undefined],
    ['1d', undefined],
  ])('the duration %s is %s ms', (text, expected) => {
    expect(parseDurationMs(text)).toBe(expected);
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
    ['--pre-vote=maybe', 'invalid boolean value "maybe" for flag -pre-vote: parse error'],
    [
      '--listen-peer-urls=localhost:2380',
      'invalid value "localhost:2380" for flag -listen-peer-urls: URL scheme must be http, https, unix, or unixs: localhost:2380',
    ],
  ])('%s', (word, message) => {
    expect(() => parseFlags([word])).toThrow(UsageError);
    expect(() => parseFlags([word])).toThrow(message);
  });
});

describe('refused before anything starts', () => {
  test('listening for clients without saying where they reach the member', () => {
    expect(() => parseFlags(['--listen-client-urls=http://127.0.0.1:1'])).toThrow(
      '--advertise-client-urls is required when --listen-client-urls is set explicitly',
    );
  });

  test('a word that is no flag', () => {
    expect(() => parseFlags(['extra'])).toThrow("'extra' is not a valid flag");
  });
});

test('help and version come before everything else', () => {
  expect(parseFlags(['--name=x', '--help'])).toEqual({ action: 'help' });
  expect(parseFlags(['-h'])).toEqual({ action: 'help' });
  expect(parseFlags(['--version'])).toEqual({ action: 'version' });
});

test('the usage names every flag with its default', () => {
  expect(usage()).toContain("--heartbeat-interval '100'");
  expect(usage()).toContain("--initial-cluster '${name}=http://localhost:2380'");
});
