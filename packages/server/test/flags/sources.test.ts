/** Environment and configuration file: what they say, what wins, and what is said about it. */
import { describe, expect, test } from 'vitest';
import { withoutSecrets } from '../../src/node/flags/command-line.ts';
import { readEnvironment } from '../../src/node/flags/environment.ts';
import { resolveOptions } from '../../src/options.ts';
import type { Sources } from '../../src/node/flags/settings.ts';
import { defaultDevice } from '../../src/node/default-host.ts';
import { settingsOf as read } from './settings.ts';

/** Without what is said about the defaults of name and directory. */
function settingsOf(sources: Partial<Sources>): ReturnType<typeof read> {
  const settings = read(sources);
  const remarks = settings.remarks.filter(
    ({ message }) => !/default name|using default/.test(message),
  );
  return { ...settings, remarks };
}

describe('environment', () => {
  test('a variable is used, and that is said', () => {
    const { options, remarks } = settingsOf({ environment: { ETCD_HEARTBEAT_INTERVAL: '50' } });
    expect(options.heartbeatIntervalMs).toBe(50);
    expect(remarks).toEqual([
      {
        level: 'info',
        message: 'recognized and used environment variable',
        fields: { 'variable-name': 'ETCD_HEARTBEAT_INTERVAL', 'variable-value': '50' },
      },
    ]);
  });

  test('a flag wins over its variable, with a warning', () => {
    const { options, remarks } = settingsOf({
      words: ['--name=flag'],
      environment: { ETCD_NAME: 'variable' },
    });
    expect(options.name).toBe('flag');
    expect(options.dataDir).toBe('flag.etcd');
    expect(remarks).toEqual([
      {
        level: 'warn',
        message: 'conflicting environment variable is shadowed by corresponding command-line flag',
        fields: { 'environment-variable': 'ETCD_NAME' },
      },
    ]);
  });

  test('an unknown variable and ETCD_VERSION are warned of, an empty one is not there', () => {
    const environment = { ETCD_FOO: '1', ETCD_VERSION: '9', ETCD_NAME: '', OTHER: 'x' };
    const { options, remarks } = settingsOf({ environment });
    expect(options.name).toBeUndefined();
    expect(remarks).toEqual([
      {
        level: 'warn',
        message: 'cannot set special environment variable',
        fields: { key: 'ETCD_VERSION', value: '9' },
      },
      {
        level: 'warn',
        message: 'unrecognized environment variable',
        fields: { 'environment-variable': 'ETCD_FOO=1' },
      },
    ]);
  });

  test('a bad value is refused by the name of its variable', () => {
    expect(() => settingsOf({ environment: { ETCD_PRE_VOTE: 'maybe' } })).toThrow(
      'invalid value "maybe" for ETCD_PRE_VOTE: parse error',
    );
  });

  test('a password is not logged', () => {
    const environment = { ETCD_DISCOVERY_PASSWORD: 'hidden' };
    const remarks = JSON.stringify(readEnvironment(environment, new Set()).remarks);
    expect(remarks).toContain('ETCD_DISCOVERY_PASSWORD');
    expect(remarks).not.toContain('hidden');
    const words = ['--name=a', '--discovery-password=hidden', '-discovery-user', 'u:hidden', '-v'];
    expect(withoutSecrets(words)).toEqual([
      '--name=a',
      '--discovery-password=********',
      '-discovery-user',
      '********',
      '-v',
    ]);
  });

  test('names the configuration file', () => {
    const environment = { ETCD_CONFIG_FILE: 'c.yaml', ETCD_NAME: 'variable' };
    expect(settingsOf({ environment, readFile: () => 'name: file' }).options.name).toBe('file');
  });
});

describe('configuration file', () => {
  const from = (text: string, ...words: string[]) =>
    settingsOf({ words: ['--config-file=c.yaml', ...words], readFile: () => text });

  test("has etcd's keys", () => {
    const { options } = from(`
name: m1
data-dir: /var/lib/etcd
heartbeat-interval: 50
pre-vote: false
listen-client-urls: http://127.0.0.1:1,http://127.0.0.1:2
initial-cluster-state: existing
backend-batch-interval: 200000000
warning-apply-duration: 1m30s
`);
    expect(options).toMatchObject({
      name: 'm1',
      dataDir: '/var/lib/etcd',
      heartbeatIntervalMs: 50,
      preVote: false,
      listenClientUrls: ['http://127.0.0.1:1', 'http://127.0.0.1:2'],
      advertiseClientUrls: ['http://localhost:2379'],
      initialClusterState: 'existing',
      backendBatchIntervalMs: 200,
      warningApplyDurationMs: 90_000,
    });
  });

  test('other flags are ignored, and that is said', () => {
    const { options, remarks } = from('name: file', '--name=flag', '--pre-vote=false');
    expect(options.name).toBe('file');
    expect(options.preVote).toBeUndefined();
    expect(remarks).toEqual([
      {
        level: 'warn',
        message:
          'loaded server configuration, other configuration command line flags and environment variables will be ignored if provided',
        fields: { path: 'c.yaml', ignored: ['--name', '--pre-vote'] },
      },
    ]);
  });

  test('unknown keys are warned of, keys without a value are not there', () => {
    const { options, remarks } = from('unknown: 3\nname:\n');
    expect(options.name).toBeUndefined();
    expect(remarks.map(({ message, fields }) => [message, fields?.['key']])).toContainEqual([
      'unrecognized key in the configuration file',
      'unknown',
    ]);
  });

  test('values are read as YAML 1.1, but for times, as etcd reads them', () => {
    const { options } = from(`
name: m1
enable-pprof: yes
pre-vote: Off
max-txn-ops: 0x80
max-request-bytes: 0100
quota-backend-bytes: 1_000_000_000
initial-cluster-token: 1:30
auto-compaction-retention: 2026-01-31
`);
    expect(options).toMatchObject({
      enablePprof: true,
      preVote: false,
      maxTxnOps: 128,
      maxRequestBytes: 64,
      quotaBackendBytes: 1_000_000_000,
      initialClusterToken: '1:30',
      autoCompactionRetention: '2026-01-31',
    });
  });

  test('of a key that comes twice the last one counts, as in etcd', () => {
    expect(from('name: a\nname: b').options.name).toBe('b');
  });

  test('an empty file says nothing', () => {
    expect(from('').options).toEqual(settingsOf({}).options);
  });

  test.each([
    [
      'heartbeat-interval: abc',
      'error unmarshaling JSON: while decoding JSON: json: cannot unmarshal string into Go struct field configYAML.heartbeat-interval of type uint',
    ],
    [
      'name: 3',
      'error unmarshaling JSON: while decoding JSON: json: cannot unmarshal number into Go struct field configYAML.name of type string',
    ],
    [
      'pre-vote: "true"',
      'error unmarshaling JSON: while decoding JSON: json: cannot unmarshal string into Go struct field configYAML.pre-vote of type bool',
    ],
    [
      'peer-transport-security: foo',
      'error unmarshaling JSON: while decoding JSON: json: cannot unmarshal string into Go struct field configYAML.peer-transport-security of type embed.securityConfig',
    ],
    [
      '- a',
      'error unmarshaling JSON: while decoding JSON: json: cannot unmarshal array into Go value of type embed.configYAML',
    ],
    [
      'listen-client-urls: foo',
      'unexpected error setting up listen-client-urls: URL scheme must be http, https, unix, or unixs: foo',
    ],
    [
      'name: y',
      'error unmarshaling JSON: while decoding JSON: json: cannot unmarshal bool into Go struct field configYAML.name of type string',
    ],
    [' a: [', 'error converting YAML to JSON: yaml: '],
  ])('%j is refused', (text, message) => {
    expect(() => from(text)).toThrow(message);
  });

  test("a file that cannot be read is refused in the system's words", () => {
    const readFile = (): never => {
      throw Object.assign(new Error('ENOENT: …'), { code: 'ENOENT' });
    };
    expect(() => settingsOf({ words: ['--config-file=/nope'], readFile })).toThrow(
      'open /nope: no such file or directory',
    );
  });
});

test('timeouts of peers below five seconds are raised, and that is said', () => {
  const { options, remarks } = settingsOf({ words: ['--raft-read-timeout=1s'] });
  expect(resolveOptions(options).raftReadTimeoutMs).toBe(5_000);
  expect(remarks).toEqual([
    { level: 'info', message: 'raft-read-timeout increased to minimum value: 5s' },
  ]);
});

describe('old names', () => {
  test('a twin sets the option of the flag in its place, and wins over it', () => {
    const words = ['--snapshot-catchup-entries=1', '--experimental-snapshot-catchup-entries=2'];
    expect(settingsOf({ words }).options.snapshotCatchUpEntries).toBe(2);
    expect(settingsOf({ words: words.toReversed() }).options.snapshotCatchUpEntries).toBe(2);
  });

  test('their end is said', () => {
    const { remarks } = settingsOf({ words: ['--experimental-warning-apply-duration=1s'] });
    expect(remarks).toEqual([
      {
        level: 'warn',
        message:
          "--experimental-warning-apply-duration is deprecated in v3.6 and will be decommissioned in v3.7. Use '--warning-apply-duration' instead.",
      },
    ]);
  });

  test('the time of unary requests may not be given under both names', () => {
    const words = [
      '--warning-unary-request-duration=1s',
      '--experimental-warning-unary-request-duration=1s',
    ];
    expect(() => settingsOf({ words })).toThrow(
      'both --experimental-warning-unary-request-duration and --warning-unary-request-duration flags are set. Use only --warning-unary-request-duration',
    );
  });

  test('a switch that became a gate may not be given under both names', () => {
    const words = [
      '--experimental-txn-mode-write-with-shared-buffer=false',
      '--feature-gates=TxnModeWriteWithSharedBuffer=false',
    ];
    expect(() => settingsOf({ words })).toThrow('cannot specify both flags');
  });
});

describe('flags without effect', () => {
  test.each(['--enable-v2', '--proxy=on', '--memory-mlock', '--discovery=http://h:1/token'])(
    '%s is accepted, and its want of effect is said once',
    (word) => {
      const { remarks } = settingsOf({ words: [word, word] });
      const said = remarks.filter(({ message }) => message.includes('has no effect'));
      expect(said).toHaveLength(1);
      expect(said[0]?.message).toContain(word.split('=')[0]);
    },
  );

  test('a gate without effect is accepted, too', () => {
    const { remarks } = settingsOf({
      words: ['--feature-gates=TxnModeWriteWithSharedBuffer=false'],
    });
    expect(remarks.map(({ message }) => message).join()).toContain(
      'TxnModeWriteWithSharedBuffer has no effect',
    );
  });
});

describe('gates', () => {
  test('set the options of their gates, groups all of theirs but what is named', () => {
    const gates = (text: string) => settingsOf({ words: [`--feature-gates=${text}`] }).options;
    expect(gates('CompactHashCheck=true,LeaseCheckpoint=1')).toMatchObject({
      compactHashCheck: true,
      leaseCheckpoint: true,
    });
    expect(gates('StopGRPCServiceOnDefrag=false,AllAlpha=true')).toMatchObject({
      stopGrpcServiceOnDefrag: false,
      initialCorruptCheck: true,
      setMemberLocalAddress: true,
    });
  });

  test('are set by the switches of 3.5 that they replaced', () => {
    const words = [
      '--experimental-initial-corrupt-check',
      '--experimental-enable-lease-checkpoint',
    ];
    expect(settingsOf({ words }).options).toMatchObject({
      initialCorruptCheck: true,
      leaseCheckpoint: true,
    });
  });

  test.each([
    ['Foo=true', 'unrecognized feature gate: Foo'],
    ['CompactHashCheck', 'missing bool value for CompactHashCheck'],
    [
      'CompactHashCheck=maybe',
      'invalid value of CompactHashCheck=maybe, err: strconv.ParseBool: parsing "maybe": invalid syntax',
    ],
  ])('%s is refused', (gates, problem) => {
    expect(() => settingsOf({ words: [`--feature-gates=${gates}`] })).toThrow(
      `invalid value "${gates}" for flag -feature-gates: ${problem}`,
    );
  });
});

test('the defaults of name and data directory are warned of', () => {
  const said = (...words: string[]) => read({ words }).remarks.map(({ message }) => message);
  expect(said()).toEqual([
    expect.stringContaining("it isn't recommended to use default name"),
    "'data-dir' was empty; using default",
  ]);
  expect(said('--name=a', '--data-dir=d')).toEqual([]);
});

describe('who listens on every address and does not say where it is reached', () => {
  const open = ['--listen-peer-urls=http://0.0.0.0:1', '--listen-client-urls=http://0.0.0.0:2'];
  const given = (words: readonly string[], host: string | undefined = '192.0.2.7') => {
    const { options, remarks } = settingsOf({ words, defaultHost: () => host });
    const { initialAdvertisePeerUrls: peer, advertiseClientUrls: client } = options;
    const said = remarks.filter(({ message }) => message === 'detected default host for advertise');
    return { peer, client, said: said.map(({ fields }) => fields) };
  };
  const local = '--advertise-client-urls=http://localhost:2379';

  test("advertises the machine's own address", () => {
    expect(given([...open, local])).toEqual({
      peer: ['http://192.0.2.7:1'],
      client: ['http://192.0.2.7:2'],
      said: [{ host: '192.0.2.7' }],
    });
  });

  test('but not where something else is said, or no address is known', () => {
    const said = ['--advertise-client-urls=http://c:1', '--initial-advertise-peer-urls=http://p:1'];
    expect(given([...open, ...said])).toEqual({
      peer: ['http://p:1'],
      client: ['http://c:1'],
      said: [],
    });
    const here = ['--listen-peer-urls=http://127.0.0.1:1'];
    expect(given(here).peer).toEqual(['http://localhost:2380']);
    expect(settingsOf({ words: [...open, local] }).options).toMatchObject({
      initialAdvertisePeerUrls: ['http://localhost:2380'],
      advertiseClientUrls: ['http://localhost:2379'],
    });
  });

  test('which is that of the default route, of several the one with the least metric', () => {
    const head = 'Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\tMTU\n';
    const route = (device: string, to: string, metric: number): string =>
      `${device}\t${to}\t010200C0\t0003\t0\t0\t${metric}\t${to}\t0\n`;
    const local = route('eth9', '000200C0', 0);
    expect(defaultDevice(head + local)).toBeUndefined();
    const two = route('wlan0', '00000000', 600) + route('eth0', '00000000', 100);
    expect(defaultDevice(head + local + two)).toBe('eth0');
  });
});
