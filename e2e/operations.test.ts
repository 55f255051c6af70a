/** Runs docs/operations.md: every command in its order, in one shell, its output held to what the page shows. */
import { execFile } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { hasEtcd, realEtcd } from '../tools/peers/real-etcd.ts';
import { build, ETCD_TS } from './harness/cluster.ts';
import { freePorts } from '../tools/peers/free-ports.ts';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const peers = realEtcd();

interface Block {
  readonly language: string;
  readonly text: string;
  /** The heading that it is under. */
  readonly heading: string;
}

/** Fenced blocks of a page, in their order. */
function blocksOf(page: string): Block[] {
  const blocks: Block[] = [];
  let heading = '';
  for (const [, title, language, text] of page.matchAll(/^#+ (.+)$|^```(\w+)\n([\s\S]*?)^```$/gm)) {
    if (title !== undefined) heading = title;
    else blocks.push({ language: language ?? '', text: text ?? '', heading });
  }
  return blocks;
}

describe.runIf(hasEtcd(peers))('docs/operations.md', () => {
  let folder: string;
  beforeAll(() => {
    build();
    folder = mkdtempSync(join(tmpdir(), 'etcd-ts-operations-'));
  });
  afterAll(() => {
    for (const name of readdirSync(folder).filter((file) => file.endsWith('.pid'))) {
      try {
        process.kill(Number(readFileSync(join(folder, name), 'utf8')), 'SIGKILL');
      } catch {
        // It has ended, as it should.
      }
    }
    rmSync(folder, { recursive: true, force: true });
  });

  test('does what it says', { timeout: 300_000 }, async () => {
    const bin = join(folder, 'bin');
    mkdirSync(bin);
    const wrap = (name: string, command: string): void =>
      writeFileSync(join(bin, name), `#!/bin/sh\nexec ${command} "$@"\n`, { mode: 0o755 });
    wrap('etcd-ts', ETCD_TS.join(' '));
    wrap('etcdctl', 'missing' in peers ? 'false' : peers.etcdctl);
    wrap('etcdutl', 'missing' in peers ? 'false' : peers.etcdutl);
    const [places, ...blocks] = blocksOf(readFileSync(join(root, 'docs/operations.md'), 'utf8'));
    const ports = await freePorts(6);
    // The first block says where things are; here they are elsewhere.
    let port = 0;
    const here = places!.text
      .replace('/var/lib/etcd-ts', folder)
      .replaceAll(/127\.0\.0\.1:\d+/g, () => `127.0.0.1:${ports[port++]}`);
    expect(port).toBe(ports.length);
    const commands = blocks.filter(({ language }) => language === 'sh');
    const script = ['set -euo pipefail', here];
    for (const [i, { text }] of commands.entries()) {
      script.push(`exec > ${join(folder, `${i}.out`)} 2> ${join(folder, `${i}.err`)}`, text);
    }
    const path = join(folder, 'page.sh');
    writeFileSync(path, script.join('\n'));
    const ran = await new Promise<number>((resolve) => {
      const environment = { ...process.env, PATH: `${bin}:${process.env['PATH']}` };
      const child = execFile(
        'bash',
        [path],
        { cwd: root, env: environment, timeout: 280_000 },
        (error) => resolve(error === null ? 0 : typeof error.code === 'number' ? error.code : -1),
      );
      child.stdin?.end();
    });
    const output = (i: number, kind: string): string => {
      const file = join(folder, `${i}.${kind}`);
      return existsSync(file) ? readFileSync(file, 'utf8') : '';
    };
    const last = commands.filter((_, i) => existsSync(join(folder, `${i}.out`))).length - 1;
    const where = `${commands[last]?.heading}: ${commands[last]?.text}${output(last, 'out')}${output(last, 'err')}`;
    expect(ran === 0 ? '' : where).toBe('');
    let at = -1;
    for (const { language, text, heading } of blocks) {
      if (language === 'sh') at += 1;
      else expect({ heading, text: output(at, 'out') }).toEqual({ heading, text });
    }
  });
});
