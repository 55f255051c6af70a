/** Flags of the gateway and of the gRPC proxy: etcd's names and defaults, what is refused, and which test shows what. */
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { hasEtcd, realEtcd } from '../../../../tools/peers/real-etcd.ts';
import { silentLogger } from '../../src/logger.ts';
import { nameResolver } from '../../src/node/name-resolver.ts';
import { type CommandFlag, readCommandFlags } from '../../src/proxy/node/command-flags.ts';
import { GATEWAY_FLAGS, startGateway } from '../../src/proxy/node/gateway-command.ts';
import { GRPC_PROXY_FLAGS } from '../../src/proxy/node/grpc-proxy-flags.ts';
import { startGrpcProxy } from '../../src/proxy/node/grpc-proxy.ts';
import type { Claim } from './claims.ts';
import { GATEWAY_CLAIMS, GRPC_PROXY_CLAIMS } from './command-claims.ts';

const root = join(import.meta.dirname, '..', '..', '..', '..');
const peers = realEtcd();

/** Since etcd 3.6. */
const NEWER = ['experimental-enable-grpc-logging'];

interface Command {
  readonly name: string;
  readonly flags: readonly CommandFlag[];
  readonly claims: Readonly<Record<string, Claim>>;
  readonly start: (values: ReadonlyMap<string, unknown>) => Promise<{ close(ms: number): unknown }>;
}

const COMMANDS: readonly Command[] = [
  {
    name: 'gateway',
    flags: GATEWAY_FLAGS,
    claims: GATEWAY_CLAIMS,
    start: (values) => startGateway(values, silentLogger, nameResolver()),
  },
  {
    name: 'grpc-proxy',
    flags: GRPC_PROXY_FLAGS,
    claims: GRPC_PROXY_CLAIMS,
    start: (values) => startGrpcProxy(values, silentLogger, nameResolver()),
  },
];

/** What no value of the kind may be. */
function badFor({ kind }: CommandFlag): string | undefined {
  if (kind.goType === 'bool') return 'maybe';
  return /^u?int|Duration$/.test(kind.goType) ? 'abc' : undefined;
}

describe.each(COMMANDS)('etcd-ts $name start', ({ name, flags, claims, start }) => {
  test('every flag has a claim, and the test that shows it is there', () => {
    expect(Object.keys(claims).sort()).toEqual(flags.map((flag) => flag.name).sort());
    const missing = Object.values(claims).filter(({ shown: [file, title] }) => {
      const path = join(root, file);
      return !existsSync(path) || !readFileSync(path, 'utf8').includes(title);
    });
    expect(missing).toEqual([]);
  });

  for (const flag of flags) {
    const claim = claims[flag.name]?.bad;
    if (claim === 'any') continue;
    const bad = claim?.[0] ?? badFor(flag) ?? '';
    test(`--${flag.name}=${bad} is refused`, async () => {
      const begin = async (): Promise<unknown> => {
        const words = ['--listen-addr=127.0.0.1:0', `--${flag.name}=${bad}`];
        return start(readCommandFlags(words, flags)!);
      };
      const words = `invalid argument "${bad}" for "--${flag.name}" flag`;
      await expect(begin()).rejects.toThrow(claim?.[1] ?? words);
    });
  }

  test.runIf(hasEtcd(peers))("names and defaults are etcd's", () => {
    const etcd = hasEtcd(peers) ? peers.etcd : '';
    const { stdout } = spawnSync(etcd, [name, 'start', '--help'], { encoding: 'utf8' });
    const theirs = [...stdout.matchAll(/^ +--([\w-]+)( [a-z]\w*)? {2,}(.*)$/gm)]
      .map(([, flag, , help = '']) => ({
        flag,
        fallback: /\(default "?\[?([^\]")]*)\]?"?\)$/.exec(help)?.[1],
      }))
      .sort((a, b) => (String(a.flag) < String(b.flag) ? -1 : 1));
    const unsaid = ['', 'false', '0', '0s'];
    const ours = flags
      .filter((flag) => !NEWER.includes(flag.name))
      .map(({ name: flag, fallback }) => ({
        flag,
        fallback: unsaid.includes(fallback) ? undefined : fallback,
      }))
      .sort((a, b) => (a.flag < b.flag ? -1 : 1));
    expect(ours).toEqual(theirs);
  });
});
