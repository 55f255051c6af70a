/** Command lines that are refused, beside real etcd 3.5: the same exit code, the same words. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { hasEtcd, realEtcd } from '../../../../tools/peers/real-etcd.ts';
import { UsageError } from '../../src/node/flags/command-line.ts';
import { readSettings, type RunSettings } from '../../src/node/flags/settings.ts';
import { logStyle } from '../../src/node/log/log-style.ts';
import { resolveOptions } from '../../src/options.ts';

const peers = realEtcd();
const folder = mkdtempSync(join(tmpdir(), 'etcd-ts-beside-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** How a command line is refused. */
interface Refusal {
  readonly code: number | null;
  readonly message: string | undefined;
}

type Variables = Readonly<Record<string, string>>;

async function ours(words: readonly string[], environment: Variables): Promise<Refusal> {
  try {
    const readFile = (path: string): string => readFileSync(path, 'utf8');
    const settings = readSettings({ words, environment, readFile });
    if (settings.action !== 'run') return { code: 0, message: undefined };
    const { options, program } = settings as RunSettings;
    await logStyle(program);
    const problem = resolveOptions(options).initialClusterProblem;
    return problem === undefined
      ? { code: null, message: undefined }
      : { code: 1, message: problem.message };
  } catch (error) {
    return { code: error instanceof UsageError ? 2 : 1, message: (error as Error).message };
  }
}

function etcds(words: readonly string[], environment: Variables): Refusal {
  const { status, stdout, stderr } = spawnSync(hasEtcd(peers) ? peers.etcd : '', words, {
    cwd: folder,
    env: { ...environment },
    encoding: 'utf8',
    timeout: 10_000,
  });
  const lines = `${stderr}\n${stdout}`.split('\n').filter((line) => line !== '');
  const logged = lines.flatMap((line) => {
    try {
      return [(JSON.parse(line) as { error?: string }).error ?? []].flat();
    } catch {
      return [];
    }
  });
  // Names are resolved there before URLs are compared, and the outcome is told.
  const said = (logged.at(-1) ?? lines[0])?.replace(/ \(resolved urls: .*\)$/, '');
  return { code: status, message: said };
}

const LISTEN = '--listen-client-urls=http://127.0.0.1:1';
const REFUSED: readonly (readonly string[])[] = [
  ['--foo'],
  ['--foo=1'],
  ['--name'],
  ['---x'],
  ['--=3'],
  ['-'],
  ['--', 'x'],
  ['x', '--foo'],
  ['-v', 'x'],
  ['--pre-vote=maybe'],
  ['--pre-vote='],
  ['--pre-vote', 'false'],
  ['--heartbeat-interval=abc'],
  ['--heartbeat-interval='],
  ['--heartbeat-interval=-1'],
  ['--heartbeat-interval=1.5'],
  ['--heartbeat-interval=08'],
  ['--snapshot-count=18446744073709551616'],
  ['--quota-backend-bytes=9223372036854775808'],
  ['--backend-batch-limit=x'],
  ['--max-concurrent-streams=x'],
  ['--max-concurrent-streams=4294967296'],
  ['--max-concurrent-streams=-1'],
  ['--grpc-keepalive-interval=5'],
  ['--grpc-keepalive-interval=1d'],
  ['--initial-cluster-state=foo'],
  ['--proxy=foo'],
  ['--discovery-fallback=foo'],
  ['--v2-deprecation=foo'],
  ['--listen-peer-urls=localhost:2380'],
  ['--listen-peer-urls=http://127.0.0.1'],
  ['--listen-peer-urls=http://127.0.0.1:1/x'],
  ['--listen-client-urls=ftp://127.0.0.1:1'],
  ['--listen-client-urls=http://127.0.0.1:1,foo'],
  ['--listen-metrics-urls=foo'],
  ['--cors=foo'],
  [LISTEN],
  ['--listen-client-urls=http://a:1', '--advertise-client-urls=http://a:1'],
  ['--listen-peer-urls=http://example.com:1'],
  ['--heartbeat-interval=0'],
  ['--election-timeout=0'],
  ['--heartbeat-interval=100', '--election-timeout=499'],
  ['--election-timeout=50001'],
  ['--auto-compaction-mode=foo'],
  ['--logger=foo'],
  ['--log-outputs=default,stdout'],
  ['--log-outputs=/nonexistent/x'],
  ['--enable-log-rotation'],
  ['--config-file=/nonexistent'],
  ['--tls-min-version=foo'],
  ['--tls-min-version=TLS1.3', '--tls-max-version=TLS1.2'],
  ['--tls-min-version=TLS1.3', '--cipher-suites=TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256'],
  ['--initial-cluster=x=http://127.0.0.1:1'],
  ['--initial-cluster=default=http://127.0.0.1:1'],
  ['--initial-cluster=default=http://localhost:2380,b=http://localhost:2380'],
  ['--initial-cluster=default'],
  [
    '--initial-advertise-peer-urls=http://127.0.0.1:1',
    '--initial-cluster=default=http://localhost:2380',
  ],
];

describe.skipIf(!hasEtcd(peers))('refused as by etcd', () => {
  for (const words of REFUSED) {
    test(words.join(' '), async () => {
      expect(await ours(words, {})).toEqual(etcds(words, {}));
    });
  }

  for (const variables of [
    { ETCD_HEARTBEAT_INTERVAL: 'abc' },
    { ETCD_PRE_VOTE: 'maybe' },
    { ETCD_LISTEN_CLIENT_URLS: 'foo' },
    { ETCD_LISTEN_CLIENT_URLS: 'http://127.0.0.1:1' },
    { ETCD_CONFIG_FILE: '/nonexistent' },
  ] as Variables[]) {
    test(JSON.stringify(variables), async () => {
      expect(await ours([], variables)).toEqual(etcds([], variables));
    });
  }

  for (const text of [
    'heartbeat-interval: abc',
    'name: 3',
    'pre-vote: "true"',
    'name: y',
    'pre-vote: 1:30',
    'heartbeat-interval: 0',
    'initial-cluster-state: foo',
    'listen-client-urls: http://a:1',
    'peer-transport-security: foo',
    'cipher-suites: foo',
    'grpc-keepalive-interval: x',
  ]) {
    test(`a file with ${text}`, async () => {
      const path = join(folder, 'etcd.yaml');
      writeFileSync(path, text);
      const words = [`--config-file=${path}`];
      const [we, they] = [await ours(words, {}), etcds(words, {})];
      // Go names the struct in which a key is; that differs from release to release.
      const plain = (said: string | undefined) =>
        said?.replace(/configYAML\.(Config|configJSON)\./, 'configYAML.');
      expect({ ...we, message: plain(we.message) }).toEqual({
        ...they,
        message: plain(they.message),
      });
    });
  }
});
